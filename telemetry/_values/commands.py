"""Credentials in commands that are lists of arguments (pure)."""

from __future__ import annotations

import re
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING, Final

from .credentials import COMMANDS, without_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_ARGUMENTS: Final = 64
_MOST_WORDS: Final = 3
_UNQUOTED: Final = r"""[^\s"']+"""


def credentials_in_command(items: Sequence[object]) -> frozenset[int]:
    """Return the places of credentials in a command that is a list, `["curl", "-u", "me:..."]`.

    Args:
        items: the command and its arguments; anything else is no command.
    """
    if not items or type(items[0]) is not str:
        return frozenset()
    command = items[0].rpartition("/")[2].removesuffix(".exe")
    if command not in COMMANDS:
        return frozenset()
    texts = [item if type(item) is str else "" for item in items[1:_MOST_ARGUMENTS]]
    words = takewhile(lambda text: text[:1] not in ("", "-"), texts)
    begin = " ".join([command, *map(_quoted, islice(words, _MOST_WORDS))])
    return frozenset(
        place
        for place, (before, text) in enumerate(pairwise(["", *texts]), 1)
        if _is_told_by(begin, before, text)
    )


def _is_told_by(begin: str, before: str, text: str) -> bool:
    """Say whether an argument of a command has a credential, by the option before it or its own."""
    own = _quoted(text)
    if text.startswith("-"):
        whole = f"{begin} {own}"
    elif before.startswith("-"):
        whole = f"{begin} {before} {own}"
    else:
        return False
    return not without_credentials(whole).endswith(own)


def _quoted(text: str) -> str:
    if re.fullmatch(_UNQUOTED, text):
        return text
    return '"' + " ".join(text.replace('"', " ").split()) + '"'

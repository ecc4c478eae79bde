"""Where the journal is: an argument, a variable, or the user's state folder (pure)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "NODESPAN_JOURNAL"
# An empty one takes 170,000 with its log.
LEAST_MAX_BYTES: Final = 1_000_000
DEFAULT_MAX_BYTES: Final = 512 << 20
DEFAULT_MAX_DAYS: Final = 30.0

_FILE: Final = "journal.db"
_ON: Final = ("on", "true", "1", "yes")
_OFF: Final = ("off", "false", "0", "no", "none")


def journal(name: str, value: object) -> bool | Path | None:
    """Return whether there is to be a journal, or its file; None where that is not said.

    Raises:
        ConfigurationError: what was given is neither a switch nor a path.
    """
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str | os.PathLike):
        raise ConfigurationError(f"{name} is {value!r}; use True, False or the path of a file")
    text = os.fspath(value)
    word = text.strip().lower() if isinstance(text, str) else ""
    if word in _ON + _OFF:
        return word in _ON
    # A word that is no switch is rather a slip than a file in whatever folder one is.
    marks = (os.sep, os.altsep or os.sep, ".")
    if not isinstance(text, str) or "\0" in text or not any(mark in text for mark in marks):
        raise ConfigurationError(f"{name} is {text!r}; use on, off or the path of a file")
    return _file(text, name)


def max_bytes(name: str, value: object) -> int | None:
    """Return how large a journal may be, in bytes; None where that is not said.

    Raises:
        ConfigurationError: it is no number, or so few that nothing could be kept.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < LEAST_MAX_BYTES:
        raise ConfigurationError(
            f"{name} is {value!r}; it must be a whole number of bytes from {LEAST_MAX_BYTES:,} up"
        )
    return value


def file_at(path: str | os.PathLike[str]) -> Path:
    """Return the journal's file at a place: in a folder the one that is called `journal.db`.

    Raises:
        ConfigurationError: the place is in the home of a user that there is not.
    """
    return _file(os.fspath(path))


def journal_path(setting: bool | os.PathLike[str] | str | None, *, by_default: bool) -> Path | None:
    """Return the file of the journal; None where there is to be none.

    Args:
        setting: what `journal` has returned.
        by_default: whether there is one where nothing is said.
    """
    if isinstance(setting, str | os.PathLike):
        return file_at(setting)
    return default_path() if setting or (setting is None and by_default) else None


def default_path() -> Path:
    """Return the journal's file in the user's state folder.

    Source: https://platformdirs.readthedocs.io/en/latest/api.html#user-state-directory
    """
    # Imported late: a program whose journal is elsewhere, or off, does without it.
    from platformdirs import user_state_path  # noqa: PLC0415

    return user_state_path("nodespan", appauthor=False) / _FILE


def path_in_use(environ: Mapping[str, str]) -> Path:
    """Return the file that `NODESPAN_JOURNAL` names, or else the one in the user's state folder.

    Raises:
        ConfigurationError: the variable has neither a switch nor a path.
    """
    named = journal(VARIABLE, environ.get(VARIABLE, "").strip() or None)
    return named if isinstance(named, Path) else default_path()


def _file(text: str, source: str = "the journal") -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise ConfigurationError(
            f"{source} is {text!r}: {user!r} is nobody's home; write the path out"
        ) from None
    is_folder = text.endswith((os.sep, os.altsep or os.sep)) or path.is_dir()
    return Path(os.path.abspath(path / _FILE if is_folder else path))  # noqa: PTH100 - keeps links

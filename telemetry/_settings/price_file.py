"""Reads a file of prices, and refuses what no table of prices looks like."""

from __future__ import annotations

import errno
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import BinaryIO

_MAX_BYTES: Final = 1_000_000
_MAX_DEPTH: Final = 8
_MAX_PATH: Final = 400
# Texts and comments of TOML, whose brackets and dots are none; each is matched at once or not.
_NO_STRUCTURE: Final = re.compile(
    r'''""".*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|\#[^\n]*''',
    re.DOTALL,
)
# What stands between these is a key, or a value without a structure.
_STRUCTURE: Final = re.compile(r"([\[\]{}])|[=,\n]")


def prices_in(source: str | PathLike[str]) -> Mapping[str, Any]:
    """Return what is in a file.

    Raises:
        ConfigurationError: it cannot be read, or is no table of prices.
    """
    try:
        with _opened(Path(source)) as file:
            text = _text(file.read(_MAX_BYTES + 1))
        _check_shape(text)
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(
            f"prices file {_short_path(source)} cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"prices file {_short_path(source)} is no TOML: {error}"
        ) from error


def _opened(path: Path) -> BinaryIO:
    """Open a file to read; what is none, as a pipe that nobody may ever write into, is refused."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is no file")
    return path.open("rb")


def _text(content: bytes) -> str:
    """Return the text of a file.

    Raises:
        ValueError: it is too long, or no text.
    """
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is longer than {_MAX_BYTES:,} bytes, as no table of prices is")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line:,} is not in UTF-8; save the file as UTF-8") from None


def _check_shape(text: str) -> None:
    """Refuse what takes the parser deep: no table of prices looks like it.

    Raises:
        ValueError: it is too deep.
    """
    depth = 0
    for part in _STRUCTURE.split(_NO_STRUCTURE.sub("_", text)):
        opens, closes = part in ("[", "{"), part in ("]", "}")
        depth = max(depth + opens - closes, 0)
        if depth > _MAX_DEPTH or (part or "").count(".") > _MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {_MAX_DEPTH}, as no table of prices is")


def _short_path(path: str | PathLike[str]) -> str:
    """Show a path, or what may be a whole table that was given for one."""
    shown = repr(str(path))
    return shown if len(shown) <= _MAX_PATH else f"{shown[:_MAX_PATH]}..."

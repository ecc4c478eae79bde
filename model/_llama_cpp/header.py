"""What the header of a GGUF file says of its model.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The vocabulary, which is longer, comes after what is looked for.
_MOST_BYTES: Final = 1 << 20
_START: Final = struct.Struct("<4sIQQ")
_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_LENGTH: Final = struct.Struct("<Q")
_KIND: Final = struct.Struct("<I")
_ARRAY_HEAD: Final = struct.Struct("<IQ")
_NUMBERS: Final = {
    **dict(enumerate(struct.Struct(f"<{each}") for each in "BbHhIif?")),
    **dict(zip((10, 11, 12), (struct.Struct(f"<{each}") for each in "Qqd"), strict=True)),
}
_TEXT: Final = 8
_ARRAY: Final = 9
_CONTEXT: Final = ".context_length"


def trained_context(path: Path) -> int | None:
    """Return for conversations of how many tokens a model was made; None where nothing says it."""
    if not path.is_file():  # or it may be a pipe that nobody ever writes into
        return None
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
        for name, value in _entries(content):
            if name.endswith(_CONTEXT) and isinstance(value, int) and value > 0:
                return value
    except (OSError, struct.error, ValueError, KeyError):  # llama.cpp says what is wrong with it
        return None
    return None


def _entries(content: bytes) -> Iterator[tuple[str, object]]:
    """Give the entries of a header one by one, as far as it goes; lists are left out."""
    magic, version, _, count = _START.unpack_from(content)
    if magic != _MAGIC or version not in _VERSIONS:
        return
    at = _START.size
    for _ in range(min(count, _MOST_BYTES)):
        name, at = _text(content, at)
        (kind,), at = _KIND.unpack_from(content, at), at + _KIND.size
        value, at = _value(content, at, kind)
        yield name.decode(), value


def _text(content: bytes, at: int) -> tuple[bytes, int]:
    (size,) = _LENGTH.unpack_from(content, at)
    begin = at + _LENGTH.size
    if begin + size > len(content):
        raise ValueError(size)
    return content[begin : begin + size], begin + size


def _value(content: bytes, at: int, kind: int) -> tuple[object, int]:
    if kind == _TEXT:
        return _text(content, at)
    if kind == _ARRAY:
        return None, _end_of_array(content, at)
    number = _NUMBERS[kind]
    return number.unpack_from(content, at)[0], at + number.size


def _end_of_array(content: bytes, at: int) -> int:
    kind, count = _ARRAY_HEAD.unpack_from(content, at)
    at += _ARRAY_HEAD.size
    if kind != _TEXT:
        return min(at + int(_NUMBERS[kind].size * count), len(content))
    for _ in range(count):  # it ends with the content
        at = _text(content, at)[1]
    return at

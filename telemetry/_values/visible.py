"""Text from elsewhere, made harmless where people read it (pure).

A terminal obeys control characters, and shows text in another order where a character asks for
it: what is written there could hide, forge or overwrite lines.
"""

from __future__ import annotations

import re
from typing import Final

_DIRECTIONS: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_LINE_BREAKS: Final = (0x2028, 0x2029)
_SYMBOLS: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **dict.fromkeys(_LINE_BREAKS, "\u2424"),
    **dict.fromkeys(_DIRECTIONS, "\ufffd"),
}
_IN_LINES: Final = {**_SYMBOLS, ord("\n"): "\n", ord("\t"): "\t"}
# What JSON lets pass as it is.
_IN_JSON: Final = "[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"


def visible(text: str) -> str:
    """Show control characters and changes of direction as symbols: a text is one line then."""
    return text if text.isascii() and text.isprintable() else text.translate(_SYMBOLS)


def visible_lines(text: str) -> str:
    """Do the same, but keep line breaks and tabs."""
    return text.translate(_IN_LINES)


def escaped_in_json(document: str) -> str:
    """Escape in a JSON *document* what is harmless for a parser alone; it says the same."""
    if document.isascii() and "\x7f" not in document:
        return document
    return re.sub(_IN_JSON, lambda found: f"\\u{ord(found[0]):04x}", document)

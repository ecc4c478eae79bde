"""Text from elsewhere, made harmless for a terminal."""

from typing import Final

_SHOWN: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **dict.fromkeys((0x2028, 0x2029), "\u2424"),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
}
"""Each control character, line break and change of direction, and a symbol for it."""

_ESCAPED: Final = {code: f"\\u{code:04x}" for code in _SHOWN if code >= 0x7F}  # noqa: PLR2004 - JSON escapes those below

_IN_LINES: Final = {**_SHOWN, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}


def plain(text: str) -> str:
    """Show the control characters in *text*, line breaks too, instead of obeying them."""
    return text.translate(_SHOWN)


def plain_lines(text: str) -> str:
    """Do the same, but keep line breaks and tabs, and drop carriage returns."""
    return text.translate(_IN_LINES)


def escaped_in_json(document: str) -> str:
    """Escape in a JSON *document* what would be shown as a symbol; it says the same."""
    return document.translate(_ESCAPED)

"""Text from elsewhere, made harmless for a terminal."""

from typing import Final

_SHOWN: Final = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
}
"""Each control character, and the symbol that Unicode has for it."""

_IN_LINES: Final = {**_SHOWN, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}


def plain(text: str) -> str:
    """Show the control characters in *text*, line breaks too, instead of obeying them."""
    return text.translate(_SHOWN)


def plain_lines(text: str) -> str:
    """Do the same, but keep line breaks and tabs, and drop carriage returns."""
    return text.translate(_IN_LINES)

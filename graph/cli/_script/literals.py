"""Values as Python literals: whatever is in them, they are data (pure)."""

from __future__ import annotations

import json
from typing import Any, Final

# Python's own parser takes a hundred or two; people read fewer.
_DEEPEST: Final = 20


def literal(value: Any) -> str:
    """Write what JSON has as an expression of Python's that gives just that.

    `repr` of a text is a literal whatever it holds: quotes, backslashes and all that is not
    printed are escaped. What nests too deep for Python's parser is written as JSON in a text.
    """
    if isinstance(value, dict | list) and _is_deep(value):
        return f"json.loads({json.dumps(value)!r})"
    return repr(value)


def comment(text: str, most: int = 100) -> str:
    """Write a text within a comment: as a literal, which has one line."""
    return repr(text if len(text) <= most else f"{text[:most]}...")


def _is_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            return True
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for group in inner for each in group if isinstance(each, dict | list)]
    return False

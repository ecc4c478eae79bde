"""Lists and objects that were written as flat attributes, such as `llm.tools.0.name` (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Deeper, or further on in a list, nobody meant it.
_MOST_ITEMS: Final = 10_000
_MOST_DEPTH: Final = 32


def unflattened(attributes: Mapping[str, Any], prefix: str) -> Any:
    """Return what stands beneath a prefix as lists and objects; None where nothing does.

    Args:
        attributes: of a span.
        prefix: with its last dot.
    """
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        if key.startswith(prefix):
            _put(found, key[len(prefix) :].split("."), value)
    return _with_lists(found, 0) if found else None


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    *above, last = path[:_MOST_DEPTH]
    for name in above:
        beneath = into.setdefault(name, {})
        if not isinstance(beneath, dict):
            return
        into = beneath
    into.setdefault(last, value)


def _with_lists(value: Any, depth: int) -> Any:
    if not isinstance(value, dict) or depth > _MOST_DEPTH:
        return value
    made = {name: _with_lists(each, depth + 1) for name, each in value.items()}
    if made and all(name.isascii() and name.isdigit() and len(name) < 6 for name in made):  # noqa: PLR2004 - digits of the last place
        return [made[name] for name in sorted(made, key=int)][:_MOST_ITEMS]
    return made

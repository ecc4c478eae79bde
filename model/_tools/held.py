"""What llama.cpp's grammars hold an answer to, and what of a schema they cannot hold (pure).

https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md#json-schemas--gbnf
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from .._errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_IGNORED: Final = frozenset(
    {"contains", "dependentRequired", "dependentSchemas", "else", "if", "maxContains"}
    | {"maxProperties", "minContains", "minProperties", "multipleOf", "not"}
    | {"patternProperties", "propertyNames", "then", "unevaluatedProperties", "uniqueItems"}
)
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTHS: Final = ("minLength", "maxLength")
_FORMATS: Final = frozenset({"date", "date-time", "time", "uuid"})
# Classes such as \d, anchors within, back references, and groups that look around.
_BEYOND: Final = re.compile(r"\\[A-Za-z0-9]|\(\?")
_MAPS: Final = frozenset({"$defs", "definitions", "properties"})


def require_held(model: str, name: str, schema: Any) -> None:
    """Refuse a schema that an answer cannot be held to, to the letter.

    Args:
        model: The model's class, for the message.
        name: The tool, or the schema itself.
        schema: The JSON schema.

    Raises:
        UnsupportedError: It names the part that cannot be held.
    """
    found = next(_beyond(schema, ""), None)
    if found is not None:
        raise UnsupportedError(
            f"{model} cannot hold an answer to the schema of {name!r}: {found}; "
            "leave that out of the schema, and check it where the answer is used"
        )


def _beyond(schema: Any, place: str) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _beyond(each, place)
    if not isinstance(schema, dict):
        return
    for what in _here(schema):
        yield f"{place or 'it'} has {what}"
    for key, inner in schema.items():
        if key in _MAPS and isinstance(inner, dict):
            for name, each in inner.items():
                yield from _beyond(each, f"{place}.{name}" if place else name)
        elif key not in {"default", "enum", "const", "examples"}:
            yield from _beyond(inner, place)


def _here(schema: dict[str, Any]) -> Iterator[str]:
    for key in sorted(_IGNORED & schema.keys()):
        if schema[key] is not False:
            yield repr(key)
    if schema.get("type") == "number" or "number" in _listed(schema.get("type")):
        yield from (f"{key!r} of a decimal number" for key in _BOUNDS if key in schema)
    pattern, form = schema.get("pattern"), schema.get("format")
    if isinstance(pattern, str):
        yield from _in_pattern(pattern)
        yield from (f"{key!r} beside a pattern" for key in _LENGTHS if key in schema)
    if schema.get("type") == "string" and isinstance(form, str) and form not in _FORMATS:
        yield f"the format {form!r}"


def _in_pattern(pattern: str) -> Iterator[str]:
    if beyond := _BEYOND.search(pattern):
        yield f"{beyond[0]!r} in its pattern {pattern!r}"
    elif not (pattern.startswith("^") and pattern.endswith("$")):
        yield f"a pattern without an anchor (^ and $) at each end, {pattern!r}"


def _listed(kind: Any) -> list[Any]:
    return kind if isinstance(kind, list) else []

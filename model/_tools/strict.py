"""JSON schemas as servers take them under the mark `strict` (pure).

Each object lists all of its properties as required and allows no others; what is optional may be
`null` instead. https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

from typing import Any, Final

_UNSUPPORTED: Final = frozenset(
    {"allOf", "dependentRequired", "dependentSchemas", "else", "if", "not", "patternProperties"}
    | {"prefixItems", "propertyNames", "then", "unevaluatedProperties", "contains"}
)
_DROPPED: Final = frozenset({"default", "discriminator", "examples"})
_SAYS_WHAT: Final = frozenset({"$ref", "anyOf", "const", "enum", "type"})
_NULL: Final = {"type": "null"}
_DEEPEST: Final = 50


class _CannotConformError(Exception):
    """There is no strict form of a schema."""


def as_strict(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Give the strict form of a schema; `None` where there is none, such as of a free mapping."""
    if schema.get("type") != "object" or "anyOf" in schema:
        return None
    try:
        return _strict(schema, _DEEPEST)
    except _CannotConformError:
        return None


def _strict(schema: Any, depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict) or depth == 0:
        raise _CannotConformError
    schema = _simplified(schema)
    if "$ref" in schema and "$defs" not in schema:
        return {"$ref": schema["$ref"]}  # nothing may stand beside it
    if _UNSUPPORTED & schema.keys() or not _SAYS_WHAT & schema.keys():
        raise _CannotConformError
    strict = {name: value for name, value in schema.items() if name not in _DROPPED}
    for name in ("$defs", "definitions"):
        if name in strict:
            strict[name] = {key: _strict(each, depth - 1) for key, each in strict[name].items()}
    if "anyOf" in strict:
        strict["anyOf"] = [_strict(each, depth - 1) for each in strict["anyOf"]]
    if _is_a(schema, "array"):
        strict["items"] = _strict(strict.get("items"), depth - 1)
    if _is_a(schema, "object") or "properties" in schema:
        strict.update(_strict_object(schema, depth))
    return strict


def _simplified(schema: dict[str, Any]) -> dict[str, Any]:
    """Write what means the same in the words that are allowed."""
    if "oneOf" in schema and "anyOf" not in schema:
        schema = {("anyOf" if name == "oneOf" else name): v for name, v in schema.items()}
    only = schema.get("allOf")
    if isinstance(only, list) and len(only) == 1 and isinstance(only[0], dict):
        schema = {**{name: v for name, v in schema.items() if name != "allOf"}, **only[0]}
    return schema


def _strict_object(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    if schema.get("additionalProperties") not in (None, False) or "properties" not in schema:
        raise _CannotConformError
    required = schema.get("required", ())
    properties = {
        name: _strict(inner, depth - 1) if name in required else _nullable(inner, depth - 1)
        for name, inner in schema["properties"].items()
    }
    return {
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _nullable(schema: Any, depth: int) -> dict[str, Any]:
    strict = _strict(schema, depth)
    return strict if _allows_null(strict) else {"anyOf": [strict, _NULL]}


def requires_all(schema: Any) -> bool:
    """Whether nothing in a schema is optional, so that its strict form adds no `null`."""
    if isinstance(schema, list):
        return all(map(requires_all, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if isinstance(properties, dict) and properties.keys() - set(schema.get("required", ())):
        return False
    return all(map(requires_all, schema.values()))


def _is_a(schema: dict[str, Any], kind: str) -> bool:
    named = schema.get("type")
    return named == kind or (isinstance(named, list) and kind in named)


def _allows_null(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return True
    choices = (each for name in ("anyOf", "oneOf") for each in schema.get(name, ()))
    return (
        _is_a(schema, "null") or None in schema.get("enum", ()) or any(map(_allows_null, choices))
    )


def without_added_nulls(data: Any, schema: dict[str, Any]) -> Any:
    """Leave out each `null` that only the strict form of a schema allows: it stands for nothing.

    Args:
        data: What a model answered.
        schema: The schema as it was, before it was made strict.
    """
    return _cleaned(data, schema, schema)


def _cleaned(data: Any, schema: Any, root: dict[str, Any]) -> Any:
    schema = _resolved(schema, root)
    if isinstance(data, list):
        items = schema.get("items")
        return [_cleaned(each, items, root) for each in data] if items else data
    if not isinstance(data, dict):
        return data
    properties = schema.get("properties") or {}
    required = schema.get("required", ())
    return {
        name: _cleaned(value, properties.get(name), root)
        for name, value in data.items()
        if value is not None
        or name not in properties
        or name in required
        or _allows_null(_resolved(properties[name], root))
    }


def _resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and the one choice of several that is not `null`."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            schema = _at(root, reference)
            continue
        return schema
    return {}


def _at(root: dict[str, Any], reference: str) -> Any:
    place: Any = root
    for step in reference.removeprefix("#/").split("/"):
        place = place.get(step) if isinstance(place, dict) else None
    return place


def marked_strict(function: dict[str, Any], key: str) -> dict[str, Any]:
    """Give what is marked strict its strict form, or take the mark away where there is none.

    Args:
        function: A tool's function, or the `json_schema` of a response format.
        key: Where its schema stands: "parameters" or "schema".
    """
    if function.get("strict") is not True:
        return function
    conforming = as_strict(function.get(key) or {"type": "object", "properties": {}})
    if conforming is None:
        return {name: value for name, value in function.items() if name != "strict"}
    return {**function, key: conforming}

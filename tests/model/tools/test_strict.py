"""Schemas that are marked strict conform to what servers demand of such; others have no mark."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from nodespan.model import OpenAICompatibleChatModel
from support.hostile import HostileServer, says

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that answers, whatever it is asked."""
    with HostileServer([says("{}")]) as server:
        yield server


@pytest.fixture
def model(server: HostileServer) -> OpenAICompatibleChatModel:
    """A model behind the server."""
    return OpenAICompatibleChatModel(base_url=server.url, model_name="m")


def _conforms(schema: Any) -> bool:
    """Check a schema as servers do that take the mark."""
    if isinstance(schema, list):
        return all(map(_conforms, schema))
    if not isinstance(schema, dict):
        return True
    lone = "$ref" not in schema or schema.keys() == {"$ref"}
    plain = not schema.keys() & {"default", "oneOf", "allOf"}
    closed = schema.get("type") != "object" or (
        schema.get("additionalProperties") is False
        and set(schema.get("required", ())) == schema.get("properties", {}).keys()
    )
    return lone and plain and closed and all(map(_conforms, schema.values()))


class Inner(BaseModel):
    """Something inside."""

    size: int = 3


class Order(BaseModel):
    """An order."""

    name: str
    quantity: int = 1
    note: str | None = None
    kind: Literal["a", "b"] = "a"
    inner: Inner = Field(default_factory=Inner)
    more: list[Inner] = Field(default_factory=list)


class Tree(BaseModel):
    """A tree."""

    name: str
    children: list[Tree] = Field(default_factory=list)


class Free(BaseModel):
    """A free mapping."""

    values: dict[str, int]


def _asked(server: HostileServer) -> Any:
    return server.requests[-1].body["response_format"]["json_schema"]


@pytest.mark.parametrize("schema", [Order, Tree, Order.model_json_schema()])
def test_what_is_marked_conforms(
    server: HostileServer, model: OpenAICompatibleChatModel, schema: Any
) -> None:
    """All properties are required, optional ones nullable, and no others allowed."""
    model.with_structured_output(schema, include_raw=True).invoke("Hi")
    asked = _asked(server)
    assert asked["strict"] is True
    assert _conforms(asked["schema"])


def test_a_recursive_schema_keeps_its_references(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """They can be followed, so that a tree is valid to any depth, and nothing else."""
    model.with_structured_output(Tree, include_raw=True).invoke("Hi")
    schema = _asked(server)["schema"]
    leaf = {"name": "c", "children": []}
    jsonschema.validate({"name": "a", "children": [{"name": "b", "children": [leaf]}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "a", "children": [{"name": "b", "children": [4]}]}, schema)


@pytest.mark.parametrize("schema", [Free, {"title": "T", "type": "object"}])
def test_what_cannot_conform_has_no_mark(
    server: HostileServer, model: OpenAICompatibleChatModel, schema: Any
) -> None:
    """It is sent as it is."""
    model.with_structured_output(schema, include_raw=True).invoke("Hi")
    assert "strict" not in _asked(server)


def test_strict_is_obeyed(server: HostileServer, model: OpenAICompatibleChatModel) -> None:
    """`strict=False` sends the schema as it is, with that mark; a tool may be marked."""
    model.with_structured_output(Order, strict=False, include_raw=True).invoke("Hi")
    assert _asked(server)["strict"] is False
    assert not _conforms(_asked(server)["schema"])

    @tool
    def order(name: str, quantity: int = 1) -> str:
        """Order something."""
        return name * quantity

    for strict in (True, False, None):
        model.bind_tools([order], strict=strict).invoke("Hi")
        (sent,) = server.requests[-1].body["tools"]
        assert sent["function"].get("strict") is strict
        assert _conforms(sent["function"]["parameters"]) is (strict is True)
    model.with_structured_output(Order, method="function_calling", strict=True).invoke("Hi")
    assert server.requests[-1].body["tools"][0]["function"]["strict"] is True


def test_null_stands_for_what_was_left_out(server: HostileServer) -> None:
    """A server that keeps to the strict form gives `null`; the class's default holds."""
    answer = {"name": "x", "quantity": None, "note": None, "kind": None, "inner": None}
    server.replies = [says(json.dumps({**answer, "more": [{"size": None}]}))]
    model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
    assert model.with_structured_output(Order).invoke("Hi") == Order(name="x", more=[Inner()])


_TYPES = st.sampled_from([int, str, bool, list[int], Inner, int | None, Literal["a"]])


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(_TYPES, st.booleans())))
def test_any_class_conforms(fields: dict[str, tuple[Any, bool]]) -> None:
    """Whatever its fields, and whichever of them are optional."""
    from nodespan.model._tools.strict import as_strict  # noqa: PLC0415 - the pure part

    body = {name: None for name, (_, is_optional) in fields.items() if is_optional}
    annotations = {name: kind for name, (kind, _) in fields.items()}
    made: Any = type("Made", (BaseModel,), {"__annotations__": annotations, **body})
    strict = as_strict(made.model_json_schema())
    assert strict is not None
    assert _conforms(strict)

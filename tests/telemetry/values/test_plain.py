"""Any value becomes plain data: within a size, without credentials, without touching it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel, SecretStr

from nodespan.telemetry._values.attributes import attribute_text, attribute_value, short_name
from nodespan.telemetry._values.plain import Plain, Reader, to_json
from support.values import PLAIN, VALUES, Model, Record, TouchedError, untouchable

LARGE = 1_000_000


def read(value: object, characters: int = LARGE) -> Plain:
    """Return a value as plain data."""
    return Reader(characters).read(value)


def otlp(attributes: dict[str, Any], name: str = "span") -> bytes:
    """Return a span with these attributes as the real encoder sends it."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    span = tracer.start_span(name, attributes=attributes)
    span.end()
    return encode_spans([span]).SerializeToString()  # type: ignore[list-item]  # it is readable


class TestReader:
    """What a reader makes of values."""

    @given(PLAIN)
    def test_plain_data_stays_as_it_is(self, value: Plain) -> None:
        """What JSON has, and is no credential, is read as it is, and nothing is dropped."""
        reader = Reader(LARGE)
        assert reader.read(value) == value
        assert reader.dropped == 0

    @given(VALUES)
    def test_any_value_becomes_json(self, value: object) -> None:
        """Whatever a value is, what is read of it is valid JSON in valid UTF-8."""
        text = to_json(read(value))
        assert json.loads(text) == json.loads(text.encode().decode())

    @given(VALUES, st.integers(0, 200))
    def test_it_keeps_to_its_size(self, value: object, characters: int) -> None:
        """What is read takes up the room that it may, and a record's keys beyond it."""
        reader = Reader(characters)
        text = to_json(reader.read(value))
        escapes = text.count("\\") * 6
        assert len(text) <= characters + max(characters, 1_000) + 300 + escapes

    @given(PLAIN, st.integers(0, 60))
    def test_what_is_left_out_is_counted(self, value: Plain, characters: int) -> None:
        """Where anything is missing from what was read, it was counted."""
        reader = Reader(characters)
        assert reader.read(value) == value or reader.dropped > 0

    @given(VALUES)
    def test_reading_twice_gives_the_same(self, value: object) -> None:
        """Reading changes neither the value nor how it is read."""
        assert to_json(read(value)) == to_json(read(value))

    @pytest.mark.parametrize(
        ("kind", "args", "expected"),
        [
            (str, ("text",), "text"),
            (int, (7,), 7),
            (float, (7.5,), 7.5),
            (dict, (), {}),
            (list, (), []),
            (tuple, ((1, 2),), [1, 2]),
        ],
    )
    def test_methods_of_derived_classes_are_not_called(
        self, kind: type, args: tuple[Any, ...], expected: Plain
    ) -> None:
        """A value of a class derived from a plain one is read as what it is derived from."""
        told = read([untouchable(kind, *args)])
        assert told == [expected]

    def test_methods_of_unknown_classes_are_not_called(self) -> None:
        """A value of an unknown class is told by its class; its `repr` may raise or take long."""
        told = read({"state": [untouchable()], untouchable(str, "n"): 1})
        assert told == {"state": ["<Untouchable>"], "n": 1}

    def test_properties_are_not_called(self) -> None:
        """What a model or a dataclass computes on demand is not asked for."""

        class Computing(BaseModel):
            known: int = 1

            @property
            def costly(self) -> int:
                raise TouchedError

            def __getattr__(self, name: str) -> Any:
                raise TouchedError(name)

        @dataclasses.dataclass
        class Lazy:
            known: int = 1
            costly: int = dataclasses.field(default=2, init=False)

        Lazy.costly = property(lambda _self: (_ for _ in ()).throw(TouchedError()))  # type: ignore[assignment]
        lazy = object.__new__(Lazy)
        vars(lazy)["known"] = 1
        assert read(Computing()) == {"known": 1}
        assert read(lazy) == {"known": 1}

    def test_a_dict_that_lies_about_itself(self) -> None:
        """A `__dict__` that raises hides nothing and harms nothing."""

        class Liar(Record):
            @property
            def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
                raise TouchedError

        assert read(Liar("value")) == {"value": "value"}

    def test_a_class_that_lies_about_itself(self) -> None:
        """A mock that says it is a string is read as the mock that it is."""
        assert read(MagicMock(spec=str)) == "<MagicMock>"

    def test_cycles_end(self) -> None:
        """A value that holds itself is read once."""
        state: dict[str, Any] = {"name": "loop"}
        state["self"] = state
        assert read(state) == {"name": "loop", "self": "<cycle>"}

    def test_a_value_may_stand_in_two_places(self) -> None:
        """What is held twice is no cycle."""
        shared = ["a"]
        assert read([shared, shared]) == [["a"], ["a"]]

    def test_depth_is_bounded(self) -> None:
        """Nesting ends somewhere, long before Python's own limit."""
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        assert "<too deep>" in to_json(read(deep))

    def test_shared_structure_does_not_explode(self) -> None:
        """A value that unfolds to two to the power of thirty is cut at the size."""
        value: list[Any] = ["leaf"]
        for _ in range(30):
            value = [value, value]
        reader = Reader(10_000)
        assert len(to_json(reader.read(value))) < 20_000
        assert reader.dropped > 0

    def test_records_keep_their_keys(self) -> None:
        """When the room is used up, a small dictionary keeps its keys, and loses its texts."""
        assert read({"role": "user", "content": "x" * 99}, 29) == {"role": "user", "content": "xx"}

    def test_long_lists_and_dictionaries_lose_their_ends(self) -> None:
        """Of a long list the beginning is kept, and what is missing is counted."""
        reader = Reader(100)
        kept = reader.read(list(range(1_000_000)))
        assert isinstance(kept, list)
        assert kept == list(range(len(kept)))
        assert reader.dropped == 1_000_000 - len(kept)
        wide = Reader(100)
        assert len(wide.read({str(key): 1 for key in range(1_000)})) + wide.dropped == 1_000  # type: ignore[arg-type]

    def test_credentials_are_withheld(self) -> None:
        """Keys that look like credentials are left out and counted, at any depth."""
        reader = Reader(LARGE)
        value = {"model": "m", "api_key": "x", "headers": [{"Authorization": "y", "n": 1}]}
        assert reader.read(value) == {"model": "m", "headers": [{"n": 1}]}
        assert reader.dropped == 2

    def test_a_long_credential_key_is_one(self) -> None:
        """A key is looked at as a whole before it is cut."""
        key = "x" * 300 + "_api_key"
        assert read({key: "secret"}, 20) == {}

    def test_secrets_are_withheld(self) -> None:
        """Secrets of pydantic do not pass, whatever their key is."""
        assert read({"fine": SecretStr("x")}) == {"fine": "<secret>"}

    def test_a_credential_that_the_cut_would_tear(self) -> None:
        """A credential is recognised before the text is cut, not after."""
        text = "x" * 90 + " https://bob:hunter2hunter2@host"
        kept = read(text, 110)
        assert isinstance(kept, str)
        assert "hunter" not in kept

    def test_bytes_and_base64_are_measured(self) -> None:
        """Binary data is told by its size."""
        assert read(b"\0" * 1_000) == "<1000 bytes>"
        told = read("data:image/png;base64," + "A" * 1_000)
        assert told == "data:image/png;base64,<1000 characters>"

    def test_keys_that_meet_are_counted(self) -> None:
        """Two keys that become the same text are one, and the other is counted."""
        reader = Reader(LARGE)
        assert reader.read({1: "a", "1": "b"}) == {"1": "a"}
        assert reader.dropped == 1

    def test_extra_fields_and_defaults(self) -> None:
        """A pydantic model is read with its extra fields."""
        assert read(Model(value=1, more=2)) == {"value": 1, "more": 2}


class TestAttributes:
    """What becomes of values as attributes."""

    @given(VALUES)
    def test_any_value_is_exported(self, value: object) -> None:
        """Whatever a value is, as an attribute and in a name it passes the OTLP encoder."""
        assert otlp({"value": attribute_value(value)}, short_name(value))

    @given(VALUES)
    def test_text_is_text(self, value: object) -> None:
        """An attribute that must be text is."""
        assert isinstance(attribute_text(value), str)

    @given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
    def test_lists_of_one_kind_are_arrays(self, values: list[int]) -> None:
        """A list of one kind is an array of it; others are JSON."""
        assert attribute_value(values) == tuple(values)
        assert attribute_value([*values, "text"]) == to_json([*values, "text"])

    def test_cut_text_says_so(self) -> None:
        """Text that is cut ends with an ellipsis; text that is not does not."""
        assert str(attribute_value("x" * 10_000_000)).endswith("x…")
        assert attribute_value("x" * 4_096) == "x" * 4_096

    def test_what_is_content_by_its_kind(self) -> None:
        """Messages and documents are told by their classes, wherever they are."""
        value = [HumanMessage("planted"), {"a": AIMessage("planted")}, Document("planted")]
        told = str(attribute_value(value))
        assert told == '["<HumanMessage>",{"a":"<AIMessage>"},"<Document>"]'

    def test_what_is_content_by_its_name(self) -> None:
        """Values under a name of content are left out."""
        told = attribute_value({"prompt": "planted", "messages": ["planted"], "n": 1})
        assert told == '{"n":1}'

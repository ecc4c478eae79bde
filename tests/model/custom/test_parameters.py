"""Parameters by any of their names, and what a generator is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk
from pydantic import AliasChoices, Field

from nodespan.model import BadRequestError, CustomChatModel

if TYPE_CHECKING:
    from collections.abc import Iterator


class Aliased(CustomChatModel):
    """Its parameters have other names, too."""

    warmth: float = Field(default=0, alias="temp")
    size: int = Field(default=1, validation_alias="max_size")
    mark: str = Field(default="!", validation_alias=AliasChoices("sign", "punctuation"))

    def respond(self, messages: list[Any]) -> Iterator[str]:  # noqa: ARG002 - nothing is asked
        """Say what it was given."""
        yield f"{self.warmth:g} {self.size} {self.mark}"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"temp": 2}, "2 1 !"),
        ({"warmth": 2}, "2 1 !"),
        ({"max_size": 5}, "0 5 !"),
        ({"size": 5}, "0 5 !"),
        ({"mark": "?"}, "0 1 ?"),
        ({"sign": "?"}, "0 1 ?"),
        ({"punctuation": "?"}, "0 1 ?"),
    ],
)
def test_either_name_is_taken(given: dict[str, Any], text: str) -> None:
    """At construction, with a call, and bound."""
    assert Aliased(**given).invoke("Hi").text == text
    assert Aliased().invoke("Hi", **given).text == text
    assert Aliased().bind(**given).invoke("Hi").text == text


def test_both_names_at_once_are_refused() -> None:
    """One of the values would be ignored."""
    with pytest.raises(BadRequestError, match="'temp' and 'warmth' are the same parameter"):
        Aliased(temp=1, warmth=2)
    with pytest.raises(BadRequestError, match="twice"):
        Aliased().invoke("Hi", sign="?", mark="!")


class Told(CustomChatModel):
    """Says which of the names it takes it was given."""

    def respond(
        self, messages: list[Any], *, stop: Any = "nothing", stream: Any = 0, model: Any = 0
    ) -> Iterator[str]:
        """Repeat them."""
        del messages
        yield f"{stop and len(stop[0])} {stream} {model}"


def test_a_generator_gets_what_it_takes() -> None:
    """Stop strings, and any other name, from the call, from `bind` and from the model."""
    model = Told()
    assert model.invoke("Hi").text == "None 0 0"
    assert model.invoke("Hi", stop=["end"]).text == "3 0 0"
    assert model.bind(stop="end").invoke("Hi").text == "3 0 0"
    assert Told(stop=["end"]).invoke("Hi").text == "3 0 0"
    assert model.invoke("Hi", stream=True, model="m").text == "None True m"


class Anything(CustomChatModel):
    """Takes whatever it is given."""

    def respond(self, messages: list[Any], **given: Any) -> Iterator[str]:  # noqa: ARG002
        """Repeat the names."""
        yield str(list(given))


def test_a_generator_that_takes_anything_gets_stop_strings_if_there_are_any() -> None:
    """Without them it gets nothing."""
    assert Anything().invoke("Hi").text == "[]"
    assert Anything().invoke("Hi", stop=["x"]).text == "['stop']"


class LateId(CustomChatModel):
    """Gives its answer an id when some of it has gone."""

    def respond(self, messages: list[Any]) -> Iterator[Any]:  # noqa: ARG002 - nothing is asked
        """Begin without one."""
        yield "one "
        yield AIMessageChunk(content="two", id="msg_1")
        yield AIMessageChunk(content=" three", id="msg_2")


class EarlyId(CustomChatModel):
    """Gives its answer an id before anything of it."""

    def respond(self, messages: list[Any]) -> Iterator[Any]:  # noqa: ARG002 - nothing is asked
        """Begin with one."""
        yield AIMessageChunk(content="", id="msg_1")
        yield "one "
        yield AIMessageChunk(content="two", id="msg_2")


def test_a_late_id_makes_no_second_message() -> None:
    """All chunks have the id of the first; a late one is kept beside."""
    chunks = list(LateId().stream("Hi"))
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].response_metadata["id"] == "msg_1"
    assert {chunk.id for chunk in EarlyId().stream("Hi")} == {"msg_1"}

"""A schema is held to the letter, or the part that cannot be is refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from nodespan.model import CustomChatModel, LlamaCppChatModel, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _tool_with(annotation: Any) -> Any:
    made: Any = type("Wanted", (BaseModel,), {"__annotations__": {"code": annotation}})

    @tool(args_schema=made)
    def use(**_: Any) -> str:
        """Use a code."""
        return "used"

    return use, made


REFUSED = [
    (Annotated[str, Field(pattern=r"^\d{3}$")], r"code has '\\\\d' in its pattern"),
    (Annotated[str, Field(pattern="[a-z]+")], "code has a pattern without an anchor"),
    (Annotated[Decimal, Field(ge=0)], "code has 'minimum' of a decimal number"),
    (Annotated[float, Field(ge=0)], "code has 'minimum' of a decimal number"),
    (Annotated[int, Field(multiple_of=5)], "code has 'multipleOf'"),
    (set[int], "code has 'uniqueItems'"),
    (list[Annotated[float, Field(lt=1)]], "code has 'exclusiveMaximum' of a decimal number"),
]


@pytest.mark.parametrize(("annotation", "part"), REFUSED)
def test_what_cannot_be_held_is_refused_by_name(smollm2: Path, annotation: Any, part: str) -> None:
    """When the tool is bound, or the data asked for; nothing is loaded for it."""
    model = LlamaCppChatModel(model_path=smollm2)
    use, made = _tool_with(annotation)
    with pytest.raises(UnsupportedError, match=part):
        model.bind_tools([use])
    with pytest.raises(UnsupportedError, match=part):
        model.with_structured_output(made)


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Field(pattern="^[0-9]{3}$")],
        *(
            pytest.param(each, marks=pytest.mark.end_to_end)  # an answer of a real model each
            for each in (
                Annotated[int, Field(ge=3, le=5)],
                Annotated[str, Field(min_length=2, max_length=4)],
                float,
            )
        ),
    ],
)
def test_what_is_held_is_held(smollm2: Path, annotation: Any) -> None:
    """The real model's call keeps to the schema, whatever it was asked for."""
    use, made = _tool_with(annotation)
    with LlamaCppChatModel(model_path=smollm2, temperature=0, seed=1, max_tokens=64) as model:
        answer: Any = model.bind_tools([use], tool_choice="any").invoke("Use it.")
    (call,) = answer.tool_calls
    made.model_validate(call["args"])


class Tree(BaseModel):
    """A tree."""

    name: str = Field(max_length=4)
    children: list[Tree] = Field(default_factory=list, max_length=1)


@pytest.mark.end_to_end  # up to 256 tokens of a real model
def test_a_recursive_schema_is_held(smollm2: Path) -> None:
    """Its references go into the grammar, for data and for a tool's arguments."""

    @tool(args_schema=Tree)
    def plant(**_: Any) -> str:
        """Plant a tree."""
        return "planted"

    with LlamaCppChatModel(model_path=smollm2, temperature=0, seed=1, max_tokens=256) as model:
        answer: Any = model.bind_tools([plant], tool_choice="any").invoke("Plant an oak.")
        if answer.tool_calls:  # it may go on and on, to the limit of its tokens
            Tree.model_validate(answer.tool_calls[0]["args"])
        assert answer.tool_calls or answer.invalid_tool_calls


class Weather(BaseModel):
    """The weather."""

    sky: str


class Held(CustomChatModel):
    """Writes what it is told to, and keeps the schemas that it was held to."""

    texts: list[str]
    asked: list[Any] = Field(default_factory=list, exclude=True)

    def respond(self, messages: list[Any], *, response_format: Any = None) -> Iterator[str]:
        """Give the text whose turn it is."""
        del messages
        self.asked.append(response_format)
        yield self.texts[len(self.asked) - 1]


@tool
def look(where: str) -> str:
    """Look somewhere."""
    return f"{where}: not ready, call again" if where == "there" else f"{where}: blue"


def test_data_and_tools_together_keep_the_schema() -> None:
    """An agent with both calls its tool first, and answers with the data."""
    texts = [
        '{"tool": "look", "arguments": {"where": "up"}}',
        '{"answer": {"sky": "blue"}}',
    ]
    model = Held(texts=texts)
    agent = create_agent(model, [look], response_format=ProviderStrategy(Weather))
    state = agent.invoke({"messages": [HumanMessage("Sky?")]})
    assert state["structured_response"] == Weather(sky="blue")
    (_, answer) = model.asked[0]["json_schema"]["schema"]["anyOf"]
    assert answer["properties"]["answer"]["properties"]["sky"]["type"] == "string"


def test_a_tool_may_be_called_again_when_its_result_asks_for_it() -> None:
    """The same call is made twice then, and not when its result is the last word."""
    again = '{"tool": "look", "arguments": {"where": "there"}}'
    once = '{"tool": "look", "arguments": {"where": "up"}}'
    for texts, results in (
        ([again, again, '{"answer": "It is there."}'], 2),
        ([once, once, "It is blue."], 1),
    ):
        agent = create_agent(Held(texts=texts), [look])
        messages = agent.invoke({"messages": [HumanMessage("Look!")]})["messages"]
        assert sum(isinstance(each, ToolMessage) for each in messages) == results
        assert isinstance(messages[-1], AIMessage)
        assert messages[-1].text.startswith("It is")

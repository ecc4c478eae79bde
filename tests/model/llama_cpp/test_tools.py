"""A real small model calls tools and gives structured data, because it is held to a schema."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.json import parse_partial_json
from pydantic import BaseModel, Field

from nodespan.graph import build_agent
from nodespan.model import AnswerCutOffError, LlamaCppChatModel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def model(smollm2: Path) -> Iterator[LlamaCppChatModel]:
    """Load SmolLM2 once for all tests of this module."""
    with LlamaCppChatModel(model_path=smollm2, temperature=0, seed=1, max_tokens=64) as model:
        yield model


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"It is sunny in {city}."


@pytest.mark.end_to_end  # two answers of a real model; the tests below are the short way
def test_an_agent_calls_a_tool_and_answers(model: LlamaCppChatModel) -> None:
    """The loop of model and tool comes to an end, with the tool called once."""
    agent = create_agent(model, [get_weather])
    question = HumanMessage("What is the weather in Rome?")
    messages = agent.invoke({"messages": [question]}, {"recursion_limit": 8})["messages"]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert [result.content for result in results] == ["It is sunny in Rome."]
    assert messages[-1].text
    assert not messages[-1].tool_calls


async def test_arguments_are_streamed(model: LlamaCppChatModel) -> None:
    """A tool call's arguments come in chunks, not all at the end."""
    bound = model.bind_tools([get_weather], tool_choice="any")
    chunks = [chunk async for chunk in bound.astream("What is the weather in Rome?")]
    assert sum(bool(chunk.tool_call_chunks) for chunk in chunks) > 3
    assert chunks[-1].usage_metadata["output_tokens"] > 3


class Person(BaseModel):
    """A person."""

    name: str
    age: int = Field(ge=0, le=120)


def test_data_keeps_to_its_schema(model: LlamaCppChatModel) -> None:
    """What comes back is of the class, limits included."""
    person = model.with_structured_output(Person).invoke("Anna is 30 years old.")
    assert isinstance(person, Person)
    assert 0 <= person.age <= 120


def test_json_mode_gives_json(model: LlamaCppChatModel) -> None:
    """An answer in JSON mode is an object in JSON, as far as it goes."""
    answer = model.invoke("Name a colour.", response_format={"type": "json_object"})
    assert isinstance(parse_partial_json(str(answer.text)), dict)


@pytest.mark.end_to_end  # four answers each of a real model
@pytest.mark.parametrize("limit", [8, 14, 20])
def test_an_answer_that_is_cut_off_runs_no_tool(smollm2: Path, limit: int) -> None:
    """A real model that runs out of tokens in the middle of a call has not called anything."""
    saved: list[str] = []

    @tool
    def save_text(text: str) -> str:
        """Save a long text."""
        saved.append(text)
        return "saved"

    with LlamaCppChatModel(model_path=smollm2, temperature=0, seed=1, max_tokens=limit) as model:
        asked = model.bind_tools([save_text], tool_choice="any")
        question = "Save a long poem about the sea, with many words."
        answer = asked.invoke(question)
        streamed = reduce(add, asked.stream(question))
        agent = build_agent(model.bind(tool_choice="required"), [save_text])
        with pytest.raises(RecursionError):  # a forced call is cut off again and again
            agent.invoke({"messages": [HumanMessage(question)]}, {"recursion_limit": 4})
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.tool_calls == streamed.tool_calls == []
    assert saved == []


def test_half_of_the_data_is_not_parsed(smollm2: Path) -> None:
    """The error names the limit."""
    with (
        LlamaCppChatModel(model_path=smollm2, temperature=0, seed=1, max_tokens=6) as model,
        pytest.raises(AnswerCutOffError, match="max_tokens"),
    ):
        model.with_structured_output(Person).invoke("Anna is 30 years old.")

"""Graphs that a user of the command might have in a file of their own, good ones and bad ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypedDict

from langchain_core.messages import AIMessage, BaseMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph

from nodespan.model import CustomChatModel, EchoChatModel


class Recalling(CustomChatModel):
    """Says what it was told; on request it fails, or goes on and on."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: D102
        request = messages[-1].text
        if request == "fail":
            raise ConnectionError("the cable is out")
        if request == "count":
            for number in range(1_000):
                yield f"{number} "
                await asyncio.sleep(0.1)
        yield " ".join(f"[{each.type}: {each.text}]" for each in messages)


class State(MessagesState):
    """Messages, and something more."""

    mood: str


async def _ask(state: State) -> dict[str, Any]:
    return {"messages": [await Recalling().ainvoke(state["messages"])], "mood": "good"}


builder = StateGraph(State).add_node("ask", _ask).add_edge(START, "ask")
agent = builder.compile(name="recaller")


def make() -> CompiledStateGraph[State]:
    """Make a graph."""
    return agent


async def make_later() -> StateGraph[State]:
    """Make a graph that is yet to be compiled."""
    await asyncio.sleep(0)
    return builder


def make_for(user: str) -> CompiledStateGraph[State]:
    """Make a graph for somebody."""
    return builder.compile(name=user)


def written(_: MessagesState) -> dict[str, Any]:
    """Answer without a model."""
    return {"messages": [AIMessage("written by hand")]}


by_hand = StateGraph(MessagesState).add_node(written).add_edge(START, "written").compile()


class Question(TypedDict):
    """A state without messages."""

    question: str


other = StateGraph(Question).add_node("pass", lambda state: state).add_edge(START, "pass").compile()
silent = (
    StateGraph(MessagesState)
    .add_node("ask", lambda _: {"messages": [EchoChatModel(n=0).invoke("hello")]})
    .add_edge(START, "ask")
    .compile()
)
number = 3

"""One question to an agent, and its answer as far as it came."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from .._terminal.output import OutputLostError
from .graphs import nodes_of_tools

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from langchain_core.runnables import RunnableConfig
    from langgraph.graph import MessagesState

    from ..._agent import Agent

Outcome = Literal["ok", "error", "cancelled"]


class NobodyToAskError(Exception):
    """A tool has interrupted the run, to ask a human."""

    def __init__(self) -> None:
        super().__init__(
            "a tool interrupted the run to ask a human, which this command does not do; "
            "your own program can, with a checkpointer and a Command(resume=...)"
        )


@dataclass(slots=True)
class Turn:
    """What was asked, and what came of it.

    Args:
        question: The user's message.
        pieces: The text of the answer as it came, all of it or the beginning.
        outcome: How the run ended.
        error: What ended it, where that was a failure.
    """

    question: HumanMessage
    pieces: list[str] = field(default_factory=list)
    outcome: Outcome = "ok"
    error: Exception | None = None
    _source: object = field(default=None, init=False, repr=False)

    def take(self, text: str, source: object) -> str:
        """Add a piece of text, and return it; behind that of another *source*, as a paragraph."""
        if text:
            text = f"\n\n{text}" if self.pieces and source != self._source else text
            self._source = source
            self.pieces.append(text)
        return text

    @property
    def answer(self) -> str:
        """The text that came."""
        return "".join(self.pieces)


def take_turn(
    runner: asyncio.Runner,
    agent: Agent,
    prompt: str,
    config: RunnableConfig,
    write: Callable[[str], None],
) -> Turn:
    """Ask *agent*, giving its answer to *write* piece by piece; Ctrl-C stops it.

    On an event loop, because a model can be stopped in the middle of an answer only there: sync,
    LangGraph waits for the node's thread.

    Args:
        runner: Runs it.
        agent: The agent, or another graph with messages in its state.
        prompt: The question.
        config: Of the call.
        write: Is given the answer, piece by piece.

    Raises:
        OutputLostError: *write* raised it; the run was abandoned.
    """
    turn = Turn(HumanMessage(prompt, id=str(uuid4())))
    try:
        runner.run(_stream(turn, agent, config, write))
    except (KeyboardInterrupt, asyncio.CancelledError):
        turn.outcome = "cancelled"
    except OutputLostError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the model raises ends the turn only
        turn.outcome, turn.error = "error", error
    return turn


async def _stream(
    turn: Turn, agent: Agent, config: RunnableConfig, write: Callable[[str], None]
) -> None:
    asked: MessagesState = {"messages": [turn.question]}
    answering = agent.astream(asked, config, stream_mode=["messages", "values"])
    state: dict[str, Any] = {}
    # What a tool says is no answer, nor what a model does that a tool asks.
    silent = nodes_of_tools(agent)
    # A generator, whatever LangGraph's annotation says: closed, it ends the run at once.
    async with aclosing(cast("AsyncGenerator[Any, None]", answering)) as parts:
        async for mode, part in parts:
            if mode == "values":
                state = part
                continue
            message, metadata = part
            if isinstance(message, AIMessage) and metadata["langgraph_node"] not in silent:
                write(turn.take(message.text, metadata["langgraph_step"]))
    if "__interrupt__" in state:
        raise NobodyToAskError
    last = (state.get("messages") or [None])[-1]
    # A tool's result may be the answer, and so may what a node has put into the state itself.
    if isinstance(last, ToolMessage) or (isinstance(last, AIMessage) and not turn.pieces):
        write(turn.take(last.text, "result"))

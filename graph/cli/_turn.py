"""One question to an agent, and its answer as far as it came."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, HumanMessage

from ._output import OutputLostError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from langchain_core.runnables import RunnableConfig
    from langgraph.graph import MessagesState

    from .._agent_graph import Agent

Outcome = Literal["ok", "error", "cancelled"]


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
    answering = agent.astream(asked, config, stream_mode="messages")
    # A generator, whatever LangGraph's annotation says: closed, it ends the run at once.
    async with aclosing(cast("AsyncGenerator[Any, None]", answering)) as messages:
        async for message, _ in messages:
            if isinstance(message, AIMessage):
                turn.pieces.append(message.text)
                write(message.text)

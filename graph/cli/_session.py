"""An agent, the event loop that it runs on, and the spans of its runs."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from ...telemetry import SpanCollector, SpanRecord
from .._agent import build_agent
from .._agent_graph import Agent
from .._chat_model import ChatModel
from ._sending import sending
from ._turn import Turn, take_turn

AGENT_NAME = "assistant"


@dataclass(frozen=True, slots=True)
class Session:
    """Takes turns with one agent; made by `open_session`."""

    agent: Agent
    config: RunnableConfig
    collector: SpanCollector
    runner: asyncio.Runner
    handler: BaseCallbackHandler

    def ask(self, prompt: str, write: Callable[[str], None]) -> Turn:
        """Take a turn; its answer goes to *write* piece by piece. See `take_turn`."""
        config: RunnableConfig = {**self.config, "callbacks": [self.handler]}
        turn = take_turn(self.runner, self.agent, prompt, config, write)
        if turn.outcome != "ok" and self.agent.checkpointer:
            self._settle(turn)
        return turn

    def take_spans(self) -> list[SpanRecord]:
        """Return the spans since the last time, the first to start first."""
        spans = sorted(self.collector.records(), key=lambda span: span.start_ns)
        self.collector.clear()
        return spans

    def _settle(self, turn: Turn) -> None:
        """Leave no question without an answer in the history: many models refuse such a one.

        An answer that was stopped counts as far as it came. A question that was not answered at
        all, or whose run failed, is forgotten: it could fail every turn from here on.
        """
        said = turn.answer if turn.outcome == "cancelled" else ""
        state = self.agent.get_state(self.config)
        asked = turn.question.id
        if asked and asked in {message.id for message in state.values.get("messages", ())}:
            last: BaseMessage = AIMessage(said) if said else RemoveMessage(id=asked)
            self.agent.update_state(self.config, {"messages": [last]}, as_node="model")


@contextmanager
def open_session(
    model: ChatModel, *, remembers: bool, note: Callable[[str], None]
) -> Iterator[Session]:
    """Open a session with *model*, traced as the `OTEL_*` variables say; close all of it after.

    Args:
        model: The chat model.
        remembers: Whether each turn knows the ones before it.
        note: Is told what went wrong beside the answers.
    """
    # The trace and the error say what this logger would say on standard error once more.
    logging.getLogger("nodespan.telemetry.runs").addHandler(logging.NullHandler())
    collector = SpanCollector()
    checkpointer = InMemorySaver() if remembers else None
    agent = build_agent(model, name=AGENT_NAME, checkpointer=checkpointer)
    thread: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}} if remembers else {}
    with sending(collector, note) as telemetry, asyncio.Runner() as runner:
        yield Session(agent, thread, collector, runner, telemetry.handler())

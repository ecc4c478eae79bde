"""An agent, the event loop that it runs on, and the spans of its runs."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.constants import START
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from ....telemetry import SpanCollector, SpanRecord
from ..._agent import Agent, build_agent
from ..._chat_model import ChatModel
from .._terminal.exit import bad_value
from .choices import TOOL, Measures
from .display import Display
from .sending import sending
from .threads import AbandonableThreads
from .turn import Turn, take_turn

AGENT_NAME = "assistant"


@dataclass(slots=True)
class Session:
    """Takes turns with one agent; made by `open_session`.

    Args:
        agent: The agent, or another graph.
        config: Of the next turn.
        collector: Gets the spans.
        runner: Runs the turns.
        handler: Traces them.
        is_own: Whether the agent is the command's own, whose history it can write.
    """

    agent: Agent
    config: RunnableConfig
    collector: SpanCollector
    runner: asyncio.Runner
    handler: BaseCallbackHandler
    is_own: bool = True

    def ask(self, prompt: str, write: Callable[[str], None]) -> Turn:
        """Take a turn; its answer goes to *write* piece by piece. See `take_turn`."""
        config: RunnableConfig = {**self.config, "callbacks": [self.handler]}
        before = self.config if self.is_own or not self.agent.checkpointer else self._here()
        turn = take_turn(self.runner, self.agent, prompt, config, write)
        if self.agent.checkpointer and self.is_own:
            if turn.outcome != "ok":
                self._settle(turn)
        elif self.agent.checkpointer:
            self.config = before if turn.outcome != "ok" else _thread(self.config)
        return turn

    def take_spans(self) -> list[SpanRecord]:
        """Return the spans since the last time, the first to start first."""
        spans = sorted(self.collector.records(), key=lambda span: span.start_ns)
        self.collector.clear()
        return spans

    def _here(self) -> RunnableConfig:
        """Return a config that goes on from the state as it is now, whatever becomes of it.

        A turn that failed, or was stopped, is forgotten so: of a graph that is not the command's
        own nobody knows how to mend its state.
        """
        now = self.runner.run(self.agent.aget_state(self.config)).config
        return now if "checkpoint_id" in now["configurable"] else _new_thread()

    def _settle(self, turn: Turn) -> None:
        """Leave no question without an answer in the history, nor a call of a tool.

        Many models refuse such ones. An answer that was stopped counts as far as it came, but
        for its calls. A question that was not answered at all, or whose run failed, is
        forgotten: it could fail every turn from here on.
        """
        messages = self.agent.get_state(self.config).values.get("messages", ())
        before = list(takewhile(lambda message: message.id != turn.question.id, messages))
        if len(before) == len(messages):
            return
        said = turn.answer if turn.outcome == "cancelled" else ""
        asked = [turn.question, AIMessage(said)] if said else []
        history = [RemoveMessage(REMOVE_ALL_MESSAGES), *before, *asked]
        self.agent.update_state(self.config, {"messages": history}, as_node=START)


def make_agent(model: ChatModel, tools: Sequence[BaseTool], *, remembers: bool) -> Agent:
    """Build the agent to talk to.

    Args:
        model: The chat model.
        tools: What it may call.
        remembers: Whether each turn knows the ones before it.

    Raises:
        typer.BadParameter: The model cannot call these tools.
    """
    checkpointer = InMemorySaver() if remembers else None
    try:
        return build_agent(model, tools, name=AGENT_NAME, checkpointer=checkpointer)
    except (TypeError, ValueError) as error:
        raise bad_value(TOOL, str(error)) from error


@contextmanager
def open_session(
    agent: Agent, display: Display, measures: Measures, *, is_own: bool
) -> Iterator[Session]:
    """Open a session with *agent*, traced as the `OTEL_*` variables say; close all of it after.

    Args:
        agent: The agent, or another graph.
        display: Is told what went wrong beside the answers, and shows the traces.
        measures: What telemetry is to go by.
        is_own: Whether the agent is the command's own.
    """
    # The trace and the error say what this logger would say on standard error once more.
    logging.getLogger("nodespan.telemetry.runs").addHandler(logging.NullHandler())
    collector = SpanCollector()
    config: RunnableConfig = _new_thread() if agent.checkpointer else {}
    with sending(collector, display, measures) as telemetry, asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AbandonableThreads())
        yield Session(agent, config, collector, runner, telemetry.handler(), is_own)


def _new_thread() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4())}}


def _thread(config: RunnableConfig) -> RunnableConfig:
    return {"configurable": {"thread_id": config["configurable"]["thread_id"]}}

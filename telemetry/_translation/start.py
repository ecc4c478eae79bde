"""What LangChain reports at a run's start, and what the spans of like runs share (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import SpanKind

    from .._values.attributes import Attributes, AttributeValue


@dataclass(slots=True)  # not frozen: one is made for each run, and that takes thrice as long
class Start:
    """The arguments of one of LangChain's start callbacks.

    Attributes:
        serialized: what it says of the runnable's class.
        name: of what runs, or else of the run, where one was given.
        tags: of the run.
        metadata: of the run; beside people's own, LangChain's `ls_*` and LangGraph's `langgraph_*`.
        params: a model's `invocation_params`: identifying parameters and the call's arguments.
        options: a model's options; structured output is among them.
        tool_call_id: of the call that a tool answers.
        run_name: of this run alone, where a call has given it one.
        agent: the name of the agent that it belongs to, where one is above it; empty for one that
            has none.
        given: identity of a chain's input; the input itself is content, and not kept.
    """

    serialized: Mapping[str, Any] | None
    name: str | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    tool_call_id: str | None = None
    run_name: str | None = None
    agent: str | None = None
    given: int | None = None

    def belong_to(self, agent: str) -> None:
        """Say which agent it belongs to, before anybody else knows it."""
        self.agent = agent

    def called(self, own: str) -> Start:
        """Return it with the name that what runs has of its own; another is this run's alone."""
        return self if self.name in (None, own) else replace(self, name=own, run_name=self.name)

    @property
    def class_name(self) -> str | None:
        """The name of the runnable's class, where LangChain gives it."""
        identity = (self.serialized or {}).get("id")
        return str(identity[-1]) if isinstance(identity, list | tuple) and identity else None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the spans of runs have in common that are alike.

    Attributes:
        name: of the span.
        kind: of the span.
        attributes: what a sampler decides on at the least.
        asked: what is told of a request to a model beside its place, by whether the edition is the
            newest.
    """

    name: str
    kind: SpanKind
    attributes: Mapping[str, AttributeValue]
    asked: dict[bool, Attributes] = field(default_factory=dict)

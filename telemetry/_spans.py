"""What LangChain reports at a run's start, as a span's name, kind and attributes (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind

from . import _semconv as semconv
from ._attributes import AttributeValue, attribute_value, drop_none
from ._inference import model_name, provider_name, request_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._semconv import Edition

Attributes = dict[str, AttributeValue]

_NODE_TAG: Final = "graph:step:"
_HIDDEN_TAG: Final = "langsmith:hidden"
_CREATE_AGENT: Final = "langchain_create_agent"
_GRAPH_INTEGRATIONS: Final = ("langgraph", _CREATE_AGENT)
_AGENT_NAME_KEYS: Final = ("nodespan_agent_name", "lc_agent_name", "agent_name")
_IN_PROCESS_KEY: Final = "nodespan_in_process"
_CHAIN: Final = "CHAIN"


class RunKind(StrEnum):
    """What a run is, as far as its span is concerned."""

    AGENT = "agent"
    WORKFLOW = "workflow"
    NODE = "node"
    CHAT = "chat"
    TEXT_COMPLETION = "text_completion"
    TOOL = "tool"
    RETRIEVER = "retriever"
    RUNNABLE = "runnable"
    HIDDEN = "hidden"

    @property
    def is_graph(self) -> bool:
        """Whether the run is a LangGraph graph."""
        return self in (RunKind.AGENT, RunKind.WORKFLOW)

    @property
    def is_model(self) -> bool:
        """Whether the run is a model's."""
        return self in (RunKind.CHAT, RunKind.TEXT_COMPLETION)

    @property
    def has_body(self) -> bool:
        """Whether code of the application's runs in it, so that its spans belong beneath."""
        return self not in (RunKind.AGENT, RunKind.WORKFLOW, RunKind.RUNNABLE, RunKind.HIDDEN)


@dataclass(frozen=True, slots=True)
class Start:
    """The arguments of one of LangChain's start callbacks."""

    serialized: Mapping[str, Any] | None
    name: str | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class SpanStart:
    """A span to start.

    Attributes:
        name: of the span.
        kind: of the span.
        attributes: what a sampler decides on.
        details: makes the other attributes; called only for a span that is recorded.
    """

    name: str
    kind: SpanKind
    attributes: Attributes
    details: Callable[[Edition], Attributes]


def chain_kind(start: Start, above: Start | None) -> RunKind:
    """Say what a chain run is: a graph, a node, a root of another kind, or noise.

    A graph inside a graph inherits the metadata that would tell it; it is `HIDDEN` here, and
    known for what it is when its first node starts.

    Args:
        start: of the run.
        above: the start of its parent; None for a root.
    """
    if _HIDDEN_TAG in start.tags or start.name == "__start__":
        return RunKind.HIDDEN
    if _is_node(start):
        return RunKind.NODE
    if _integration(start) in _GRAPH_INTEGRATIONS and _is_own_integration(start, above):
        return graph_kind(start, above)
    return RunKind.RUNNABLE if above is None else RunKind.HIDDEN


def graph_kind(start: Start, above: Start | None) -> RunKind:
    """Say whether a graph is an agent, made or marked as one, or any other graph."""
    names = (start.metadata.get(key) for key in _AGENT_NAME_KEYS)
    if start.name is not None and start.name in names:
        return RunKind.AGENT
    is_agent = _integration(start) == _CREATE_AGENT and _is_own_integration(start, above)
    return RunKind.AGENT if is_agent else RunKind.WORKFLOW


def span_start(kind: RunKind, start: Start) -> SpanStart:
    """Return the span of a run of any kind but `HIDDEN`."""
    return _BUILDERS[kind](start)


def _is_node(start: Start) -> bool:
    return "langgraph_node" in start.metadata and any(
        tag.startswith(_NODE_TAG) for tag in start.tags
    )


def _integration(start: Start) -> object:
    return start.metadata.get("ls_integration")


def _is_own_integration(start: Start, above: Start | None) -> bool:
    return above is None or _integration(above) != _integration(start)


def _agent(start: Start) -> SpanStart:
    name = start.name or "agent"
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.INVOKE_AGENT.value,
        semconv.AGENT_NAME: name,
    }
    return _internal(f"invoke_agent {name}", start, attributes)


def _workflow(start: Start) -> SpanStart:
    name = start.name or "LangGraph"
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.INVOKE_WORKFLOW.value,
        semconv.WORKFLOW_NAME: name,
        semconv.OPENINFERENCE_SPAN_KIND: _CHAIN,
    }
    return _internal(f"invoke_workflow {name}", start, attributes)


def _node(start: Start) -> SpanStart:
    name = str(start.metadata["langgraph_node"])
    attributes: Attributes = {
        semconv.LANGGRAPH_NODE: name,
        semconv.OPENINFERENCE_SPAN_KIND: _CHAIN,
    }
    return _internal(f"node {name}", start, attributes)


def _runnable(start: Start) -> SpanStart:
    attributes: Attributes = {semconv.OPENINFERENCE_SPAN_KIND: _CHAIN}
    return _internal(start.name or "runnable", start, attributes)


def _tool(start: Start) -> SpanStart:
    serialized = start.serialized or {}
    name = str(start.name or serialized.get("name") or "tool")
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.EXECUTE_TOOL.value,
        semconv.TOOL_NAME: name,
        semconv.TOOL_TYPE: "function",
    }

    def details(edition: Edition) -> Attributes:
        description = serialized.get("description")
        told = {
            semconv.TOOL_DESCRIPTION: attribute_value(description) if description else None,
            semconv.TOOL_CALL_ID: start.tool_call_id,
        }
        return _position(start)(edition) | drop_none(told)

    return SpanStart(f"execute_tool {name}", SpanKind.INTERNAL, attributes, details)


def _retriever(start: Start) -> SpanStart:
    name = str(start.name or (start.serialized or {}).get("name") or "retriever")
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.RETRIEVAL.value,
        semconv.DATA_SOURCE_ID: name,
    }
    return SpanStart(f"retrieval {name}", SpanKind.CLIENT, attributes, _position(start))


def _chat(start: Start) -> SpanStart:
    return _inference(semconv.Operation.CHAT, start)


def _text_completion(start: Start) -> SpanStart:
    return _inference(semconv.Operation.TEXT_COMPLETION, start)


def _inference(operation: semconv.Operation, start: Start) -> SpanStart:
    model = model_name(start.serialized, start.params, start.metadata, start.name)
    provider = provider_name(start.serialized, start.params, start.metadata)
    attributes: Attributes = {
        semconv.OPERATION_NAME: operation.value,
        semconv.REQUEST_MODEL: str(attribute_value(model)),
        semconv.PROVIDER_NAME: provider,
    }

    def details(edition: Edition) -> Attributes:
        position = _position(start)(edition)
        return position | request_attributes(provider, start.params, start.metadata, edition)

    in_process = start.metadata.get(_IN_PROCESS_KEY) is True
    kind = SpanKind.INTERNAL if in_process else SpanKind.CLIENT
    return SpanStart(f"{operation} {model}", kind, attributes, details)


def _internal(name: str, start: Start, attributes: Attributes) -> SpanStart:
    return SpanStart(name, SpanKind.INTERNAL, attributes, _position(start))


def _position(start: Start) -> Callable[[Edition], Attributes]:
    """Return a maker of the attributes that say where in a graph, and in which thread."""

    def details(_edition: Edition) -> Attributes:
        metadata = start.metadata
        thread = metadata.get("thread_id")
        step = metadata.get("langgraph_step")
        told = {
            semconv.CONVERSATION_ID: None if thread is None else str(attribute_value(thread)),
            semconv.LANGGRAPH_NODE: metadata.get("langgraph_node"),
            semconv.LANGGRAPH_STEP: step if isinstance(step, int) else None,
            semconv.LANGGRAPH_CHECKPOINT_NS: metadata.get("langgraph_checkpoint_ns") or None,
        }
        return {key: attribute_value(value) for key, value in drop_none(told).items()}

    return details


_BUILDERS: Final[dict[RunKind, Callable[[Start], SpanStart]]] = {
    RunKind.AGENT: _agent,
    RunKind.WORKFLOW: _workflow,
    RunKind.NODE: _node,
    RunKind.CHAT: _chat,
    RunKind.TEXT_COMPLETION: _text_completion,
    RunKind.TOOL: _tool,
    RunKind.RETRIEVER: _retriever,
    RunKind.RUNNABLE: _runnable,
}

"""What LangChain reports at a run's start, as a span's name, kind and attributes (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind

from .._semconv import names as semconv
from .._values.attributes import attribute_text, attribute_value, drop_none, short_name
from .._values.credentials import is_credential_key
from .._values.numbers import as_int
from .identifying import identifying_attributes
from .kinds import AGENT_NAME_KEYS, NAME_OF_NAMELESS, RunKind
from .request import model_name, provider_name, request_attributes, server_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .._semconv.names import Edition
    from .._values.attributes import Attributes
    from .start import Start

_IN_PROCESS_KEY: Final = "nodespan_in_process"
_CONVERSATION_KEYS: Final = ("thread_id", "conversation_id", "session_id")
_CHAIN: Final = "CHAIN"
_MARKS: Final = ("graph:step:", "seq:step:", "map:key:", "langsmith:")
_MOST_TAGS: Final = 64


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


def span_start(kind: RunKind, start: Start) -> SpanStart:
    """Return the span of a run of any kind but `HIDDEN`."""
    return _BUILDERS[kind](start)


def metadata_attributes(start: Start, keys: Collection[str]) -> Attributes:
    """Return the metadata that were asked for by their *keys*; credentials never pass."""
    return {
        f"{semconv.METADATA}.{key}": attribute_value(start.metadata[key])
        for key in keys
        if start.metadata.get(key) is not None and not is_credential_key(key)
    }


def _agent(start: Start) -> SpanStart:
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.Operation.INVOKE_AGENT.value}
    name = own_agent_name(start)
    if name is None:
        return _internal("invoke_agent", start, attributes)
    return _internal(f"invoke_agent {name}", start, attributes | {semconv.AGENT_NAME: name})


def _workflow(start: Start) -> SpanStart:
    name = short_name(start.name or "LangGraph")
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.INVOKE_WORKFLOW.value,
        semconv.WORKFLOW_NAME: name,
        semconv.OPENINFERENCE_SPAN_KIND: _CHAIN,
    }
    return _internal(f"invoke_workflow {name}", start, attributes)


def _node(start: Start) -> SpanStart:
    name = short_name(start.metadata["langgraph_node"])
    attributes: Attributes = {
        semconv.LANGGRAPH_NODE: name,
        semconv.OPENINFERENCE_SPAN_KIND: _CHAIN,
    }
    return _internal(f"node {name}", start, attributes)


def _runnable(start: Start) -> SpanStart:
    attributes: Attributes = {semconv.OPENINFERENCE_SPAN_KIND: _CHAIN}
    return _internal(short_name(start.name or "runnable"), start, attributes)


def _tool(start: Start) -> SpanStart:
    name = short_name(_serialized(start, "name") or start.name or "tool")
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.EXECUTE_TOOL.value,
        semconv.TOOL_NAME: name,
        semconv.TOOL_TYPE: "function",
    }
    if (agent := _agent_name(start)) is not None:
        attributes[semconv.AGENT_NAME] = agent

    def details(_edition: Edition) -> Attributes:
        description = _serialized(start, "description")
        call_id = start.tool_call_id
        values = {
            semconv.TOOL_DESCRIPTION: attribute_text(description) if description else None,
            semconv.TOOL_CALL_ID: attribute_text(call_id) if call_id else None,
        }
        return _position(start) | drop_none(values)

    return SpanStart(f"execute_tool {name}", SpanKind.INTERNAL, attributes, details)


def _retriever(start: Start) -> SpanStart:
    name = short_name(start.name or _serialized(start, "name") or "retriever")
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.RETRIEVAL.value,
        semconv.DATA_SOURCE_ID: name,
    }

    def details(_edition: Edition) -> Attributes:
        values = {
            semconv.REQUEST_MODEL: start.metadata.get("ls_embedding_model"),
            semconv.VECTOR_STORE: start.metadata.get("ls_vector_store_provider"),
            semconv.EMBEDDINGS: start.metadata.get("ls_embedding_provider"),
        }
        texts = {key: attribute_text(value) for key, value in drop_none(values).items()}
        return _position(start) | texts

    return SpanStart(f"retrieval {name}", SpanKind.CLIENT, attributes, details)


def _chat(start: Start) -> SpanStart:
    return _inference(semconv.Operation.CHAT, start)


def _text_completion(start: Start) -> SpanStart:
    return _inference(semconv.Operation.TEXT_COMPLETION, start)


def _inference(operation: semconv.Operation, start: Start) -> SpanStart:
    model = model_name(start)
    provider = provider_name(start)
    attributes: Attributes = {
        semconv.OPERATION_NAME: operation.value,
        semconv.REQUEST_MODEL: model,
        semconv.PROVIDER_NAME: provider,
        **server_attributes(start.params),
    }

    def details(edition: Edition) -> Attributes:
        return {
            **identifying_attributes(start.params),
            **_position(start),
            **request_attributes(provider, start, edition),
        }

    in_process = start.metadata.get(_IN_PROCESS_KEY) is True
    kind = SpanKind.INTERNAL if in_process else SpanKind.CLIENT
    return SpanStart(f"{operation} {short_name(model)}", kind, attributes, details)


def _internal(name: str, start: Start, attributes: Attributes) -> SpanStart:
    return SpanStart(name, SpanKind.INTERNAL, attributes, lambda _edition: _position(start))


def _conversation_id(start: Start) -> object:
    """Return the conversation that a run belongs to, by the first of the names that people use."""
    for key in _CONVERSATION_KEYS:
        value = start.metadata.get(key)
        if value not in (None, ""):
            return value
    return None


def person_attributes(start: Start) -> Attributes:
    """Return the session that a run belongs to, and its user, where the metadata have them."""
    attributes: Attributes = {}
    session = start.metadata.get("session_id") or _conversation_id(start)
    user = start.metadata.get("user_id")
    if session not in (None, ""):
        attributes[semconv.SESSION_ID] = attribute_text(session)
    if user not in (None, ""):
        attributes[semconv.USER_ID] = attribute_text(user)
    return attributes


def tag_attributes(start: Start) -> Attributes:
    """Return the tags of a run, without those by which LangChain and LangGraph mark its place."""
    own = (tag for tag in start.tags if isinstance(tag, str) and not tag.startswith(_MARKS))
    tags = tuple(short_name(tag) for tag in islice(own, _MOST_TAGS))
    return {semconv.LANGCHAIN_TAGS: tags} if tags else {}


def _position(start: Start) -> Attributes:
    """Return the attributes that say where in a graph a run is, and in which thread."""
    metadata = start.metadata
    attributes: Attributes = {}
    for name, value in (
        (semconv.CONVERSATION_ID, _conversation_id(start)),
        (semconv.RUN_NAME, start.run_name),
        (semconv.LANGGRAPH_NODE, metadata.get("langgraph_node")),
        (semconv.LANGGRAPH_CHECKPOINT_NS, metadata.get("langgraph_checkpoint_ns") or None),
    ):
        if value is not None:
            attributes[name] = attribute_text(value)
    step = as_int(metadata.get("langgraph_step"))
    if step is not None:
        attributes[semconv.LANGGRAPH_STEP] = step
    return attributes


def own_agent_name(start: Start) -> str | None:
    """Return the name of an agent; None for one to which nobody has given any."""
    is_marked = start.name in (start.metadata.get(key) for key in AGENT_NAME_KEYS)
    is_named = start.name is not None and (start.name != NAME_OF_NAMELESS or is_marked)
    return short_name(start.name) if is_named else None


def own_name(kind: RunKind, start: Start) -> str | None:
    """Return the name of a tool or a retriever, whatever this run of it is called; None of others.

    Of a retriever LangChain tells its own name in lower case, without the word itself.
    """
    name = _serialized(start, "name")
    if kind is RunKind.RETRIEVER and not name:
        name = start.metadata.get("ls_retriever_name")
        called = start.name or ""
        bare = called.removeprefix("Retriever") if called[:9] == "Retriever" else called
        if isinstance(name, str) and bare.removesuffix("Retriever").lower() == name:
            return called
    return name if kind in (RunKind.TOOL, RunKind.RETRIEVER) and isinstance(name, str) else None


def _agent_name(start: Start) -> str | None:
    """Return the agent that a run belongs to, or by which what is beneath it was marked."""
    if start.agent is not None:
        return start.agent or None
    names = (start.metadata.get(key) for key in AGENT_NAME_KEYS)
    return next((short_name(name) for name in names if isinstance(name, str) and name), None)


def _serialized(start: Start, key: str) -> object:
    return start.serialized.get(key) if start.serialized else None


_BUILDERS: Final[dict[RunKind, Callable[[Start], SpanStart]]] = {
    RunKind.AGENT: _agent,
    RunKind.WORKFLOW: _workflow,
    RunKind.NODE: _node,
    RunKind.CHAT: _chat,
    RunKind.TEXT_COMPLETION: _text_completion,
    RunKind.TOOL: _tool,
    RunKind.RETRIEVER: _retriever,
    RunKind.ATTEMPTS: _runnable,
    RunKind.RUNNABLE: _runnable,
}

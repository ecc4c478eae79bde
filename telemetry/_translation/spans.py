"""What LangChain reports at a run's start, as a span's name, kind and attributes (pure)."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind

from .._semconv import names as semconv
from .._values.attributes import (
    MAX_NAME_CHARACTERS,
    attribute_text,
    attribute_value,
    clean_name,
    short_name,
)
from .._values.credentials import is_credential_key
from .._values.numbers import as_int
from .kinds import AGENT_NAME_KEYS, NAME_OF_NAMELESS, RunKind
from .request import asked_of_request, plan_of_request
from .start import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .._semconv.names import Edition
    from .._values.attributes import Attributes
    from .start import Start

_CHAIN: Final = "CHAIN"
_MARKS: Final = ("graph:step:", "seq:step:", "map:key:", "langsmith:")
_MOST_TAGS: Final = 64
_MOST_PLANS: Final = 512
_MOST_STEPS: Final = 2**31
_OF_RETRIEVER: Final = {
    semconv.REQUEST_MODEL: "ls_embedding_model",
    semconv.VECTOR_STORE: "ls_vector_store_provider",
    semconv.EMBEDDINGS: "ls_embedding_provider",
}
# How LangGraph calls a task; the id is made anew for each.
_TASK: Final = re.compile(r"([^:|]{1,128}):[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ANY_TASK: Final = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"


def span_plan(kind: RunKind, start: Start) -> Plan:
    """Return what the span of a run of any kind but `HIDDEN` is from its start."""
    return PLANS[kind](start)


def span_details(kind: RunKind, start: Start, edition: Edition) -> Attributes:
    """Return the other attributes that the span of a run has from its start."""
    told: Attributes = {}
    DETAILS[kind](told, start, PLANS[kind](start), edition)
    return told


def metadata_attributes(start: Start, keys: Collection[str]) -> Attributes:
    """Return the metadata that were asked for by their *keys*; credentials never pass."""
    return {
        f"{semconv.METADATA}.{key}": attribute_value(start.metadata[key])
        for key in keys
        if start.metadata.get(key) is not None and not is_credential_key(key)
    }


def _agent(start: Start) -> Plan:
    return _plan_of_agent(own_agent_name(start))


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of_agent(name: str | None) -> Plan:
    attributes: Attributes = {semconv.OPERATION_NAME: semconv.Operation.INVOKE_AGENT.value}
    if name is None:
        return Plan("invoke_agent", SpanKind.INTERNAL, MappingProxyType(attributes))
    attributes[semconv.AGENT_NAME] = name
    return Plan(f"invoke_agent {name}", SpanKind.INTERNAL, MappingProxyType(attributes))


def _workflow(start: Start) -> Plan:
    return _plan_of_workflow(short_name(start.name or "LangGraph"))


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of_workflow(name: str) -> Plan:
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.INVOKE_WORKFLOW.value,
        semconv.WORKFLOW_NAME: name,
        semconv.OPENINFERENCE_SPAN_KIND: _CHAIN,
    }
    return Plan(f"invoke_workflow {name}", SpanKind.INTERNAL, MappingProxyType(attributes))


def _node(start: Start) -> Plan:
    name = start.metadata["langgraph_node"]
    if type(name) is not str or len(name) > MAX_NAME_CHARACTERS:
        name = short_name(name)
    return _plan_of_node(name)


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of_node(name: str) -> Plan:
    name = short_name(name)
    attributes: Attributes = {
        semconv.LANGGRAPH_NODE: name,
        semconv.OPENINFERENCE_SPAN_KIND: _CHAIN,
    }
    return Plan(f"node {name}", SpanKind.INTERNAL, MappingProxyType(attributes))


def _runnable(start: Start) -> Plan:
    return _plan_of_runnable(short_name(start.name or "runnable"))


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of_runnable(name: str) -> Plan:
    return Plan(
        name, SpanKind.INTERNAL, MappingProxyType({semconv.OPENINFERENCE_SPAN_KIND: _CHAIN})
    )


def _tool(start: Start) -> Plan:
    name = short_name(_serialized(start, "name") or start.name or "tool")
    return _plan_of_tool(name, _agent_name(start))


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of_tool(name: str, agent: str | None) -> Plan:
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.EXECUTE_TOOL.value,
        semconv.TOOL_NAME: name,
        semconv.TOOL_TYPE: "function",
    }
    if agent is not None:
        attributes[semconv.AGENT_NAME] = agent
    return Plan(f"execute_tool {name}", SpanKind.INTERNAL, MappingProxyType(attributes))


def _describe_tool(told: Attributes, start: Start, plan: Plan, edition: Edition) -> None:
    _add_position(told, start, plan, edition)
    description, call_id = _serialized(start, "description"), start.tool_call_id
    if description:
        told[semconv.TOOL_DESCRIPTION] = attribute_text(description)
    if call_id:
        told[semconv.TOOL_CALL_ID] = attribute_text(call_id)


def _retriever(start: Start) -> Plan:
    return _plan_of_retriever(short_name(start.name or _serialized(start, "name") or "retriever"))


@lru_cache(maxsize=_MOST_PLANS)
def _plan_of_retriever(name: str) -> Plan:
    attributes: Attributes = {
        semconv.OPERATION_NAME: semconv.Operation.RETRIEVAL.value,
        semconv.DATA_SOURCE_ID: name,
    }
    return Plan(f"retrieval {name}", SpanKind.CLIENT, MappingProxyType(attributes))


def _describe_retriever(told: Attributes, start: Start, plan: Plan, edition: Edition) -> None:
    _add_position(told, start, plan, edition)
    for name, key in _OF_RETRIEVER.items():
        value = start.metadata.get(key)
        if value is not None:
            told[name] = attribute_text(value)


def _chat(start: Start) -> Plan:
    return plan_of_request(semconv.Operation.CHAT, start)


def _text_completion(start: Start) -> Plan:
    return plan_of_request(semconv.Operation.TEXT_COMPLETION, start)


def _describe_request(told: Attributes, start: Start, plan: Plan, edition: Edition) -> None:
    known = plan.asked.get(edition.is_newest)
    told.update(known if known is not None else asked_of_request(plan, start, edition))
    _add_position(told, start, plan, edition)


def add_person(told: Attributes, start: Start) -> None:
    """Add the session that a run belongs to, and its user, where the metadata have them.

    Args:
        told: what else is told of the run; without a session, its conversation is one.
        start: of the run.
    """
    session, user = start.metadata.get("session_id"), start.metadata.get("user_id")
    if session:
        told[semconv.SESSION_ID] = attribute_text(session)
    elif semconv.CONVERSATION_ID in told:
        told[semconv.SESSION_ID] = told[semconv.CONVERSATION_ID]
    if user is not None and user != "":
        told[semconv.USER_ID] = attribute_text(user)


def tag_attributes(start: Start) -> Attributes:
    """Return the tags of a run, without those by which LangChain and LangGraph mark its place."""
    own = (tag for tag in start.tags if isinstance(tag, str) and not tag.startswith(_MARKS))
    tags = tuple(short_name(tag) for tag in islice(own, _MOST_TAGS))
    return {semconv.LANGCHAIN_TAGS: tags} if tags else {}


def _add_position(told: Attributes, start: Start, _plan: Plan, _edition: Edition) -> None:
    """Add the attributes that say where in a graph a run is, and in which thread."""
    metadata = start.metadata
    conversation = metadata.get("thread_id")
    if conversation is None or conversation == "":
        has_other = "conversation_id" in metadata or "session_id" in metadata
        conversation = _other_conversation(metadata) if has_other else None
    if conversation is not None:
        told[semconv.CONVERSATION_ID] = attribute_text(conversation)
    if start.run_name is not None:
        told[semconv.RUN_NAME] = attribute_text(start.run_name)
    node = metadata.get("langgraph_node")
    if type(node) is str and len(node) <= MAX_NAME_CHARACTERS and node[:5] != "data:":
        told[semconv.LANGGRAPH_NODE] = clean_name(node)  # as below, a call less
    elif node is not None:
        told[semconv.LANGGRAPH_NODE] = attribute_text(node)
    place = metadata.get("langgraph_checkpoint_ns")
    if place:
        # Each task of each run has a new one: it is only looked at whether its node is known.
        task = _TASK.fullmatch(place) if type(place) is str else None
        is_known = task is not None and _passes_as_task(task[1])
        told[semconv.LANGGRAPH_CHECKPOINT_NS] = place if is_known else attribute_text(place)
    step = metadata.get("langgraph_step")
    if type(step) is int and -1 <= step <= _MOST_STEPS:
        told[semconv.LANGGRAPH_STEP] = step
    elif step is not None and (number := as_int(step)) is not None:
        told[semconv.LANGGRAPH_STEP] = number


def _other_conversation(metadata: Mapping[str, object]) -> object:
    """Return a conversation by another name than LangGraph's; None where there is none."""
    for key in ("conversation_id", "session_id"):
        if key in metadata and metadata[key] not in (None, ""):
            return metadata[key]
    return None


@lru_cache(maxsize=_MOST_PLANS)
def _passes_as_task(node: str) -> bool:
    place = f"{node}:{_ANY_TASK}"
    return attribute_text(place) == place


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


# By the kind of a run: where each run asks, a call less.
PLANS: Final[dict[RunKind, Callable[[Start], Plan]]] = {
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
"""What a span is from its start: of the run's start."""
DETAILS: Final[dict[RunKind, Callable[[Attributes, Start, Plan, Edition], None]]] = {
    **dict.fromkeys(PLANS, _add_position),
    RunKind.CHAT: _describe_request,
    RunKind.TEXT_COMPLETION: _describe_request,
    RunKind.TOOL: _describe_tool,
    RunKind.RETRIEVER: _describe_retriever,
}
"""Add the other attributes that it has from its start, to those that are given."""

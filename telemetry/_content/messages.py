"""LangChain messages as the messages of the GenAI conventions (pure).

Source: https://github.com/open-telemetry/semantic-conventions-genai, the JSON schemas
`gen-ai-input-messages`, `gen-ai-output-messages`, `gen-ai-system-instructions`,
`gen-ai-tool-definitions` and `gen-ai-retrieval-documents`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.types import Send

from .._values.attributes import drop_none
from .._values.lazy_sequence import LazySequence
from .._values.numbers import as_float
from .beside import repeats_thought, said_beside, thoughts
from .blocks import (
    Part,
    block_part,
    repeats_call,
    text_part,
    tool_response,
    tool_response_part,
)
from .given import given_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.documents import Document

_ROLES: Final = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_FINISH_REASONS: Final = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "error": "error",
}
_SCORES: Final = ("score", "relevance_score", "similarity_score", "_score")


def conversation(messages: Sequence[Any]) -> LazySequence:
    """Return messages, or what stands for them, as the conventions' own, made when read."""
    return LazySequence(messages, _given)


def system_instructions(messages: Iterable[BaseMessage]) -> list[object]:
    """Return the parts of the system messages that come before all others."""
    return [part for message in takewhile(_is_system, messages) for part in _parts(message)]


def after_instructions(messages: Sequence[BaseMessage]) -> LazySequence:
    """Return the conversation without the system messages that come before it."""
    opening = sum(1 for _ in takewhile(_is_system, messages))
    return conversation(messages[opening:] if opening else messages)


def output_message(message: BaseMessage, finish_reason: str | None) -> Part:
    """Return a model's answer as an output message."""
    return {**message_part(message), "finish_reason": _finished(finish_reason, message)}


def text_input(prompt: str) -> list[Part]:
    """Return the prompt of a completion model as input messages."""
    return [{"role": "user", "parts": [text_part(prompt)]}]


def text_output(text: str, finish_reason: str | None, beside: Mapping[str, Any]) -> Part:
    """Return the answer of a completion model as an output message.

    Args:
        text: that it is.
        finish_reason: of the model.
        beside: what else the model's package tells of it; reasoning may be among that.
    """
    return {
        "role": "assistant",
        "parts": [*thoughts(beside), text_part(text)],
        "finish_reason": _finished(finish_reason),
    }


def documents(found: Sequence[Document]) -> list[Part]:
    """Return what a retriever found.

    The conventions ask for a score. Where the retriever gives none, it is the reciprocal of the
    document's rank, and says so.
    """
    return [_document(document, rank) for rank, document in enumerate(found, start=1)]


def tool_definitions(tools: Iterable[Any]) -> list[Part]:
    """Return the tools that a model may call."""
    return [_definition(tool) for tool in tools if isinstance(tool, Mapping)]


def message_part(message: BaseMessage) -> Part:
    """Return a message of any kind."""
    name = {"name": message.name} if isinstance(message.name, str) else {}
    return {"role": _role(message), "parts": _parts(message), **name}


def _finished(reason: str | None, message: BaseMessage | None = None) -> str:
    """Return why a model stopped, in the conventions' word where they have one."""
    if not reason:
        return "tool_call" if getattr(message, "tool_calls", None) else "stop"
    return _FINISH_REASONS.get(reason.lower(), reason.lower())


def _given(given: Any) -> Part:
    return given_part(given, message_part)


def _send(send: Send) -> dict[str, Any]:
    return {"node": send.node, "arg": send.arg}


ADAPTERS: Final[Mapping[type, Any]] = {BaseMessage: message_part, Send: _send}
"""How a `Reader` reads messages wherever they are in content."""


def tool_answer(output: object) -> object:
    """Return what a tool has answered: a message, the content of one, or any other value.

    An artifact is none of it: it is for the application alone.
    """
    if not isinstance(output, BaseMessage):
        return tool_response(output)
    return tool_response_part(None, output.content)["response"]


def _is_system(message: BaseMessage) -> bool:
    return isinstance(message, SystemMessage)


def _document(document: Document, rank: int) -> Part:
    metadata = document.metadata
    scores = (as_float(metadata.get(key)) for key in _SCORES)
    score = next((score for score in scores if score is not None), None)
    return {
        "id": document.id or str(rank),
        **({"score": 1 / rank, "scored_by": "rank"} if score is None else {"score": score}),
        "content": document.page_content,
        "metadata": metadata,
    }


def _definition(tool: Mapping[str, Any]) -> Part:
    function = tool.get("function", tool)
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        kind = tool.get("type")
        kind = kind if isinstance(kind, str) else "unknown"
        return {**tool, "type": kind, "name": kind}
    parameters = function.get("parameters", function.get("input_schema"))
    details = {"description": function.get("description"), "parameters": parameters}
    return {"type": "function", "name": name, **drop_none(details)}


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        return message.role
    if isinstance(message, FunctionMessage):
        return "tool"
    # The chunk classes have types of their own: `AIMessageChunk`.
    kind = message.type.removesuffix("MessageChunk").lower()
    return _ROLES.get(kind, kind)


def _parts(message: BaseMessage) -> Sequence[object]:
    if isinstance(message, ToolMessage):
        return [tool_response_part(message.tool_call_id, message.content)]
    if isinstance(message, FunctionMessage):
        return [tool_response_part(message.name, message.content)]
    if isinstance(message, RemoveMessage):
        return [{"type": "remove", "id": message.id}]
    if isinstance(message, AIMessage):
        return _of_model(message)
    return LazySequence(_blocks(message), block_part)


def _of_model(message: AIMessage) -> Sequence[object]:
    said = _said(message)
    before = [] if any(map(repeats_thought, said)) else thoughts(message.additional_kwargs)
    content = LazySequence([*said, *_calls(message)], block_part)
    after = said_beside(message, said)
    return [*before, *content, *after] if before or after else content


def _blocks(message: BaseMessage) -> list[Any]:
    content = message.content
    if isinstance(content, list):
        return content
    return [content] if isinstance(content, str) and content != "" else []


def _said(message: AIMessage) -> list[Any]:
    return [block for block in _blocks(message) if not repeats_call(block)]


def _calls(message: AIMessage) -> list[Any]:
    calls: list[Any] = [*message.tool_calls, *message.invalid_tool_calls]
    extra = message.additional_kwargs
    if not calls:
        raw = extra.get("tool_calls")
        calls.extend(raw if isinstance(raw, list) else ())
    single = extra.get("function_call")
    if not calls and isinstance(single, dict):
        calls.append(single)
    return [{**call, "type": "tool_call"} if isinstance(call, dict) else call for call in calls]

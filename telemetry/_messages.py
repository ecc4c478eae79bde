"""LangChain messages as the message parts of the GenAI conventions (pure).

Source: https://github.com/open-telemetry/semantic-conventions-genai, the JSON schemas
`gen-ai-input-messages`, `gen-ai-output-messages`, `gen-ai-system-instructions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    SystemMessage,
    ToolMessage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.documents import Document

Part = dict[str, Any]
"""One part of a message, as LangChain's values; the content door makes it plain."""

_ROLES: Final = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_MEDIA: Final = ("image", "audio", "video", "file")
_FINISH_REASONS: Final = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "error": "error",
}


def system_instructions(messages: Iterable[BaseMessage]) -> list[Part]:
    """Return the parts of all system messages."""
    return [
        part
        for message in messages
        if isinstance(message, SystemMessage)
        for part in _content_parts(message)
    ]


def input_messages(messages: Iterable[BaseMessage]) -> list[Part]:
    """Return every message but the system ones, in order."""
    return [_message(message) for message in messages if not isinstance(message, SystemMessage)]


def output_message(message: BaseMessage, finish_reason: str | None) -> Part:
    """Return a model's answer as an output message."""
    reason = (finish_reason or "stop").lower()
    return {**_message(message), "finish_reason": _FINISH_REASONS.get(reason, reason)}


def text_input(prompt: str) -> list[Part]:
    """Return the prompt of a completion model as input messages."""
    return [{"role": "user", "parts": [_text(prompt)]}]


def text_output(text: str, finish_reason: str | None) -> Part:
    """Return the answer of a completion model as an output message."""
    return {
        "role": "assistant",
        "parts": [_text(text)],
        "finish_reason": finish_reason or "stop",
    }


def documents(found: Sequence[Document]) -> list[Part]:
    """Return what a retriever found."""
    return [
        {"id": document.id or str(place), "content": document.page_content}
        for place, document in enumerate(found)
    ]


def tool_definitions(tools: Any) -> list[Part]:
    """Return the tools that a model may call."""
    return [{"type": "function", **_definition(tool)} for tool in tools if isinstance(tool, dict)]


def _definition(tool: dict[str, Any]) -> Part:
    function = tool.get("function", tool)
    told = {
        "name": function.get("name") or "",
        "description": function.get("description"),
        "parameters": function.get("parameters", function.get("input_schema")),
    }
    return {key: value for key, value in told.items() if value is not None}


def _message(message: BaseMessage) -> Part:
    return {"role": _role(message), "parts": _parts(message)}


def _role(message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        return message.role
    if isinstance(message, FunctionMessage):
        return "tool"
    # The chunk classes have types of their own: `AIMessageChunk`.
    kind = message.type.removesuffix("MessageChunk").lower()
    return _ROLES.get(kind, kind)


def _parts(message: BaseMessage) -> list[Part]:
    if isinstance(message, ToolMessage):
        response = {"type": "tool_call_response", "response": message.content}
        return [response | {"id": message.tool_call_id}]
    if isinstance(message, AIMessage):
        calls = [_tool_call(call) for call in message.tool_calls]
        return [*_content_parts(message), *calls]
    return _content_parts(message)


def _content_parts(message: BaseMessage) -> list[Part]:
    if isinstance(message.content, str):
        return [_text(message.content)] if message.content else []
    parts = (_block(block) for block in message.content)
    return [part for part in parts if part is not None]


def _text(text: str) -> Part:
    return {"type": "text", "content": text}


def _tool_call(call: Any) -> Part:
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": call.get("name") or "",
        "arguments": call.get("args"),
    }


def _block(block: Any) -> Part | None:
    if isinstance(block, str):
        return _text(block)
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text":
        return _text(block.get("text") or "")
    if kind in ("reasoning", "thinking"):
        text = block.get("reasoning") or block.get("thinking") or ""
        return {"type": "reasoning", "content": text}
    if kind in ("tool_call", "tool_use", "tool_call_chunk", "input_json_delta"):
        return None  # the message's `tool_calls` say the same
    return _media(block, kind)


def _media(block: Any, kind: str | None) -> Part:
    if not isinstance(block, dict) or kind is None:
        return {"type": "unknown"}
    modality = kind.removesuffix("_url").removeprefix("input_")
    if modality not in _MEDIA:
        return {"type": kind}
    return {"type": "blob", "modality": modality} | _payload(block)


def _payload(block: dict[str, Any]) -> Part:
    mime_type = block.get("mime_type")
    data = block.get("base64") or block.get("data")
    if isinstance(data, str | bytes):
        # Measured, not copied: the size is what a trace is read for.
        return {"mime_type": mime_type, "content": f"<{len(data)} characters of base64>"}
    return {"mime_type": mime_type, "content": "<by reference>"}

"""What people and models said, of spans of each convention, in one form (pure).

Sources: the JSON schemas of https://github.com/open-telemetry/semantic-conventions-genai, and
https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from .._semconv import names as semconv
from .flat import unflattened

if TYPE_CHECKING:
    from collections.abc import Mapping

    Part = dict[str, Any]
    Message = dict[str, Any]

_OFFICIAL: Final = (
    semconv.SYSTEM_INSTRUCTIONS,
    semconv.INPUT_MESSAGES,
    semconv.OUTPUT_MESSAGES,
    semconv.TOOL_DEFINITIONS,
)
# In OpenInference's, and in those that came before the official ones.
_FLAT_INPUTS: Final = ("llm.input_messages.", "gen_ai.prompt.")
_FLAT_OUTPUTS: Final = ("llm.output_messages.", "gen_ai.completion.")
_FLAT_TOOLS: Final = "llm.tools."
PREFIXES: Final = (*_FLAT_INPUTS, *_FLAT_OUTPUTS, _FLAT_TOOLS)
_MOST_MESSAGES: Final = 1_000
_MOST_TEXT: Final = 200_000
_BASE64: Final = 4 / 3


def is_of_messages(key: str) -> bool:
    """Say whether an attribute is part of what `messages` returns."""
    return key in _OFFICIAL or key.startswith(PREFIXES)


def messages(attributes: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """Return the messages that a span has; None where it has none."""
    found = {
        "system": _system(attributes),
        "input": _all(attributes, semconv.INPUT_MESSAGES, _FLAT_INPUTS),
        "output": _all(attributes, semconv.OUTPUT_MESSAGES, _FLAT_OUTPUTS),
        "tools": _tools(attributes),
    }
    return found if any(found.values()) else None


def parsed(value: Any) -> Any:
    """Return what a text says as JSON; itself, where it is none."""
    if not isinstance(value, str):
        return value
    if value[:1] not in ("{", "[", '"') and value not in ("null", "true", "false"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _system(attributes: Mapping[str, Any]) -> list[Part]:
    value = parsed(attributes.get(semconv.SYSTEM_INSTRUCTIONS))
    return _parts(value) if value is not None else []


def _all(attributes: Mapping[str, Any], name: str, prefixes: tuple[str, ...]) -> list[Message]:
    value = parsed(attributes.get(name))
    for prefix in prefixes:
        value = value if value is not None else unflattened(attributes, prefix)
    if value is None:
        return []
    return [_message(each) for each in _listed(value)[:_MOST_MESSAGES]]


def _tools(attributes: Mapping[str, Any]) -> list[Any]:
    value = parsed(attributes.get(semconv.TOOL_DEFINITIONS))
    if value is not None:
        return _listed(value)
    tools = _listed(unflattened(attributes, _FLAT_TOOLS))
    return [_json_schema(each) for each in tools]


def _json_schema(tool: Any) -> Any:
    inner = tool.get("tool", tool) if isinstance(tool, dict) else tool
    return parsed(inner.get("json_schema", inner)) if isinstance(inner, dict) else inner


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _message(value: Any) -> Message:
    if not isinstance(value, dict):
        return _made("unknown", None, [_text(value)])
    inner = value.get("message")
    value = inner if isinstance(inner, dict) else value
    role = value.get("role")
    role = role if isinstance(role, str) else "unknown"
    parts = value.get("parts")
    found = _parts(parts) if parts is not None else _loose_parts(value, role)
    return _made(role, value.get("name"), found, value.get("finish_reason"))


def _made(role: str, name: Any, parts: list[Part], finish: Any = None) -> Message:
    return {
        "role": role,
        "name": name if isinstance(name, str) else None,
        "parts": parts,
        "finish_reason": finish if isinstance(finish, str) else None,
    }


def _loose_parts(value: Mapping[str, Any], role: str) -> list[Part]:
    """Return the parts of a message that has its content, and its calls, in places of their own."""
    contents = value.get("contents", value.get("content"))
    calls = [_call(each) for each in _listed(value.get("tool_calls"))]
    if role == "tool":
        answer = {"type": "tool_call_response", "id": value.get("tool_call_id")}
        return [{**answer, "response": parsed(contents)}, *calls]
    return [*(_parts(contents) if contents not in (None, "") else []), *calls]


def _parts(value: Any) -> list[Part]:
    return [_part(each) for each in _listed(value)[:_MOST_MESSAGES]]


def _part(value: Any) -> Part:
    if not isinstance(value, dict):
        return _text(value)
    inner = value.get("message_content")
    value = inner if isinstance(inner, dict) else value
    kind = value.get("type")
    make = _OF_TYPE.get(kind) if isinstance(kind, str) else None
    if make is not None:
        made: Part = make(value)
        return made
    name = kind if isinstance(kind, str) else "unknown"
    return {"type": "other", "name": name, "content": value}


def _text(value: Any) -> Part:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return {"type": "text", "content": text[:_MOST_TEXT]}


def _said(value: Mapping[str, Any]) -> Part:
    return _text(value.get("content", value.get("text", "")))


def _reasoning(value: Mapping[str, Any]) -> Part:
    thought = value.get("content", value.get("reasoning", value.get("text", "")))
    return {**_text(thought), "type": "reasoning"}


def _call(value: Any) -> Part:
    inner = value.get("tool_call") if isinstance(value, dict) else None
    value = inner if isinstance(inner, dict) else value
    if not isinstance(value, dict):
        return _text(value)
    function = value.get("function")
    function = function if isinstance(function, dict) else value
    arguments = parsed(function.get("arguments"))
    name = function.get("name")
    return {"type": "tool_call", "id": value.get("id"), "name": name, "arguments": arguments}


def _response(value: Mapping[str, Any]) -> Part:
    answer = value.get("response", value.get("result", value.get("content")))
    return {"type": "tool_call_response", "id": value.get("id"), "response": parsed(answer)}


def _media(value: Mapping[str, Any]) -> Part:
    """Return what an image or a file is, never its bytes."""
    nested = value.get("image") or value.get("image_url") or value.get("audio") or {}
    nested = nested.get("image", nested) if isinstance(nested, dict) else {"url": nested}
    address = value.get("uri") or value.get("url") or nested.get("url")
    content = value.get("content", value.get("data", nested.get("data")))
    is_inline = isinstance(address, str) and address.startswith("data:")
    if is_inline:
        content, address = str(address).partition(",")[2], None
    size = value.get("bytes", value.get("size"))
    if size is None and isinstance(content, str):
        size = int(len(content.rstrip("=")) / _BASE64)
    modality = value.get("modality") or str(value.get("type", "")).removesuffix("_url")
    return {
        "type": "media",
        "modality": modality,
        "mime_type": value.get("mime_type"),
        "bytes": size if isinstance(size, int) else None,
        "uri": address if isinstance(address, str) else value.get("file_id"),
    }


_OF_TYPE: Final[Mapping[str, Any]] = {
    "text": _said,
    "output_text": _said,
    "input_text": _said,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "tool_call": _call,
    "function": _call,
    "tool_use": _call,
    "tool_call_response": _response,
    "tool_result": _response,
    "blob": _media,
    "uri": _media,
    "file": _media,
    "image": _media,
    "image_url": _media,
    "audio": _media,
    "video": _media,
}

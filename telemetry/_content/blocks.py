"""LangChain's content blocks as the message parts of the GenAI conventions (pure).

Providers' own blocks are read beside LangChain's: a message keeps what the model gave.

Source: https://github.com/open-telemetry/semantic-conventions-genai, the JSON schema
`gen-ai-input-messages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._values.plain import LazySequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Part: TypeAlias = "dict[str, Any]"
"""One part of a message, with LangChain's values; the content door makes them plain."""

# Where a block keeps what it carries, when not in itself.
_ENVELOPES: Final = ("source", "image_url", "input_audio", "file", "audio", "video_url")
_DATA_KEYS: Final = ("base64", "data", "file_data", "bytes")
_URI_KEYS: Final = ("url", "image_url", "file_url", "file_uri", "uri", "video_url")
_ID_KEYS: Final = ("file_id", "id")
_MIME_KEYS: Final = ("mime_type", "media_type", "mimeType")
_MODALITIES: Final = ("image", "audio", "video")
_DOCUMENT: Final = "document"
_DATA_URL: Final = "data:"

_CALL_TYPES: Final = (
    *("tool_call", "tool_use", "tool_call_chunk", "invalid_tool_call", "function_call"),
    "input_json_delta",
)


def block_part(block: object) -> Part:
    """Return the part of a message that a content block or a call of a tool is."""
    if isinstance(block, str):
        return text_part(block)
    if not isinstance(block, dict):
        return {"type": "unknown"}
    kind = block.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    return read(block) if read is not None else _other(block)


def text_part(text: object) -> Part:
    """Return a part that is text."""
    return {"type": "text", "content": _text(text)}


def tool_response_part(call_id: object, response: object) -> Part:
    """Return what a tool answered."""
    if isinstance(response, list):
        response = LazySequence(response, block_part)
    return {"type": "tool_call_response", "id": call_id, "response": response}


def repeats_call(block: object) -> bool:
    """Say whether a content block repeats one of its message's tool calls."""
    return isinstance(block, dict) and block.get("type") in _CALL_TYPES


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text_block(block: Mapping[str, Any]) -> Part:
    return text_part(block.get("text"))


def _refusal(block: Mapping[str, Any]) -> Part:
    return text_part(block.get("refusal"))


def _reasoning(block: Mapping[str, Any]) -> Part:
    text = block.get("reasoning") or block.get("thinking")
    if isinstance(summary := block.get("summary"), list):
        said = (_mapping(item).get("text") for item in summary)
        text = "\n".join(line for line in said if isinstance(line, str))
    return {"type": "reasoning", "content": _text(text)}


def _tool_call(call: Mapping[str, Any]) -> Part:
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": _text(call.get("name")),
        "arguments": call.get("args", call.get("arguments", call.get("input"))),
    }


def _server_call(block: Mapping[str, Any]) -> Part:
    name = _text(block.get("name"))
    arguments = block.get("args", block.get("input"))
    return {
        "type": "server_tool_call",
        "id": block.get("id"),
        "name": name,
        "server_tool_call": {"type": name or "unknown", "arguments": arguments},
    }


def _server_response(block: Mapping[str, Any]) -> Part:
    response = {"type": _text(block.get("status")) or "unknown", "output": block.get("output")}
    return {
        "type": "server_tool_call_response",
        "id": block.get("tool_call_id"),
        "server_tool_call_response": response,
    }


def _document(block: Mapping[str, Any]) -> Part:
    """Read a document that may be text, in LangChain's form or in Anthropic's."""
    source = _mapping(block.get("source"))
    text = block.get("text") or (source.get("data") if source.get("type") == "text" else None)
    return text_part(text) if isinstance(text, str) else _media(block)


def _media(block: Mapping[str, Any]) -> Part:
    """Read an image, a sound, a film or a file: given inline, by address or by id."""
    carriers = (block, *(_mapping(block.get(key)) for key in _ENVELOPES))
    payload = _payload(carriers)
    mime_type = _first_text(carriers, _MIME_KEYS) or payload.get("mime_type")
    modality = _modality(_text(block.get("type")), mime_type)
    return {"modality": modality, **payload, **({"mime_type": mime_type} if mime_type else {})}


def _payload(carriers: tuple[Mapping[str, Any], ...]) -> Part:
    uri = _first_text(carriers, _URI_KEYS)
    if uri is not None and not uri.startswith(_DATA_URL):
        return {"type": "uri", "uri": uri}
    data = uri or next((value for value in _values(carriers, _DATA_KEYS) if _is_data(value)), None)
    file_id = None if data else _first_text(carriers, _ID_KEYS)
    return {"type": "file", "file_id": file_id} if file_id else _blob(data or "")


def _blob(data: str | bytes) -> Part:
    """Return what stands for inline data: its size, not a copy."""
    blob: Part = {"type": "blob", "content": "", "size": len(data)}
    if isinstance(data, bytes):
        return blob
    header = data.find(",") + 1 if data.startswith(_DATA_URL) else 0
    size = (len(data) - header) * 3 // 4 - data[-2:].count("=")
    mime_type = data[len(_DATA_URL) : header].partition(";")[0]
    return blob | {"size": size} | ({"mime_type": mime_type} if mime_type else {})


def _modality(kind: str, mime_type: str | None) -> str:
    description = f"{kind} {mime_type or ''}"
    return next((name for name in _MODALITIES if name in description), _DOCUMENT)


def _values(carriers: tuple[Mapping[str, Any], ...], keys: tuple[str, ...]) -> Iterator[Any]:
    return (carrier.get(key) for carrier in carriers for key in keys)


def _first_text(carriers: tuple[Mapping[str, Any], ...], keys: tuple[str, ...]) -> str | None:
    found = _values(carriers, keys)
    return next((value for value in found if isinstance(value, str) and value), None)


def _is_data(value: object) -> bool:
    return isinstance(value, str | bytes) and bool(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _other(block: Mapping[str, Any]) -> Part:
    """Read a block that only its provider knows: as it is, but for inline data."""
    part = {key: _measured(value) if key in _DATA_KEYS else value for key, value in block.items()}
    return part | {"type": _text(block.get("type")) or "unknown"}


def _measured(value: object) -> object:
    return f"<{len(value)} characters>" if isinstance(value, str) else value


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Part]]] = {
    "text": _text_block,
    "input_text": _text_block,
    "output_text": _text_block,
    "refusal": _refusal,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    **dict.fromkeys(_CALL_TYPES, _tool_call),
    "server_tool_call": _server_call,
    "server_tool_use": _server_call,
    "server_tool_result": _server_response,
    "text-plain": _document,
    "document": _document,
    "image": _media,
    "image_url": _media,
    "input_image": _media,
    "audio": _media,
    "input_audio": _media,
    "video": _media,
    "video_url": _media,
    "file": _media,
    "input_file": _media,
    "media": _media,
}

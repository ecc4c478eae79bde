"""LangChain's content blocks as the message parts of the GenAI conventions (pure).

Providers' own blocks are read beside LangChain's: a message keeps what the model gave.

Source: https://github.com/open-telemetry/semantic-conventions-genai, the JSON schema
`gen-ai-input-messages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._values.attributes import drop_none
from .._values.lazy_sequence import LazySequence
from .media import BARE, MEDIA_TYPES, blob, is_data, media, without_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Part: TypeAlias = "dict[str, Any]"
"""One part of a message, with LangChain's values; the content door makes them plain."""

_CALL_TYPES: Final = (
    *("tool_call", "tool_use", "tool_call_chunk", "invalid_tool_call", "function_call"),
    *("input_json_delta", "custom_tool_call", "toolUse"),
)
_CALL_ENDING: Final = "_call"
_RESULT_ENDINGS: Final = ("_tool_result", "_call_output", "_execution_result", "_search_output")
_REASONING_KEYS: Final = ("reasoning", "thinking", "reasoning_content", "reasoningContent", "text")
_INNER_REASONING: Final = ("reasoning_text", "reasoningText", "text", "summary", "content")
_CITATION_KEYS: Final = ("annotations", "citations", "reference")
_MOST_NESTED: Final = 4


def block_part(block: object) -> Part:
    """Return the part of a message that a content block or a call of a tool is."""
    if isinstance(block, str):
        return text_part(block)
    if not isinstance(block, dict):
        return {"type": "unknown"}
    kind = _type(block)
    if kind is None:
        return _untyped(block)
    read = _READERS.get(kind) or _by_ending(kind)
    return read(block) if read is not None else _other(block)


def text_part(text: object) -> Part:
    """Return a part that is text."""
    return {"type": "text", "content": _text(text)}


def reasoning_part(thoughts: object) -> Part:
    """Return the reasoning that a provider gives in any of its shapes."""
    return {"type": "reasoning", "content": _thought(thoughts)}


def tool_response_part(call_id: object, response: object) -> Part:
    """Return what a tool answered."""
    if isinstance(response, list):
        response = LazySequence(response, block_part)
    return {"type": "tool_call_response", "id": call_id, "response": tool_response(response)}


def tool_response(response: object) -> object:
    """Return an answer of a tool, whose content blocks, if it has any, are parts."""
    if isinstance(response, list):
        looked_at = response[:_LOOKED_AT]
        is_content = all(map(_is_block, looked_at)) and any(
            isinstance(each, dict) for each in looked_at
        )
        return LazySequence(response, block_part) if is_content else response
    is_one = isinstance(response, dict) and _type(response) in MEDIA_TYPES
    return block_part(response) if is_one else response


def audio_parts(audio: object) -> list[Part]:
    """Return a sound that stands beside a message's content, and what it says."""
    if not isinstance(audio, dict):
        return [blob(audio, "audio")] if is_data(audio) else []  # type: ignore[arg-type]  # it is
    said = _text(audio.get("transcript"))
    sound = media({**audio, "type": "audio", "transcript": None})
    return [sound, *([text_part(said)] if said else [])]


def executed_tool_parts(tool: object) -> list[Part]:
    """Return a tool that the provider has run beside a message's content, and its result."""
    if not isinstance(tool, dict):
        return []
    name = _text(tool.get("name")) or _text(tool.get("type"))
    call_id, arguments = tool.get("id"), tool.get("arguments")
    call = _server_call({"id": call_id, "name": name, "args": arguments})
    if tool.get("output") is None:
        return [call]
    return [call, _server_response({"tool_call_id": call_id, "output": tool["output"]})]


def repeats_call(block: object) -> bool:
    """Say whether a content block repeats one of its message's tool calls."""
    return isinstance(block, dict) and (_type(block) in _CALL_TYPES or "toolUse" in block)


_LOOKED_AT: Final = 100


def _type(block: Mapping[str, Any]) -> str | None:
    kind = block.get("type")
    return kind if isinstance(kind, str) else None


def _is_block(value: object) -> bool:
    if isinstance(value, str):
        return True
    kind = _type(value) if isinstance(value, dict) else None
    return kind is not None and (kind in _READERS or _by_ending(kind) is not None)


def _by_ending(kind: str) -> Callable[[Mapping[str, Any]], Part] | None:
    if kind.endswith(_CALL_ENDING):
        return _provider_call
    return _server_response if kind.endswith(_RESULT_ENDINGS) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _text_block(block: Mapping[str, Any]) -> Part:
    """Read a text, and the sources that it cites."""
    cited = _first(block, _CITATION_KEYS, list | dict)
    return text_part(block.get("text")) | ({"citations": cited} if cited else {})


def _refusal(block: Mapping[str, Any]) -> Part:
    return text_part(block.get("refusal"))


def _guarded(block: Mapping[str, Any]) -> Part:
    inner = _first(block, ("guard_content", "guardContent"), dict) or {}
    text = inner.get("text")
    return text_part(_mapping(text).get("text") if isinstance(text, dict) else text)


def _reasoning(block: Mapping[str, Any]) -> Part:
    summary, content = (_thought(block.get(key)) for key in ("summary", "content"))
    given = (_thought(block.get(key)) for key in _REASONING_KEYS)
    part: Part = {
        "type": "reasoning",
        "content": summary or content or next(filter(None, given), ""),
    }
    hidden = _first(block, ("encrypted_content", "data"), str | bytes)
    is_hidden = not part["content"] and hidden is not None
    return part | ({"size": len(hidden)} if is_hidden else {})


def _thought(value: object, depth: int = _MOST_NESTED) -> str:
    """Return the text of a thought: as it is, in an envelope, or in pieces."""
    if isinstance(value, str):
        return value
    if not depth:
        return ""
    if isinstance(value, list):
        return "\n".join(filter(None, (_thought(item, depth - 1) for item in value)))
    inner = _mapping(value)
    found = (_thought(inner.get(key), depth - 1) for key in (*_INNER_REASONING, *_REASONING_KEYS))
    return next(filter(None, found), "")


def _tool_call(call: Mapping[str, Any]) -> Part:
    function = _mapping(call.get("function"))
    call_id = call.get("id") if "call_id" not in call else call["call_id"]
    return {
        "type": "tool_call",
        "id": call_id if call_id is not None else call.get("toolUseId"),
        "name": _text(call.get("name")) or _text(function.get("name")),
        "arguments": _arguments({**function, **call}),
    }


def _arguments(call: Mapping[str, Any]) -> object:
    """Return the arguments of a call: of one that came in a stream, as text."""
    given = call.get("args", call.get("arguments", call.get("input")))
    is_empty = given is None or (isinstance(given, dict | str) and not given)
    return (_text(call.get("partial_json")) or given) if is_empty else given


def _server_call(block: Mapping[str, Any]) -> Part:
    name = _text(block.get("name"))
    return {
        "type": "server_tool_call",
        "id": block.get("id"),
        "name": name,
        "server_tool_call": {"type": name or "unknown", "arguments": _arguments(block)},
    }


def _provider_call(block: Mapping[str, Any]) -> Part:
    """Read a call that a provider has made and answered itself: all that it tells of it."""
    kind = _text(block.get("type"))
    name = kind.removesuffix(_CALL_ENDING)
    told = {key: value for key, value in block.items() if key not in ("id", "type", "index")}
    return {
        "type": "server_tool_call",
        "id": _first(block, ("id", "call_id"), str),
        "name": _text(block.get("name")) or name,
        "server_tool_call": {**without_data(told), "type": name},
    }


def _code(block: Mapping[str, Any]) -> Part:
    told = {"code": block.get("executable_code"), "language": block.get("language")}
    name = "code_execution"
    return _server_call({"id": block.get("id"), "name": name, "args": drop_none(told)})


def _server_response(block: Mapping[str, Any]) -> Part:
    found = (block.get(key) for key in ("output", "content", "code_execution_result", "tools"))
    output = next((each for each in found if each is not None), None)
    status = "error" if block.get("is_error") is True else _text(block.get("status"))
    call_id = _first(block, ("tool_call_id", "tool_use_id", "call_id"), str)
    response = {"type": status or "unknown", "output": tool_response(output)}
    return {
        "type": "server_tool_call_response",
        "id": call_id,
        "server_tool_call_response": response,
    }


def _tool_result(block: Mapping[str, Any]) -> Part:
    call_id = _first(block, ("tool_use_id", "toolUseId"), str)
    return tool_response_part(call_id, block.get("content"))


def _document(block: Mapping[str, Any]) -> Part:
    """Read a document that may be text, in LangChain's form, in Anthropic's or in Bedrock's."""
    inner = _mapping(block.get("document"))
    source = _mapping(block.get("source")) or _mapping(inner.get("source"))
    of_source = ("data", "text") if _type(source) == "text" else ("text",)
    text = _text(block.get("text")) or _first(source, of_source, str)
    return text_part(text) if text else media(block)


def _first(block: Mapping[str, Any], keys: tuple[str, ...], kind: Any) -> Any:
    """Return the first value of a kind, empty ones left aside; None without one."""
    found = (block.get(key) for key in keys)
    return next((value for value in found if isinstance(value, kind) and value), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _untyped(block: Mapping[str, Any]) -> Part:
    """Read a block that says by a key what it is, as Bedrock's and Google's own do."""
    text = block.get("text")
    if isinstance(text, str):
        return _text_block(block)
    for key, read in _BY_KEY.items():
        if isinstance(block.get(key), dict):
            return read(block)
    return _other(block)


def _non_standard(block: Mapping[str, Any]) -> Part:
    value = block.get("value")
    if not isinstance(value, dict) or value.get("type") == block.get("type"):
        return _other(block)
    return block_part(value)


def _other(block: Mapping[str, Any]) -> Part:
    """Read a block that only its provider knows: as it is, but for inline data."""
    return without_data(block) | {"type": _text(block.get("type")) or "unknown"}


_BY_KEY: Final[Mapping[str, Callable[[Mapping[str, Any]], Part]]] = {
    "toolUse": lambda block: _tool_call(_mapping(block.get("toolUse"))),
    "toolResult": lambda block: _tool_result(_mapping(block.get("toolResult"))),
    "reasoningContent": _reasoning,
    "reasoning_content": _reasoning,
    "guardContent": _guarded,
    "guard_content": _guarded,
    "document": _document,
    **dict.fromkeys(BARE, media),
}

_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Part]]] = {
    # LangChain makes a type of such a key.
    **_BY_KEY,
    **dict.fromkeys(sorted(MEDIA_TYPES), media),
    "text": _text_block,
    "input_text": _text_block,
    "output_text": _text_block,
    "summary_text": _text_block,
    "refusal": _refusal,
    "guard_content": _guarded,
    **dict.fromkeys(
        ("reasoning", "thinking", "reasoning_content", "redacted_thinking"), _reasoning
    ),
    **dict.fromkeys(("reasoning_text", "reasoning.text", "reasoning.summary"), _reasoning),
    **dict.fromkeys(_CALL_TYPES, _tool_call),
    **dict.fromkeys(("server_tool_call", "server_tool_use", "mcp_tool_use"), _server_call),
    "server_tool_call_chunk": _server_call,
    "executable_code": _code,
    "server_tool_result": _server_response,
    "tool_result": _tool_result,
    "text-plain": _document,
    "document": _document,
    "non_standard": _non_standard,
}

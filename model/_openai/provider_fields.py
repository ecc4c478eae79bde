"""What a server sends with an answer and wants back with it, such as reasoning and signatures.

DeepSeek, Kimi and GLM refuse a conversation whose tool calls come without the reasoning that led
to them, and Gemini one without the signature of each call. Other servers refuse such fields. So
what came with a message is kept with it, and goes back to the server that it came from.

https://api-docs.deepseek.com/guides/thinking_mode
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import AIMessage

KEY: Final = "provider_fields"
"""The key in a message's `response_metadata`."""

# Fields of an answer that a request has no place for.
_ONLY_IN_ANSWERS: Final = frozenset(
    {"annotations", "audio", "citations", "content", "function_call", "images", "logprobs"}
    | {"name", "padding", "obfuscation", "refusal", "role", "tool_calls"}
)
# These tell parts of lists apart, or repeat themselves.
_SAME: Final = frozenset({"format", "id", "index", "type"})


class ProviderFields:
    """Gathers what one answer brings along, piece by piece."""

    __slots__ = ("_calls", "_message", "_reasoning_as")

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._calls: dict[str, dict[str, Any]] = {}
        self._reasoning_as: str | None = None

    def take(self, extra: Mapping[str, Any] | None) -> None:
        """Add unknown fields of a message."""
        for name, value in (extra or {}).items():
            if name not in _ONLY_IN_ANSWERS and value not in (None, "", [], {}):
                self._message[name] = _joined(name, self._message.get(name), value)

    def take_of_call(self, call_id: str, extra: Mapping[str, Any] | None) -> None:
        """Add unknown fields of a tool call."""
        for name, value in (extra or {}).items():
            if value not in (None, "", [], {}) and name != "type":
                fields = self._calls.setdefault(call_id, {})
                fields[name] = _joined(name, fields.get(name), value)

    def take_reasoning(self, name: str) -> None:
        """Remember what the server calls its reasoning, whose text is among the blocks."""
        self._reasoning_as = name

    def metadata(self, server: str) -> dict[str, Any]:
        """Return what there is to keep, if anything."""
        kept = {
            "message": self._message,
            "tool_calls": self._calls,
            "reasoning_as": self._reasoning_as,
        }
        kept = {name: value for name, value in kept.items() if value}
        return {"server": server, **kept} if kept else {}


def _joined(name: str, before: Any, value: Any) -> Any:
    """Put parts of a value together: texts one behind the other, lists by their items' index."""
    if type(before) is not type(value) or name in _SAME:
        return value
    if isinstance(value, str):
        return before + value
    if isinstance(value, dict):
        return before | {key: _joined(key, before.get(key), part) for key, part in value.items()}
    if isinstance(value, list):
        return _joined_lists(before, value)
    return value


def _joined_lists(before: list[Any], value: list[Any]) -> list[Any]:
    joined = list(before)
    for item in value:
        index = item.get("index") if isinstance(item, dict) else None
        places = [n for n, each in enumerate(joined) if _has_index(each, index)]
        if places:
            joined[places[-1]] = _joined("", joined[places[-1]], item)
        else:
            joined.append(item)
    return joined


def _has_index(item: Any, index: Any) -> bool:
    return index is not None and isinstance(item, dict) and item.get("index") == index


def fields_to_return(message: AIMessage, server: str) -> dict[str, Any]:
    """Find the fields of a message that go back to the server that it came from.

    Its reasoning goes beside tool calls alone: that is where servers ask for it, and some refuse
    it anywhere else.
    """
    kept = message.response_metadata.get(KEY)
    if not isinstance(kept, dict) or kept.get("server") != server:
        return {}
    fields = dict(kept.get("message") or {})
    name = kept.get("reasoning_as")
    if name and (message.tool_calls or message.invalid_tool_calls):
        fields[name] = _reasoning(message)
    return fields


def fields_of_call(message: AIMessage, call_id: str | None, server: str) -> dict[str, Any]:
    """Find the fields of a tool call that go back with it."""
    kept = message.response_metadata.get(KEY)
    if not isinstance(kept, dict) or kept.get("server") != server:
        return {}
    return dict((kept.get("tool_calls") or {}).get(call_id) or {})


def _reasoning(message: AIMessage) -> str:
    blocks = message.content if isinstance(message.content, list) else []
    return "".join(
        str(block.get("reasoning") or "")
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "reasoning"
    )

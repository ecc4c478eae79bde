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
# What is nested deeper is not put together: its last part stands for it.
_DEEPEST: Final = 32


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
            "message": _whole(self._message),
            "tool_calls": {call: _whole(fields) for call, fields in self._calls.items()},
            "reasoning_as": self._reasoning_as,
        }
        kept = {name: value for name, value in kept.items() if value}
        return {"server": server, **kept} if kept else {}


class _Text:
    """A text whose parts are still coming."""

    __slots__ = ("_parts",)

    def __init__(self, first: str) -> None:
        self._parts = [first]

    def add(self, part: str, _depth: int) -> None:
        """Take the next piece of the text."""
        self._parts.append(part)

    def whole(self) -> str:
        """Return the text so far."""
        return "".join(self._parts)


class _Record:
    """A record whose values are still coming."""

    __slots__ = ("_values",)

    def __init__(self, first: dict[str, Any]) -> None:
        self._values = dict(first)

    def add(self, part: dict[str, Any], depth: int) -> None:
        """Take the next piece of each value, by its name."""
        for name, value in part.items():
            self._values[name] = _joined(name, self._values.get(name), value, depth)

    def whole(self) -> dict[str, Any]:
        """Return the record so far."""
        return _whole(self._values)


class _Items:
    """A list whose items are still coming, each known by its index."""

    __slots__ = ("_items", "_places")

    def __init__(self, first: list[Any]) -> None:
        self._items: list[Any] = []
        self._places: dict[Any, int] = {}
        for item in first:
            self._append(item)

    def add(self, part: list[Any], depth: int) -> None:
        """Take pieces of items, each by its index, or new ones."""
        for item in part:
            place = self._places.get(_index_of(item))
            if place is None:
                self._append(item)
            else:
                self._items[place] = _joined("", self._items[place], item, depth)

    def _append(self, item: Any) -> None:
        if (index := _index_of(item)) is not None:
            self._places[index] = len(self._items)
        self._items.append(item)

    def whole(self) -> list[Any]:
        """Return the list so far."""
        return [_whole_value(item) for item in self._items]


_GATHERED: Final[dict[type, type[_Text | _Record | _Items]]] = {
    str: _Text,
    dict: _Record,
    list: _Items,
}


def _joined(name: str, before: Any, value: Any, depth: int = _DEEPEST) -> Any:
    """Put parts of a value together: texts one behind the other, lists by their items' index.

    Each part is looked at once, and what has come before stays where it is.
    """
    gathered = _GATHERED.get(type(value))
    if gathered is None or name in _SAME or depth == 0:
        return value
    if type(before) is type(value):
        before = gathered(before)
    if type(before) is not gathered:
        return value
    before.add(value, depth - 1)
    return before


def _whole(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _whole_value(value) for name, value in values.items()}


def _whole_value(value: Any) -> Any:
    return value.whole() if isinstance(value, (_Text, _Record, _Items)) else value


def _index_of(item: Any) -> Any:
    index = item.get("index") if type(item) is dict else None
    return index if isinstance(index, int | str) else None


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

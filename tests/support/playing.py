"""A server that plays a model which keeps to the protocol: it calls tools, and keeps to schemas."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.hostile import Wire

_JOKE = {"type": "object", "properties": {"setup": {}, "punchline": {}}}


async def plays(wire: Wire) -> None:
    """Answer with a tool call, with JSON, or with what was said, in several chunks."""
    body = wire.request.body
    called = _tool_to_call(body)
    if called is not None:
        arguments = json.dumps(_value(called.get("parameters", {"type": "object"}), _text(body)))
        deltas = [_call(name=called["name"], arguments=""), *map(_call_part, _halves(arguments))]
    else:
        deltas = [{"content": part} for part in _halves(_answer(body))]
    await wire.head()
    for delta in deltas:
        await wire.event(_chunk(body, [{"index": 0, "delta": delta, "finish_reason": None}]))
    reason = "stop" if called is None else "tool_calls"
    await wire.event(_chunk(body, [{"index": 0, "delta": {}, "finish_reason": reason}]))
    usage = {"prompt_tokens": len(str(body["messages"])), "completion_tokens": len(deltas)}
    await wire.event({**_chunk(body, []), "usage": usage})
    await wire.event("[DONE]")
    await wire.end()


def _chunk(body: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    return {"id": "played", "model": body["model"], "choices": choices, "usage": None}


def _halves(text: str) -> list[str]:
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def _call(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}


def _call_part(arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


def _text(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content or ())


def _tool_to_call(body: dict[str, Any]) -> dict[str, Any] | None:
    choice = body.get("tool_choice", "auto")
    functions = {tool["function"]["name"]: tool["function"] for tool in body.get("tools", ())}
    if isinstance(choice, dict):
        return functions[choice["function"]["name"]]
    has_results = body["messages"][-1]["role"] == "tool"
    if not functions or choice == "none" or (choice == "auto" and has_results):
        return None
    return next(iter(functions.values()))


def _answer(body: dict[str, Any]) -> str:
    wanted = body.get("response_format")
    if not wanted:
        return f"You said: {_text(body)}"
    schema = wanted.get("json_schema", {}).get("schema", _JOKE)
    return json.dumps(_value(schema, _text(body)))


def _value(schema: dict[str, Any], text: str) -> Any:
    kind = schema.get("type", "string")
    if kind == "object":
        fields = schema.get("properties", {}).items()
        return {name: _value(inner, text) for name, inner in fields}
    number = re.search(r"\d+", text)
    return text if kind == "string" else int(number[0]) if number else 1

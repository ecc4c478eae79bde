"""Servers as they are: what each sends, and what LangChain must see of it.

One small server a dialect, over the real HTTP client.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from nodespan.graph import build_agent
from nodespan.model import (
    BadRequestError,
    ModelError,
    OpenAICompatibleChatModel,
    RateLimitError,
    ServerError,
)
from support.hostile import USAGE, HostileServer, Reply, chunk, finish, refuses, sends

if TYPE_CHECKING:
    from support.hostile import Wire


@dataclass(frozen=True)
class Dialect:
    """What a server sends, and what comes of it."""

    events: list[Any]
    text: str = "Hi there"
    blocks: list[str] = field(default_factory=lambda: ["text"])
    metadata: dict[str, Any] = field(default_factory=dict)
    total_tokens: int | None = None
    calls: list[Any] = field(default_factory=list)


def _whole(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "answer-1", "model": "m", "choices": [choice], "usage": usage}


def _ends(**more: Any) -> dict[str, Any]:
    end = chunk(finish="stop")
    end["choices"][0].update(more)
    return end


_TOKEN = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}
_THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}

DIALECTS = {
    "parts of text (Mistral)": Dialect(
        [chunk([{"type": "text", "text": "Hi "}]), chunk(["there"]), _ends()]
    ),
    "parts of thinking (Magistral)": Dialect(
        [chunk([_THINKING]), chunk([{"type": "text", "text": "Hi there"}]), _ends()],
        blocks=["reasoning", "text"],
    ),
    "message for delta": Dialect(
        [
            {"choices": [{"index": 0, "message": {"content": "Hi "}}]},
            {"choices": [{"index": 0, "message": {"content": "there"}, "finish_reason": "stop"}]},
        ]
    ),
    "the message again behind its deltas": Dialect(
        [chunk("Hi "), chunk("there"), _whole(content="Hi there")]
    ),
    "chunks after the finish reason": Dialect(
        [chunk("Hi "), _ends(), chunk("there"), {"choices": [], "usage": USAGE["usage"]}],
        total_tokens=5,
    ),
    "a finish reason in every chunk": Dialect(
        [chunk("Hi ", finish=""), chunk("there", finish="stop"), chunk("", finish="stop")]
    ),
    "log probabilities": Dialect(
        [
            {"choices": [{"delta": {"content": "Hi "}, "logprobs": {"content": [_TOKEN]}}]},
            {"choices": [{"delta": {"content": "there"}, "logprobs": {"content": [_TOKEN]}}]},
            _ends(logprobs=None),
        ],
        metadata={"logprobs": {"content": [_TOKEN, _TOKEN]}},
    ),
    "a total that counts more (Google)": Dialect(
        [
            chunk("Hi there"),
            _ends(),
            {"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 42}},
        ],
        metadata={"total_tokens": 42},
        total_tokens=42,
    ),
    "citations (Perplexity)": Dialect(
        [{**chunk("Hi there"), "citations": ["https://a.example"]}, _ends()],
        metadata={"citations": ["https://a.example"]},
    ),
    "annotations (OpenAI)": Dialect(
        [chunk("Hi there", annotations=[{"type": "url_citation"}]), _ends()],
        metadata={"annotations": [{"type": "url_citation"}]},
    ),
    "fingerprint and tier with the usage": Dialect(
        [chunk("Hi there"), _ends(), {**USAGE, "system_fingerprint": "fp", "service_tier": "flex"}],
        metadata={"system_fingerprint": "fp", "service_tier": "flex"},
    ),
    "the old function call": Dialect(
        [
            chunk(function_call={"name": "weather", "arguments": '{"city": '}),
            chunk(function_call={"arguments": '"Rome"}'}),
            chunk(finish="function_call"),
        ],
        text="",
        blocks=["tool_call"],
        calls=[("weather", {"city": "Rome"})],
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
async def test_a_dialect_is_understood(dialect: Dialect) -> None:
    """Text, blocks, calls and metadata are the same whichever way the model is asked."""
    with HostileServer([sends(*dialect.events, "[DONE]")]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        answers = [model.invoke("Hi"), await model.ainvoke("Hi"), reduce(add, model.stream("Hi"))]
    for answer in answers:
        assert answer.text == dialect.text
        assert [block["type"] for block in answer.content_blocks] == dialect.blocks
        assert [(call["name"], call["args"]) for call in answer.tool_calls] == dialect.calls
        assert dialect.metadata.items() <= answer.response_metadata.items()
        if dialect.total_tokens is not None:
            assert answer.usage_metadata is not None
            assert answer.usage_metadata["total_tokens"] == dialect.total_tokens


def _answers_whole(body: Any, status: int = 200, **headers: str) -> Reply:
    async def reply(wire: Wire) -> None:
        await wire.head(status, "application/json", **headers)
        await wire.part(json.dumps(body))
        await wire.end()

    return reply


async def test_a_server_that_cannot_stream_is_understood() -> None:
    """It answers with whole JSON, though a stream was asked for."""
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    replies = [_answers_whole(_whole(content="Hi there"))] * 2
    replies.append(_answers_whole(_whole(content=None, tool_calls=[call])))
    with HostileServer(replies) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        answer, streamed = model.invoke("Hi"), list(model.stream("Hi"))
        called = await model.ainvoke("Hi")
    assert answer.text == "".join(str(each.text) for each in streamed) == "Hi there"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert [each["id"] for each in called.tool_calls] == ["a"]


@pytest.mark.parametrize("off", [{"streaming": False}, {"disable_streaming": True}])
def test_without_streaming_no_stream_is_asked_for(off: dict[str, Any]) -> None:
    """Some servers and gateways refuse `stream: true`."""
    with HostileServer([_answers_whole(_whole(content="Hi there"))]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m", **off)
        assert model.invoke("Hi").text == "Hi there"
        assert [each.text for each in model.stream("Hi")] == ["Hi there"]
        for request in server.requests:
            assert request.body["stream"] is False
            assert "stream_options" not in request.body
    with HostileServer([_answers_whole(_whole(content="Hi there"))]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        model.invoke("Hi", streaming=False)
        assert server.requests[0].body["stream"] is False


def test_without_streaming_for_tools_none_is_asked_for_them() -> None:
    """`disable_streaming="tool_calling"` is about calls with tools."""
    with HostileServer([_answers_whole(_whole(content="Hi"))]) as server:
        model = OpenAICompatibleChatModel(
            base_url=server.url, model_name="m", disable_streaming="tool_calling"
        )
        model.bind_tools([weather]).invoke("Hi")
        model.invoke("Hi")
        assert [request.body["stream"] for request in server.requests] == [False, True]


_OVERLOADED = {"error": {"message": "busy", "type": "overloaded_error"}}
_QUOTA = [{"error": {"code": 429, "message": "busy", "status": "RESOURCE_EXHAUSTED"}}]


@pytest.mark.parametrize(
    ("reply", "kind", "retried"),
    [
        (_answers_whole(_OVERLOADED), ServerError, True),
        (_answers_whole(_QUOTA), RateLimitError, True),
        (_answers_whole({"error": {"message": "busy", "code": "502"}}), ServerError, True),
        (_answers_whole({"error": {"message": "busy", "code": "400"}}), BadRequestError, False),
        (_answers_whole({"object": "error", "message": "busy", "code": 400}), BadRequestError, 0),
        (_answers_whole({"error": "busy"}), ServerError, False),
        (sends(_OVERLOADED), ServerError, True),
        (sends({"error": {"message": "busy", "status": "UNAVAILABLE"}}), ServerError, True),
    ],
)
def test_an_error_in_a_success_is_an_error(
    reply: Reply, kind: type[ModelError], retried: bool
) -> None:
    """Its message and its class are told, and it is tried again where it says that it may be."""
    with HostileServer([reply]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m", max_retries=1)
        with pytest.raises(kind, match="busy"):
            model.invoke("Hi")
        assert len(server.requests) == 1 + retried


def test_the_wait_may_be_told_in_milliseconds() -> None:
    """Azure's header is more exact than the other."""
    reply = refuses(429, {"error": {"message": "m"}}, retry_after_ms="20", retry_after="61")
    with HostileServer([reply]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m", max_retries=1)
        with pytest.raises(RateLimitError) as caught:
            model.invoke("Hi")
        assert caught.value.retry_after == 0.02
        assert len(server.requests) == 2


@pytest.mark.parametrize("how", ["broken", "ended"])
def test_a_break_after_the_end_does_not_matter(how: str) -> None:
    """An answer whose reason for ending has come is complete."""

    async def breaks(wire: Wire) -> None:
        await wire.head()
        await wire.event(chunk("Hi there"))
        await wire.event(chunk(finish="stop"))
        if how == "broken":
            wire.writer.transport.abort()
        else:
            await wire.end()

    with HostileServer([breaks]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m", max_retries=0)
        assert model.invoke("Hi").text == "Hi there"


class City(BaseModel):
    """A city."""

    name: str


def test_a_refusal_is_told_where_data_was_asked_for() -> None:
    """It is no parsing error."""
    with HostileServer([sends(chunk(refusal="I will not."), chunk(finish="stop"))]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        for method in ("json_schema", "function_calling"):
            with pytest.raises(Exception, match=r"refused.*I will not"):
                model.with_structured_output(City, method=method).invoke("Hi")


@tool
def weather(city: str = "Rome") -> str:
    """Tell the weather in a city."""
    return f"rain in {city}"


def _calls(number: int, **more: Any) -> dict[str, Any]:
    function = {"name": "weather", "arguments": json.dumps({"city": str(number)})}
    return {"index": 0, "id": f"call_{number}", "type": "function", "function": function, **more}


def _insists(check: Any, *, turns: int = 3, delta: Any = None, call: Any = None) -> Reply:
    """Call the tool some times, and refuse a conversation whose answers are not as they were."""

    async def reply(wire: Wire) -> None:
        answers = [each for each in wire.request.body["messages"] if each["role"] == "assistant"]
        if not all(check(number, each) for number, each in enumerate(answers)):
            await refuses(400, {"error": {"message": f"missing field in {answers}"}})(wire)
            return
        await wire.head()
        number = len(answers)
        if number == turns:
            await wire.event(chunk("It rains."))
            await finish(wire)
            return
        for each in (delta or (lambda _: []))(number):
            await wire.event(chunk(**each))
        await wire.event(chunk(tool_calls=[_calls(number, **(call(number) if call else {}))]))
        await finish(wire, "tool_calls")

    return reply


def _signature(number: int) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": f"sig-{number}"}}}


INSISTING = {
    "reasoning (DeepSeek, Kimi, GLM)": _insists(
        lambda n, message: message.get("reasoning_content") == f"Let me {n}.",
        delta=lambda n: [{"reasoning_content": "Let me "}, {"reasoning_content": f"{n}."}],
    ),
    "reasoning (vLLM)": _insists(
        lambda n, message: message.get("reasoning") == f"Let me {n}.",
        delta=lambda n: [{"reasoning": f"Let me {n}."}],
    ),
    "reasoning details (OpenRouter)": _insists(
        lambda n, message: (
            message.get("reasoning_details")
            == [{"type": "reasoning.text", "text": f"ab{n}", "index": 0, "format": "x"}]
        ),
        delta=lambda n: [
            {"reasoning_details": [{"type": "reasoning.text", "text": "ab", "index": 0}]},
            {"reasoning_details": [{"text": str(n), "index": 0, "format": "x"}]},
        ],
    ),
    "a signature on each call (Gemini)": _insists(
        lambda n, message: all(
            call.get("extra_content") == _signature(n)["extra_content"]
            for call in message["tool_calls"]
        ),
        call=_signature,
    ),
    "a field that nobody knows": _insists(
        lambda n, message: message.get("state_token") == {"n": n},
        delta=lambda n: [{"state_token": {"n": n}}],
    ),
}


@pytest.mark.parametrize("mode", ["invoke", "stream", "whole"])
@pytest.mark.parametrize("reply", INSISTING.values(), ids=INSISTING)
def test_what_came_with_a_message_goes_back(reply: Reply, mode: str) -> None:
    """A tool loop of three turns ends well, on a server that insists."""
    with HostileServer([reply]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        agent = build_agent(model, [weather])
        given: Any = {"messages": [HumanMessage("Weather?")]}
        if mode == "stream":
            modes: Any = ["messages", "values"]
            messages = [p for k, p in agent.stream(given, stream_mode=modes)][-1]["messages"]
        else:
            messages = agent.invoke(given)["messages"]
        if mode == "whole":  # what was kept in a checkpoint, or sent as JSON
            copies = [type(each).model_validate(each.model_dump()) for each in messages]
            assert model.invoke(copies[:-1]).text == "It rains."
    assert messages[-1].text == "It rains."
    assert len([each for each in messages if isinstance(each, ToolMessage)]) == 3


@pytest.mark.parametrize("reply", INSISTING.values(), ids=INSISTING)
def test_others_do_not_get_it(reply: Reply) -> None:
    """Another server gets what the protocol has, and nothing else."""

    def is_plain(_: int, message: Any) -> bool:
        calls = message.get("tool_calls", [])
        return message.keys() <= {"role", "content", "tool_calls"} and all(
            call.keys() == {"id", "type", "function"} for call in calls
        )

    with HostileServer([reply]) as one, HostileServer([_insists(is_plain, turns=4)]) as other:
        model = OpenAICompatibleChatModel(base_url=one.url, model_name="m")
        agent = build_agent(model, [weather])
        messages = agent.invoke({"messages": [HumanMessage("Weather?")]})["messages"]
        elsewhere = OpenAICompatibleChatModel(base_url=other.url, model_name="m")
        assert elsewhere.invoke([*messages, HumanMessage("And?")]).text == "It rains."


def test_reasoning_without_calls_does_not_go_back() -> None:
    """DeepSeek's older models refuse it."""

    def has_none(_: int, message: Any) -> bool:
        return "reasoning_content" not in message

    delta = [chunk(reasoning_content="Hm."), chunk("Hi"), chunk(finish="stop"), "[DONE]"]
    with HostileServer([sends(*delta), _insists(has_none, turns=1)]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m")
        first = model.invoke("Hi")
        assert isinstance(first, AIMessage)
        assert model.invoke([HumanMessage("Hi"), first, HumanMessage("So?")]).text == "It rains."


@pytest.mark.parametrize(
    "told", [{"stop_reason": "END"}, {"matched_stop": "END"}, {"stopping_word": "END"}, {}]
)
def test_stop_strings_reach_the_server(told: dict[str, Any]) -> None:
    """The string is part of the answer where the server says which it was."""
    with HostileServer([sends(chunk("one "), _ends(**told), "[DONE]")]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m", stop=["END", "x"])
        answers = [model.invoke("Hi"), reduce(add, model.stream("Hi"))]
        bare = model.invoke("Hi", include_stop=False)
        assert all(request.body["stop"] == ["END", "x"] for request in server.requests)
    assert {answer.text for answer in answers} == {"one END" if told else "one "}
    assert bare.text == "one "


def test_a_stop_string_that_the_server_includes_is_there_once() -> None:
    """Some servers have an option for that; the setting that leaves it out still holds."""
    events = [chunk("one E"), chunk("ND"), _ends(stop_reason="END"), "[DONE]"]
    with HostileServer([sends(*events)]) as server:
        model = OpenAICompatibleChatModel(base_url=server.url, model_name="m", stop=["END"])
        assert model.invoke("Hi").text == "one END"
        assert model.invoke("Hi", include_stop=False).text == "one "
        assert "".join(str(c.text) for c in model.stream("Hi", include_stop=False)) == "one "


def test_calls_by_schema_are_not_stopped() -> None:
    """A stop string is meant for what is said, not for the JSON around a call."""
    with HostileServer([sends(chunk('{"answer": "a b"}'), _ends(), "[DONE]")]) as server:
        model = OpenAICompatibleChatModel(
            base_url=server.url, model_name="m", tool_calling="json_schema"
        )
        answer = model.bind(tools=[convert_to_openai_tool(weather)]).invoke("Hi", stop=["b"])
        assert "stop" not in server.requests[0].body
    assert answer.text == "a b"

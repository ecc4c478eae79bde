"""What an OpenAI-compatible server sends becomes LangChain's messages, whatever its dialect."""

from __future__ import annotations

import json
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from pydantic import BaseModel, SecretStr

from nodespan.model import BadRequestError, OpenAICompatibleChatModel
from support.hostile import USAGE, HostileServer, Reply, chunk, says, sends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.messages import AIMessageChunk

    from support.hostile import Wire

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that answers well, unless a test tells it otherwise."""
    with HostileServer([says("Hel", "lo")]) as server:
        yield server


@pytest.fixture
def model(server: HostileServer) -> OpenAICompatibleChatModel:
    """A model behind the server."""
    return OpenAICompatibleChatModel(
        base_url=server.url, model_name="tiny", api_key=SecretStr("sesame")
    )


@pytest.fixture
def answer(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> Callable[..., AIMessageChunk]:
    """Let the server send these events, and add up what comes of them."""

    def total(*events: Any) -> AIMessageChunk:
        server.replies = [sends(*events, "[DONE]")]
        return reduce(add, model.stream("Hi"))

    return total


@tool
def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"rain in {city}"


def _call(
    name: str | None = None, arguments: Any = None, *, index: int | None = 0, **more: Any
) -> dict[str, Any]:
    call = {"index": index, "function": {"name": name, "arguments": arguments}, **more}
    return chunk(tool_calls=[call])


async def test_an_answer_has_text_usage_and_metadata(model: OpenAICompatibleChatModel) -> None:
    """Text comes as the server's chunks; usage, model, id and reason come with the last one."""
    *texts, last = model.stream("Hi")
    assert [chunk.content for chunk in texts] == ["Hel", "lo"]
    assert last.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert last.response_metadata.pop("time_in_seconds") > 0
    told = {"id": "answer-1", "model_name": "hostile", "finish_reason": "stop"}
    assert last.response_metadata == told
    assert (await model.ainvoke("Hi")).text == "Hello"


def test_a_request_says_what_was_asked_for(server: HostileServer) -> None:
    """The messages and all parameters that are set go into the request, and nothing else."""
    model = OpenAICompatibleChatModel(
        base_url=server.url + "/",
        model="tiny",
        temperature=0.5,
        top_p=0.9,
        max_tokens=7,
        seed=3,
        frequency_penalty=0.1,
        presence_penalty=-0.1,
        extra_body={"top_k": 40},
    )
    model.invoke([SystemMessage("Be brief."), HumanMessage("Hi")], max_tokens=8, stop=["x"])
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "stop": ["x"],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 8,
        "seed": 3,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "top_k": 40,
    }


def test_text_that_is_no_unicode_is_sent(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """A lone surrogate arrives as it was, beside everything else."""
    model.invoke("é\ud800🐈\n")
    assert server.requests[0].body["messages"][0]["content"] == "é\ud800🐈\n"


@pytest.mark.parametrize("value", [{1}, float("nan"), object()])
def test_what_json_cannot_express_is_refused(
    server: HostileServer, model: OpenAICompatibleChatModel, value: Any
) -> None:
    """It is an error before anything is sent."""
    with pytest.raises(BadRequestError, match="JSON"):
        model.invoke("Hi", extra_body={"odd": value})
    assert not server.requests


def test_tool_calls_are_assembled(answer: Callable[..., AIMessageChunk]) -> None:
    """Arguments that come in parts, for two calls in turn, become two calls."""
    total = answer(
        _call("weather", "", id="a"),
        _call(arguments='{"city": '),
        _call("time", '{"zone"', index=1, id="b"),
        _call(arguments='"Paris"}'),
        _call(arguments=': "UTC"}', index=1),
        chunk(finish="tool_calls"),
    )
    assert [(call["name"], call["args"], call["id"]) for call in total.tool_calls] == [
        ("weather", {"city": "Paris"}, "a"),
        ("time", {"zone": "UTC"}, "b"),
    ]
    assert total.response_metadata["finish_reason"] == "tool_calls"


_PARIS, _ROME = '{"city": "Paris"}', '{"city": "Rome"}'


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        pytest.param(
            [_call("weather", _PARIS, id="a"), _call("weather", _ROME, id="b")],
            [("Paris", "a"), ("Rome", "b")],
            id="every call has index 0",
        ),
        pytest.param(
            [_call("weather", _PARIS, index=None), _call("weather", _ROME, index=None)],
            [("Paris", None), ("Rome", None)],
            id="no index and no id",
        ),
        pytest.param(
            [_call("weather", _PARIS[:5], id="a"), _call("weather", _PARIS[5:], id="a")],
            [("Paris", "a")],
            id="name and id in every delta",
        ),
        pytest.param(
            [_call("weather", _PARIS[:5], id="a"), _call("", _PARIS[5:], id="z")],
            [("Paris", "a")],
            id="a new id in every delta",
        ),
        pytest.param(
            [_call("weather", _PARIS[:5]), _call("weather", _PARIS[5:])],
            [("Paris", None)],
            id="the name in every delta, and no id",
        ),
        pytest.param(
            [_call(id="a"), _call("weather"), _call(arguments=_PARIS)],
            [("Paris", "a")],
            id="id, name and arguments apart",
        ),
        pytest.param(
            [
                *(_call("weather", "", id="a"), _call(arguments=_PARIS[:5], index=None)),
                _call(arguments=_PARIS[5:], index=None),
                *(_call("weather", "", index=1, id="b"), _call(arguments=_ROME, index=None)),
            ],
            [("Paris", "a"), ("Rome", "b")],
            id="the index in a call's first delta alone",
        ),
        pytest.param(
            [_call("weather", {"city": "Paris"}, id="a")],
            [("Paris", "a")],
            id="arguments that are JSON already",
        ),
    ],
)
def test_tool_calls_of_servers_that_differ(
    answer: Callable[..., AIMessageChunk],
    deltas: list[dict[str, Any]],
    calls: list[tuple[str, str | None]],
) -> None:
    """What servers leave out or repeat makes no difference; a call always has an id."""
    made = answer(*deltas, chunk(finish="stop")).tool_calls
    assert [call["name"] for call in made] == ["weather"] * len(calls)
    assert [call["args"]["city"] for call in made] == [city for city, _ in calls]
    for call, (_, given) in zip(made, calls, strict=True):
        assert call["id"] == given if given else str(call["id"]).startswith("call_")
    assert len({call["id"] for call in made}) == len(made)


@pytest.mark.parametrize(
    ("name", "arguments"), [("time", '{"zone": "UTC"}'), ("time", None), ("weather", _ROME)]
)
def test_whole_calls_in_one_place_are_told_apart(
    answer: Callable[..., AIMessageChunk], name: str, arguments: str | None
) -> None:
    """A server may give all calls index 0 and no id: by name, or after whole arguments."""
    deltas = [_call("weather", _PARIS), _call(name, arguments)]
    first, second = answer(*deltas, chunk(finish="stop")).tool_calls
    assert (first["name"], first["args"]) == ("weather", {"city": "Paris"})
    assert (second["name"], second["args"]) == (name, json.loads(arguments or "{}"))
    assert first["id"] != second["id"]


def test_arguments_that_are_no_json_are_kept_as_invalid(
    answer: Callable[..., AIMessageChunk],
) -> None:
    """LangChain gets the call as invalid, so that a program can tell the model."""
    total = answer(_call("weather", '{"city": }', id="a"), chunk(finish="stop"))
    (invalid,) = total.invalid_tool_calls
    assert (invalid["name"], invalid["args"]) == ("weather", '{"city": }')


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_in_blocks(answer: Callable[..., AIMessageChunk], name: str) -> None:
    """Reasoning and text become blocks of their own, in order; the text is the text."""
    total = answer(
        chunk(**{name: "Let me "}),
        chunk(**{name: "think."}),
        chunk("Four"),
        chunk("."),
        chunk(finish="stop"),
    )
    assert [(block["type"], block[block["type"]]) for block in total.content_blocks] == [
        ("reasoning", "Let me think."),
        ("text", "Four."),
    ]
    assert total.text == "Four."


async def test_reasoning_text_and_calls_in_events(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """The third protocol tells reasoning, text and tool calls apart, sync and async."""
    server.replies = [
        sends(
            chunk(reasoning="Hm."),
            chunk("Look: "),
            _call("weather", _PARIS, id="a"),
            _call("weather", _ROME, index=1, id="b"),
            chunk(finish="tool_calls"),
            USAGE,
            "[DONE]",
        )
    ]
    stream = model.stream_events("Hi", version="v3")
    assert_valid_event_stream(stream)
    astream = await model.astream_events("Hi", version="v3")
    assert_valid_event_stream([event async for event in astream])
    for message in (stream.output, await astream.output):
        kinds = [block["type"] for block in message.content_blocks]
        assert kinds == ["reasoning", "text", "tool_call", "tool_call"]
        assert [call["args"]["city"] for call in message.tool_calls] == ["Paris", "Rome"]


def test_a_refusal_is_told(answer: Callable[..., AIMessageChunk]) -> None:
    """What the model refuses to say is with the message, apart from its text."""
    total = answer(chunk(refusal="I "), chunk(refusal="won't."), chunk(finish="stop"))
    assert total.additional_kwargs == {"refusal": "I won't."}


def test_usage_that_grows_is_counted_once(answer: Callable[..., AIMessageChunk]) -> None:
    """A server may report the usage so far with every chunk: the last report holds."""
    usage = [
        {
            "prompt_tokens": 9,
            "completion_tokens": tokens,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": tokens - 1},
        }
        for tokens in (1, 2, 3)
    ]
    total = answer(*({**chunk("a"), "usage": told} for told in usage), chunk(finish="stop"))
    assert total.usage_metadata == {
        "input_tokens": 9,
        "output_tokens": 3,
        "total_tokens": 12,
        "input_token_details": {"cache_read": 4},
        "output_token_details": {"reasoning": 2},
    }


def test_counts_that_are_left_out_stay_as_they_were(
    answer: Callable[..., AIMessageChunk],
) -> None:
    """A report of usage may leave out, or set to null, what an earlier one told."""
    reports = [
        {"prompt_tokens": 9, "completion_tokens": None},
        {"prompt_tokens": None, "completion_tokens": 2, "prompt_tokens_details": None},
        {"completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": None}},
        {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
    ]
    total = answer(*({**chunk("a"), "usage": told} for told in reports), chunk(finish="stop"))
    assert total.usage_metadata == {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}


def test_odd_but_sound_streams_are_read(answer: Callable[..., AIMessageChunk]) -> None:
    """Signs of life, other choices, empty deltas and nulls make no difference."""
    other = {"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}
    total = answer(
        "",
        {"choices": None, "usage": None},
        {"choices": [other]},
        {"choices": [{"delta": None, "finish_reason": None}], "surprise": 1},
        {"choices": [{"index": None, "delta": {"content": "H"}}]},
        chunk("i"),
        chunk(""),
        chunk(finish="stop"),
    )
    assert total.text == "Hi"


def test_ids_may_be_numbers(answer: Callable[..., AIMessageChunk]) -> None:
    """That of the answer and that of a call; they are told as text."""
    total = answer({**_call("weather", _PARIS, id=7), "id": 5}, chunk(finish="stop") | {"id": 5})
    assert total.response_metadata["id"] == "5"
    assert [call["id"] for call in total.tool_calls] == ["7"]


def test_a_character_in_two_halves_is_one(answer: Callable[..., AIMessageChunk]) -> None:
    """A server may cut text between the two escapes that JSON has for it, wherever text is."""
    total = answer(
        chunk(reasoning="\ud83d"),
        chunk(reasoning="\ude00", refusal="\ud83d"),
        chunk("a\ud83d", refusal="\ude00"),
        _call("weather", '{"city": "\ud83d', id="a"),
        chunk("\ude00b"),
        _call(arguments='\ude00"}'),
        chunk(finish="stop"),
    )
    assert total.content_blocks[0].get("reasoning") == "😀"
    assert total.text == "a😀b"
    assert total.additional_kwargs == {"refusal": "😀"}
    assert total.tool_calls[0]["args"] == {"city": "😀"}


def test_half_a_character_fails_no_answer(answer: Callable[..., AIMessageChunk]) -> None:
    """One whose other half never comes is replaced, or left out at the end."""
    total = answer(chunk("a\ud83d"), chunk("b\ude00c"), chunk("d\ud83d"), chunk(finish="stop"))
    assert total.text == "a\ufffdb\ufffdcd"


def _framed(*lines: str) -> Reply:
    async def reply(wire: Wire) -> None:
        await wire.head(content_type="Text/Event-Stream; charset=latin-1")
        for line in lines:
            for byte in line.encode():
                await wire.part(bytes([byte]))
        await wire.end()

    return reply


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_come_in_any_framing(
    server: HostileServer, model: OpenAICompatibleChatModel, end: str
) -> None:
    """Byte by byte, with every kind of line end, comments, and an end without [DONE]."""
    hi = '{"choices": [{"delta": {"content":"é🐈"}}]}'
    stop = '{"choices": [{"delta": {}, "finish_reason": "stop"}]}'
    first, second = hi[:14], hi[14:]
    lines = [": alive", f"data:{first}", f"data: {second}", "", f"data: {stop}", "", ""]
    server.replies = [_framed(end.join(lines))]
    assert model.invoke("Hi").text == "é🐈"


def test_a_byte_order_mark_is_no_part_of_the_first_event(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """One that begins the stream is skipped; one in the text is the model's."""
    hi = '{"choices": [{"delta": {"content":"\ufeffHi"}, "finish_reason": "stop"}]}'
    server.replies = [_framed(f"\ufeffdata: {hi}\n\n")]
    assert model.invoke("Hi").text == "\ufeffHi"


def test_structured_output_is_asked_for_and_read(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """A schema goes to the server by default; what it answers becomes the schema's object."""

    class City(BaseModel):
        name: str

    server.replies = [says('{"name": ', '"Paris"}')]
    assert model.with_structured_output(City).invoke("Hi") == City(name="Paris")
    wanted = server.requests[0].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"]["required"] == ["name"]


def test_structured_output_by_a_tool_call(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """With "function_calling" the schema is a tool that the model must call."""

    class City(BaseModel):
        name: str

    server.replies = [sends(_call("City", '{"name": "Rome"}', id="a"), chunk(finish="stop"))]
    asked = model.with_structured_output(City, method="function_calling")
    assert asked.invoke("Hi") == City(name="Rome")
    body = server.requests[0].body
    assert body["tools"][0]["function"]["name"] == "City"
    assert body["tool_choice"] in ({"type": "function", "function": {"name": "City"}}, "required")


def test_tools_are_offered(server: HostileServer, model: OpenAICompatibleChatModel) -> None:
    """Tools, the choice among them, and whether several at once, go to the server."""
    bound = model.bind_tools([weather], tool_choice="any", parallel_tool_calls=False)
    bound.invoke("Hi")
    body = server.requests[0].body
    assert body["tools"][0]["function"]["parameters"]["required"] == ["city"]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)


def test_tool_calls_of_a_server_without_tools(server: HostileServer) -> None:
    """With "json_schema" a call is an answer that the server holds to a schema."""
    server.replies = [says('{"tool": "weather", ', '"arguments": {"city": "Oslo"}}')]
    model = OpenAICompatibleChatModel(
        base_url=server.url, model_name="tiny", tool_calling="json_schema"
    )
    (call,) = model.bind_tools([weather], tool_choice="any").invoke("Hi").tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
    assert server.requests[0].body["response_format"]["type"] == "json_schema"
    assert "tools" not in server.requests[0].body


def test_a_conversation_with_calls_and_reasoning_is_sent(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """Calls and results go back, also a call that could not be read; reasoning does not."""
    made = {"name": "weather", "args": {"city": "Paris"}, "id": "a"}
    broken = {"name": "weather", "args": "{", "id": "b", "error": "no JSON"}
    model.invoke(
        [
            HumanMessage("Where?", name="ann"),
            AIMessage(
                [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Look: "}],
                tool_calls=[made],
                invalid_tool_calls=[broken],
            ),
            ToolMessage([{"type": "text", "text": "rain"}], tool_call_id="a", name="weather"),
            ToolMessage("no JSON", tool_call_id="b"),
            AIMessage("", tool_calls=[made]),
        ]
    )
    paris = {"name": "weather", "arguments": '{"city": "Paris"}'}
    call = {"type": "function", "id": "a", "function": paris}
    unread = {"type": "function", "id": "b", "function": {"name": "weather", "arguments": "{"}}
    assert server.requests[0].body["messages"] == [
        {"role": "user", "content": "Where?", "name": "ann"},
        {"role": "assistant", "content": "Look: ", "tool_calls": [call, unread]},
        {"role": "tool", "content": "rain", "tool_call_id": "a"},
        {"role": "tool", "content": "no JSON", "tool_call_id": "b"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]


def test_a_conversation_with_another_provider_is_sent(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """Calls and results that stand among a message's blocks go where the protocol has them."""
    use = {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "rain"}
    model.invoke([AIMessage([{"type": "text", "text": "Look: "}, use]), HumanMessage([result])])
    paris = {"name": "weather", "arguments": '{"city": "Paris"}'}
    call = {"type": "function", "id": "a", "function": paris}
    assert server.requests[0].body["messages"] == [
        {"role": "assistant", "content": "Look: ", "tool_calls": [call]},
        {"role": "tool", "content": "rain", "tool_call_id": "a"},
    ]


def test_images_and_sounds_are_sent(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """LangChain's content blocks go to the server in OpenAI's form."""
    model.invoke(
        [
            HumanMessage(
                [
                    {"type": "text", "text": "See:"},
                    {"type": "image", "url": "https://example.com/cat.png"},
                    {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
                    {"type": "audio", "base64": "QUJD", "mime_type": "audio/wav"},
                ]
            )
        ]
    )
    assert server.requests[0].body["messages"][0]["content"] == [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
    ]


def test_what_cannot_be_sent_is_refused(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """The error names the message and the kind of block, and does not repeat the content."""
    video = {"type": "video", "base64": "c2VjcmV0", "mime_type": "video/mp4"}
    with pytest.raises(BadRequestError, match=r"message 2 \(human\).*video") as caught:
        model.invoke([HumanMessage("Hi"), HumanMessage([video])])
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(BadRequestError, match="no message"):
        model.invoke([])
    assert not server.requests


def test_a_stop_string_ends_the_answer_and_the_connection(server: HostileServer) -> None:
    """The stop string is part of the answer, and the server is told to stop at once."""

    async def endless(wire: Wire) -> None:
        await wire.head()
        await wire.event(chunk("one tw"))
        await wire.event(chunk("o three"))
        await wire.until_gone()

    server.replies = [endless]
    model = OpenAICompatibleChatModel(base_url=server.url, model_name="tiny", stop=["two"])
    answer = model.invoke("Hi")
    assert answer.text == "one two"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["id"] == "answer-1"
    server.until_connections_are(0)


def test_without_usage_it_is_estimated_and_marked(server: HostileServer) -> None:
    """A server may keep usage to itself, and may be asked to."""

    async def silent_about_usage(wire: Wire) -> None:
        await wire.head()
        await wire.event(chunk("Hi there"))
        await wire.event(chunk(finish="stop"))
        await wire.end()

    server.replies = [silent_about_usage]
    model = OpenAICompatibleChatModel(base_url=server.url, model_name="t", stream_usage=False)
    answer = model.invoke("Hi")
    assert answer.response_metadata["usage_is_estimated"] is True
    assert "stream_options" not in server.requests[0].body


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"total_tokens": 7},
        {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
    ],
)
def test_usage_that_tells_no_counts_is_no_report(
    answer: Callable[..., AIMessageChunk], usage: dict[str, Any]
) -> None:
    """The estimate and its mark stay, unless another report tells the counts."""
    silent = {**chunk("Hi there"), "usage": usage}
    estimated = answer(silent, chunk(finish="stop"))
    assert estimated.response_metadata["usage_is_estimated"] is True
    assert estimated.usage_metadata is not None
    assert estimated.usage_metadata["output_tokens"] == 2
    told = answer(silent, chunk(finish="stop"), USAGE)
    assert told.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert "usage_is_estimated" not in told.response_metadata


def test_the_end_of_a_stream_is_read(server: HostileServer) -> None:
    """A server that says [DONE] and then nothing does not hold the answer up for long."""

    async def lingering(wire: Wire) -> None:
        await wire.head()
        await wire.event(chunk("Hi"))
        await wire.event(chunk(finish="stop"))
        await wire.event("[DONE]")
        await wire.until_gone()

    server.replies = [lingering, says("again")]
    model = OpenAICompatibleChatModel(base_url=server.url, model_name="t")
    assert model.invoke("Hi").text == "Hi"
    assert model.invoke("Hi").text == "again"

"""What holds for every model alike, whoever wrote it; the models are listed in conftest.py."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
    trim_messages,
)
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from langgraph.graph import START, MessagesState, StateGraph

from nodespan.model import BadRequestError, CustomChatModel

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

_PROMPT = "Hello there"


class _Recorder(BaseCallbackHandler):
    """Remembers what callbacks are told at the start and at the end of a model's run."""

    raise_error = True
    run_inline = True

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []
        self.params: list[dict[str, Any]] = []
        self.ends: list[Any] = []

    def on_chat_model_start(self, *_: Any, **kwargs: Any) -> None:
        self.metadata.append(kwargs["metadata"])
        self.params.append(kwargs["invocation_params"])

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.ends.append(response)


def _total(chunks: Iterable[AIMessageChunk]) -> AIMessage:
    first, *rest = chunks
    total = first
    for chunk in rest:
        total = total + chunk
    message = message_chunk_to_message(total)
    assert isinstance(message, AIMessage)
    return message


def _comparable(message: AIMessage) -> dict[str, Any]:
    """Leave out what differs from call to call: ids, times, and how much was cached."""
    metadata = {k: v for k, v in message.response_metadata.items() if k != "time_in_seconds"}
    usage: Any = message.usage_metadata or {}
    tokens = {name: usage[name] for name in ("input_tokens", "output_tokens", "total_tokens")}
    return {"content": message.content, "metadata": metadata, "tokens": tokens}


def _until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_chunks_add_up_to_the_result(model: CustomChatModel) -> None:
    """The sum of a stream's chunks is what invoke gives: text, usage, metadata."""
    assert _comparable(_total(model.stream(_PROMPT))) == _comparable(model.invoke(_PROMPT))


async def test_async_chunks_add_up_to_the_result(model: CustomChatModel) -> None:
    """So is that of an async stream."""
    chunks = [chunk async for chunk in model.astream(_PROMPT)]
    assert _comparable(_total(chunks)) == _comparable(await model.ainvoke(_PROMPT))


async def test_sync_equals_async(model: CustomChatModel) -> None:
    """Sync and async give the same answer in the same chunks."""
    sync = [chunk.content for chunk in model.stream(_PROMPT)]
    assert sync == [chunk.content async for chunk in model.astream(_PROMPT)]
    assert _comparable(model.invoke(_PROMPT)) == _comparable(await model.ainvoke(_PROMPT))


def test_usage_and_metadata_come_once_and_last(model: CustomChatModel) -> None:
    """Exactly the last chunk is empty, marked as the last, and tells usage and metadata."""
    *texts, last = model.stream(_PROMPT)
    assert texts
    assert all(chunk.content and not chunk.chunk_position for chunk in texts)
    assert not any(chunk.usage_metadata or chunk.response_metadata for chunk in texts)
    assert (last.content, last.chunk_position) == ("", "last")
    assert last.usage_metadata
    assert last.usage_metadata["output_tokens"] > 0
    assert last.response_metadata["model_name"] == model.model_name
    assert last.response_metadata["finish_reason"] in {"stop", "length"}
    assert last.response_metadata["time_in_seconds"] > 0


def test_v3_events_are_valid(model: CustomChatModel) -> None:
    """A stream of the third protocol keeps its rules and ends with the same message."""
    stream = model.stream_events(_PROMPT, version="v3")
    assert_valid_event_stream(stream)
    message = stream.output
    assert message.text == model.invoke(_PROMPT).text
    assert message.usage_metadata
    assert message.response_metadata["model_name"] == model.model_name


async def test_v3_events_are_valid_async(model: CustomChatModel) -> None:
    """So does an async one."""
    stream = await model.astream_events(_PROMPT, version="v3")
    assert_valid_event_stream([event async for event in stream])
    assert (await stream.output).text == (await model.ainvoke(_PROMPT)).text


def test_a_stop_string_ends_the_answer_and_is_part_of_it(model: CustomChatModel) -> None:
    """Wherever chunks begin and end, the answer ends with the stop string."""
    text = str(model.invoke(_PROMPT).text)
    stop = text[1:4]
    expected = text[: text.index(stop) + len(stop)]
    for answer in (
        model.invoke(_PROMPT, stop=[stop]),
        _total(model.stream(_PROMPT, stop=["never", stop])),
        type(model).model_validate({**dict(model), "stop": [stop]}).invoke(_PROMPT),
        model.bind(stop=stop).invoke(_PROMPT),
    ):
        assert answer.text == expected
        assert answer.response_metadata["finish_reason"] == "stop"


def test_leaving_a_stream_frees_the_backend(model: CustomChatModel) -> None:
    """When the consumer goes away, no thread goes on working for it."""
    before = _workers()
    for _ in model.stream(_PROMPT):
        break
    _until(lambda: _workers() <= before)


async def test_leaving_an_async_stream_frees_the_backend(model: CustomChatModel) -> None:
    """Nor when an async consumer goes away, or is cancelled."""
    before = _workers()
    async for _ in model.astream(_PROMPT):
        break
    task = asyncio.create_task(model.ainvoke(_PROMPT))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(_until, lambda: _workers() <= before)


def _workers() -> int:
    names = ("nodespan-llama", "nodespan-respond")
    return sum(thread.name.startswith(names) for thread in threading.enumerate())


def test_calls_in_threads_do_not_mix(model: CustomChatModel) -> None:
    """Answers of a batch are the answers to its prompts."""
    prompts = [f"{number} is a number" for number in range(4)]
    batch = [answer.content for answer in model.batch(prompts)]
    assert batch == [model.invoke(prompt).content for prompt in prompts]


async def test_callbacks_learn_what_model_it_is(model: CustomChatModel) -> None:
    """However it is called, callbacks get provider, model and parameters, once a call."""
    recorder = _Recorder()
    config: Any = {"callbacks": [recorder]}
    model.invoke(_PROMPT, config)
    list(model.stream(_PROMPT, config))
    list(model.stream_events(_PROMPT, config, version="v3"))
    await model.ainvoke(_PROMPT, config)
    [chunk async for chunk in model.astream(_PROMPT, config)]
    stream = await model.astream_events(_PROMPT, config, version="v3")
    [event async for event in stream]
    # Core reports the end of this one from a task of its own.
    await asyncio.to_thread(_until, lambda: len(recorder.ends) == 6)
    assert len(recorder.metadata) == 6
    for metadata, params in zip(recorder.metadata, recorder.params, strict=True):
        assert metadata["ls_model_name"] == model.model_name
        assert metadata["ls_provider"]
        assert metadata.get("nodespan_in_process", False) is model.in_process
        assert params["model_name"] == model.model_name
        assert params["_type"] == model._llm_type


def test_an_unknown_parameter_is_refused(model: CustomChatModel) -> None:
    """A name that nobody declared is an error that names it, on a call and on construction."""
    with pytest.raises(BadRequestError, match="no parameter 'temperatur'"):
        model.invoke(_PROMPT, temperatur=1)
    with pytest.raises(BadRequestError, match="no parameter 'temperatur'"):
        type(model)(**{**dict(model), "temperatur": 1})


@pytest.mark.parametrize("stop", [[""], [1], ["ok", ""], 3])
def test_a_bad_stop_string_is_refused(model: CustomChatModel, stop: list[Any]) -> None:
    """A stop string that is empty or no text is an error."""
    with pytest.raises(BadRequestError, match="no stop string"):
        model.invoke(_PROMPT, stop=stop)
    with pytest.raises(ValueError, match="stop"):
        type(model)(**{**dict(model), "stop": stop})


def test_streaming_can_be_switched_off(model: CustomChatModel) -> None:
    """With streaming=False a stream is the whole answer at once."""
    whole = type(model)(**{**dict(model), "streaming": False})
    (only,) = whole.stream(_PROMPT)
    assert only.content == model.invoke(_PROMPT).content


async def test_streaming_can_be_switched_for_one_call(model: CustomChatModel) -> None:
    """streaming= with a call wins over the model's own, and a value that is none is refused."""
    whole = type(model)(**{**dict(model), "streaming": False})
    (only,) = model.stream(_PROMPT, streaming=False)
    assert only.content == model.invoke(_PROMPT).content
    assert len([chunk async for chunk in model.astream(_PROMPT, streaming=False)]) == 1
    assert len(list(model.bind(streaming=False).stream(_PROMPT))) == 1
    assert len(list(whole.stream(_PROMPT))) == 1
    assert len(list(whole.stream(_PROMPT, streaming=True))) > 1
    with pytest.raises(BadRequestError, match="'nope' is not a valid streaming"):
        list(model.stream(_PROMPT, streaming="nope"))


def test_answers_are_cached(model: CustomChatModel) -> None:
    """A cache answers the same question once, and another one not at all."""
    cache = InMemoryCache()
    cached = type(model)(**{**dict(model), "cache": cache})
    first, second = cached.invoke(_PROMPT), cached.invoke(_PROMPT)
    assert first.content == second.content
    assert second.usage_metadata["total_cost"] == 0
    assert "total_cost" not in cached.invoke("Something else").usage_metadata
    other = type(model)(**{**dict(cached), "model_name": "other"})
    assert "total_cost" not in other.invoke(_PROMPT).usage_metadata


def test_a_rate_limiter_is_asked(model: CustomChatModel) -> None:
    """A rate limiter holds calls back."""
    limiter = InMemoryRateLimiter(requests_per_second=20, check_every_n_seconds=0.01)
    limited = type(model)(**{**dict(model), "rate_limiter": limiter})
    started = time.perf_counter()
    limited.invoke(_PROMPT)
    limited.invoke(_PROMPT)
    assert time.perf_counter() - started >= 0.05


def test_a_model_is_serialized_and_loaded(model: CustomChatModel) -> None:
    """LangChain's serialization gives the same model back, where the model can be told."""
    if not model.is_lc_serializable():
        assert dumpd(model)["type"] == "not_implemented"
        return
    namespaces = [type(model).__module__.partition(".")[0]]
    loaded = load(dumpd(model), allowed_objects=[type(model)], valid_namespaces=namespaces)
    assert loaded.asdict() == model.asdict()


def test_a_model_is_pickled_and_loaded(model: CustomChatModel) -> None:
    """So does pickling, and the copy answers; a function as a script stays at home."""
    if model.model_name == "scripted":
        pytest.skip("its script is a lambda, which Python does not pickle")
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301  # we pickled it ourselves
    assert copy.asdict() == model.asdict()
    assert copy.invoke(_PROMPT).content == model.invoke(_PROMPT).content


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_it_streams_messages_from_a_graph(model: CustomChatModel, mode: str) -> None:
    """In a LangGraph node it streams its chunks with stream_mode="messages"."""

    def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def acall(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("chat", call if mode == "sync" else acall)
    graph = builder.add_edge(START, "chat").compile()
    given: Any = {"messages": [("human", _PROMPT)]}
    if mode == "sync":
        streamed = [chunk for chunk, _ in graph.stream(given, stream_mode="messages")]
    else:
        streamed = [chunk async for chunk, _ in graph.astream(given, stream_mode="messages")]
    assert [chunk.content for chunk in streamed] == [c.content for c in model.stream(_PROMPT)]


def test_a_stop_string_can_be_left_out(model: CustomChatModel) -> None:
    """Those who parse what stands before it get that alone, in streams too."""
    text = str(model.invoke(_PROMPT).text)
    stop = text[2:4]
    expected = text[: text.index(stop)]
    assert model.invoke(_PROMPT, stop=[stop], include_stop=False).text == expected
    chunks = model.stream(_PROMPT, stop=[stop, "never"], include_stop=False)
    assert _total(chunks).text == expected
    assert model.invoke(_PROMPT, stop=["never"], include_stop=False).text == text


def test_a_streams_chunks_have_one_id(model: CustomChatModel) -> None:
    """A stream is one message, with one id, in a graph too."""
    assert len({chunk.id for chunk in model.stream(_PROMPT)}) == 1

    def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("chat", call).add_edge(START, "chat").compile()
    given: Any = {"messages": [("human", _PROMPT)]}
    modes: Any = ["messages", "values"]
    parts = list(graph.stream(given, stream_mode=modes))
    ids = {part[0].id for mode, part in parts if mode == "messages"}
    assert ids == {parts[-1][1]["messages"][-1].id}


_IMAGE = {"type": "image", "url": "https://example.com/cat.png"}
_CALLED = {"name": "look", "args": {"where": "there"}, "id": "a", "type": "tool_call"}


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [HumanMessage("Hi")],
        [AIMessage("One."), AIMessage("Two.")],
        [HumanMessage("Hi"), AIMessage("One."), AIMessage("Two.")],
        [AIMessage("", tool_calls=[_CALLED]), ToolMessage("a tree", tool_call_id="a")],
        [ToolMessage("a tree", tool_call_id="a")],
        [SystemMessage("Be brief.")],
        [HumanMessage("Hi"), SystemMessage("Be brief.")],
        [HumanMessage([{"type": "text", "text": "See:"}, _IMAGE])],
        [FunctionMessage("a tree", name="look")],
        [AIMessage([{"type": "reasoning", "reasoning": "Hm."}])],
    ],
)
def test_tokens_of_any_conversation_are_counted(
    model: CustomChatModel, messages: list[Any]
) -> None:
    """So that people can trim with the model as the counter, whatever is left in between."""
    count = model.get_num_tokens_from_messages(messages)
    assert isinstance(count, int)
    assert count > 0 or not any(message.text for message in messages)
    more = [*messages, HumanMessage("and so on " * 20)]
    assert model.get_num_tokens_from_messages(more) > count


def test_a_conversation_is_trimmed(model: CustomChatModel) -> None:
    """`trim_messages` takes the model as its counter, and leaves the last messages."""
    messages = [
        SystemMessage("Be brief."),
        HumanMessage("Where? " * 30),
        AIMessage("", tool_calls=[_CALLED]),
        ToolMessage("a tree", tool_call_id="a"),
        AIMessage("A tree. " * 30),
        HumanMessage("So?"),
    ]
    most = model.get_num_tokens_from_messages(messages[-1:]) + 60
    for options in ({}, {"start_on": "human"}, {"include_system": True}, {"allow_partial": True}):
        kept: Any = trim_messages(messages, max_tokens=most, token_counter=model, **options)
        assert model.get_num_tokens_from_messages(kept) <= most
        assert kept[-1].text == "So?"


def test_a_parameter_is_given_once(model: CustomChatModel) -> None:
    """By two of its names at once it is refused, since one of them would be ignored."""
    with pytest.raises(BadRequestError, match="twice"):
        model.invoke(_PROMPT, model="a", **{_named_model(model): "b"})


def _named_model(model: CustomChatModel) -> str:
    return model._overrides["model"]

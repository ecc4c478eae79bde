"""What a model had said before its stream broke, was cancelled or was left is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import StateGraph

from nodespan.graph import chat_node
from support.reporters import Nameless
from support.signals import record_signals
from support.strangers import EVENTS_V2, EVENTS_V3, Call, State, streaming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nodespan.telemetry.testing import CapturedSpans

PRICES = {"m-may": {"input": 1, "output": 10}}


class HttpError(ValueError):
    """Carries a response, as an HTTP client's does."""

    class response:  # noqa: N801 - it stands for an object
        """What came."""

        headers = {"x-request": "1"}  # noqa: RUF012 - as above
        status_code = 500
        text = "no"


class Breaking(Nameless):
    """Says two chunks, and then breaks, or waits."""

    error: Any = None

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": "m"}

    def _chunks(self) -> Iterator[ChatGenerationChunk]:
        usage: Any = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
        told = {"model_name": "m-may"}
        yield ChatGenerationChunk(
            message=AIMessageChunk("so ", usage_metadata=usage, response_metadata=told)
        )
        yield ChatGenerationChunk(message=AIMessageChunk("it"))

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        yield from self._chunks()
        if self.error is not None:
            raise self.error

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks():
            yield chunk
        if self.error is not None:
            raise self.error
        await asyncio.sleep(60)


def assert_told(captured: CapturedSpans, outcome: str) -> None:
    """Fail where anything of what was said is lost."""
    told = next(span for span in captured.spans if span.name.startswith("chat")).attributes
    assert told["nodespan.outcome"] == outcome
    assert told["gen_ai.response.model"] == "m-may"
    assert told["gen_ai.usage.input_tokens"] == 7
    assert told["gen_ai.usage.output_tokens"] == 2
    assert told["nodespan.cost"] == pytest.approx(27 / 1e6)
    (message,) = json.loads(str(told["gen_ai.output.messages"]))
    assert "".join(part["content"] for part in message["parts"]) == "so it"
    assert message["finish_reason"] == outcome


@pytest.mark.parametrize("error", [ValueError("broken"), HttpError("broken")])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_that_breaks(error: Exception, is_async: bool) -> None:
    """Usage, cost, model and answer are told, and metrics agree."""
    model = Breaking(error=error)

    async def consume(config: Any) -> None:
        async for _ in model.astream("hello", config):
            pass

    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        with suppress(ValueError):
            if is_async:
                asyncio.run(consume(signals.config))
            else:
                list(model.stream("hello", signals.config))
        assert_told(signals, "error")
        costs = [each for each in signals.metrics if each.name == "nodespan.cost"]
        assert costs[0].data.data_points[0].value == pytest.approx(27 / 1e6)


def test_a_stream_that_is_left() -> None:
    """Its consumer walked away."""
    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        stream: Any = Breaking().stream("hello", signals.config)
        next(stream), next(stream)
        stream.close()
        assert_told(signals, "abandoned")


async def cancelled_in(stream: AsyncIterator[Any]) -> None:
    """Read a stream in a task that is cancelled when *it* has come."""
    has_come = asyncio.Event()

    async def read() -> None:
        async for chunk in stream:
            if chunk.text == "it":
                has_come.set()

    task = asyncio.create_task(read())
    await has_come.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_stream_that_is_cancelled() -> None:
    """Its task was cancelled."""
    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        asyncio.run(cancelled_in(Breaking().astream("hello", signals.config)))
        assert_told(signals, "cancelled")


def test_a_request_that_failed_is_no_answer() -> None:
    """What LangChain tells of the response to it is neither an answer nor a model."""

    class Refused(Breaking):
        def _chunks(self) -> Iterator[ChatGenerationChunk]:
            yield from ()

    with record_signals(capture_content="SPAN_ONLY") as signals:
        with pytest.raises(HttpError):
            list(Refused(error=HttpError("no")).stream("hello", signals.config))
        (span,) = signals.spans
        assert "gen_ai.response.model" not in span.attributes
        assert "gen_ai.output.messages" not in span.attributes


def talking(model: Any) -> Any:
    """Return a graph whose node calls the model whole: it streams for whoever reads the graph."""
    graph = StateGraph(State)
    graph.add_node("talk", chat_node(model))
    graph.set_entry_point("talk")
    return graph.compile()


QUESTION = {"messages": [("user", "hello")]}
STREAM, ASTREAM = streaming(stream_mode="messages")


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("call", [STREAM, ASTREAM, EVENTS_V2, EVENTS_V3], ids=str)
def test_a_call_that_streams_to_the_reader_of_its_graph_breaks(call: Call) -> None:
    """LangChain hands over nothing of it; its chunks have told it."""
    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        with pytest.raises(ValueError, match="broken"):
            call.run(talking(Breaking(error=ValueError("broken"))), QUESTION, signals.config)
        assert_told(signals, "error")
        costs = [each for each in signals.metrics if each.name == "nodespan.cost"]
        assert costs[0].data.data_points[0].value == pytest.approx(27 / 1e6)


def test_a_call_that_streams_to_the_reader_of_its_graph_is_cancelled() -> None:
    """LangChain reports no end of it at all."""
    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        graph = talking(Breaking())
        stream = graph.astream(QUESTION, signals.config, stream_mode="messages")
        asyncio.run(cancelled_in(chunk async for chunk, _ in stream))
        assert_told(signals, "cancelled")
        root = next(span for span in signals.spans if span.parent_id is None)
        assert root.attributes["nodespan.total.cost.USD"] == pytest.approx(27 / 1e6)


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_a_stream_of_events_that_breaks() -> None:
    """What its events and chunks have told is told."""
    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        with suppress(ValueError):
            EVENTS_V3.run(Breaking(error=ValueError("broken")), "hello", signals.config)
        assert_told(signals, "error")


class Google(Breaking):
    """Tells with each of many chunks what it has used since the one before."""

    def _chunks(self) -> Iterator[ChatGenerationChunk]:
        usage: Any = {"input_tokens": 0, "output_tokens": 1, "total_tokens": 1}
        thought: Any = {"reasoning_content": "hm"}
        call: Any = {"name": "look", "args": "{}", "id": "1", "index": 0, "type": "tool_call_chunk"}
        yield ChatGenerationChunk(message=AIMessageChunk("", additional_kwargs=thought))
        for _ in range(600):
            yield ChatGenerationChunk(message=AIMessageChunk("so ", usage_metadata=usage))
        yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[call]))


@pytest.mark.parametrize("capture", ["NO_CONTENT", "SPAN_ONLY"])
def test_all_that_many_chunks_have_told(capture: str) -> None:
    """Usage is the sum of theirs; thoughts and calls are told with the text."""
    with record_signals(prices=PRICES, capture_content=capture) as signals:
        with suppress(ValueError):
            STREAM.run(talking(Google(error=ValueError("broken"))), QUESTION, signals.config)
        told = next(span for span in signals.spans if span.name == "chat m").attributes
    assert told["gen_ai.usage.output_tokens"] == 600
    if capture == "NO_CONTENT":
        assert "gen_ai.output.messages" not in told
        return
    (message,) = json.loads(str(told["gen_ai.output.messages"]))
    thought, text, call = message["parts"]
    assert thought == {"type": "reasoning", "content": "hm"}
    assert text["content"] == "so " * 600
    assert (call["type"], call["name"]) == ("tool_call", "look")


def test_events_tell_of_a_broken_stream_too() -> None:
    """Where content is on log records alone, they have what was said."""
    with record_signals(capture_content="EVENT_ONLY") as signals:
        with suppress(ValueError):
            STREAM.run(talking(Breaking(error=ValueError("broken"))), QUESTION, signals.config)
        told = [json.dumps(dict(each.attributes), default=str) for each in signals.log_records]
        assert any(
            "so it" in text.replace('"}, {"type": "text", "content": "', "") for text in told
        )
        assert "so it" not in str([span.to_json() for span in signals.spans])

"""What a model had said before its stream broke, was cancelled or was left is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from support.reporters import Nameless
from support.signals import record_signals

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
    (span,) = captured.spans
    told = span.attributes
    assert told["nodespan.outcome"] == outcome
    assert told["gen_ai.response.model"] == "m-may"
    assert told["gen_ai.usage.input_tokens"] == 7
    assert told["gen_ai.usage.output_tokens"] == 2
    assert told["nodespan.cost"] == pytest.approx(27 / 1e6)
    (message,) = json.loads(str(told["gen_ai.output.messages"]))
    assert "".join(part["content"] for part in message["parts"]) == "so it"


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


def test_a_stream_that_is_cancelled() -> None:
    """Its task was cancelled."""

    async def consume(config: Any) -> None:
        seen = asyncio.Event()

        async def read() -> None:
            async for chunk in Breaking().astream("hello", config):
                if chunk.text == "it":
                    seen.set()

        task = asyncio.create_task(read())
        await seen.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    with record_signals(prices=PRICES, capture_content="SPAN_ONLY") as signals:
        asyncio.run(consume(signals.config))
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

"""Two calls at once that were given one `run_id`: each has its span, and no failure vanishes."""

from __future__ import annotations

import asyncio
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from nodespan.model import CustomChatModel
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_core.messages import BaseMessage

WORD = "two calls at once were given the same run_id; each has a span"


class Meeting(CustomChatModel):
    """Answers when as many are in it as there are calls, and fails where it is told to."""

    together: Any = None

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
        """Wait for the other."""
        self.together.wait(10)
        if messages[-1].text == "fail":
            raise ValueError("no")
        yield "ok"


class AsyncMeeting(CustomChatModel):
    """The same on an event loop."""

    together: Any = None

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Wait for the other."""
        await self.together.wait()
        if messages[-1].text == "fail":
            raise ValueError("no")
        yield "ok"


def test_in_two_threads() -> None:
    """Each thread's end is its own call's."""
    model = Meeting(together=threading.Barrier(2))
    with capture_spans() as captured:
        config: Any = {"run_id": uuid.uuid4(), "callbacks": [captured.handler]}

        def fail() -> None:
            with pytest.raises(ValueError, match="no"):
                model.invoke("fail", config)

        other = threading.Thread(target=fail)
        other.start()
        assert model.invoke("fine", config).content == "ok"
        other.join()
        assert captured.handler.open_runs == 0
        assert captured.handler.diagnostics.counts == {WORD: 1}
    outcomes = sorted(str((span.attributes or {}).get("error.type")) for span in captured.spans)
    assert outcomes == ["None", "ValueError"]


def test_in_two_threads_that_start_at_once() -> None:
    """However closely: each call has its span, and no thread keeps one that is not its own."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that one thread stops anywhere in its start
    try:
        with capture_spans() as captured:
            for _ in range(30):
                model = Meeting(together=threading.Barrier(2))
                config: Any = {"run_id": uuid.uuid4(), "callbacks": [captured.handler]}
                other = threading.Thread(target=model.invoke, args=("fine", config))
                other.start()
                model.invoke("fine", config)
                other.join()
                assert not trace.get_current_span().get_span_context().is_valid
            assert captured.handler.open_runs == 0
            assert captured.handler.diagnostics.counts == {WORD: 30}
            assert len(captured.spans) == 60
    finally:
        sys.setswitchinterval(before)


async def test_in_two_tasks() -> None:
    """Whoever ends first, there are two spans, and one of them has failed."""
    model = AsyncMeeting(together=asyncio.Barrier(2))
    with capture_spans() as captured:
        config: Any = {"run_id": uuid.uuid4(), "callbacks": [captured.handler]}
        calls = (model.ainvoke(text, config) for text in ("fine", "fail"))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert captured.handler.open_runs == 0
        assert captured.handler.diagnostics.counts == {WORD: 1}
    assert [type(each).__name__ for each in results] == ["AIMessage", "ValueError"]
    outcomes = sorted(str((span.attributes or {}).get("error.type")) for span in captured.spans)
    assert outcomes == ["None", "ValueError"]


def test_one_after_the_other() -> None:
    """An id that is used again is nothing to speak of; neither is a handler that is given twice."""
    with capture_spans() as captured:
        model = Meeting(together=threading.Barrier(1))
        config: Any = {"run_id": uuid.uuid4(), "callbacks": [captured.handler] * 2}
        model.with_config(callbacks=[captured.handler]).invoke("a", config)
        model.invoke("b", config)
        assert not captured.handler.diagnostics.counts
    assert len(captured.spans) == 2

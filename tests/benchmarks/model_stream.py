"""What `CustomChatModel` adds to a stream: `python -m tests.benchmarks.model_stream`.

The same 10,000 one-token chunks come through a `CustomChatModel` and through a `BaseChatModel`
written by hand with native methods, in turns, in one process. Printed are the median of each
(CPU time, which a busy machine disturbs less), the ratio of the medians, and the ratios of
single rounds from the lowest to the highest, as the measure's own spread. The goal is a ratio
of at most 1.15, and at most 1 us a chunk for stop strings.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import sys
import time
import tracemalloc
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from nodespan.model import CustomChatModel
from nodespan.model._answer.stop import StopScanner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_CHUNKS = 10_000
_TOKENS = [" the", " quick", "ly", " brown", "\n"] * (_CHUNKS // 5)
_LAST: dict[str, Any] = {
    "content": "",
    "response_metadata": {"model_name": "by hand", "finish_reason": "stop", "time_in_seconds": 1.0},
    "usage_metadata": {"input_tokens": 1, "output_tokens": _CHUNKS, "total_tokens": _CHUNKS + 1},
    "chunk_position": "last",
}


class ByHand(BaseChatModel):
    """A model as one writes it with all of LangChain's native methods."""

    @property
    def _llm_type(self) -> str:
        return "by-hand"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:  # noqa: ARG002
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(_TOKENS)))])

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for token in _TOKENS:
            yield ChatGenerationChunk(message=AIMessageChunk(content=token))
        yield ChatGenerationChunk(message=AIMessageChunk(**_LAST))

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for token in _TOKENS:
            yield ChatGenerationChunk(message=AIMessageChunk(content=token))
        yield ChatGenerationChunk(message=AIMessageChunk(**_LAST))


class ByHandSync(ByHand):
    """The same without `_astream`, so that LangChain runs each step in a thread."""

    _astream = BaseChatModel._astream


class Custom(CustomChatModel):
    """The same model, made of generators."""

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002
        """Give the tokens."""
        yield from _TOKENS

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: ARG002
        """Give the tokens, async."""
        for token in _TOKENS:
            yield token


class SyncOnly(CustomChatModel):
    """The same model, whose author wrote the sync generator only."""

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002
        """Give the tokens."""
        yield from _TOKENS


class AsyncOnly(CustomChatModel):
    """The same model, whose author wrote the async generator only."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: ARG002
        """Give the tokens, async."""
        for token in _TOKENS:
            yield token


def _stream(model: BaseChatModel, **kwargs: Any) -> Callable[[], None]:
    def run() -> None:
        for _ in model.stream("go", **kwargs):
            pass

    return run


def _astream(model: BaseChatModel, **kwargs: Any) -> Callable[[], None]:
    async def consume() -> None:
        async for _ in model.astream("go", **kwargs):
            pass

    return lambda: asyncio.run(consume())


def _seconds(run: Callable[[], None]) -> float:
    gc.collect()
    gc.disable()
    started = time.process_time()
    run()
    elapsed = time.process_time() - started
    gc.enable()
    return elapsed


def compare(first: Callable[[], None], second: Callable[[], None], rounds: int) -> str:
    """Time two runs in turns, and tell how the second compares."""
    pairs = []
    for number in range(rounds + 1):
        # Each goes first in every other round, so that neither profits from the order.
        if number % 2:
            ours = _seconds(second)
            pairs.append((_seconds(first), ours))
        else:
            pairs.append((_seconds(first), _seconds(second)))
    pairs = pairs[1:]  # the first round warms up
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    theirs, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    per_chunk = (ours - theirs) / _CHUNKS * 1e6
    return (
        f"{theirs:8.3f} s {ours:8.3f} s   {ours / theirs:6.3f}   "
        f"{ratios[0]:5.2f} to {ratios[-1]:5.2f}   {per_chunk:+7.2f} us"
    )


def _scan(scanner: StopScanner) -> None:
    for token in _TOKENS:
        scanner.feed(token)


def stop_cost(stops: list[str], rounds: int) -> str:
    """Tell what the scanner takes for a chunk, and what it holds after 1,000,000 of them."""
    times = [_seconds(partial(_scan, StopScanner(stops))) for _ in range(rounds)]
    scanner = StopScanner(stops)
    tracemalloc.start()
    for _ in range(1_000_000 // _CHUNKS):
        _scan(scanner)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return f"{statistics.median(times) / _CHUNKS * 1e6:6.2f} us a chunk, {held:,} bytes held"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each pair")
    rounds = parser.parse_args().rounds
    versions = f"langchain-core {version('langchain-core')}, Python {platform.python_version()}"
    sys.stdout.write(f"{_CHUNKS:,} chunks, {rounds} rounds; {versions}, {platform.machine()}\n\n")
    stop = ["\nUser:", "</s>", "###", "STOP"]
    cases: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
        ("stream", _stream(ByHand()), _stream(Custom())),
        ("astream", _astream(ByHand()), _astream(Custom())),
        ("stream, 4 stop strings", _stream(Custom()), _stream(Custom(), stop=stop)),
        ("astream, 4 stop strings", _astream(Custom()), _astream(Custom(), stop=stop)),
        ("stream of an async generator", _stream(Custom()), _stream(AsyncOnly())),
        ("astream of a sync generator", _astream(ByHandSync()), _astream(SyncOnly())),
    ]
    head = f"{'first':>10} {'second':>10}   {'ratio':>6}   {'of rounds':>13}   added a chunk"
    sys.stdout.write(f"{'':30}{head}\n")
    for name, first, second in cases:
        sys.stdout.write(f"{name:30}{compare(first, second, rounds)}\n")
    sys.stdout.write("\nthe stop scanner alone\n")
    for name, stops in (("4 stop strings", stop), ("one of 1,000 characters", ["\n" + "x" * 999])):
        sys.stdout.write(f"{name:30}{stop_cost(stops, rounds)}\n")


if __name__ == "__main__":
    main()

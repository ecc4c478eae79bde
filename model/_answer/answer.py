"""One answer in the making: what an author's generator yields becomes LangChain's chunks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import add_usage
from langchain_core.outputs import ChatGenerationChunk

from .._errors import MalformedAnswerError
from .calls import Calls
from .cut_off import cut_off_by
from .stop import StopScanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_core.messages.ai import UsageMetadata

Piece: TypeAlias = str | AIMessageChunk
"""What an author's generator yields."""


class Answer:
    """Turns pieces into chunks, and closes the stream with the one that tells about it.

    Metadata and usage that arrive on the way are kept for that last chunk, so that they are
    told once, however the author spreads them. An id and a name hold for all that follows.

    Args:
        model_name: The name to report, unless a piece's metadata has another one.
        stop: The strings that end the answer.
        include_stop: Whether the string that did is part of it.
        count_usage: Counts usage from the answer's text, for pieces that report none; it
            returns the usage, and whether that is only an estimate.

    Attributes:
        stopped: Whether a stop string has ended the answer, so that no piece is wanted any more.
    """

    __slots__ = (
        "_called_tools",
        "_calls",
        "_count_usage",
        "_has_begun",
        "_held",
        "_identity",
        "_metadata",
        "_model_name",
        "_scanner",
        "_started",
        "_stop_to_add",
        "_texts",
        "_usage",
        "stopped",
    )

    def __init__(
        self,
        *,
        model_name: str,
        stop: Sequence[str],
        include_stop: bool = True,
        count_usage: Callable[[str], tuple[UsageMetadata, bool]],
    ) -> None:
        self._started = time.perf_counter()
        self._model_name = model_name
        self._count_usage = count_usage
        self._scanner = StopScanner(stop, keep=include_stop) if stop else None
        self._stop_to_add = frozenset(stop) if include_stop else frozenset()
        self._metadata: dict[str, Any] = {}
        self._identity: dict[str, Any] = {}
        self._texts: list[str] = []
        self._usage: UsageMetadata | None = None
        self._called_tools = False
        self._calls = Calls()
        self._held: ChatGenerationChunk | None = None
        self._has_begun = False
        self.stopped = False

    def take(self, piece: Piece) -> ChatGenerationChunk | None:
        """Turn a piece into the chunk to pass on now, if it holds anything.

        The chunk in which a stop string ends comes with `end()`, so that the backend can be
        told first.

        Raises:
            MalformedAnswerError: If the piece is neither text nor a message chunk.
        """
        if isinstance(piece, str):
            message = self._text_message(piece)
        elif isinstance(piece, AIMessageChunk):
            message = self._chunk_message(piece)
        else:
            raise MalformedAnswerError(
                f"the model yielded an object of type {type(piece).__name__}; "
                "yield text (str) or AIMessageChunk, piece by piece"
            )
        chunk = None if message is None else ChatGenerationChunk(message=message)
        self._has_begun = self._has_begun or chunk is not None
        if not self.stopped:
            return chunk
        self._held = chunk
        return None

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Give what `take` held back, what is wrong with tool calls, and the empty last chunk."""
        if self._held is not None:
            yield self._held
        if text := self._last_text():
            yield ChatGenerationChunk(message=AIMessageChunk(content=text, **self._identity))
        for end in self._calls.end(None if self.stopped else cut_off_by(self._metadata)):
            yield ChatGenerationChunk(message=end.model_copy(update=self._identity))
        usage, metadata = self._final_usage(), self._metadata
        metadata.setdefault("model_name", self._model_name)
        metadata["finish_reason"] = self._finish_reason()
        metadata["time_in_seconds"] = time.perf_counter() - self._started
        last = AIMessageChunk(
            content="",
            response_metadata=metadata,
            usage_metadata=usage,
            chunk_position="last",
            **self._identity,
        )
        yield ChatGenerationChunk(message=last)

    def _last_text(self) -> str:
        """Find the text to add: what was held back, or the stop string that a server left out."""
        text = self._scanner.rest() if self._scanner is not None and not self.stopped else ""
        ended_by = self._metadata.get("stop_string")
        so_far = "".join(self._texts)
        if not self.stopped and ended_by in self._stop_to_add and not so_far.endswith(ended_by):
            text += ended_by
        if text:
            self._texts.append(text)
        return text

    def _text_message(self, text: str) -> AIMessageChunk | None:
        text = self._cut(text)
        return AIMessageChunk(content=text, **self._identity) if text else None

    def _chunk_message(self, piece: AIMessageChunk) -> AIMessageChunk | None:
        self._identify(piece)
        self._metadata.update(piece.response_metadata)
        if piece.usage_metadata is not None:
            self._usage = add_usage(self._usage, piece.usage_metadata)
        for call in piece.tool_call_chunks:
            self._called_tools = True
            self._texts += (call["name"] or "", call["args"] or "")
        piece = self._calls.take(piece) if piece.tool_call_chunks else piece
        content = self._cut_content(piece.content)
        if not (content or piece.tool_call_chunks or piece.additional_kwargs):
            return None
        told_last: dict[str, Any] = {
            "response_metadata": {},
            "usage_metadata": None,
            "chunk_position": None,
            "id": None,
        }
        return piece.model_copy(update={"content": content, **told_last, **self._identity})

    def _identify(self, piece: AIMessageChunk) -> None:
        # One id for all chunks: those that have gone without one cannot get it any more.
        if piece.id and not self._has_begun:
            self._identity.setdefault("id", piece.id)
        elif piece.id:
            self._metadata.setdefault("id", piece.id)
        if piece.name:
            self._identity["name"] = piece.name

    def _cut(self, text: str) -> str:
        if self._scanner is not None:
            text = self._scanner.feed(text)
            self.stopped = self._scanner.matched is not None
        self._texts.append(text)
        return text

    def _cut_content(self, content: str | list[str | dict[str, Any]]) -> Any:
        if isinstance(content, str):
            return self._cut(content)
        return [self._cut_block(block) for block in content if not self.stopped]

    def _cut_block(self, block: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(block, str):
            return self._cut(block)
        # A block that only adds citations or annotations to a text has none of its own.
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            return {**block, "text": self._cut(block["text"])}
        return block

    def _finish_reason(self) -> str:
        reason = "stop" if self.stopped else self._metadata.get("finish_reason") or "stop"
        return "tool_calls" if self._called_tools and reason == "stop" else str(reason)

    def _final_usage(self) -> UsageMetadata:
        if self._usage is not None:
            return self._usage
        usage, is_estimate = self._count_usage("".join(self._texts))
        if is_estimate:
            self._metadata["usage_is_estimated"] = True
        return usage

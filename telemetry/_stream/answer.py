"""What the chunks of a stream have told so far, for one that nobody tells whole (pure).

LangChain hands over what there was where a stream itself breaks. Of a model that is called
whole, and streams because somebody reads the graph around it, it hands over nothing, and of one
whose task is cancelled it reports no end at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import add_ai_message_chunks, add_usage
from langchain_core.outputs import ChatGeneration, LLMResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages.ai import UsageMetadata

_FOLD_EVERY: Final = 256
_MOST_DETAILS: Final = 64
_NAMES: Final = {"model": "model_name", "provider": "model_provider"}


class PartialAnswer:
    """Keeps what chunks tell beside their text, and with room for content all that they say.

    Args:
        max_chunks: of which what they say is kept; what comes later is not.
    """

    __slots__ = ("_chunks", "_details", "_id", "_room", "_says_more", "_texts", "_usage")

    def __init__(self, max_chunks: int = 0) -> None:
        self._room = max_chunks
        self._chunks: list[AIMessageChunk] = []
        # What is said, for as long as it is text and nothing else.
        self._texts: list[str] = []
        self._says_more = False
        self._details: dict[str, Any] = {}
        self._usage: UsageMetadata | None = None
        self._id: str | None = None

    def take(self, chunk: Any, *, says: bool = True) -> bool:
        """Take a chunk as LangChain gives it, and return whether it tells of usage.

        Args:
            chunk: of a chat model, or of a completion model.
            says: whether what it says is to be kept: the events of a stream tell it too.
        """
        message = getattr(chunk, "message", None)
        if told := getattr(chunk, "generation_info", None):
            self._note(told)
        if not isinstance(message, AIMessageChunk):
            return False
        if message.response_metadata:
            self._note(message.response_metadata)
        self._id = message.id or self._id
        if says and self._room > 0:
            self._room -= 1
            self._keep(message)
        if message.usage_metadata:
            self._usage = add_usage(self._usage, message.usage_metadata)
        return bool(message.usage_metadata)

    def take_text(self, text: str, chunk: Any) -> bool:
        """Take a chunk that is text and nothing else, as nearly all are; say whether it is one.

        Args:
            text: of the chunk.
            chunk: of a chat model.
        """
        message = getattr(chunk, "message", None)
        if (
            message.__class__ is not AIMessageChunk
            or message.content is not text
            or message.id != self._id
            or message.tool_call_chunks
            or message.usage_metadata
            or message.response_metadata
            or message.additional_kwargs
            or getattr(message, "chunk_position", None)
            or chunk.generation_info
        ):
            return False
        if self._room <= 0:
            return True
        self._room -= 1
        if self._says_more:
            self._keep(message)
        else:
            self._texts.append(text)
        return True

    def begin_message(self, event: Mapping[str, Any]) -> None:
        """Take what the start of a message says in a stream of events."""
        told = event.get("metadata")
        if isinstance(told, dict):
            self._note({_NAMES.get(key, key): value for key, value in told.items()})

    def result(self, text: str) -> LLMResult | None:
        """Return what was told, as LangChain hands over an answer; None where that is nothing.

        Args:
            text: that was said, where what the chunks have said was not kept.
        """
        kept = self._chunks or self._texts
        said = self._said() if kept else AIMessageChunk(content=text)
        if not (said.content or said.tool_call_chunks or said.additional_kwargs):
            if not (self._usage or self._details):
                return None
            said = AIMessageChunk(content="")
        told = {"response_metadata": self._details, "usage_metadata": self._usage, "id": self._id}
        message = said.model_copy(update=told)
        return LLMResult(generations=[[ChatGeneration(message=message)]])

    def _keep(self, message: AIMessageChunk) -> None:
        content = message.content
        if not self._says_more:
            if isinstance(content, str) and not (
                message.tool_call_chunks
                or message.additional_kwargs
                or getattr(message, "chunk_position", None)
            ):
                self._texts.append(content)
                return
            self._says_more = True
            self._join_texts()
        if not self._chunks and isinstance(content, list):
            # A sum changes its first part's blocks, before langchain-core 1.7.2: not theirs.
            message = message.model_copy(update={"content": content.copy()})
        self._chunks.append(message)
        if len(self._chunks) >= _FOLD_EVERY:
            self._chunks = [self._said()]

    def _join_texts(self) -> None:
        if self._texts:
            self._chunks.append(AIMessageChunk(content="".join(self._texts)))
            self._texts.clear()

    def _said(self) -> AIMessageChunk:
        """Return the chunks as one, without what is kept beside them."""
        self._join_texts()
        first, *others = self._chunks
        whole = add_ai_message_chunks(first, *others) if others else first
        return whole.model_copy(update={"response_metadata": {}, "usage_metadata": None})

    def _note(self, details: object) -> None:
        """Keep details of the response: of each the last that says anything."""
        for key, value in details.items() if isinstance(details, dict) else ():
            if value is not None and (key in self._details or len(self._details) < _MOST_DETAILS):
                self._details[key] = value

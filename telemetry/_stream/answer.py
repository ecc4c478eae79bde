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

    __slots__ = ("_chunks", "_details", "_id", "_room", "_usage")

    def __init__(self, max_chunks: int = 0) -> None:
        self._room = max_chunks
        self._chunks: list[AIMessageChunk] = []
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
        self._note(getattr(chunk, "generation_info", None))
        if not isinstance(message, AIMessageChunk):
            return False
        self._note(message.response_metadata)
        self._id = message.id or self._id
        if says and self._room > 0:
            self._room -= 1
            self._keep(message)
        if message.usage_metadata:
            self._usage = add_usage(self._usage, message.usage_metadata)
        return bool(message.usage_metadata)

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
        said = self._said() if self._chunks else AIMessageChunk(content=text)
        if not (said.content or said.tool_call_chunks or said.additional_kwargs):
            if not (self._usage or self._details):
                return None
            said = AIMessageChunk(content="")
        told = {"response_metadata": self._details, "usage_metadata": self._usage, "id": self._id}
        message = said.model_copy(update=told)
        return LLMResult(generations=[[ChatGeneration(message=message)]])

    def _keep(self, message: AIMessageChunk) -> None:
        self._chunks.append(message)
        if len(self._chunks) >= _FOLD_EVERY:
            self._chunks = [self._said()]

    def _said(self) -> AIMessageChunk:
        """Return the chunks as one, without what is kept beside them."""
        first, *others = self._chunks
        whole = add_ai_message_chunks(first, *others) if others else first
        return whole.model_copy(update={"response_metadata": {}, "usage_metadata": None})

    def _note(self, details: object) -> None:
        """Keep details of the response: of each the last that says anything."""
        for key, value in details.items() if isinstance(details, dict) else ():
            if value is not None and (key in self._details or len(self._details) < _MOST_DETAILS):
                self._details[key] = value

"""llama.cpp's side of a chat: LangChain's messages to its requests, its replies to pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.utils import convert_to_openai_messages

from .._errors import (
    BadRequestError,
    ContextTooLongError,
    ModelError,
    ServerError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.messages.ai import UsageMetadata


Reply: TypeAlias = dict[str, Any]

_BAD_REQUEST = 400


def to_request_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Write messages down in OpenAI's format, text only.

    Raises:
        BadRequestError: If there is no message.
        UnsupportedError: If one holds anything but text.
    """
    if not messages:
        raise BadRequestError("there is no message to answer; give at least one")
    for number, message in enumerate(messages, 1):
        _require_text(number, message)
    texts = [message.model_copy(update={"content": str(message.text)}) for message in messages]
    converted = convert_to_openai_messages(texts)
    return converted if isinstance(converted, list) else [converted]


def _require_text(number: int, message: BaseMessage) -> None:
    allowed = {"text", "tool_call", "reasoning", "non_standard"}
    kinds = {str(block["type"]) for block in message.content_blocks} - allowed
    if kinds:
        raise UnsupportedError(
            f"LlamaCppChatModel reads text only; message {number} has {', '.join(sorted(kinds))}"
        )


class ReplyReader:
    """Reads the replies of one answer: text, usage as it grows, and the reason of the end."""

    def __init__(self) -> None:
        self._told = (0, 0)

    def read(self, reply: Reply) -> Iterator[AIMessageChunk]:
        """Turn a reply into the pieces of the answer that it brings.

        Raises:
            ModelError: If the reply is an error.
        """
        if "error" in reply:
            raise as_error(reply["error"])
        for choice in reply["choices"] or [{}]:
            text = choice.get("delta", {}).get("content") or ""
            finish = choice.get("finish_reason")
            if not text and not finish and "usage" not in reply:
                continue
            yield AIMessageChunk(
                content=text,
                usage_metadata=self._new_usage(reply),
                response_metadata={"finish_reason": finish} if finish else {},
            )

    def _new_usage(self, reply: Reply) -> UsageMetadata | None:
        """Tell what has been used since the last reply."""
        timings = reply.get("timings")
        if timings is None:
            return None
        cached = timings["cache_n"]
        sent, received = cached + timings["prompt_n"], timings["predicted_n"]
        before_sent, before_received = self._told
        self._told = sent, received
        new_sent, new_received = sent - before_sent, received - before_received
        if not new_sent and not new_received:
            return None
        return {
            "input_tokens": new_sent,
            "output_tokens": new_received,
            "total_tokens": new_sent + new_received,
            "input_token_details": {"cache_read": 0 if before_sent else cached},
        }


def as_error(given: Any) -> ModelError:
    """Name the failure that llama.cpp reports, as a dictionary or as an exception."""
    if isinstance(given, ModelError):
        return given
    if isinstance(given, Exception):
        kind = BadRequestError if isinstance(given, (ValueError, TypeError)) else ServerError
        return kind(f"llama.cpp: {given}")
    message, status = str(given.get("message", given)), given.get("code")
    if given.get("type") == "exceed_context_size_error":
        sent, held = given.get("n_prompt_tokens"), given.get("n_ctx")
        return ContextTooLongError(
            f"the conversation has {sent} tokens and the context holds {held}; "
            "shorten it, or make the model with a larger n_ctx",
            prompt_tokens=sent,
            context_tokens=held,
        )
    kind = BadRequestError if status == _BAD_REQUEST else ServerError
    return kind(f"llama.cpp: {message}")

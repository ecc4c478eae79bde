"""How many tokens a call took, for models that do not say so themselves."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.messages.ai import UsageMetadata

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_IMAGE = 85  # OpenAI's, at low detail, which LangChain takes too
_WITHOUT_TOKENS = frozenset({"non_standard", "reasoning", "text", "thinking"})


def estimate_tokens(text: str) -> int:
    """Estimate a text's tokens at four characters each, the usual rule for English."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def count_message_tokens(
    count: Callable[[str], int],
    messages: Iterable[BaseMessage],
    tools: Sequence[Any] | None = None,
) -> int:
    """Count the tokens of a conversation's text, tool calls and tool definitions.

    Args:
        count: Counts the tokens of one text.
        messages: The conversation.
        tools: Tool definitions in OpenAI's format, sent along with it.
    """
    tokens = sum(sum(map(count, _texts(message))) + _count_media(message) for message in messages)
    return tokens + sum(count(json.dumps(tool)) for tool in tools or ())


def _texts(message: BaseMessage) -> Iterable[str]:
    yield str(message.text)
    for call in getattr(message, "tool_calls", ()):
        yield call["name"] + json.dumps(call["args"], default=str)


def _count_media(message: BaseMessage) -> int:
    """Estimate images and the like, which no tokenizer of texts counts."""
    blocks = message.content if isinstance(message.content, list) else []
    kinds = (str(block.get("type")) for block in blocks if isinstance(block, dict))
    return _TOKENS_PER_IMAGE * sum(
        kind not in _WITHOUT_TOKENS and not kind.startswith("tool") for kind in kinds
    )


def usage(input_tokens: int, output_tokens: int) -> UsageMetadata:
    """Make LangChain's usage record."""
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }

"""What cut an answer off, by the reason that its model gives for the end (pure).

Half an answer is nothing to act on: its tool calls are not made, and its data is not parsed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_REASON_KEYS: Final = ("finish_reason", "stop_reason", "done_reason", "finishReason")

# OpenAI's `length`, Anthropic's `max_tokens`, Mistral's `model_length`, Gemini's `MAX_TOKENS`.
_LIMIT: Final = re.compile(
    r"length|max|limit|budget|context|trunc|cutoff|incomplete", re.IGNORECASE
)
# OpenAI's `content_filter`, GLM's `sensitive`, Gemini's `SAFETY`, `RECITATION` and `BLOCKLIST`.
_FILTER: Final = re.compile(
    r"filter|safety|sensitive|block|prohibited|recitation|spii|refus|toxic|language|guardrail",
    re.IGNORECASE,
)
# OpenRouter's `error`, SGLang's and vLLM's `abort`, DeepSeek's `insufficient_system_resource`.
_FAILURE: Final = re.compile(
    r"error|abort|cancel|insufficient|malformed|timeout|fail|interrupt", re.IGNORECASE
)


def cut_off_by(metadata: Mapping[str, Any]) -> str | None:
    """Say what cut an answer off.

    Args:
        metadata: An answer's `response_metadata`.

    Returns:
        What did, to be put into a sentence; `None` for an answer that is whole, as far as its
        model says.
    """
    reason = next((metadata[key] for key in _REASON_KEYS if metadata.get(key)), "")
    if not isinstance(reason, str):
        return None
    if _LIMIT.search(reason):
        return f"the limit of tokens (max_tokens; finish_reason {reason!r})"
    if _FILTER.search(reason):
        return f"a content filter (finish_reason {reason!r})"
    if _FAILURE.search(reason):
        return f"a failure of the server (finish_reason {reason!r})"
    return None

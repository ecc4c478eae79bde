"""What a stream's metadata say, where LangChain has joined what several chunks said (pure).

It adds up the texts of metadata as it adds up those of an answer: a chunk that is sent twice, or
two that repeat the model's name, make `stopstop` and `claude-xclaude-x`.
"""

from __future__ import annotations

import re
from typing import Final

# Shorter than that, a text that repeats itself may be a name.
_LEAST: Final = 3
_REASONS: Final = (
    *("stop_sequence", "stop", "end_turn", "length", "max_tokens", "tool_calls", "tool_use"),
    *("function_call", "content_filter", "safety", "model_length", "max_output_tokens", "refusal"),
    *("pause_turn", "completed", "incomplete", "guardrail_intervened", "unload", "load", "error"),
    *("recitation", "language", "blocklist", "prohibited_content", "malformed_function_call"),
    *("content_filtered", "model_context_window_exceeded", "complete", "tool_call"),
    *("eos_token", "eos", "null", "other", "insufficient_system_resource"),
)
_ANY: Final = f"(?:{'|'.join(sorted(_REASONS, key=len, reverse=True))})"


def once(text: str | None, expected: str | None = None) -> str | None:
    """Return a text that may have been joined with itself, once.

    Args:
        text: as it is told.
        expected: what is asked for: that is no repetition, whatever it looks like.
    """
    if text is None or text == expected:
        return text
    if expected and text == expected * (len(text) // len(expected)):
        return expected
    size = (text + text).find(text, 1)
    return text[:size] if _LEAST <= size < len(text) else text


def one_reason(reason: str | None) -> str | None:
    """Return why a model stopped, where several reasons were joined the last of them."""
    single = once(reason)
    # Nearly all are told once: then nothing is compiled.
    if single is None or single.lower() in _REASONS:
        return single
    if not re.fullmatch(f"{_ANY}{{2,}}", single, re.IGNORECASE):
        return single
    last = re.search(f"{_ANY}$", single, re.IGNORECASE)
    return last[0] if last is not None else single

"""Content that comes in parts instead of as one text, as Mistral's does (pure).

https://docs.mistral.ai/capabilities/reasoning/
"""

from __future__ import annotations

from typing import Any


def text_in(part: Any) -> str:
    """Read the text of a part, if it has one."""
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def thinking_in(part: Any) -> str:
    """Read the reasoning in a part, which may have parts itself."""
    if not isinstance(part, dict) or part.get("type") not in {"thinking", "reasoning"}:
        return ""
    inner = part.get("thinking") or part.get("reasoning") or part.get("text") or ""
    return "".join(map(text_in, inner)) if isinstance(inner, list) else str(inner)

"""What providers' packages put beside the content of a model's answer (pure).

Reasoning, refusals, sounds, tools that the provider has run itself, sources, parsed values: in
the message's additional keyword arguments, or in what is reported of the response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .blocks import (
    Part,
    audio_parts,
    block_part,
    executed_tool_parts,
    reasoning_part,
    text_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from langchain_core.messages import AIMessage

_REASONING_KEYS: Final = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_REASONING: Final = "reasoning"


def thoughts(extra: Mapping[str, Any]) -> list[Part]:
    """Return the reasoning that is told beside the content, in whichever word, once."""
    given = (reasoning_part(extra[key]) for key in _REASONING_KEYS if key in extra)
    return next(([part] for part in given if part["content"]), [])


def said_beside(message: AIMessage, said: Sequence[Any]) -> list[Part]:
    """Return what else is said beside the content, in order.

    Args:
        message: of the model.
        said: the blocks of its content.
    """
    extra = message.additional_kwargs
    given = [key for key in _READERS if _is_given(extra.get(key))]
    parts = [part for key in given for part in _READERS[key](extra[key])]
    if extra.get("parsed") is not None and not any(map(_is_text, said)):
        parts.append({"type": "parsed", "content": extra["parsed"]})
    return parts + [text_part(text) for text in _refusals(message.response_metadata)]


def repeats_thought(block: object) -> bool:
    """Say whether a block of the content is reasoning: what is told beside it is that again."""
    return isinstance(block, dict) and block_part(block).get("type") == _REASONING


def _is_given(value: object) -> bool:
    return isinstance(value, str | bytes | list | dict) and len(value) > 0


def _is_text(block: object) -> bool:
    if isinstance(block, str):
        return block != ""
    part = block_part(block)
    return part.get("type") == "text" and bool(part.get("content"))


def _refusals(metadata: Mapping[str, Any]) -> list[str]:
    """Return why a provider has refused to answer, as Anthropic's and Google's packages tell it."""
    details = metadata.get("stop_details")
    explained = details.get("explanation") if isinstance(details, dict) else None
    found = (explained, metadata.get("finish_message"))
    return [text for text in found if isinstance(text, str) and text]


def _each(read: Callable[[Any], Iterable[Part]]) -> Callable[[Any], Iterable[Part]]:
    def parts(values: Any) -> Iterable[Part]:
        """Return the parts of all values."""
        return [part for value in _list(values) for part in read(value)]

    return parts


def _refusal(text: Any) -> list[Part]:
    return [text_part(text)] if isinstance(text, str) else []


def _citations(cited: Any) -> list[Part]:
    return [{"type": "citations", "citations": cited}]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_READERS: Final[Mapping[str, Callable[[Any], Iterable[Part]]]] = {
    "tool_outputs": _each(lambda block: [block_part(block)]),
    "executed_tools": _each(executed_tool_parts),
    "audio": audio_parts,
    "images": _each(lambda block: [block_part(block)]),
    "refusal": _refusal,
    "citations": _citations,
    "annotations": _citations,
}

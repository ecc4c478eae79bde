"""The content of a run's inputs and results, by attribute (pure).

Nothing here is made before the content door asks for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import BaseMessage

from . import _messages as parts
from . import _semconv as semconv
from ._inference import finish_reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.documents import Document
    from langchain_core.outputs import Generation, LLMResult

Content: TypeAlias = "Mapping[str, Callable[[], object]]"


def chat_input(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> Content:
    """Return what a chat model is given."""
    content: dict[str, Callable[[], object]] = {
        semconv.INPUT_MESSAGES: partial(parts.input_messages, messages)
    }
    if any(message.type == "system" for message in messages):
        content[semconv.SYSTEM_INSTRUCTIONS] = partial(parts.system_instructions, messages)
    tools = params.get("tools") or params.get("functions")
    if tools:
        content[semconv.TOOL_DEFINITIONS] = partial(parts.tool_definitions, tools)
    return content


def completion_input(prompt: str) -> Content:
    """Return what a completion model is given."""
    return {semconv.INPUT_MESSAGES: partial(parts.text_input, prompt)}


def model_output(result: LLMResult) -> Content:
    """Return what a model answered."""
    return {semconv.OUTPUT_MESSAGES: partial(_answers, result)}


def state_input(state: object) -> Content:
    """Return the messages in the state that a graph is given."""
    return _state(semconv.INPUT_MESSAGES, state)


def state_output(state: object) -> Content:
    """Return the messages in the state that a graph ends with."""
    return _state(semconv.OUTPUT_MESSAGES, state)


def tool_input(inputs: Mapping[str, Any] | None, text: str) -> Content:
    """Return the arguments of a tool."""
    return {semconv.TOOL_CALL_ARGUMENTS: lambda: inputs if inputs is not None else text}


def tool_output(output: Any) -> Content:
    """Return the result of a tool."""
    return {semconv.TOOL_CALL_RESULT: lambda: getattr(output, "content", output)}


def query(text: str) -> Content:
    """Return what a retriever is asked."""
    return {semconv.RETRIEVAL_QUERY: lambda: text}


def found(documents: Sequence[Document]) -> Content:
    """Return what a retriever found."""
    return {semconv.RETRIEVAL_DOCUMENTS: partial(parts.documents, documents)}


def _state(name: str, state: object) -> Content:
    messages = state.get("messages") if isinstance(state, dict) else None
    if not isinstance(messages, list) or not messages or not _are_messages(messages):
        return {}
    if name == semconv.OUTPUT_MESSAGES:
        return {name: lambda: [parts.output_message(messages[-1], None)]}
    return {name: partial(parts.input_messages, messages)}


def _are_messages(messages: list[object]) -> bool:
    return all(isinstance(message, BaseMessage) for message in messages)


def _answers(result: LLMResult) -> list[dict[str, Any]]:
    reasons = finish_reasons(result)
    generations = [generation for choices in result.generations for generation in choices]
    return [
        _answer(generation, reasons[place] if place < len(reasons) else None)
        for place, generation in enumerate(generations)
    ]


def _answer(generation: Generation, reason: str | None) -> dict[str, Any]:
    message = getattr(generation, "message", None)
    if isinstance(message, BaseMessage):
        return parts.output_message(message, reason)
    return parts.text_output(generation.text, reason)

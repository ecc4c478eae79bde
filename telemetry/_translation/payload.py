"""The content of a run's inputs and results, by attribute (pure).

Nothing here is called before the content door asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage

from .._content import messages as parts
from .._content.given import as_message, given_part
from .._content.states import parted, says_anything
from .._semconv import names as semconv
from .._values.attributes import is_content_key
from .._values.lazy_sequence import LazySequence
from .response import finish_reason, reason_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.documents import Document
    from langchain_core.outputs import Generation, LLMResult

    from .._content.blocks import Part

# What has an attribute of its own in the conventions.
_WITH_OWN_ATTRIBUTE = ("messages", "tools", "functions")
_TOOLS = ("tools", "functions")


def chat_input(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> dict[str, object]:
    """Return what a chat model is given."""
    instructions = parts.system_instructions(messages)
    tools = next(filter(_is_list, map(params.get, _TOOLS)), None)
    return {
        **({semconv.SYSTEM_INSTRUCTIONS: instructions} if instructions else {}),
        **({semconv.TOOL_DEFINITIONS: parts.tool_definitions(tools)} if tools else {}),
        **_content_params(params),
        semconv.INPUT_MESSAGES: parts.after_instructions(messages),
    }


def completion_input(prompt: str, params: Mapping[str, Any]) -> dict[str, object]:
    """Return what a completion model is given."""
    return {**_content_params(params), semconv.INPUT_MESSAGES: parts.text_input(prompt)}


def model_output(result: LLMResult, unfinished: str | None = None) -> dict[str, object]:
    """Return what a model answered: one message a choice.

    Args:
        result: of the model.
        unfinished: why it is not whole, where something has ended it before it was.
    """
    choices = [choice for choices in result.generations for choice in choices]
    return {semconv.OUTPUT_MESSAGES: [_answer(choice, unfinished) for choice in choices]}


def state_input(state: object) -> dict[str, object]:
    """Return the state that a graph, a node or another runnable is given."""
    messages, rest = parted(state)
    content: dict[str, object] = {semconv.INPUT_VALUE: rest} if says_anything(rest) else {}
    return content | ({semconv.INPUT_MESSAGES: parts.conversation(messages)} if messages else {})


def root_input(state: object) -> dict[str, object]:
    """Return the state that a trace begins with; lists of traces show its last message's text."""
    return _listed(semconv.INPUT_VALUE, state_input(state), state)


def root_output(state: object) -> dict[str, object]:
    """Return the state that a trace's graph ends with; lists of traces show the answer's text."""
    return _listed(semconv.OUTPUT_VALUE, graph_output(state), state)


def _listed(name: str, content: dict[str, object], state: object) -> dict[str, object]:
    if name in content:
        return content
    messages, _ = parted(state)
    last = as_message(messages[-1]) if messages else None
    return {name: last.text, **content} if last is not None and last.text else content


def graph_output(state: object) -> dict[str, object]:
    """Return the state that a graph ends with: of the conversation that it is, the answer."""
    messages, rest = parted(state)
    return _output(messages[-1:], rest)


def state_output(state: object) -> dict[str, object]:
    """Return the change to the state that a node ends with, or any other runnable's result."""
    return _output(*parted(state))


def tool_input(inputs: Mapping[str, Any] | None, text: str) -> dict[str, object]:
    """Return the arguments of a tool."""
    return {semconv.TOOL_CALL_ARGUMENTS: inputs if inputs is not None else text}


def tool_output(output: Any) -> dict[str, object]:
    """Return the result of a tool."""
    return {semconv.TOOL_CALL_RESULT: parts.tool_answer(output)}


def query(text: str) -> dict[str, object]:
    """Return what a retriever is asked."""
    return {semconv.RETRIEVAL_QUERY: text}


def found(documents: Sequence[Document]) -> dict[str, object]:
    """Return what a retriever found."""
    return {semconv.RETRIEVAL_DOCUMENTS: parts.documents(documents)}


def _content_params(params: Mapping[str, Any]) -> dict[str, object]:
    """Return the identifying parameters that are content by their names."""
    return {
        f"{semconv.IDENTIFYING_PARAMS}.{key}": value
        for key, value in params.items()
        if isinstance(key, str) and is_content_key(key) and key not in _WITH_OWN_ATTRIBUTE
        if value is not None
    }


def _output(messages: Sequence[Any], rest: object) -> dict[str, object]:
    content: dict[str, object] = {semconv.OUTPUT_VALUE: rest} if says_anything(rest) else {}
    if messages:
        content[semconv.OUTPUT_MESSAGES] = LazySequence(messages, _said)
    return content


def _said(given: Any) -> Part:
    part = given_part(given, _answered)
    return part if "finish_reason" in part else {**part, "finish_reason": "stop"}


def _answered(message: BaseMessage) -> Part:
    return parts.output_message(message, reason_in(message.response_metadata))


def _answer(choice: Generation, unfinished: str | None) -> Part:
    reason = finish_reason(choice) or unfinished
    message = getattr(choice, "message", None)
    if isinstance(message, BaseMessage):
        return parts.output_message(message, reason)
    return parts.text_output(choice.text, reason, choice.generation_info or {})


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)

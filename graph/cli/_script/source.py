"""Writes the Python test that a trace becomes (pure)."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING, Any, Final

from .... import model as models
from ....model import cut_off_by
from .literals import comment, literal
from .recorded import Said, Thought, ToolCall, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .recorded import Call, Failure, Piece

# Raised within an answer, these would end it in another way than a failure.
_NO_FAILURES: Final = ("StopIteration", "StopAsyncIteration")
_OURS: Final = "nodespan.model."
_RECORDED_ERROR: Final = '''
class RecordedError(Exception):
    """Stands for an error of a kind that is not to be had here: its type, and what it said."""
'''
_HEAD: Final = '''"""The models of a recorded trace, as one model that answers as they did.

Trace {trace_id}, written by `nodespan trace {trace_id} --as-script`.
Give what `recorded_model()` returns to your own agent, and assert what that makes of it.
"""
'''
_TEST: Final = '''

def test_trace_{digits}() -> None:
    """The model gives the recorded answers, one for each call, in their order."""
    model = recorded_model()
'''


def script_of(trace_id: str, calls: Sequence[Call], question: str | None) -> str:
    """Return the Python source of a test.

    Args:
        trace_id: of the trace, in hexadecimal digits.
        calls: of its models, in order.
        question: what a person asked; None where it is not known.
    """
    answers = [line for number, call in enumerate(calls, 1) for line in _answer(number, call)]
    tests = [line for number, call in enumerate(calls, 1) for line in _assertions(number, call)]
    names = {call.model for call in calls}
    (name,) = names if len(names) == 1 else (None,)
    body = "\n".join(
        [
            f"PACE = 1.0  # of the pauses, {_seconds(calls):g} s in all: 0 leaves them out",
            f"QUESTION = {literal(question if question is not None else 'What was asked.')}",
            "",
            "",
            "def recorded_model() -> ScriptedChatModel:",
            '    """Return the model: the same answers, calls of tools, pauses and failures."""',
            "    return ScriptedChatModel(",
            "        answers=[",
            *(f"            {line}" for line in answers),
            "        ],",
            *([f"        model_name={literal(name)},"] if name else []),
            "    )",
            _TEST.format(digits=trace_id[:12]).rstrip(),
            *(f"    {line}" for line in tests),
            "",
        ]
    )
    helper = f"\n{_RECORDED_ERROR}" if "RecordedError(" in body else ""
    head = _HEAD.format(trace_id=trace_id)
    return f"{head}\n{_imports(body, calls)}\n{helper}\n{body}"


def _imports(body: str, calls: Sequence[Call]) -> str:
    """Return the imports that are needed; that of one more does no harm."""
    errors = {_class_of(call.failure) for call in calls if call.failure is not None}
    ours = {name for name in errors if hasattr(models, name)}
    lines = ["import json\n"] if "json.loads(" in body else []
    lines += ["import pytest"] if "pytest.raises(" in body else []
    lines += ["from langchain_core.messages import AIMessageChunk"] * ("AIMessageChunk(" in body)
    pause = {"Pause"} if "Pause(" in body else set()
    lines.append(
        f"\nfrom nodespan.model import {', '.join(sorted({'ScriptedChatModel'} | pause | ours))}"
    )
    return "\n".join(lines).lstrip("\n") + "\n"


def _seconds(calls: Sequence[Call]) -> float:
    pieces = (piece for call in calls for piece in call.pieces)
    return round(sum(piece.seconds for piece in pieces if isinstance(piece, Wait)), 3)


def _answer(number: int, call: Call) -> Iterator[str]:
    """Yield the lines of one answer of the script."""
    yield f"# {number}: {comment(call.name)}"
    for remark in remarks(call):
        yield f"# {remark}"
    yield "["
    for piece in call.pieces:
        yield f"    {_step(piece)},"
    if (end := _end(call)) is not None:
        yield f"    {end},"
    if call.failure is not None:
        yield f"    {_raised(call.failure)},"
    yield "],"


def remarks(call: Call) -> Iterator[str]:
    """Say what of a call the script cannot give as it was."""
    if not call.is_recorded:
        yield "its answer was not recorded, and is empty here"
    if call.is_cut:
        yield "its answer was cut when it was recorded (max_content_characters): this is its part"
    if call.outcome is not None:
        yield f"it did not end by itself ({comment(call.outcome)}): this is what it had said"
    if call.left_out:
        yield f"left out of its answer: {', '.join(map(comment, call.left_out))}"
    if call.failure is not None and _class_of(call.failure) == "RecordedError":
        yield f"it failed with {comment(call.failure.error_type)}"


def _step(piece: Piece) -> str:
    match piece:
        case Wait(seconds):
            return f"Pause(PACE * {seconds!r})"
        case Said(text):
            return literal(text)
        case Thought(text):
            return f"AIMessageChunk([{literal({'type': 'reasoning', 'reasoning': text})}])"
        case ToolCall():
            return _tool_call(piece)


def _tool_call(call: ToolCall) -> str:
    if isinstance(call.arguments, dict):
        arguments, kind = literal(call.arguments), "tool_calls"
        rest = ""
    else:
        arguments, kind = literal(_argument_text(call)), "invalid_tool_calls"
        rest = ', "error": None, "type": "invalid_tool_call"'
    fields = f'"name": {literal(call.name)}, "args": {arguments}, "id": {literal(call.call_id)}'
    return f'AIMessageChunk("", {kind}=[{{{fields}{rest}}}])'


def _argument_text(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)


def _end(call: Call) -> str | None:
    """Return the chunk that says why the model stopped, and what it used."""
    told: list[str] = []
    reason = call.finish_reason
    # A scripted model makes no calls of tools in an answer that says it was cut off.
    is_cut_off = bool(call.tool_calls) and cut_off_by({"finish_reason": reason}) is not None
    if reason and not is_cut_off:
        told.append(f"response_metadata={literal({'finish_reason': reason})}")
    if call.input_tokens is not None and call.output_tokens is not None:
        usage = {
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "total_tokens": call.input_tokens + call.output_tokens,
        }
        told.append(f"usage_metadata={literal(usage)}")
    return f'AIMessageChunk("", {", ".join(told)})' if told else None


def _raised(failure: Failure) -> str:
    return f"{_class_of(failure)}({literal(_said_by(failure))})"


def _said_by(failure: Failure) -> str:
    return failure.message if failure.message is not None else failure.error_type


def _class_of(failure: Failure) -> str:
    """Return the name of the class to raise: one of Python's or of ours, or the stand-in.

    A recorded name is looked up in these two places, and never imported or written.
    """
    name = failure.error_type.removeprefix("builtins.")
    is_ours = name.startswith(_OURS)
    home: Any = models if is_ours else builtins
    name = name.removeprefix(_OURS)
    known = models.__all__ if is_ours else dir(builtins)
    found = getattr(home, name) if name in known and name not in _NO_FAILURES else None
    if not (isinstance(found, type) and issubclass(found, Exception)):
        return "RecordedError"
    try:
        found("what it says")
    except TypeError:  # it wants more to be made of
        return "RecordedError"
    return name


def _assertions(number: int, call: Call) -> Iterator[str]:
    """Yield the lines of the test for one call."""
    yield f"# {number}"
    if call.failure is not None:
        yield f"with pytest.raises({_class_of(call.failure)}) as failure:"
        yield "    model.invoke(QUESTION)"
        yield f"assert failure.value.args == ({literal(_said_by(call.failure))},)"
        return
    yield "answer = model.invoke(QUESTION)"
    yield f"assert answer.text == {literal(call.text)}"
    valid = [each for each in call.tool_calls if isinstance(each.arguments, dict)]
    invalid = [each for each in call.tool_calls if not isinstance(each.arguments, dict)]
    yield 'assert [(call["name"], call["args"]) for call in answer.tool_calls] == [' + (
        ", ".join(f"({literal(each.name)}, {literal(each.arguments)})" for each in valid) + "]"
    )
    if invalid:
        texts = ", ".join(literal(_argument_text(each)) for each in invalid)
        yield f'assert [call["args"] for call in answer.invalid_tool_calls] == [{texts}]'

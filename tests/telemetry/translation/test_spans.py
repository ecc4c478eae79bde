"""A run's start of any shape becomes a span that can be started and sent."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider

from nodespan.telemetry._content.door import CaptureContent, ContentDoor
from nodespan.telemetry._semconv.names import NEWEST, RELEASED, Edition
from nodespan.telemetry._translation.exceptions import exception_attributes, signature
from nodespan.telemetry._translation.kinds import RunKind, chain_kind
from nodespan.telemetry._translation.outcome import error_type
from nodespan.telemetry._translation.spans import (
    metadata_attributes,
    span_details,
    span_plan,
)
from nodespan.telemetry._translation.start import Start
from support.values import SCALARS, TEXTS

JUNK = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS, max_size=2)
KEYS = [
    *("model", "model_name", "_type", "base_url", "temperature", "top_k", "max_tokens", "stop"),
    *("n", "seed", "response_format", "format", "modalities", "reasoning", "reasoning_effort"),
    *("previous_response_id", "tools", "messages", "api_key", "anything"),
]
METADATA = [
    *("ls_provider", "ls_model_name", "ls_temperature", "ls_stop", "ls_integration", "thread_id"),
    *("langgraph_node", "langgraph_step", "langgraph_checkpoint_ns", "lc_agent_name", "user"),
    *("ls_embedding_model", "ls_vector_store_provider", "nodespan_in_process"),
]
STARTS = st.builds(
    Start,
    serialized=st.none()
    | st.dictionaries(st.sampled_from(["id", "name", "description"]), JUNK, max_size=3),
    name=st.none() | TEXTS,
    tags=st.lists(TEXTS | SCALARS, max_size=2),
    metadata=st.dictionaries(st.sampled_from(METADATA), JUNK, max_size=5),
    params=st.dictionaries(st.sampled_from(KEYS) | TEXTS, JUNK, max_size=6),
    options=st.dictionaries(st.sampled_from(["ls_structured_output_format", "stop"]), JUNK),
    tool_call_id=st.none() | TEXTS,
)
KINDS = [kind for kind in RunKind if kind not in (RunKind.HIDDEN, RunKind.NODE)]
TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("test")


@given(STARTS, st.sampled_from(KINDS), st.sampled_from([RELEASED, NEWEST]))
def test_any_start_becomes_a_span(start: Start, kind: RunKind, edition: Edition) -> None:
    """Whatever LangChain reports, the span has a name of some length, and can be sent."""
    told = span_plan(kind, start)
    span = TRACER.start_span(told.name, kind=told.kind, attributes=told.attributes)
    span.set_attributes(span_details(kind, start, edition))
    span.set_attributes(metadata_attributes(start, ["user", "thread_id"]))
    span.end()
    assert 0 < len(told.name) < 600
    assert encode_spans([span]).SerializeToString()  # type: ignore[list-item]  # it is readable


@given(STARTS, st.none() | STARTS)
def test_any_chain_is_of_some_kind(start: Start, above: Start | None) -> None:
    """Whatever LangChain reports of a chain, it is a graph, a node, a root, or noise."""
    assert chain_kind(start, above) in RunKind


def raised(error: BaseException) -> BaseException:
    """Return an exception that has been raised."""
    try:
        raise error  # noqa: TRY301 - to be caught
    except BaseException as caught:  # noqa: BLE001 - it is the one
        return caught


class Saying(Exception):  # noqa: N818 - a test's own
    """Says what it is given to say."""

    def __str__(self) -> str:
        return str(self.args[0])


@example(ValueError, [10**5_000], CaptureContent.SPAN_ONLY)
@given(
    st.sampled_from([ValueError, KeyError, OSError, ExceptionGroup, Saying, SystemExit]),
    st.lists(JUNK, max_size=3),
    st.sampled_from(list(CaptureContent)),
)
def test_any_exception_is_told(kind: type[Any], args: list[Any], mode: CaptureContent) -> None:
    """Whatever an exception carries, its type and its place are told; its text only if asked."""
    if kind is ExceptionGroup:
        args = ["several", [ValueError(*args)]]
    error = raised(kind(*args))
    attributes = exception_attributes(error, ContentDoor(mode))
    span = TRACER.start_span("x")
    span.add_event("exception", attributes)
    span.end()
    assert encode_spans([span]).SerializeToString()  # type: ignore[list-item]  # it is readable
    assert attributes["exception.type"]
    assert error_type(error) == type(error).__qualname__
    assert not mode.on_spans or "exception.message" in attributes or kind is Saying
    assert mode.on_spans or "exception.message" not in attributes


def test_an_exception_is_known_again() -> None:
    """The same exception is the same wherever it is seen; another one at its place is not."""
    error = raised(ValueError("x"))
    before = signature(error)
    try:
        raise error
    except ValueError:
        assert signature(error) == before
    assert signature(raised(ValueError("x"))) != before


def test_a_stack_of_any_depth() -> None:
    """Of a deep stack the innermost frames are told, without their source."""

    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError("planted")
        dive(depth - 1)

    with pytest.raises(ValueError, match="planted") as caught:
        dive(500)
    attributes = exception_attributes(caught.value, ContentDoor())
    stack = str(attributes["exception.stacktrace"])
    assert len(stack.splitlines()) == 52
    assert "planted" not in stack
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert f'File "{last.filename}", line {last.lineno}, in dive' in stack

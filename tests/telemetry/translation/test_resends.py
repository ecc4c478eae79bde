"""HTTP retries of our own models: how often and why, on span and log line, failed calls too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.model import ModelError, OpenAICompatibleChatModel
from nodespan.telemetry._translation.resends import resend_attributes
from nodespan.telemetry.testing import capture_spans
from support.hostile import HostileServer, refuses, says
from support.strangers import AINVOKE, ASTREAM, INVOKE, STREAM, Call

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = "http.request.resend_count"
REASONS = "nodespan.http.resend_reasons"


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that refuses."""
    with HostileServer([]) as server:
        yield server


def model(server: HostileServer, **more: Any) -> OpenAICompatibleChatModel:
    """Return a model that asks it, up to three times."""
    return OpenAICompatibleChatModel(base_url=server.url, model_name="tiny", max_retries=2, **more)


def busy() -> Any:
    """Refuse for now."""
    return refuses(503, "busy", Retry_After="0")


@pytest.mark.parametrize("call", [INVOKE, AINVOKE, STREAM, ASTREAM], ids=str)
def test_a_call_that_took_retries_says_so(
    server: HostileServer, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """The span has how often its request was sent again, and why; so has the line of its end."""
    caplog.set_level(logging.INFO, logger="nodespan.telemetry.runs")
    server.replies = [busy(), refuses(429, "slow down", Retry_After="0"), says("Hello")]
    with capture_spans() as captured:
        call.run(model(server), "Hi", {"callbacks": [captured.handler]})
    span = captured.span("chat tiny")
    assert (span.attributes[COUNT], span.attributes[REASONS]) == (2, ("503", "429"))
    (ended,) = [record for record in caplog.records if "run ended" in record.getMessage()]
    assert (vars(ended)["retries"], vars(ended)["retry_reasons"]) == (2, ("503", "429"))


def test_a_call_that_fails_in_the_end_says_so_too(server: HostileServer) -> None:
    """The last failure is the span's error, and those before it are its reasons."""
    server.replies = [busy()]
    with capture_spans() as captured, pytest.raises(ModelError) as caught:
        model(server).invoke("Hi", {"callbacks": [captured.handler]})
    assert caught.value.retries == ("503", "503")
    span = captured.span("chat tiny")
    assert (span.attributes[COUNT], span.attributes[REASONS]) == (2, ("503", "503"))
    assert span.attributes["nodespan.outcome"] == "error"


def test_a_call_without_retries_says_nothing(server: HostileServer) -> None:
    """Neither the span nor the answer speaks of what was not."""
    server.replies = [says("Hello")]
    with capture_spans() as captured:
        answer = model(server).invoke("Hi", {"callbacks": [captured.handler]})
    assert "retries" not in answer.response_metadata
    assert not {COUNT, REASONS} & captured.span("chat tiny").attributes.keys()


def test_an_answer_stopped_by_a_stop_string_says_so(server: HostileServer) -> None:
    """Wherever the answer ends, its retries are told."""
    server.replies = [busy(), says("Hello there")]
    with capture_spans() as captured:
        model(server).invoke("Hi", {"callbacks": [captured.handler]}, stop=["lo"])
    assert captured.span("chat tiny").attributes[REASONS] == ("503",)


@pytest.mark.parametrize("given", [3, "503", [], [503], None, {"a": 1}])
def test_what_others_call_retries_is_left_out(given: Any) -> None:
    """Metadata of strangers may have the word for something else."""
    assert resend_attributes({"retries": given}) == {}


def test_what_is_told_is_bounded() -> None:
    """However many retries there were, some of their reasons are told, and each in short."""
    told = resend_attributes({"retries": ["x" * 1_000] * 500})
    assert told[COUNT] == 500
    assert told[REASONS] == ("x" * 64,) * 16

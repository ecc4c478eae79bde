"""`configure` sets OpenTelemetry logs up where log records are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nodespan.telemetry import ConfigurationError, configure

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    RunPython = Callable[..., CompletedProcess[str]]

PROGRAM = """
import structlog
from nodespan.model import EchoChatModel
from nodespan.telemetry import TelemetryConfig, configure, configure_logging

with configure({config}) as telemetry:
    if telemetry.logger_provider is not None:
        configure_logging(level="warning", logger_provider=telemetry.logger_provider)
        structlog.get_logger("app").warning("hello", count=3)
    list(EchoChatModel().stream("Meow!", {{"callbacks": [telemetry.handler()]}}))
    telemetry.flush()
{after}
print("done", telemetry.unsent_log_records)
"""


def told(value: Any) -> Any:
    """Return a value of OTLP as Python's."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [told(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: told(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def test_log_records_go_where_spans_go(run_program: RunPython, otlp_receiver: Any) -> None:
    """Events, the content on them and the application's lines reach an OTLP receiver."""
    result = run_program(
        PROGRAM.format(config="TelemetryConfig(log_events=True, service_name='mine')", after=""),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="EVENT_ONLY",
    )
    assert (result.returncode, result.stdout) == (0, "done 0\n"), result.stderr
    records = otlp_receiver.log_records
    (line,) = [record for record in records if not record.event_name]
    assert (told(line.body), line.severity_text) == ("hello", "WARN")
    names = [record.event_name for record in records if record.event_name]
    assert names == [
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
        "gen_ai.client.inference.operation.details",
    ]
    attributes = {pair.key: told(pair.value) for pair in records[-1].attributes}
    (question,) = attributes["gen_ai.input.messages"]
    assert question["parts"] == [{"type": "text", "content": "Meow!"}]
    (span,) = otlp_receiver.spans
    assert {record.span_id for record in records if record.event_name} == {span.span_id}
    assert "Meow!" not in str(span)
    resource = otlp_receiver.log_requests[0].resource_logs[0].resource
    assert "mine" in {pair.value.string_value for pair in resource.attributes}


def test_the_applications_own_provider_is_respected(run_program: RunPython) -> None:
    """It gets the records, and goes on after the shutdown; no exporter is added to it."""
    before = """
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
own, kept = LoggerProvider(), InMemoryLogRecordExporter()
own.add_log_record_processor(SimpleLogRecordProcessor(kept))
_logs.set_logger_provider(own)
"""
    after = """
assert telemetry.logger_provider is own
own.get_logger("later").emit(body="later")
told = [log.log_record.event_name or log.log_record.body for log in kept.get_finished_logs()]
assert told[0] == "hello" and told[-1] == "later", told
assert "on_chat_model_end" in told, told
"""
    program = before + PROGRAM.format(config="TelemetryConfig(log_events=True)", after=after)
    result = run_program(
        program,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    )
    assert (result.returncode, result.stdout) == (0, "done 0\n"), result.stderr


def test_without_being_asked_for_there_are_no_logs(run_python: RunPython) -> None:
    """Neither an endpoint nor `none` makes a provider, or imports what one needs."""
    after = """
import sys
from opentelemetry import _logs
assert type(_logs.get_logger_provider()).__name__ == "ProxyLoggerProvider"
assert telemetry.logger_provider is None
assert "opentelemetry.sdk._logs" not in sys.modules
"""
    result = run_python(
        PROGRAM.format(config="TelemetryConfig(endpoint='http://127.0.0.1:9')", after=after),
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    )
    assert (result.returncode, result.stdout) == (0, "done 0\n"), result.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "localhost:4318"}, "localhost:4318"),
        ({"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x=1,nonsense"}, "entry 2"),
        ({"OTEL_LOGS_EXPORTER": "zipkin"}, "zipkin"),
        ({"OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "yes"}, "true or false"),
    ],
    ids=str,
)
def test_a_bad_variable_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], told: str
) -> None:
    """An unusable value raises at once; the message has the variable, and what would do."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        configure()
    assert next(iter(environment)) in str(caught.value)
    assert told in str(caught.value)

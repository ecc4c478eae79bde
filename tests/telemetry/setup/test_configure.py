"""`configure` sets OpenTelemetry up from the standard variables, and from nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from nodespan.telemetry import (
    ConfigurationError,
    OpenTelemetryCallbackHandler,
    TelemetryConfig,
    configure,
    instrument,
)
from nodespan.telemetry._settings.config import checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    RunProgram = Callable[..., CompletedProcess[str]]

ONE_SPAN = """
from nodespan.telemetry import TelemetryConfig, configure
from langchain_core.runnables import RunnableLambda

with configure({config}) as telemetry:
    config = {{"callbacks": [telemetry.handler()]}}
    RunnableLambda(lambda text: text, name="echo").invoke("Meow!", config)
"""


def test_spans_go_to_the_endpoint_with_name_and_headers(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """Endpoint, headers and service name come from the standard variables."""
    result = run_program(
        ONE_SPAN.format(config=""),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS="x-team=cats",
        OTEL_SERVICE_NAME="echo-service",
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert [span.name for span in otlp_receiver.spans] == ["echo"]
    assert otlp_receiver.headers[0]["x-team"] == "cats"
    resource = otlp_receiver.resource_spans[0].resource
    service = {item.key: item.value.string_value for item in resource.attributes}
    assert service["service.name"] == "echo-service"


def test_arguments_win_over_variables(run_program: RunProgram, otlp_receiver: Any) -> None:
    """What the config says is taken, whatever the variables say."""
    config = (
        f"TelemetryConfig(endpoint={otlp_receiver.endpoint!r}, service_name='mine', "
        "headers={'x-key': 'k'})"
    )
    result = run_program(
        ONE_SPAN.format(config=config),
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_SERVICE_NAME="theirs",
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert [span.name for span in otlp_receiver.spans] == ["echo"]
    assert otlp_receiver.headers[0]["x-key"] == "k"
    resource = otlp_receiver.resource_spans[0].resource
    assert "mine" in {item.value.string_value for item in resource.attributes}


def test_without_an_endpoint_nothing_connects(run_program: RunProgram) -> None:
    """No socket is opened, not even to the standard's default endpoint."""
    guard = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('connected')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
    )
    for exporter in ("", "otlp"):
        result = run_program(guard + ONE_SPAN.format(config=""), OTEL_TRACES_EXPORTER=exporter)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, 0),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, 1),
        ({"OTEL_SDK_DISABLED": "true"}, 0),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0),
    ],
    ids=str,
)
def test_sampler_and_switches(
    run_program: RunProgram, otlp_receiver: Any, environment: dict[str, str], sent: int
) -> None:
    """The standard sampler variables and switches decide what is sent."""
    result = run_program(
        ONE_SPAN.format(config=""),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,
        **environment,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(otlp_receiver.spans) == sent


def test_a_provider_of_the_application_is_respected(run_program: RunProgram) -> None:
    """A provider that was set before makes the spans, and is not shut down."""
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from nodespan.telemetry import SpanCollector, configure
from langchain_core.runnables import RunnableLambda

own = TracerProvider()
before, after = SpanCollector(), SpanCollector()
own.add_span_processor(before)
trace.set_tracer_provider(own)
with configure(span_processors=[after]) as telemetry:
    assert telemetry.tracer_provider is own
    RunnableLambda(str, name="first").invoke(1, {"callbacks": [telemetry.handler()]})
own.get_tracer("application").start_span("later").end()
print([span.name for span in before.spans()], [span.name for span in after.spans()])
"""
    result = run_program(code)
    assert (result.stdout, result.stderr) == ("['first', 'later'] ['first', 'later']\n", "")


def test_a_dead_endpoint_costs_little_time(run_program: RunProgram) -> None:
    """When nobody listens at the endpoint, the application ends in the time it gave."""
    code = """
from time import monotonic
from nodespan.telemetry import configure
from langchain_core.runnables import RunnableLambda

telemetry = configure()
RunnableLambda(str).invoke(1, {"callbacks": [telemetry.handler()]})
before = monotonic()
telemetry.shutdown(timeout=0.5)
print(monotonic() - before < 2, telemetry.unsent)
"""
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert (result.returncode, result.stdout) == (0, "True 1\n")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, "localhost:4318"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://host"}, "ftp://host"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "x=1,nonsense"}, "entry 2"),
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "sometimes"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "7"}, "'7'"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "'soon'; use a number of seconds"),
        ({"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "0"}, "'0'; use a number of seconds above 0"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "soon"}, "'soon'; use a whole number from 1 up"),
        ({"OTEL_BLRP_MAX_QUEUE_SIZE": "0"}, "'0'; use a whole number from 1 up"),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4096"}, "4096; use 2048 at most"),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1"}, "'-1'; use a whole number from 0 up"),
        ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}, "SPAN_ONLY"),
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
    assert list(environment)[-1] in str(caught.value)
    assert told in str(caught.value)


def test_a_disabled_sdk_reads_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OTEL_SDK_DISABLED` switches off what the other variables ask for, right or wrong."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere")
    checked(TelemetryConfig(), os.environ)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"redact": 3}, "redact is 3; use a function of two arguments"),
        ({"redact": len}, "redact is <built-in function len>; use a function of two arguments"),
        ({"sampler": "always_on"}, "sampler is 'always_on'; use a Sampler of the SDK's"),
        ({"sampler": TraceIdRatioBased}, "use a Sampler of the SDK's"),
        ({"headers": "a=b"}, "headers is a str; use a dict of texts"),
        ({"headers": {"key": 3}}, "headers has no text under 'key'; use a dict of texts"),
        ({"service_name": 3}, "service_name is 3; use a text"),
        ({"endpoint": 4318}, "endpoint is 4318; use the URL of an OTLP/HTTP receiver"),
        ({"log_events": "yes"}, "log_events is 'yes'; use True or False"),
        ({"metadata_keys": "user"}, "metadata_keys is 'user'; use a list of up to 32 names"),
        ({"metadata_keys": 3}, "metadata_keys is 3; use a list of up to 32 names"),
    ],
    ids=str,
)
def test_a_bad_setting_is_named_with_the_way_out(settings: dict[str, Any], told: str) -> None:
    """A setting that cannot work is refused when it is given, not when the first run fails."""
    with pytest.raises(ConfigurationError) as caught:
        configure(TelemetryConfig(**settings))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"config": {"redact": len}}, "use a TelemetryConfig"),
        ({"span_processors": [3]}, "a span processor is 3; use a SpanProcessor of the SDK's"),
        ({"metric_readers": ["x"]}, "a metric reader is 'x'; use a MetricReader of the SDK's"),
    ],
    ids=str,
)
def test_configure_refuses_what_it_is_not_for(arguments: Any, told: str) -> None:
    """What `configure` cannot use is refused by name, before anything is set up."""
    with pytest.raises(ConfigurationError, match=told):
        configure(**arguments)


@pytest.mark.parametrize("way_in", [OpenTelemetryCallbackHandler, instrument])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"tracer_provider": 3}, "tracer_provider is 3; use a TracerProvider"),
        ({"meter_provider": "x"}, "meter_provider is 'x'; use a MeterProvider"),
        ({"logger_provider": "x"}, "logger_provider is 'x'; use a LoggerProvider"),
        ({"redact": abs}, "use a function of two arguments"),
        ({"log_events": 1}, "log_events is 1; use True or False"),
        ({"all_runnables": "no"}, "all_runnables is 'no'; use True or False"),
    ],
    ids=str,
)
def test_a_handler_refuses_what_cannot_work(way_in: Any, arguments: Any, told: str) -> None:
    """An argument of the handler, or of `instrument`, is refused when it is given."""
    with pytest.raises(ConfigurationError, match=told):
        way_in(**arguments)


def test_a_bad_header_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header's value may be a credential: no error shows it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Bearer s3cret")
    with pytest.raises(ConfigurationError) as caught:
        configure()
    assert "s3cret" not in str(caught.value)


def test_credentials_of_a_config_are_not_printed() -> None:
    """Headers and the user in an endpoint are left out of `repr` and of errors."""
    assert "s3cret" not in repr(TelemetryConfig(headers={"authorization": "s3cret"}))
    with pytest.raises(ConfigurationError) as caught:
        configure(TelemetryConfig(endpoint="gopher://me:s3cret@host"))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["max_open_runs", "max_content_characters"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5])
def test_a_limit_must_be_positive(name: str, value: Any) -> None:
    """A limit that is not a whole number from 1 up is refused by name."""
    with pytest.raises(ConfigurationError, match=f"{name} is {value!r}"):
        configure(TelemetryConfig(**{name: value}))


@pytest.mark.parametrize("mode", [True, "yes", 1])
def test_a_capture_mode_must_be_one(mode: Any) -> None:
    """A mode that is none is refused, with those that there are."""
    with pytest.raises(
        ConfigurationError, match=f"capture_content is {mode!r}; use one of NO_CONTENT"
    ):
        configure(TelemetryConfig(capture_content=mode))


AGAIN = """
from opentelemetry import trace
from nodespan.telemetry import TelemetryConfig, configure
from langchain_core.runnables import RunnableLambda

tracer = trace.get_tracer("application")
echo = RunnableLambda(str, name="echo")
for place in range(3):
    with configure(TelemetryConfig(service_name=f"service-{place}", log_events=True)) as telemetry:
        config = {"callbacks": [telemetry.handler()]}
        with tracer.start_as_current_span(f"request {place}"):
            echo.invoke(1, config)
    assert telemetry.unsent == 0
"""


def test_what_was_shut_down_can_be_set_up_again(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """A notebook may configure again and again: runs, and the application's spans, are all sent."""
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_receiver.endpoint}
    result = run_program(AGAIN, **endpoint)
    assert (result.returncode, result.stderr) == (0, "")
    names = {span.name: span for span in otlp_receiver.spans}
    assert sorted(span.name for span in otlp_receiver.spans) == [
        *["echo"] * 3,
        *(f"request {place}" for place in range(3)),
    ]
    requests = {names[f"request {place}"].span_id for place in range(3)}
    parents = {span.parent_span_id for span in otlp_receiver.spans if span.name == "echo"}
    assert parents == requests
    assert len(otlp_receiver.metric_requests) == 3


def test_the_process_is_flushed_where_its_spans_go(run_program: RunProgram) -> None:
    """Whoever flushes the process's provider flushes what has followed it, and then nothing."""
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from nodespan.telemetry import configure

tracer = trace.get_tracer("application")
for _ in range(2):
    sent = InMemorySpanExporter()
    waiting = BatchSpanProcessor(sent, schedule_delay_millis=60_000)
    with configure(span_processors=[waiting]):
        tracer.start_span("request").end()
        assert not sent.get_finished_spans()
        assert trace.get_tracer_provider().force_flush()
        assert len(sent.get_finished_spans()) == 1
    assert trace.get_tracer_provider().force_flush()
"""
    result = run_program(code)
    assert (result.returncode, result.stderr) == (0, "")


def test_instrumenting_follows_what_is_set_up_again(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """A process that is instrumented anew, once telemetry is set up anew, sends all of it."""
    code = """
from langchain_core.runnables import RunnableLambda
from nodespan.telemetry import configure, instrument

for _ in range(3):
    with configure() as told:
        instrument(tracer_provider=told.tracer_provider, meter_provider=told.meter_provider)
        RunnableLambda(str, name="echo").invoke(1)
    assert told.unsent == 0
"""
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)
    assert (result.returncode, result.stderr) == (0, "")
    assert [span.name for span in otlp_receiver.spans] == ["echo"] * 3
    assert len(otlp_receiver.metric_requests) == 3


def test_without_metrics_nobody_asks_for_the_ones_before(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """Set up anew without a place for metrics, nothing is said of those that had one."""
    code = """
import os
from langchain_core.runnables import RunnableLambda
from nodespan.telemetry import configure

for _ in range(2):
    with configure() as told:
        RunnableLambda(str, name="echo").invoke(1, {"callbacks": [told.handler()]})
    os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
"""
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_run_after_the_end_is_counted_as_unsent(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """What is called once telemetry is shut down is said and counted; the call is as ever."""
    code = """
from nodespan.telemetry import configure
from langchain_core.runnables import RunnableLambda

with configure() as telemetry:
    config = {"callbacks": [telemetry.handler()]}
echo = RunnableLambda(str, name="echo")
print(echo.invoke(1, config), echo.invoke(2, config), telemetry.unsent)
"""
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)
    assert result.stdout == "1 2 2\n"
    assert result.stderr == "nodespan telemetry: span ended after the shutdown\n"
    assert otlp_receiver.spans == []


def test_while_it_is_set_up_it_is_set_up_once(run_program: RunProgram) -> None:
    """A configuration within another one, the first or a later one, uses what is there."""
    code = """
from nodespan.telemetry import configure

with configure() as first, configure() as within:
    assert within.tracer_provider is first.tracer_provider
with configure() as later, configure() as within:
    assert within.tracer_provider is later.tracer_provider is not first.tracer_provider
"""
    result = run_program(code)
    assert (result.returncode, result.stderr) == (0, "")

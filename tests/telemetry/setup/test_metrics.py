"""`configure` sets OpenTelemetry metrics up from the standard variables, where there is a place."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.telemetry import ConfigurationError, configure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import CompletedProcess

    RunProgram = Callable[..., CompletedProcess[str]]

DURATION = "gen_ai.client.operation.duration"
PROGRAM = """
from nodespan.model import EchoChatModel
from nodespan.telemetry import TelemetryConfig, configure
{before}
with configure({config}) as telemetry:
    for _ in range(3):
        list(EchoChatModel().stream("Meow!", {{"callbacks": [telemetry.handler()]}}))
    {then}
{after}
"""


def program(config: str = "", *, before: str = "", then: str = "", after: str = "") -> str:
    """Return a program that streams three times under what `configure` sets up."""
    return PROGRAM.format(config=config, before=before, then=then, after=after)


def count(metric: Any) -> int:
    """Return how many values a histogram has."""
    return sum(point.count for point in metric.histogram.data_points)


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "{}"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "{}/v1/metrics"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "{}", "OTEL_METRICS_EXPORTER": "otlp"},
    ],
    ids=["for all signals", "for metrics", "chosen"],
)
def test_metrics_go_to_the_endpoint(
    run_program: RunProgram, otlp_receiver: Any, variables: dict[str, str]
) -> None:
    """What was measured is sent before the process ends, whichever variable has the endpoint."""
    told = {name: value.format(otlp_receiver.endpoint) for name, value in variables.items()}
    result = run_program(program(), OTEL_SERVICE_NAME="cats", **told)
    assert (result.returncode, result.stderr) == (0, "")
    assert count(otlp_receiver.metrics[DURATION]) == 3
    resource = otlp_receiver.metric_requests[-1].resource_metrics[0].resource
    names = {pair.key: pair.value.string_value for pair in resource.attributes}
    assert names["service.name"] == "cats"


def test_the_config_s_endpoint_is_the_metrics_too(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """Endpoint and headers of a config are those of all signals."""
    config = f"TelemetryConfig(endpoint={otlp_receiver.endpoint!r}, headers={{'x-team': 'cats'}})"
    result = run_program(program(config))
    assert (result.returncode, result.stderr) == (0, "")
    assert count(otlp_receiver.metrics[DURATION]) == 3
    assert all(headers["x-team"] == "cats" for headers in otlp_receiver.headers)


def test_exemplars_are_sent(run_program: RunProgram, otlp_receiver: Any) -> None:
    """A receiver finds the trace in which a value was measured."""
    run_program(program(), OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)
    (point,) = otlp_receiver.metrics[DURATION].histogram.data_points
    spans = {span.span_id: span.trace_id for span in otlp_receiver.spans}
    assert point.exemplars
    assert all(spans[e.span_id] == e.trace_id for e in point.exemplars)


def test_a_flush_sends_what_was_measured(run_program: RunProgram, otlp_receiver: Any) -> None:
    """`flush` sends metrics at once, together with spans."""
    result = run_program(
        program(then="print(telemetry.flush(), flush=True); import os; os._exit(0)"),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,
    )
    assert result.stdout == "True\n"
    assert count(otlp_receiver.metrics[DURATION]) == 3


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_METRICS_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}],
    ids=["none", "disabled"],
)
def test_metrics_can_be_switched_off(
    run_program: RunProgram, otlp_receiver: Any, variables: dict[str, str]
) -> None:
    """Nothing is measured or sent, and there is no meter provider."""
    result = run_program(
        program(then="print(telemetry.meter_provider)"),
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint,
        **variables,
    )
    assert (result.stdout, result.stderr) == ("None\n", "")
    assert otlp_receiver.metric_requests == []


def test_without_a_place_there_are_no_metrics(run_program: RunProgram) -> None:
    """No endpoint and no exporter: nothing is set up, and nothing is sent to a default."""
    before = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('connected')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
    )
    then = "print(telemetry.meter_provider, telemetry.scrape_url)"
    for exporter in ("", "otlp"):
        result = run_program(program(before=before, then=then), OTEL_METRICS_EXPORTER=exporter)
        assert (result.returncode, result.stdout, result.stderr) == (0, "None None\n", "")


def test_the_console_is_an_exporter(run_program: RunProgram) -> None:
    """`console` prints the metrics when the process ends."""
    result = run_program(program(), OTEL_METRICS_EXPORTER="console")
    assert (result.returncode, result.stderr) == (0, "")
    assert DURATION in result.stdout


OWN_PROVIDER = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
own, added = InMemoryMetricReader(), InMemoryMetricReader()
provider = MeterProvider([own])
metrics.set_meter_provider(provider)
def names(reader):
    data = reader.get_metrics_data()
    return [m.name for of in data.resource_metrics for s in of.scope_metrics for m in s.metrics]
"""


def test_a_provider_of_the_application_is_respected(
    run_program: RunProgram, otlp_receiver: Any
) -> None:
    """It takes the metrics, gets no exporter of ours, and goes on after a shutdown."""
    code = program(
        "metric_readers=[added]",
        before=OWN_PROVIDER,
        then=f"assert telemetry.meter_provider is provider; assert {DURATION!r} in names(added)",
        after=f"provider.get_meter('app').create_counter('later').add(1)\n"
        f"print([name in names(own) for name in ({DURATION!r}, 'later')])",
    )
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)
    assert (result.returncode, result.stdout, result.stderr) == (0, "[True, True]\n", "")
    assert otlp_receiver.metric_requests == []


def test_readers_of_the_program_s_own_are_enough(run_program: RunProgram) -> None:
    """A reader that is given makes a provider, also without an endpoint."""
    before = (
        "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\n"
        "reader = InMemoryMetricReader()"
    )
    then = "print(reader.get_metrics_data() is not None)"
    result = run_program(program("metric_readers=[reader]", before=before, then=then))
    assert (result.returncode, result.stdout, result.stderr) == (0, "True\n", "")


def test_a_dead_endpoint_costs_little_time(run_program: RunProgram) -> None:
    """When nobody listens at the endpoint, the application ends in the time it gave."""
    then = "from time import monotonic; before = monotonic(); telemetry.shutdown(timeout=0.5)"
    result = run_program(
        program(then=then, after="print(monotonic() - before < 2)"),
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="http://127.0.0.1:9/v1/metrics",
    )
    assert (result.returncode, result.stdout) == (0, "True\n")
    assert "Traceback" not in result.stderr


@pytest.fixture
def traces_only() -> Iterator[tuple[str, list[str]]]:
    """A receiver that takes traces and nothing else: its URL, and the paths that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_receiver_of_traces_alone_is_left_alone(
    run_program: RunProgram, traces_only: tuple[str, list[str]]
) -> None:
    """It is asked once; nothing is printed, unless metrics were asked for by name."""
    url, asked = traces_only
    code = program(then="[telemetry.flush() for _ in range(3)]")
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert (result.returncode, result.stderr) == (0, "")
    assert asked.count("/v1/metrics") == 1
    result = run_program(code, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_METRICS_EXPORTER="otlp")
    assert "404" in result.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_METRICS_EXPORTER": "statsd"}, "prometheus"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "collector:4318"}, "collector:4318"),
        ({"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, "'0'"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "10s"}, "'10s'"),
        ({"OTEL_METRIC_EXPORT_TIMEOUT": "-5"}, "'-5'"),
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

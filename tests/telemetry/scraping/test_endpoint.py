"""A scrape endpoint offers what was measured, for as long as telemetry is set up."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.telemetry import ConfigurationError, TelemetryConfig, configure

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    RunProgram = Callable[..., CompletedProcess[str]]

PROGRAM = """
import urllib.error, urllib.request
from prometheus_client.parser import text_string_to_metric_families
from nodespan.model import EchoChatModel
from nodespan.telemetry import TelemetryConfig, configure

def scrape(url):
    text = urllib.request.urlopen(url, timeout=10).read().decode()
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples}
"""
STREAMING = """
with configure(%s) as telemetry:
    url = telemetry.scrape_url
    for _ in range(3):
        list(EchoChatModel(n=5).stream("Meow!", {"callbacks": [telemetry.handler()]}))
    found = scrape(url)
    print(
        found["gen_ai_client_operation_duration_seconds_count"],
        found["gen_ai_client_operation_time_per_output_chunk_seconds_count"],
        found["nodespan_stream_chunks_total"],
    )
"""


def test_what_was_measured_can_be_scraped(run_program: RunProgram) -> None:
    """A scrape has all that was measured until then, under Prometheus's names."""
    result = run_program(PROGRAM + STREAMING % "TelemetryConfig(prometheus_port=0)")
    assert (result.returncode, result.stdout, result.stderr) == (0, "3.0 12.0 15.0\n", "")


def test_the_standard_variables_switch_it_on(run_program: RunProgram) -> None:
    """`OTEL_METRICS_EXPORTER=prometheus` does, with a host and a port."""
    result = run_program(
        PROGRAM + STREAMING % "" + "print(url.rpartition(':')[0])",
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="localhost",
        OTEL_EXPORTER_PROMETHEUS_PORT="0",
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "3.0 12.0 15.0\nhttp://localhost\n"


def test_arguments_win_over_variables(run_program: RunProgram) -> None:
    """What the config says is taken, whatever the variables say."""
    config = "TelemetryConfig(prometheus_port=0, prometheus_host='127.0.0.1')"
    result = run_program(
        PROGRAM + STREAMING % config,
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="203.0.113.1",
        OTEL_EXPORTER_PROMETHEUS_PORT="1",
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "3.0 12.0 15.0\n", "")


def test_it_ends_with_telemetry(run_program: RunProgram) -> None:
    """After a shutdown nobody listens, and the port can be taken again."""
    code = """
for _ in range(2):
    with configure(TelemetryConfig(prometheus_port=port)) as telemetry:
        url = telemetry.scrape_url
        scrape(url)
        port = int(url.split(":")[2].split("/")[0])
    try:
        scrape(url)
    except urllib.error.URLError:
        print("gone")
    break
with configure(TelemetryConfig(prometheus_port=port)) as telemetry:
    print(telemetry.scrape_url == url)
"""
    result = run_program(PROGRAM + "port = 0" + code)
    assert (result.returncode, result.stdout) == (0, "gone\nTrue\n"), result.stderr


def test_an_application_s_own_provider_can_be_scraped(run_program: RunProgram) -> None:
    """Its own metrics are there too; its other readers go on when the endpoint ends."""
    before = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
metrics.set_meter_provider(provider)
cats = provider.get_meter("app").create_counter("cats")
"""
    after = """
    cats.add(2)
    print(scrape(url)["cats_total"])
try:
    scrape(url)
except urllib.error.URLError:
    print("gone", reader.get_metrics_data() is not None)
"""
    code = PROGRAM + before + STREAMING % "TelemetryConfig(prometheus_port=0)" + after
    result = run_program(code)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "3.0 12.0 15.0\n2.0\ngone True\n"


def test_scrapes_at_once_are_all_complete(run_program: RunProgram) -> None:
    """Several servers may scrape one program: each gets each sample once."""
    code = """
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
sys.setswitchinterval(1e-5)

def samples(url):
    text = urllib.request.urlopen(url, timeout=30).read().decode()
    return [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]

with configure(TelemetryConfig(prometheus_port=0)) as telemetry:
    for number in range(50):
        model = EchoChatModel(model_name=f"echo-{number}")
        model.invoke("Meow!", {"callbacks": [telemetry.handler()]})
    whole = sorted(samples(telemetry.scrape_url))
    assert len(set(whole)) == len(whole) > 50 * 15
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(samples, [telemetry.scrape_url] * 24):
            assert sorted(found) == whole
"""
    result = run_program(PROGRAM + code)
    assert (result.returncode, result.stderr) == (0, "")


def test_without_the_extra_it_is_named(run_program: RunProgram) -> None:
    """The error says what asked for the endpoint, and what to install."""
    code = """
import sys
sys.modules["prometheus_client"] = None
from nodespan.telemetry import ConfigurationError, TelemetryConfig, configure
try:
    configure(%s)
except ConfigurationError as error:
    print(error)
"""
    result = run_program(code % "", OTEL_METRICS_EXPORTER="prometheus")
    assert "OTEL_METRICS_EXPORTER asks for a Prometheus endpoint" in result.stdout
    assert "pip install 'nodespan[prometheus]'" in result.stdout
    result = run_program(code % "TelemetryConfig(prometheus_port=0)")
    assert "prometheus_port asks for a Prometheus endpoint" in result.stdout


def test_a_port_that_is_taken_is_named(run_program: RunProgram) -> None:
    """The error has the address and the variables that change it."""
    code = """
import socket
taken = socket.create_server(("127.0.0.1", 0))
port = taken.getsockname()[1]
try:
    configure(TelemetryConfig(prometheus_port=port))
except Exception as error:
    print(type(error).__name__, str(error).replace(str(port), "PORT"))
"""
    result = run_program(PROGRAM + code)
    assert result.stdout.startswith(
        "ConfigurationError a Prometheus endpoint cannot listen on 127.0.0.1:PORT ("
    )
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" in result.stdout


@pytest.mark.parametrize("port", ["http", "-1", "65536", "9464.5"])
def test_a_port_must_be_one(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    """A port that cannot be one is refused by its variable's name, or its argument's."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", port)
    with pytest.raises(ConfigurationError, match=f"OTEL_EXPORTER_PROMETHEUS_PORT is '{port}'"):
        configure()
    wrong: Any = port
    with pytest.raises(ConfigurationError, match=f"prometheus_port is '{port}'"):
        configure(TelemetryConfig(prometheus_port=wrong))


def _asked(port: int, host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics", headers={"Host": host})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.usefixtures("providers_put_back")
@pytest.mark.parametrize(
    ("given", "variable", "told"),
    [
        (None, "", [421, 421, 200]),
        (["my-service", "My-Service.ns.svc"], "", [200, 200, 200]),
        (None, " my-service , other", [200, 421, 200]),
        (["*"], "", [200, 200, 200]),
        ([], "my-service", [421, 421, 200]),
    ],
)
@pytest.mark.slow
def test_who_scrapes_by_a_name_says_so(
    given: Any, variable: str, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default an endpoint answers to its own names; an argument or a variable adds some."""
    monkeypatch.setenv("NODESPAN_PROMETHEUS_NAMES", variable)
    with configure(TelemetryConfig(prometheus_port=0, prometheus_names=given)) as telemetry:
        port = int(telemetry.scrape_url.rsplit(":", 1)[1].split("/")[0])
        hosts = ["my-service:9464", "my-service.ns.svc.", "localhost"]
        assert [_asked(port, host) for host in hosts] == told


@pytest.mark.parametrize("names", ["my-service", ["http://my-service"], ["a b"], [""], [3], 3])
def test_what_is_no_name_of_a_host_is_refused(names: Any) -> None:
    """The error names it, and says what would do."""
    with pytest.raises(ConfigurationError, match=r"prometheus_names is .*without scheme and port"):
        configure(TelemetryConfig(prometheus_names=names))

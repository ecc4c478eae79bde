"""Who does the work: nobody's telemetry, a handler that does nothing, nodespan, and its peers.

The peers are used where they are installed; none of them is a dependency. They patch LangChain
for the whole process, so each has a process of its own, which this module also serves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Self

from langgraph.callbacks import GraphCallbackHandler
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from nodespan.telemetry import CaptureContent, OpenTelemetryCallbackHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler

BARE: Final = "bare"
FLOOR: Final = "floor"
OURS: Final = "nodespan"
NOT_SAMPLED: Final = "nodespan, not sampled and without metrics"
WITH_CONTENT: Final = "nodespan, with content"

_IMPORTED_BEFORE: Final = "import langgraph.graph, opentelemetry.sdk.trace"


class DoNothing(GraphCallbackHandler):
    """The least that a handler can do: it is told of everything, in the caller's own thread."""

    run_inline = True

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        """Do nothing; the class above would raise, and LangChain then tell a completion model."""


class _Dropping(SpanProcessor):
    """Drops spans."""


class _NotExporting(SpanExporter):
    """Takes spans, and sends them nowhere."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take spans."""
        del spans
        return SpanExportResult.SUCCESS


def here(name: str) -> RunnableConfig:
    """Return the config with which one that patches nothing does its work in this process."""
    if name == BARE:
        return {}
    if name == FLOOR:
        return {"callbacks": [DoNothing()]}
    return {"callbacks": [_HANDLERS[name]()]}


def dropping_provider(sampler: Sampler = ALWAYS_ON) -> TracerProvider:
    """Return a provider that makes spans and drops them."""
    tracers = TracerProvider(sampler, shutdown_on_exit=False)
    tracers.add_span_processor(_Dropping())
    return tracers


def _providers() -> dict[str, Any]:
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    return {"tracer_provider": dropping_provider(), "meter_provider": meters}


def _not_sampled() -> OpenTelemetryCallbackHandler:
    tracers, meters = dropping_provider(ALWAYS_OFF), NoOpMeterProvider()
    return OpenTelemetryCallbackHandler(tracer_provider=tracers, meter_provider=meters)


def _with_content() -> OpenTelemetryCallbackHandler:
    return OpenTelemetryCallbackHandler(**_providers(), capture_content=CaptureContent.SPAN_ONLY)


_HANDLERS: Final = {
    OURS: lambda: OpenTelemetryCallbackHandler(**_providers()),
    NOT_SAMPLED: _not_sampled,
    WITH_CONTENT: _with_content,
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Another tracer of LangChain.

    Attributes:
        name: for short.
        distribution: that it is installed as.
        module: that a program imports to use it.
        switch_on: given that module, switches it on, and returns the config to work with.
    """

    name: str
    distribution: str
    module: str
    switch_on: Callable[[Any], RunnableConfig]

    @property
    def is_installed(self) -> bool:
        """Whether it is there, and can be imported."""
        try:
            version(self.distribution)
            import_module(self.module)
        except (PackageNotFoundError, ImportError):
            return False
        return True


def _instrument(module: Any) -> RunnableConfig:
    module.LangChainInstrumentor().instrument(**_providers())
    return {}


def _instrument_traceloop(module: Any) -> RunnableConfig:
    module.LangchainInstrumentor().instrument(**_providers())
    return {}


def _langfuse(module: Any) -> RunnableConfig:
    import_module("langfuse").Langfuse(
        public_key="pk",
        secret_key="sk",  # noqa: S106 - of nobody
        base_url="http://127.0.0.1:9",
        span_exporter=_NotExporting(),
        tracer_provider=TracerProvider(shutdown_on_exit=False),
    )
    return {"callbacks": [module.CallbackHandler()]}


PEERS: Final = (
    Peer(
        "official",
        "opentelemetry-instrumentation-genai-langchain",
        "opentelemetry.instrumentation.genai.langchain",
        _instrument,
    ),
    Peer(
        "openinference",
        "openinference-instrumentation-langchain",
        "openinference.instrumentation.langchain",
        _instrument,
    ),
    Peer(
        "traceloop",
        "opentelemetry-instrumentation-langchain",
        "opentelemetry.instrumentation.langchain",
        _instrument_traceloop,
    ),
    Peer("langfuse", "langfuse", "langfuse.langchain", _langfuse),
)


def _config_of(name: str) -> RunnableConfig:
    for peer in PEERS:
        if peer.name == name:
            return peer.switch_on(import_module(peer.module))
    return here(name)


def serve(name: str, measure: Callable[[str, RunnableConfig], float]) -> None:
    """Be a contestant's process: measure each piece of work that standard input asks for."""
    config = _config_of(name)
    answer(lambda work: measure(work, config))


def answer(measure: Callable[[str], float]) -> None:
    """Measure each piece of work that standard input asks for."""
    for line in sys.stdin:
        sys.stdout.write(f"{measure(line.strip())}\n")
        sys.stdout.flush()


class Elsewhere:
    """A contestant that works in a process of its own.

    Args:
        command: that serves it.
    """

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def measure(self, work: str) -> float:
        """Return what it has measured of a piece of work."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(f"{work}\n")
        asked.flush()
        return float(told.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


def import_seconds(statement: str) -> float:
    """Return the CPU time of an import after LangGraph and the SDK, in a new process.

    What is compiled once is compiled, as it is wherever programs are installed.
    """
    program = (
        f"{_IMPORTED_BEFORE}\nimport time\nstarted = time.process_time()\n"
        f"{statement}\nprint(time.process_time() - started)"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    return float(printed.stdout)

"""Code of the application's that telemetry calls: nothing but an interrupt leaves it."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.tools import tool
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler

from nodespan.model import EchoChatModel
from nodespan.telemetry import OpenTelemetryCallbackHandler
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class OwnExit(BaseException):
    """An exception that is no `Exception`."""


class Raising:
    """Raises whatever is done with it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __repr__ = __str__

    def __getattr__(self, name: str) -> Any:
        raise self.error


class RaisingError(ValueError):
    """An error that cannot be told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


class Processor(SpanProcessor):
    """Raises at the start, or at the end, of a span."""

    def __init__(self, error: BaseException, *, at_end: bool) -> None:
        self.error = error
        self.at_end = at_end

    def on_start(self, *_: Any, **__: Any) -> None:
        """Raise."""
        if not self.at_end:
            raise self.error

    def on_end(self, *_: Any, **__: Any) -> None:
        """Raise."""
        if self.at_end:
            raise self.error


class Emitting(LogRecordProcessor):
    """Raises at every record."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_emit(self, *_: Any, **__: Any) -> None:
        """Raise."""
        raise self.error

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, *_: Any) -> bool:
        """Do nothing."""
        return True


class Choosing(Sampler):
    """Raises at every span."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def should_sample(self, *_: Any, **__: Any) -> Any:
        """Raise."""
        raise self.error

    def get_description(self) -> str:
        """Describe it."""
        return "raises"


def handler(**settings: Any) -> OpenTelemetryCallbackHandler:
    """Make a handler with everything on and providers of its own."""
    given: dict[str, Any] = {
        "tracer_provider": TracerProvider(),
        "meter_provider": MeterProvider(),
        "logger_provider": LoggerProvider(),
        "capture_content": "SPAN_AND_EVENT",
        "log_events": True,
        "metadata_keys": ["m"],
    }
    return OpenTelemetryCallbackHandler(**{**given, **settings})


def echo(made: OpenTelemetryCallbackHandler, **config: Any) -> str:
    """Ask a model, by a stream."""
    given: Any = {"callbacks": [made], **config}
    return "".join(chunk.text for chunk in EchoChatModel().stream("Hi", given))


def redacting(error: BaseException) -> str:
    """Redact by raising."""

    def redact(_name: str, _value: Any) -> Any:
        raise error

    return echo(handler(redact=redact))


def logging_handler(error: BaseException) -> str:
    """Log to a handler that raises."""

    class Loud(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            raise error

    logger, loud = logging.getLogger("nodespan"), Loud()
    level = logger.level
    logger.addHandler(loud)
    logger.setLevel(logging.DEBUG)
    try:
        return echo(handler())
    finally:
        logger.removeHandler(loud)
        logger.setLevel(level)


def processing(error: BaseException, *, at_end: bool) -> str:
    """Trace to a processor that raises."""
    provider = TracerProvider()
    provider.add_span_processor(Processor(error, at_end=at_end))
    return echo(handler(tracer_provider=provider))


def emitting(error: BaseException) -> str:
    """Log records to a processor that raises."""
    provider = LoggerProvider()
    provider.add_log_record_processor(Emitting(error))
    return echo(handler(logger_provider=provider))


def failing(error: BaseException) -> str:
    """Fail with an error that cannot be told."""

    @tool
    def look() -> str:
        """Look."""
        raise RaisingError(error)

    with pytest.raises(RaisingError):
        look.invoke({}, {"callbacks": [handler()]})
    return "Hi"


def returning(error: BaseException) -> str:
    """Return what cannot be read."""

    @tool
    def look() -> Any:
        """Look."""
        return {"a": Raising(error)}

    assert type(look.invoke({}, {"callbacks": [handler()]})["a"]) is Raising
    return "Hi"


DOING: dict[str, Callable[[BaseException], str]] = {
    "redact": redacting,
    "logging": logging_handler,
    "processor's start": lambda error: processing(error, at_end=False),
    "processor's end": lambda error: processing(error, at_end=True),
    "record processor": emitting,
    "sampler": lambda error: echo(handler(tracer_provider=TracerProvider(Choosing(error)))),
    "metadata": lambda error: echo(handler(), metadata={"m": Raising(error)}),
    "error": failing,
    "result": returning,
}


@pytest.fixture(params=DOING.values(), ids=DOING)
def use(request: pytest.FixtureRequest) -> Iterator[Callable[[BaseException], str]]:
    """Give a way to have telemetry call code of the application's."""
    return request.param  # type: ignore[no-any-return]  # of the table


@pytest.mark.parametrize("error", [SystemExit(3), OwnExit(), ValueError(), MemoryError()], ids=repr)
def test_what_it_raises_reaches_nobody(
    use: Callable[[BaseException], str], error: BaseException
) -> None:
    """An exit that telemetry's own caller did not ask for is none of the application's."""
    assert use(error) == "Hi"


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), CancelledError(), GeneratorExit()], ids=repr
)
def test_an_interrupt_passes(error: BaseException) -> None:
    """From wherever it comes; the run that it has kept from going on ends."""

    def redact(_name: str, _value: Any) -> Any:
        raise error

    with capture_spans(capture_content="SPAN_ONLY", redact=redact) as captured:
        with pytest.raises(type(error)):
            echo(captured.handler)
        assert captured.handler.open_runs == 0
    assert len(captured.spans) == 1


def test_other_signals_go_on() -> None:
    """What a processor of spans raises costs no metric and no log line."""
    provider = TracerProvider()
    provider.add_span_processor(Processor(SystemExit(3), at_end=True))
    made = handler(tracer_provider=provider)
    echo(made)
    assert made.diagnostics.counts == {"span could not be ended": 1}
    assert made.open_runs == 0

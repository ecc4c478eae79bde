"""OpenTelemetry as it is set up for a process: what it sends, and how it ends."""

from __future__ import annotations

import atexit
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from .._diagnostics import Diagnostics
from .._handler.callbacks import OpenTelemetryCallbackHandler
from .._process import Locked
from .._providers import note_shutdown
from .._settings.configured import forget, remember
from .._settings.record import HandlerSettings
from .exporting import flushed, shut_down
from .relay import relay_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from opentelemetry import trace
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    from .._settings.config import TelemetryConfig
    from .exporting import CountingProcessor
    from .journal import ProcessJournal
    from .logs import Logs
    from .metrics import ProcessMetrics

_DEFAULT_TIMEOUT = 10.0
# The exit of a program that has not called `shutdown` waits so long; with what it has to say of
# what it left, two seconds at most.
_SECONDS_AT_EXIT = 1.6
_LEAST_SECONDS_AT_EXIT = 0.2
# Of the time of a shutdown the journal sends in this part; in the rest it lets go of its file.
_SENT_IN = 0.9
_UNRECORDED = "could not be written into the journal"


@runtime_checkable
class _FlushableProvider(Protocol):
    def force_flush(self, timeout_millis: int = ...) -> bool:
        """Export what waits."""


class _StoppableProvider(Protocol):
    def shutdown(self) -> object:
        """Export what waits, and end."""


class Telemetry(Locked):
    """OpenTelemetry as it is set up for this process; as a context manager, until the exit.

    Args:
        tracer_provider: makes the spans.
        config: of the handler, checked.
        owned: the provider again, where `configure` made it and is to shut it down.
        processors: of that provider, which send spans.
        journal: where spans are recorded; None where they are not.
        logs: where log records go; None where none are asked for.
        metrics: where metrics go; None where there is no place for them.
    """

    def __init__(  # noqa: PLR0913 - three signals, and what traces need
        self,
        tracer_provider: trace.TracerProvider,
        config: TelemetryConfig,
        owned: TracerProvider | None = None,
        processors: Sequence[CountingProcessor] = (),
        *,
        journal: ProcessJournal | None = None,
        logs: Logs | None = None,
        metrics: ProcessMetrics | None = None,
    ) -> None:
        super().__init__()
        self.tracer_provider = tracer_provider
        self._config = config
        self._handler: OpenTelemetryCallbackHandler | None = None
        self._owned = owned
        self._is_shut_down = False
        self._processors = processors
        self._journal = journal
        self._logs = logs
        self._metrics = metrics
        remember(config)
        atexit.register(self._leave)

    @property
    def meter_provider(self) -> MeterProvider | None:
        """What takes metrics; None where they go nowhere."""
        return self._metrics.provider if self._metrics is not None else None

    @property
    def scrape_url(self) -> str | None:
        """Where Prometheus may fetch the metrics; None where it may not."""
        return self._metrics.scrape_url if self._metrics is not None else None

    @property
    def logger_provider(self) -> LoggerProvider | None:
        """What takes log records, for `configure_logging`; None where they go nowhere."""
        return self._logs.provider if self._logs is not None else None

    @property
    def journal_path(self) -> Path | None:
        """The file that spans are recorded in; None where they are not."""
        is_used = self._journal is not None and self._journal.is_used
        return self._journal.path if self._journal is not None and is_used else None

    @property
    def unsent(self) -> int:
        """How many spans no endpoint has taken: those that wait, and those that were dropped.

        It goes down only when they arrive. Without an endpoint nothing is to be sent.
        """
        relay = relay_of(self.tracer_provider) if self._sends else None
        late = relay.unsent if relay is not None else 0
        recorded = self._journal.unsent if self._journal is not None else 0
        return late + recorded + sum(processor.unsent for processor in self._processors)

    @property
    def unsent_log_records(self) -> int:
        """How many log records no endpoint has taken, as above."""
        recorded = self._journal.unsent_log_records if self._journal is not None else 0
        processors = self._logs.processors if self._logs is not None else ()
        return recorded + sum(processor.unsent for processor in processors)

    def handler(self) -> OpenTelemetryCallbackHandler:
        """Return the callback handler of this process; the same one each time."""
        with self._lock:
            if self._handler is None:
                self._handler = OpenTelemetryCallbackHandler.of(self._handler_settings)
            return self._handler

    def instrument(self) -> OpenTelemetryCallbackHandler:
        """Trace every call of LangChain and LangGraph in this process, with this handler.

        It does as `nodespan.telemetry.instrument` does, with the settings and providers that are
        set up here; `uninstrument` ends it.
        """
        # Imported late: it wraps what a handler alone does without.
        from .._instrument.process import instrument_with  # noqa: PLC0415

        return instrument_with(self._handler_settings, self.handler)

    @property
    def _handler_settings(self) -> HandlerSettings:
        return HandlerSettings.of(
            self._config,
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            logger_provider=self.logger_provider,
        )

    def flush(self, timeout: float = _DEFAULT_TIMEOUT) -> bool:
        """Send what is waiting to be sent.

        Args:
            timeout: how long that may take, in seconds.

        Returns:
            Whether all that had ended was taken, within that time: by the endpoint where there is
            one, by the journal where there is none.
        """
        owners: tuple[object, ...] = (self.tracer_provider, self.logger_provider)
        flushes: list[Callable[[], object]] = [
            partial(provider.force_flush, max(int(timeout * 1000), 1))
            for provider in owners
            if isinstance(provider, _FlushableProvider)
        ]
        if self._metrics is not None:
            flushes.append(self._metrics.flush)
        if self._journal is not None:
            flushes.append(partial(self._journal.flush, timeout))
        deadline, had_journal = monotonic() + timeout, self.journal_path is not None
        is_flushed = flushed(flushes, timeout)
        if had_journal and self.journal_path is None:
            # What takes the spans instead was perhaps flushed before it had them.
            is_flushed = flushed(flushes, max(deadline - monotonic(), 0))
        return is_flushed and not self.unsent and not self.unsent_log_records

    def shutdown(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        """End open runs, send what is waiting, and stop; a provider of the application goes on.

        Args:
            timeout: how long sending may take, in seconds; `unsent` says what was not taken.
        """
        if self._handler is not None:
            self._handler.close()
        if self._is_shut_down:
            return
        self._is_shut_down = True
        forget(self._config)
        atexit.unregister(self._leave)
        if self._metrics is not None:
            self._metrics.take_back()
        owned = [provider for provider in self._owned_providers() if provider is not None]
        stops: list[Callable[[], object]] = [provider.shutdown for provider in owned]
        if self._journal is not None:
            stops.append(partial(self._journal.stop, timeout * _SENT_IN))
        note_shutdown(owned)
        shut_down(stops, list(self._ways_to_give_up()), timeout)

    def _owned_providers(self) -> tuple[_StoppableProvider | None, ...]:
        logs = self._logs.owned if self._logs is not None else None
        metrics = self._metrics.owned if self._metrics is not None else None
        return self._owned, logs, metrics

    def _ways_to_give_up(self) -> Iterator[Callable[[], object]]:
        """Yield what has each exporter give up what it is trying."""
        for processor in self._processors:
            yield processor.exporter.shutdown
        for log_processor in self._logs.processors if self._logs is not None else ():
            yield log_processor.exporter.shutdown
        for exporter in self._metrics.exporters if self._metrics is not None else ():
            yield exporter.shutdown

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    @property
    def dropped(self) -> int:
        """How many spans were dropped before the journal, or an endpoint from it, had them."""
        return self._journal.dropped if self._journal is not None else 0

    @property
    def backlog_age(self) -> float:
        """How long the oldest span waits in the journal for the endpoint, in seconds."""
        return self._journal.backlog_age if self._journal is not None else 0.0

    @property
    def sends(self) -> bool:
        """Whether spans are sent, or recorded."""
        return self._sends or self._journal is not None

    @property
    def _sends(self) -> bool:
        is_spooled = self._journal is not None and self._journal.sends
        return is_spooled or bool(self._processors)

    def _leave(self) -> None:
        """End with a program that has not said when: soon, and with a line of what it leaves."""
        journal, before = self._journal, monotonic()
        if self._handler is not None:
            self._handler.close()
        if journal is not None:
            journal.finish()
        self.shutdown(max(_SECONDS_AT_EXIT - (monotonic() - before), _LEAST_SECONDS_AT_EXIT))
        spans, records = self.unsent, self.unsent_log_records
        owed = min(journal.owed, spans) if journal is not None and journal.sends else 0
        owed_records = records if journal is not None and journal.sends else 0
        fates = (
            (_counted(owed, owed_records), "wait in the journal for the next program"),
            (_counted(spans - owed, records - owed_records), "were not sent"),
            (_counted(journal.unrecorded if journal is not None else 0, 0), _UNRECORDED),
        )
        left = [f"{what} {fate}" for what, fate in fates if what]
        if left:
            Diagnostics().report(f"{', and '.join(left)}: the program has ended")


def _counted(spans: int, log_records: int) -> str:
    counts = ((spans, "spans"), (log_records, "log records"))
    return " and ".join(f"{count} {what}" for count, what in counts if count)

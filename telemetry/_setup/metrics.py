"""Sets OpenTelemetry metrics up for a process, where there is a place for them to go."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    PeriodicExportingMetricReader,
)

from .._providers import is_stand_in, was_shut_down
from .._scraping.endpoint import scrape_address, scrape_endpoint
from .._settings.config import TelemetryConfig, otlp_endpoint, sends_otlp
from .._settings.variables import Signal, exporter_names
from .._upstream.opentelemetry import add_metric_reader, preferences_of, remove_metric_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource

_EXPORTER_LOG: Final = "opentelemetry.exporter.otlp.proto.http.metric_exporter"
# How a receiver says that it takes no metrics.
_NOT_HERE: Final = (404, 405, 501)


class QuietMetricExporter(MetricExporter):
    """Passes metrics on to another exporter, and logs no more than a line of what fails.

    Many receivers take traces only: an endpoint that was given for all signals shall not fill
    the log with that. Such a receiver is asked once.

    Args:
        exporter: sends the metrics.
        temporality: that it prefers.
        aggregation: that it prefers.
        is_asked_for: whether metrics are to be sent there whatever the receiver says.
    """

    def __init__(
        self, exporter: MetricExporter, temporality: Any, aggregation: Any, *, is_asked_for: bool
    ) -> None:
        super().__init__(temporality, aggregation)
        self._exporter = exporter
        self._is_refused = False
        self._is_shut_down = False
        if not is_asked_for:  # the exporter says only in its log why it failed
            logging.getLogger(_EXPORTER_LOG).addFilter(self._passes)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Send metrics."""
        if self._is_refused:
            return MetricExportResult.SUCCESS
        try:
            return self._exporter.export(metrics_data, timeout_millis, **kwargs)
        except OSError as error:  # of a connection, before OpenTelemetry 1.40
            log = logging.getLogger(_EXPORTER_LOG)
            log.error("Failed to export metrics batch: %s", error)  # noqa: TRY400 - a line is enough
            return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what the exporter holds back."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop; a request that is being tried again is given up."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._exporter.shutdown(timeout_millis, **kwargs)
            logging.getLogger(_EXPORTER_LOG).removeFilter(self._passes)

    def _passes(self, record: logging.LogRecord) -> bool:
        match record.args:
            case (_, int(status), _) | (int(status), _) if status in _NOT_HERE:
                self._is_refused = True
                record.levelno, record.levelname = logging.INFO, "INFO"
        return True


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """OpenTelemetry metrics as they are set up for this process.

    Attributes:
        provider: takes the metrics.
        owned: the provider again, where it was made here and is to be shut down.
        exporters: of that provider.
        lent: the readers that were given to a provider of the application's.
        scrape_url: where Prometheus may fetch the metrics; None where it may not.
    """

    provider: metrics.MeterProvider
    owned: MeterProvider | None = None
    exporters: tuple[MetricExporter, ...] = ()
    lent: tuple[MetricReader, ...] = ()
    scrape_url: str | None = None

    def flush(self) -> None:
        """Have the readers collect and send."""
        if isinstance(self.provider, MeterProvider):
            # It raises what its exporters have logged.
            with suppress(Exception):
                self.provider.force_flush()

    def take_back(self) -> None:
        """Take the readers back from the application's provider, and shut them down."""
        if isinstance(self.provider, MeterProvider):
            for reader in self.lent:
                remove_metric_reader(self.provider, reader)


def set_up_metrics(
    config: TelemetryConfig,
    resource: Resource,
    readers: Sequence[MetricReader],
    environ: Mapping[str, str],
    console: TextIO,
) -> ProcessMetrics | None:
    """Return the application's meter provider, or set one, where there is a place for metrics.

    Args:
        config: what the variables do not say, or shall not.
        resource: whose metrics they are.
        readers: read them too.
        environ: the variables.
        console: where they are shown, if they are to be.

    Raises:
        ConfigurationError: a scrape endpoint is asked for that cannot be.
    """
    provider = metrics.get_meter_provider()
    follows = was_shut_down(provider)
    is_missing = is_stand_in(provider) and not isinstance(provider, metrics.NoOpMeterProvider)
    if not is_missing and not follows:
        return _lend(provider, config, readers, environ)
    exporters = tuple(_otlp_exporters(config, environ))
    shown = "console" in exporter_names(Signal.METRICS, environ)
    sent = [*exporters, *([ConsoleMetricExporter(out=console)] if shown else [])]
    scraped, url = _scraped(config, environ)
    own = [*map(PeriodicExportingMetricReader, sent), *scraped, *readers]
    if not own:
        return None
    made = MeterProvider(own, resource, shutdown_on_exit=False)
    if not follows:
        metrics.set_meter_provider(made)
    return ProcessMetrics(made, made, exporters, scrape_url=url)


def _lend(
    provider: metrics.MeterProvider,
    config: TelemetryConfig,
    readers: Sequence[MetricReader],
    environ: Mapping[str, str],
) -> ProcessMetrics:
    """Give the application's provider what was asked for in the program itself."""
    if not isinstance(provider, MeterProvider):
        return ProcessMetrics(provider)
    scraped, url = _scraped(config, environ) if config.prometheus_port is not None else ([], None)
    lent = (*scraped, *readers)
    for reader in lent:
        add_metric_reader(provider, reader)
    return ProcessMetrics(provider, lent=lent, scrape_url=url)


def _scraped(
    config: TelemetryConfig, environ: Mapping[str, str]
) -> tuple[list[MetricReader], str | None]:
    is_chosen = "prometheus" in exporter_names(Signal.METRICS, environ)
    if config.prometheus_port is None and not is_chosen:
        return [], None
    host, port = scrape_address(config.prometheus_host, config.prometheus_port, environ)
    source = "prometheus_port" if not is_chosen else Signal.METRICS.exporter_variable
    reader, url = scrape_endpoint(source, host, port, config.prometheus_names or ())
    return [reader], url


def _otlp_exporters(
    config: TelemetryConfig, environ: Mapping[str, str]
) -> Iterator[MetricExporter]:
    if not sends_otlp(Signal.METRICS, config, environ):
        return
    # Imported late: it brings an HTTP client that most programs do without.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter,
    )

    headers = dict(config.headers) if config.headers is not None else None
    exporter = OTLPMetricExporter(otlp_endpoint(Signal.METRICS, config), headers=headers)
    own_variable, _ = Signal.METRICS.otlp_variables("ENDPOINT")
    is_asked_for = bool(environ.get(own_variable) or exporter_names(Signal.METRICS, environ))
    preferred = preferences_of(exporter)
    if preferred is None:
        yield exporter
    else:
        yield QuietMetricExporter(exporter, *preferred, is_asked_for=is_asked_for)

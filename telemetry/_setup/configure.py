"""Sets OpenTelemetry up for a process."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from .._content.capture import CaptureContent
from .._settings.checks import capable_of
from .._settings.config import (
    TelemetryConfig,
    checked,
    sends_otlp,
)
from .._settings.journal import journal_path
from .._settings.slips import warn_of_slips
from .._settings.variables import (
    Signal,
    emits_inference_details,
    exporter_names,
    is_disabled,
)
from .._upstream.opentelemetry import has_logs
from .relay import provider_in_use, put_to_use, relay_of
from .telemetry import Telemetry
from .traces import ProcessorProvider, print_traces, prints, resource_of, send, tracer_provider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from opentelemetry import trace
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from .exporting import CountingProcessor
    from .journal import ProcessJournal
    from .logs import Logs
    from .metrics import ProcessMetrics


def configure(
    config: TelemetryConfig | None = None,
    *,
    span_processors: Sequence[SpanProcessor] = (),
    metric_readers: Sequence[MetricReader] = (),
    console: TextIO | None = None,
) -> Telemetry:
    """Set OpenTelemetry up from a config and the standard `OTEL_*` variables.

    A tracer provider that the application has set before stays as it is, but for the
    *span_processors* that are added to it; so does a meter provider, but for *metric_readers* and
    for a scrape endpoint that the config asks for; a logger provider stays as it is. Without an
    endpoint nothing is sent anywhere.

    What was set up here and shut down can be set up anew: then spans of the application's tracers
    take the new way too, while its own meters and loggers stay with the providers that they had.

    Args:
        config: what the variables do not say, or shall not.
        span_processors: get every span, beside the exporter.
        metric_readers: collect the metrics, beside the exporter.
        console: what `console` exporters and printed traces are written to; by default what is
            `sys.stdout` at the time.

    Raises:
        ConfigurationError: a setting has a value that cannot work.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    config = checked(config, os.environ)
    warn_of_slips()
    _check(span_processors, metric_readers)
    resource = resource_of(config)
    console = console if console is not None else sys.stdout
    metrics = _metrics(config, resource, metric_readers, os.environ, console)
    provider = provider_in_use()
    processors: list[CountingProcessor] = []
    journal = _journal(config, provider, processors)
    logs = _logs(config, resource, os.environ, console, journal)
    if provider is None:
        if journal is None:
            send(config, processors)
        made = tracer_provider(config, resource, processors)
        telemetry = Telemetry(
            made, config, made, processors, journal=journal, logs=logs, metrics=metrics
        )
        put_to_use(made)
    else:
        telemetry = Telemetry(provider, config, journal=journal, logs=logs, metrics=metrics)
    _observe(telemetry, metrics)
    if prints(config, is_own=provider is None):
        print_traces(telemetry.tracer_provider, console)
    if journal is not None:
        span_processors = (journal.processor, *span_processors)
    _add_processors(telemetry.tracer_provider, span_processors)
    return telemetry


def _check(span_processors: Sequence[object], metric_readers: Sequence[object]) -> None:
    for processor in span_processors:
        capable_of("a span processor", processor, "on_end", "a SpanProcessor of the SDK's")
    for reader in metric_readers:
        capable_of("a metric reader", reader, "collect", "a MetricReader of the SDK's")


def _add_processors(provider: trace.TracerProvider, processors: Sequence[SpanProcessor]) -> None:
    if isinstance(provider, ProcessorProvider):
        for each in processors:
            provider.add_span_processor(each)


def _observe(telemetry: Telemetry, metrics: ProcessMetrics | None) -> None:
    """Measure telemetry itself, where it sends and there are metrics."""
    if metrics is not None and telemetry.sends:
        # Imported late, with the metrics.
        from .observing import observe  # noqa: PLC0415

        observe(telemetry, metrics.provider)


def _journal(
    config: TelemetryConfig,
    provider: trace.TracerProvider | None,
    processors: list[CountingProcessor],
) -> ProcessJournal | None:
    """Set the journal up, where it is asked for, or nothing else takes the spans."""
    sends = sends_otlp(Signal.TRACES, config, os.environ)
    is_alone = provider is None and not sends
    by_default = is_alone and "none" not in exporter_names(Signal.TRACES, os.environ)
    path = journal_path(config.journal, by_default=by_default)
    if path is None or is_disabled(os.environ) or relay_of(provider) is not None:
        return None
    # Imported late: a program without a journal does without SQLite.
    from .journal import set_up_journal  # noqa: PLC0415

    otherwise = partial(send, config, processors) if provider is None else lambda: None
    return set_up_journal(
        config, path, os.environ, otherwise=otherwise, sends=sends and provider is None
    )


def _logs(
    config: TelemetryConfig,
    resource: Resource,
    environ: Mapping[str, str],
    console: TextIO,
    journal: ProcessJournal | None,
) -> Logs | None:
    capture = CaptureContent.named("capture_content", config.capture_content)
    chosen = exporter_names(Signal.LOGS, environ)
    is_asked_for = config.log_events or emits_inference_details(capture, environ) or chosen
    if not (is_asked_for and has_logs()):
        return None
    # Imported late: most programs do without logs.
    from .logs import set_up_logs  # noqa: PLC0415

    spool = journal if journal is not None and journal.sends else None
    return set_up_logs(config, resource, environ, console, spool)


def _metrics(
    config: TelemetryConfig,
    resource: Resource,
    readers: Sequence[MetricReader],
    environ: Mapping[str, str],
    console: TextIO,
) -> ProcessMetrics | None:
    chosen = exporter_names(Signal.METRICS, environ) or sends_otlp(Signal.METRICS, config, environ)
    is_asked_for = chosen or readers or config.prometheus_port is not None
    if not is_asked_for or is_disabled(environ):
        return None
    # Imported late: many programs do without metrics.
    from .metrics import set_up_metrics  # noqa: PLC0415

    return set_up_metrics(config, resource, readers, environ, console)

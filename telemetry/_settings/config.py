"""Telemetry's settings, from arguments and from the standard `OTEL_*` variables (pure)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from .._content.capture import CaptureContent
from .checks import as_given, capable_of, days, headers, host_names, of_kind, switch
from .journal import DEFAULT_MAX_BYTES, DEFAULT_MAX_DAYS, journal, max_bytes
from .journal import VARIABLE as JOURNAL_VARIABLE
from .keywords import lists_itself
from .record import Settings, Variable, setting
from .texts import switch_named
from .variables import (
    Signal,
    check_endpoint,
    check_variables,
    emits_inference_details,
    exporter_names,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from os import PathLike

    from opentelemetry.sdk.trace.sampling import Sampler

HOST_NAMES_VARIABLE: Final = "NODESPAN_PROMETHEUS_NAMES"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


@lists_itself
@dataclass(frozen=True, slots=True)
class TelemetryConfig(Settings):
    """What `configure` sets up; what is left out, the standard variables say.

    Args:
        settings: each by its keyword.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """

    service_name: str | None = setting(
        None,
        "of the resource; by default what `OTEL_SERVICE_NAME` says",
        partial(of_kind, kind=str, what="a text"),
        unset="unknown_service:python",
    )
    endpoint: str | None = setting(
        None,
        "base URL of an OTLP/HTTP receiver, for example `http://localhost:4318`; by default what "
        "`OTEL_EXPORTER_OTLP_ENDPOINT` says, and without one nothing is sent anywhere. Log "
        "records go there where `log_events`, content on events or `OTEL_LOGS_EXPORTER` ask for "
        "them. Metrics go there too, unless the receiver takes none or `OTEL_METRICS_EXPORTER` "
        "says otherwise",
        check_endpoint,
    )
    headers: Mapping[str, str] | None = setting(
        None,
        "of each export; by default what `OTEL_EXPORTER_OTLP_HEADERS` says",
        headers,
        is_secret=True,
    )
    sampler: Sampler | None = setting(
        None,
        "of traces; by default what `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say",
        partial(capable_of, method="should_sample", what="a Sampler of the SDK's"),
        unset="parentbased_always_on",
    )
    _: KW_ONLY
    print_traces: bool | None = setting(
        None,
        "whether each trace is printed as a tree when it has ended; by default it is with "
        "`OTEL_TRACES_EXPORTER=console`",
        switch,
        variable=Variable("NODESPAN_PRINT_TRACES", parse=switch_named),
        unset="False, but True with OTEL_TRACES_EXPORTER=console",
    )
    # Of these two the address is checked as a whole, with what the variables say, where it is used.
    prometheus_port: int | None = setting(
        None,
        "of an endpoint where Prometheus may fetch the metrics, 0 for any that is free; by default "
        "there is one with `OTEL_METRICS_EXPORTER=prometheus` alone, on "
        "`OTEL_EXPORTER_PROMETHEUS_PORT` or 9464. It needs the extra `prometheus`",
        as_given,
        unset="none, but 9464 with OTEL_METRICS_EXPORTER=prometheus",
    )
    prometheus_host: str | None = setting(
        None,
        "to listen on; by default what `OTEL_EXPORTER_PROMETHEUS_HOST` says, or else 127.0.0.1",
        as_given,
        unset="127.0.0.1",
    )
    prometheus_names: Collection[str] | None = setting(
        None,
        "by which that endpoint is asked for, such as the name of a service, beside its addresses, "
        "`prometheus_host`, `localhost` and the machine's own name; requests for others are "
        "refused, unless `*` is among them",
        host_names,
        variable=Variable(HOST_NAMES_VARIABLE, (), _listed),
    )

    journal: bool | str | PathLike[str] | None = setting(
        None,
        "whether spans are recorded in a file, or in which: True, False or the path of a file or "
        "of a folder, in which it is called `journal.db`. By default they "
        "are where there is no endpoint, in the user's state folder; with an endpoint, the journal "
        "keeps what that has not taken yet",
        journal,
        variable=Variable(JOURNAL_VARIABLE),
    )
    journal_max_bytes: int | None = setting(
        None,
        "how large that file may be, in bytes, from 1,000,000 up; 512 MiB by default. What no "
        "endpoint waits for goes first, then the oldest",
        max_bytes,
        variable=Variable(f"{JOURNAL_VARIABLE}_MAX_BYTES", DEFAULT_MAX_BYTES, int),
    )
    journal_max_days: float | None = setting(
        None,
        "how long a trace is kept, in days; 30 by default",
        days,
        variable=Variable(f"{JOURNAL_VARIABLE}_MAX_DAYS", DEFAULT_MAX_DAYS, float),
    )

    def checked(self, environ: Mapping[str, str]) -> Self:
        """Return the settings as they are to be used, and check the standard variables too.

        Raises:
            ConfigurationError: a value cannot work.
        """
        # Not `super()`: a class with slots is made twice, and the first is not this one.
        config = Settings.checked(self, environ)
        check_variables(environ)
        emits_inference_details(CaptureContent.named("", config.capture_content), environ)
        return config


def checked(config: TelemetryConfig | None, environ: Mapping[str, str]) -> TelemetryConfig:
    """Return a config, or without one what the variables say, as it is to be used.

    Raises:
        ConfigurationError: a value cannot work, or it is no config.
    """
    given = of_kind("the config", config, TelemetryConfig, "a TelemetryConfig")
    return (given if given is not None else TelemetryConfig()).checked(environ)


def sends_otlp(signal: Signal, config: TelemetryConfig, environ: Mapping[str, str]) -> bool:
    """Say whether a signal has an endpoint, and no other exporter was chosen for it."""
    variables = signal.otlp_variables("ENDPOINT")
    has_endpoint = config.endpoint or any(environ.get(name) for name in variables)
    return bool(has_endpoint) and "otlp" in (exporter_names(signal, environ) or ("otlp",))


def otlp_endpoint(signal: Signal, config: TelemetryConfig) -> str | None:
    """Return the URL that a config sends a signal to; None where the variables set it."""
    return f"{config.endpoint.rstrip('/')}/v1/{signal.lower()}" if config.endpoint else None

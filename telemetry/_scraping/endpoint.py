"""A scrape endpoint: Prometheus fetches the metrics when it wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.sdk.metrics.export import MetricReader

HOST_VARIABLE: Final = "OTEL_EXPORTER_PROMETHEUS_HOST"
PORT_VARIABLE: Final = "OTEL_EXPORTER_PROMETHEUS_PORT"

# The standard's `localhost`, but the same one on every machine.
_DEFAULT_HOST: Final = "127.0.0.1"
_DEFAULT_PORT: Final = 9464
_MAX_PORT: Final = 65_535


def scrape_address(
    host: str | None, port: int | None, environ: Mapping[str, str]
) -> tuple[str, int]:
    """Return where a scrape endpoint listens, from arguments, variables and the standard.

    Raises:
        ConfigurationError: the port is not a whole number in the range of ports.
    """
    default = environ.get(PORT_VARIABLE) or _DEFAULT_PORT
    source, value = ("prometheus_port", port) if port is not None else (PORT_VARIABLE, default)
    return host or environ.get(HOST_VARIABLE) or _DEFAULT_HOST, _port(source, value)


def scrape_endpoint(
    source: str, host: str, port: int, names: Collection[str] = ()
) -> tuple[MetricReader, str]:
    """Start a scrape endpoint, which ends when its reader is shut down.

    Args:
        source: of the wish for it, for messages.
        host: name or address to listen on.
        port: to listen on; 0 for any that is free.
        names: that it is asked for by, beside its own; `*` is any.

    Returns:
        The reader to give to a meter provider, and the endpoint's URL.

    Raises:
        ConfigurationError: the extra is not installed, or nobody can listen there.

    Source: https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/prometheus/
    """
    try:
        from .reader import ScrapedReader, SerialRegistry  # noqa: PLC0415
        from .server import start_scrape_server  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"{source} asks for a Prometheus endpoint, which needs an extra: "
            "pip install 'nodespan[prometheus]', or '.[prometheus]' in a clone"
        ) from None
    registry = SerialRegistry()
    try:
        server = start_scrape_server(host, port, registry, names)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"a Prometheus endpoint cannot listen on {host}:{port} ({error}); "
            f"choose another {PORT_VARIABLE} or {HOST_VARIABLE}"
        ) from error
    reader = ScrapedReader(registry, server)
    shown = f"[{host}]" if ":" in host else host
    return reader, f"http://{shown}:{server.server_port}/metrics"


def _port(source: str, value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = -1
    if isinstance(value, bool) or not 0 <= port <= _MAX_PORT:
        raise ConfigurationError(f"{source} is {value!r}; use a port from 0 to {_MAX_PORT}")
    return port

"""A metric reader whose metrics are scraped; with the extra `prometheus` only."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry

from .._process import in_forked_child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socketserver import BaseServer

    from prometheus_client import Metric


class SerialRegistry(CollectorRegistry):
    """Lets one scrape collect at a time: the exporter would mix what two have collected."""

    def __init__(self) -> None:
        super().__init__()
        self._renew_lock()
        in_forked_child(self._renew_lock)

    def collect(self) -> Iterator[Metric]:
        """Give what is collected."""
        with self._collecting:
            collected = list(super().collect())
        yield from collected

    def _renew_lock(self) -> None:
        # Not `_lock`, which is the registry's own.
        self._collecting = Lock()


class ScrapedReader(PrometheusMetricReader):
    """Is read by a server, and takes the server down with it.

    Args:
        registry: that the server reads.
        server: serves it.
    """

    def __init__(self, registry: CollectorRegistry, server: BaseServer) -> None:
        super().__init__(registry=registry)
        self._server = server

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()
        super().shutdown(timeout_millis, **kwargs)

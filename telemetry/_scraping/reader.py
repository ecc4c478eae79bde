"""A metric reader whose metrics are scraped; with the extra `prometheus` only."""

from __future__ import annotations

from inspect import signature
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import REGISTRY, CollectorRegistry

from .._process import in_forked_child
from .._upstream.opentelemetry import collector_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socketserver import BaseServer

    from prometheus_client import Metric


# The exporter before 0.64 knows the client's own registry alone.
_TAKES_REGISTRY: Final = "registry" in signature(PrometheusMetricReader.__init__).parameters


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
        if _TAKES_REGISTRY:
            super().__init__(registry=registry)
        else:
            super().__init__()
            collector = collector_of(self)
            REGISTRY.unregister(collector)
            registry.register(collector)
        self._server = server

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._server.server_close()
        if _TAKES_REGISTRY:
            super().shutdown(timeout_millis, **kwargs)

"""A handler with a meter provider, and what a reader collects of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from nodespan.telemetry.testing import CapturedSpans, capture_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.sdk.metrics.export import Metric


def collected(reader: InMemoryMetricReader) -> dict[str, Metric]:
    """Collect, and return nodespan's metrics by their names."""
    data = reader.get_metrics_data()
    scopes = [scope for of in (data.resource_metrics if data else ()) for scope in of.scope_metrics]
    return {
        metric.name: metric
        for scope in scopes
        if scope.scope.name == "nodespan.telemetry"
        for metric in scope.metrics
    }


@dataclass(frozen=True, slots=True)
class Metered:
    """What runs are measured with, and what of it can be read.

    Attributes:
        captured: the spans of the same runs.
        provider: of the meters.
        reader: collects.
    """

    captured: CapturedSpans
    provider: MeterProvider
    reader: InMemoryMetricReader

    @property
    def config(self) -> RunnableConfig:
        """The config that has a call measured."""
        return {"callbacks": [self.captured.handler]}

    def metrics(self) -> dict[str, Metric]:
        """Collect, and return the metrics by their names."""
        return collected(self.reader)

    def points(self, name: str) -> list[Any]:
        """Collect, and return the points of one metric."""
        metric = self.metrics().get(name)
        return list(metric.data.data_points) if metric is not None else []

    def only(self, name: str, attributes: Mapping[str, object] | None = None) -> Any:
        """Collect, and return the only point of a metric that has these *attributes*."""
        wanted = (attributes or {}).items()
        found = [point for point in self.points(name) if wanted <= point.attributes.items()]
        assert len(found) == 1, (name, attributes, found)
        return found[0]


@contextmanager
def metered(*, views: Sequence[Any] = (), **settings: Any) -> Iterator[Metered]:
    """Measure with a meter provider of its own; nothing is swallowed.

    Args:
        views: of the meter provider.
        settings: of the handler.
    """
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False, views=views)
    with capture_spans(meter_provider=provider, **settings) as captured:
        captured.handler.raise_error = True
        yield Metered(captured, provider, reader)
        assert captured.handler.diagnostics.counts == {}, "telemetry has met trouble"
    provider.shutdown()

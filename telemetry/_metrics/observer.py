"""Measures runs: how long they took, the tokens they used, how their streams flowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics

from .._diagnostics import RUN_EVICTED
from .._providers import is_stand_in, was_shut_down
from .._semconv import metrics as instruments
from .._semconv import names as semconv
from .._version import VERSION
from .live import LiveRun
from .measurements import EndedRun, kind_attributes

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from .._content.door import Content
    from .._diagnostics import Diagnostics
    from .._runs.run import Run
    from .._semconv.names import Edition
    from .._translation.ending import Ending
    from .meter import RunMeter


class Metrics:
    """Measures every run that is reported to a handler; a run that is reported to two, once.

    Args:
        provider: of meters; by default the global one, once there is one. Without one, or with
            one that measures nothing, runs cost nothing.
        edition: of the conventions.
        diagnostics: whose counts are measured too.
    """

    def __init__(
        self,
        provider: MeterProvider | None,
        edition: Edition,
        diagnostics: Diagnostics,
    ) -> None:
        self._provider = provider
        self._edition = edition
        self._is_settled = False
        self._measures_nothing: MeterProvider | None = None
        self._meter = self._find_meter()
        diagnostics.listener = self._note_trouble

    @property
    def reads_totals(self) -> bool:
        """Whether there is anything that measures agents."""
        return self._meter is not None

    def opened(self, run: Run, _content: Content) -> None:
        """Take note of a run that has started."""
        # A look at the global provider is dear enough to be spared all runs but roots.
        if not self._is_settled and run.parent is None:
            self._meter = self._find_meter()
        meter = self._meter
        if meter is None:
            return
        operation, chunks = run.attributes.get(semconv.OPERATION_NAME), run.chunks
        kind = meter.of_kinds.get((run.kind, operation))
        if kind is None:
            kind = meter.attributes(kind_attributes(run.kind.value, operation))
            meter.of_kinds[run.kind, operation] = kind
        if chunks is None:
            live = LiveRun(kind, started_at=run.started_at)
        else:
            live = LiveRun(kind, meter.shared(run.attributes), chunks.clock, run.started_at)
        meter.live.open(run.run_id, live)

    def closed(self, run: Run, ending: Ending) -> None:
        """Measure a run that has ended."""
        meter = self._meter
        if meter is None or meter.live.close(run.run_id) is None:
            return
        if run.kind.is_operation:  # of a step nothing is measured
            meter.measure(EndedRun.of(run, ending, meter.shared(run.attributes)))

    def _note_trouble(self, trouble: str) -> None:
        if self._meter is None:
            return
        if trouble == RUN_EVICTED:
            self._meter.count(instruments.EVICTED_RUNS, self._meter.attributes({}), 1)
        else:
            attributes = self._meter.attributes({semconv.TROUBLE: trouble})
            self._meter.count(instruments.TROUBLES, attributes, 1)

    def _find_meter(self) -> RunMeter | None:
        provider = self._provider or metrics.get_meter_provider()
        if provider is self._measures_nothing:
            return None
        if is_stand_in(provider) or was_shut_down(provider):
            self._measures_nothing = provider
            return None
        self._is_settled = True
        meter = provider.get_meter("nodespan.telemetry", VERSION, self._edition.schema_url)
        if is_stand_in(meter):
            return None
        # Imported late: it brings the SDK's metrics, which many programs do without.
        from .meter import run_meter_of  # noqa: PLC0415

        return run_meter_of(provider, meter, self._edition)

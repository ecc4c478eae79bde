"""Metrics of what becomes of the spans: not taken, dropped, waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import ref

from opentelemetry.metrics import Observation

from .._providers import one_of
from .._semconv import metrics as instruments
from .._version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider


class Sender(Protocol):
    """Sends spans, and knows what became of them."""

    @property
    def unsent(self) -> int:
        """How many spans no endpoint has taken."""

    @property
    def dropped(self) -> int:
        """How many spans were dropped from the journal."""

    @property
    def backlog_age(self) -> float:
        """How long the oldest span waits in the journal, in seconds."""


class _Observed:
    """What a meter provider's metrics tell of: of several senders the last."""

    def __init__(self, meter: Meter) -> None:
        self.sender: Callable[[], Sender | None] = lambda: None
        meter.create_observable_up_down_counter(
            instruments.UNSENT_SPANS.name,
            [self._reads(lambda sender: sender.unsent)],
            instruments.UNSENT_SPANS.unit,
            instruments.UNSENT_SPANS.description,
        )
        meter.create_observable_counter(
            instruments.DROPPED_SPANS.name,
            [self._reads(lambda sender: sender.dropped)],
            instruments.DROPPED_SPANS.unit,
            instruments.DROPPED_SPANS.description,
        )
        meter.create_observable_gauge(
            instruments.BACKLOG_AGE.name,
            [self._reads(lambda sender: sender.backlog_age)],
            instruments.BACKLOG_AGE.unit,
            instruments.BACKLOG_AGE.description,
        )

    def _reads(
        self, read: Callable[[Sender], float]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            """Return the number, while there is a sender."""
            sender = self.sender()
            return [Observation(read(sender))] if sender is not None else []

        return observe


def observe(sender: Sender, provider: MeterProvider) -> None:
    """Have metrics tell what becomes of a sender's spans, for as long as it lives."""
    meter = provider.get_meter("nodespan.telemetry", VERSION)
    one_of(provider, _Observed, lambda: _Observed(meter)).sender = ref(sender)

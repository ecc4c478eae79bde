"""The way of spans to what sends them, which may end and be followed by another."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, TracerProvider

from .._diagnostics import Diagnostics
from .._process import in_forked_child
from .._providers import known_of, one_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
    from opentelemetry.sdk.trace.sampling import Sampler

_LATE: Final = "span ended after the shutdown"


class SpanRelay(SynchronousMultiSpanProcessor):
    """Passes spans on until it is shut down; from then on to what has followed, or it counts them.

    A process sets its tracer provider once, and tracers that the application keeps use it for
    ever: also when it was shut down, and another one was set up.

    Attributes:
        is_shut_down: whether it was.
        follower: makes the spans from then on, where there is one.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK's
        self.is_shut_down = False
        self.follower: TracerProvider | None = None
        self._leads_somewhere = False
        self._diagnostics = Diagnostics()
        in_forked_child(self._renew_lock)

    @property
    def unsent(self) -> int:
        """How many sampled spans have ended too late to be sent."""
        return self._diagnostics.counts.get(_LATE, 0)

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Pass spans on to one more."""
        self._leads_somewhere = True
        super().add_span_processor(span_processor)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass on that a span has started."""
        if not self.is_shut_down:
            super().on_start(span, parent_context)
        elif (following := self._following) is not None:
            following.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass on that a span has ended."""
        if not self.is_shut_down:
            super().on_end(span)
        elif (following := self._following) is not None:
            following.on_end(span)
        elif self._leads_somewhere and span.context and span.context.trace_flags.sampled:
            self._diagnostics.report(_LATE)

    def shutdown(self) -> None:
        """Send what is waiting, and stop."""
        self.is_shut_down = True
        super().shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is waiting, wherever it waits; after the shutdown nothing does here."""
        if not self.is_shut_down:
            return super().force_flush(timeout_millis)
        following = self._following
        return following is None or following.force_flush(timeout_millis)

    def _renew_lock(self) -> None:
        # The SDK's, with which processors are added; the SDK does not make it anew itself.
        self._lock = Lock()

    @property
    def _following(self) -> SpanRelay | None:
        return relay_of(self.follower) if self.follower is not None else None


def relayed_provider(sampler: Sampler | None, resource: Resource) -> TracerProvider:
    """Return a tracer provider whose spans take another way once it is shut down."""
    relay = SpanRelay()
    provider = TracerProvider(
        sampler, resource, shutdown_on_exit=False, active_span_processor=relay
    )
    one_of(provider, SpanRelay, lambda: relay)
    return provider


def relay_of(provider: object) -> SpanRelay | None:
    """Return the way of a provider's spans, where it was made here."""
    return known_of(provider, SpanRelay)


def provider_in_use() -> trace.TracerProvider | None:
    """Return the process's tracer provider, or what has followed it; None where none is in use."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    relay = relay_of(provider)
    if relay is None or not relay.is_shut_down:
        return provider
    following = relay_of(relay.follower) if relay.follower is not None else None
    return relay.follower if following is not None and not following.is_shut_down else None


def put_to_use(provider: TracerProvider) -> None:
    """Make a provider the process's, or what follows the process's that was shut down."""
    relay = relay_of(trace.get_tracer_provider())
    if relay is None:
        trace.set_tracer_provider(provider)
    else:
        relay.follower = provider

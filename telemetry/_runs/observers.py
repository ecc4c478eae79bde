"""Who learns of a run's life: the writer of its span, and whoever observes it beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context

    from .._content.door import Content
    from .._translation.ending import Ending
    from .._values.attributes import AttributeValue
    from .run import Run


class SpanWriter(Protocol):
    """Writes runs to spans."""

    @property
    def wants_content(self) -> bool:
        """Whether content may go anywhere."""

    def open(self, run: Run, content: Content, context: Context, frame: int | None = None) -> None:
        """Start the span of a run, and make it current where the run has a body.

        Args:
            run: that starts.
            content: makes the content of what it is given.
            context: that is current where it starts.
            frame: identity of the frame that starts it, where that is known.
        """

    def rename(self, run: Run) -> Mapping[str, AttributeValue]:
        """Write on the span of a run that is open what the run has turned out to be.

        Returns:
            The attributes of its span that a sampler would have decided on.
        """

    def close(self, run: Run, ending: Ending, *, records_exception: bool) -> None:
        """End the span of a run, if it has one."""


class RunObserver(Protocol):
    """Observes every run that has a span, beside the span's writer: metrics and logs."""

    @property
    def reads_totals(self) -> bool:
        """Whether it reads what the runs beneath another have used, recorded or not."""

    def opened(self, run: Run, content: Content) -> None:
        """Take note of a run whose span has started; *content* is what the run is given."""

    def closed(self, run: Run, ending: Ending) -> None:
        """Take note of a run whose span has ended."""

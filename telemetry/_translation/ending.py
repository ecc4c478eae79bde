"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from .outcome import Outcome, error_type, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._content.door import Content
    from .._values.attributes import AttributeValue
    from .start import Start

NO_ATTRIBUTES: Final[Mapping[str, AttributeValue]] = MappingProxyType({})


@dataclass(slots=True)  # not frozen: one is made for each run, and that takes thrice as long
class Ending:
    """How a run ended.

    Attributes:
        at: when, in ns of the monotonic clock.
        outcome: None for a run that simply ended.
        error: what left the run's body, where that is a failure.
        error_type: of that failure; known at times where the exception is not.
        is_torn_down: whether it was cancelled because something beside it failed.
        tells_answer: whether what a model had said by then is among its attributes.
        attributes: makes the attributes of the run's result from its start, where it has any;
            called once.
        content: makes the result's content, by attribute; called only where it may pass.
        said: returns how many bytes of text a model's answer has.
    """

    at: int
    outcome: Outcome | None = None
    error: BaseException | None = None
    error_type: str | None = None
    is_torn_down: bool = False
    tells_answer: bool = False
    attributes: Callable[[Start], Mapping[str, AttributeValue]] | None = None
    content: Content = dict
    said: Callable[[], int] = int
    _result: Mapping[str, AttributeValue] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def by(cls, error: BaseException, at: int) -> Self:
        """Return the ending of a run that an exception left."""
        outcome = outcome_of(error)
        if outcome is Outcome.CANCELLED:
            # LangGraph gives a reason along where it stops what is beside a failure.
            return cls(at, outcome, is_torn_down=bool(error.args))
        if outcome is not Outcome.ERROR:
            return cls(at, outcome)
        return cls(at, outcome, error, error_type(error))

    def result_attributes(self, start: Start) -> Mapping[str, AttributeValue]:
        """Return what the run's result says, as attributes; made for the first who asks.

        Where it cannot be read, the first who asks gets the exception, and the others nothing.
        """
        if self.attributes is None:
            return NO_ATTRIBUTES
        if self._result is None:
            self._result = NO_ATTRIBUTES
            self._result = self.attributes(start)
        return self._result

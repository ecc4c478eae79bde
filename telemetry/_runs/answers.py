"""How the run of a model ended, with what it answered, whole or as far as it came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .._semconv import names as semconv
from .._translation import payload
from .._translation.ending import NO_ATTRIBUTES, Ending
from .._translation.request import model_name
from .._translation.response import response_attributes, said_bytes, says_what_was_answered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.outputs import LLMResult

    from .._semconv.names import Edition
    from .._settings.prices import PriceTable
    from .._stream.counter import ChunkCounter
    from .._translation.start import Start
    from .._values.attributes import Attributes, AttributeValue


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads answers.

    Attributes:
        edition: of the conventions.
        prices: of models.
    """

    edition: Edition
    prices: PriceTable

    def whole(self, answer: LLMResult, at: int) -> Ending:
        """Return the ending of a run that simply ended, in ns of the monotonic clock."""
        return Ending(
            at,
            attributes=partial(self._attributes, answer),
            content=partial(payload.model_output, answer),
            said=partial(said_bytes, answer),
        )

    def broken(self, ending: Ending, said: LLMResult) -> Ending:
        """Return how a run ended, with what the model had said by then."""
        return replace(
            ending,
            attributes=partial(self._joined, ending.attributes, said),
            content=partial(payload.model_output, said, unfinished=ending.outcome),
            said=partial(said_bytes, said),
            tells_answer=says_what_was_answered(said),
        )

    def as_far_as_told(self, ending: Ending, chunks: ChunkCounter) -> Ending:
        """Return how a run ended, with what its chunks have told where nobody hands that over."""
        if ending.outcome is None or ending.tells_answer:
            return ending
        said = chunks.answer()
        return ending if said is None else self.broken(ending, said)

    def _joined(
        self,
        before: Callable[[Start], Mapping[str, AttributeValue]] | None,
        said: LLMResult,
        start: Start,
    ) -> Attributes:
        """Return what was said, beneath what is known of the ending before."""
        known = before(start) if before is not None else NO_ATTRIBUTES
        told = self._attributes(said, start)
        named = told.get(semconv.RESPONSE_MODEL)
        # An answer that names no model is taken for one of that which was asked.
        is_guess = known.get(semconv.RESPONSE_MODEL) == model_name(start)
        return {**told, **known, **({semconv.RESPONSE_MODEL: named} if named and is_guess else {})}

    def _attributes(self, answer: LLMResult, start: Start) -> Attributes:
        attributes = response_attributes(answer, self.edition, start)
        if not self.prices:
            return attributes
        return attributes | self.prices.attributes(attributes, model_name(start), self.edition)

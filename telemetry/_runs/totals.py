"""What runs beneath one have used: sums that a root, and each agent, carries when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from .._semconv import names as semconv
from .._translation.kinds import RunKind
from .._values.numbers import as_float, as_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._values.attributes import Attributes, AttributeValue


@dataclass(slots=True, eq=False)
class Totals:
    """Sums of runs: of one, or of all beneath another.

    Attributes:
        inference_calls: of models; answers of a cache are none.
        tool_calls: of tools.
        own_inference_calls: those that an agent itself has made, and no agent beneath it.
        own_tool_calls: as above.
        input_tokens: of models.
        output_tokens: of models.
        stalls: of their streams.
        errors: failures, each where it arose.
        cost: of models, by currency.
    """

    inference_calls: int = 0
    tool_calls: int = 0
    own_inference_calls: int = 0
    own_tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    stalls: int = 0
    errors: int = 0
    cost: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, kind: RunKind, result: Mapping[str, AttributeValue], *, stalls: int, has_failed: bool
    ) -> Self:
        """Return what one run adds to those above it.

        Args:
            kind: of the run.
            result: what it says, as span attributes.
            stalls: of its stream.
            has_failed: whether a failure arose in it.
        """
        cost, currency = as_float(result.get(semconv.COST)), result.get(semconv.CURRENCY)
        has_cost = cost is not None and isinstance(currency, str)
        return cls(
            inference_calls=int(kind.is_model and semconv.CACHED not in result),
            tool_calls=int(kind is RunKind.TOOL),
            input_tokens=as_int(result.get(semconv.USAGE_INPUT_TOKENS)) or 0,
            output_tokens=as_int(result.get(semconv.USAGE_OUTPUT_TOKENS)) or 0,
            stalls=stalls,
            errors=int(has_failed),
            cost={str(currency): cost} if has_cost and cost is not None else {},
        )

    def add(self, run: Totals, *, is_own: bool) -> None:
        """Add what a run beneath has used; an agent has made a call itself where it is its own."""
        self.inference_calls += run.inference_calls
        self.tool_calls += run.tool_calls
        self.own_inference_calls += run.inference_calls if is_own else 0
        self.own_tool_calls += run.tool_calls if is_own else 0
        self.input_tokens += run.input_tokens
        self.output_tokens += run.output_tokens
        self.stalls += run.stalls
        self.errors += run.errors
        for currency, amount in run.cost.items():
            self.cost[currency] = self.cost.get(currency, 0.0) + amount

    def attributes(self) -> Attributes:
        """Return the sums as attributes of a span: those that are more than nothing."""
        attributes: Attributes = {}
        for name, count in (
            (semconv.TOTAL_INFERENCE_CALLS, self.inference_calls),
            (semconv.TOTAL_TOOL_CALLS, self.tool_calls),
            (semconv.TOTAL_INPUT_TOKENS, self.input_tokens),
            (semconv.TOTAL_OUTPUT_TOKENS, self.output_tokens),
            (semconv.TOTAL_STALLS, self.stalls),
            (semconv.TOTAL_ERRORS, self.errors),
        ):
            if count:
                attributes[name] = count
        for currency, amount in self.cost.items():
            attributes[f"{semconv.TOTAL_COST}.{currency}"] = amount
        return attributes

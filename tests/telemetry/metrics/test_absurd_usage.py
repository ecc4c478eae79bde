"""Usage that cannot be is on no metric and in no sum, as it is on no span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from nodespan.model import CustomChatModel
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatResult


class Claiming(CustomChatModel):
    """Claims to have used what it is told to."""

    claims: Any = None

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002 - it says one thing
        """Answer."""
        yield "x"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._generate(*args, **kwargs)
        message: Any = result.generations[0].message
        message.__dict__["usage_metadata"] = {**self.claims, "total_tokens": 0}
        return result


@pytest.mark.parametrize("absurd", [-5, 10**30, 10**15, float("nan"), float("inf"), "12", True])
def test_neither_metrics_nor_sums_have_it(absurd: Any) -> None:
    """What is beside it is measured, and the sum of the run above is of that alone."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    prices = {"claiming": {"input": 1_000_000, "output": 1_000_000}}
    with capture_spans(meter_provider=provider, prices=prices) as captured:
        model = Claiming(claims={"input_tokens": absurd, "output_tokens": 3})
        config: Any = {"callbacks": [captured.handler]}
        RunnableLambda(model.invoke).invoke("Hi", config)
    chat, root = captured.spans
    assert (chat.attributes or {})["nodespan.usage.dropped"] == 1
    sums = {name: value for name, value in (root.attributes or {}).items() if ".total." in name}
    assert sums["nodespan.total.output_tokens"] == 3
    assert not sums.get("nodespan.total.input_tokens")
    data: Any = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    (tokens,) = [metric for metric in metrics if metric.name == "gen_ai.client.token.usage"]
    points = [(dict(p.attributes)["gen_ai.token.type"], p.sum) for p in tokens.data.data_points]
    assert points == [("output", 3)]
    (cost,) = [metric for metric in metrics if metric.name == "nodespan.cost"]
    assert [point.value for point in cost.data.data_points] == [3]

"""The entry point of `opentelemetry-instrument`, for programs that know nothing of nodespan.

It needs the extra `auto`: `pip install 'nodespan[auto]'`.
"""

from __future__ import annotations

from importlib.metadata import requires
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # untyped
    BaseInstrumentor,
)

from ._instrument.process import instrument, uninstrument

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["NodespanInstrumentor"]

_INSTRUMENTED: Final = ("langchain-core", "langgraph")


class NodespanInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # as above
    """Instruments LangChain and LangGraph as OpenTelemetry's own tools want it done.

    `NodespanInstrumentor().instrument(**arguments)` takes the arguments of
    `nodespan.telemetry.instrument`.

    Source: https://opentelemetry-python-contrib.readthedocs.io/en/latest/instrumentation/base/instrumentor.html
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what must be installed for the instrumentation to make sense."""
        return [
            requirement
            for requirement in requires("nodespan") or ()
            if requirement.startswith(_INSTRUMENTED)
        ]

    def _instrument(self, **kwargs: Any) -> None:
        instrument(**kwargs)

    def _uninstrument(self, **_: Any) -> None:
        uninstrument()

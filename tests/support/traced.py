"""Spans of an application under test, however they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodespan.telemetry.testing import CapturedSpans

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from opentelemetry import trace


@dataclass(frozen=True, slots=True)
class Traced(CapturedSpans):
    """Spans of the application under test, and the config that has its calls traced."""

    way_in: str = "handler"

    def config(self, **more: Any) -> RunnableConfig:
        """Return a call's config: the handler where it is the way in, and what else is given."""
        if self.way_in == "instrument":
            return {**more}
        return {"callbacks": [self.handler], **more}

    def thread(self, thread_id: str, **more: Any) -> RunnableConfig:
        """Return the config of a call on a thread with a checkpointer."""
        return self.config(configurable={"thread_id": thread_id}, **more)

    @property
    def tracer(self) -> trace.Tracer:
        """The application's own tracer."""
        return self.tracer_provider.get_tracer("application")

"""A web application that streams an agent's answer as server-sent events.

Usage: `uvicorn web_app:app --workers 2`. Each worker makes its own telemetry when it starts.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

from nodespan.graph import build_agent
from nodespan.model import CustomChatModel
from nodespan.telemetry import configure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.messages import BaseMessage


class Slow(CustomChatModel):
    """Says each word of what it was told after a while."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Say it word by word."""
        for word in messages[-1].text.split():
            yield f"{word} "
            await asyncio.sleep(0.05)


agent = build_agent(Slow(), name="clerk")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Send what there is when the worker ends."""
    with configure() as telemetry:
        telemetry.instrument()
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/answer")
async def answer(said: str) -> StreamingResponse:
    """Stream the answer, a chunk an event."""

    async def events() -> AsyncIterator[str]:
        state: Any = {"messages": [("user", said)]}
        async for chunk, _ in agent.astream(state, stream_mode="messages"):
            yield f"data: {json.dumps(chunk.text)}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


# Or each event would be a span of its own.
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])

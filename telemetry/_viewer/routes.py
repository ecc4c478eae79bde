"""The addresses of the viewer: what the page asks, what it saves, and the page itself."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .._errors import JournalError
from .._receiving.endpoint import PATH
from .._views.listing import Window
from . import asked
from .answers import BadRequestError, answer, encoded, refusal, refusal_of
from .live import Looker, Wanted, events
from .page import file_answer, page_answer
from .reads import MOST_SPANS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from .reads import Reads

_MOST_TRACES: Final = 1_000
_MOST_OFFSET: Final = 1 << 40
_MOST_PAGES: Final = 32
_JSON: Final = "application/json"


class Routes:
    """Answers the page.

    Args:
        reads: the journal.
        closing: set when the server closes.
    """

    def __init__(self, reads: Reads, closing: asyncio.Event) -> None:
        self._reads = reads
        self._closing = closing
        self._pages = 0

    def routes(self) -> list[Route]:
        """Return the routes, for starlette."""
        reads = self._reads
        name = "/api/traces/{name}"
        answers: dict[str, Callable[[Request], Any]] = {
            # Whoever sees the page can send spans to where they have found it.
            "/api/about": lambda it: reads.about(str(it.url.replace(path=PATH, query=""))),
            "/api/status": lambda _: reads.status(),
            "/api/traces": self._traces,
            "/api/totals": self._totals,
            "/api/facets": lambda _: reads.choices(),
            name: self._trace,
            f"{name}/marks": self._marks,
            f"{name}/spans/{{span}}": lambda it: reads.span(_name(it), it.path_params["span"]),
            f"{name}/evaluations": lambda it: reads.evaluations(_name(it)),
            "/api/conversations": self._conversations,
            "/api/conversation": lambda it: reads.conversation(_needed(it, "id")),
            "/api/graph": lambda it: reads.graph(_needed(it, "trace")),
            "/api/open": lambda _: reads.open_runs(),
            "/api/compare": self._compare,
        }
        saves: dict[str, Callable[[str], tuple[bytes, str]]] = {
            "otlp.json": lambda trace: (reads.otlp(trace).encode("utf-8", "replace"), _JSON),
            "chrome.json": lambda trace: (encoded(reads.chrome(trace)), _JSON),
            "trace.html": lambda trace: (reads.saved(trace).encode(), "text/html; charset=utf-8"),
        }
        return [
            *(Route(path, _answering(make)) for path, make in answers.items()),
            *(
                Route(f"{name}/download/{file}", _saving(file, make))
                for file, make in saves.items()
            ),
            Route("/api/live", self._live),
            Route("/api/{path:path}", _nowhere, methods=["GET", "POST", "PUT", "DELETE"]),
            Route("/v1/{path:path}", _nowhere, methods=["GET", "POST", "PUT", "DELETE"]),
            Route("/static/{path:path}", file_answer),
            Route("/{path:path}", page_answer),
        ]

    def _traces(self, request: Request) -> Any:
        query = request.query_params
        return self._reads.traces(
            asked.trace_filter(query),
            asked.number_of_last(query),
            Window(
                asked.whole_number(query, "offset", 0, 0, _MOST_OFFSET),
                asked.whole_number(query, "limit", 200, 1, _MOST_TRACES),
                asked.order(query),
            ),
        )

    def _totals(self, request: Request) -> Any:
        query = request.query_params
        return self._reads.totals(asked.trace_filter(query), asked.number_of_last(query))

    def _trace(self, request: Request) -> Any:
        query = request.query_params
        most = asked.whole_number(query, "max_spans", MOST_SPANS, 1, MOST_SPANS)
        return self._reads.trace(_name(request), most)

    def _marks(self, request: Request) -> Any:
        spans = request.query_params.get("spans", "").split(",")
        return self._reads.marks(_name(request), list(filter(None, spans)))

    def _conversations(self, request: Request) -> Any:
        query = request.query_params
        offset = asked.whole_number(query, "offset", 0, 0, _MOST_OFFSET)
        limit = asked.whole_number(query, "limit", 100, 1, _MOST_TRACES)
        return self._reads.conversations(offset, limit)

    def _compare(self, request: Request) -> Any:
        return self._reads.comparison(_needed(request, "left"), _needed(request, "right"))

    async def _live(self, request: Request) -> Response:
        query = request.query_params
        try:
            origin = asked.milliseconds(query, "origin")
            wanted = Wanted(
                traces=asked.is_asked(query, "traces"),
                trace=query.get("trace") or None,
                cursor=asked.whole_number(query, "cursor", 0, 0, 2**62),
                origin=round(origin * 1e6) if origin is not None else None,
                open_runs=asked.is_asked(query, "open"),
            )
        except BadRequestError as error:
            return refusal_of(error)
        if self._pages >= _MOST_PAGES:
            return refusal(503, "too_many", f"{_MOST_PAGES} pages look already; close one")
        return StreamingResponse(self._told(wanted), media_type="text/event-stream")

    async def _told(self, wanted: Wanted) -> Any:
        self._pages += 1
        try:
            async for event in events(Looker(self._reads, wanted), self._closing):
                yield event
        finally:
            self._pages -= 1


def _answering(make: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answering(request: Request) -> Response:
        """Answer in a thread: to read takes its time."""
        return await run_in_threadpool(_tried, lambda: answer(make(request)))

    return answering


def _saving(
    file: str, make: Callable[[str], tuple[bytes, str]]
) -> Callable[[Request], Awaitable[Response]]:
    def saved(request: Request) -> Response:
        """Answer with a file to be saved."""
        name = _name(request)
        content, kind = make(name)
        safe = "".join(each for each in name if each.isalnum() and each.isascii())[:32] or "trace"
        headers = {"Content-Disposition": f'attachment; filename="{safe}.{file}"'}
        return Response(content, media_type=kind, headers=headers)

    async def saving(request: Request) -> Response:
        """Answer in a thread, as above."""
        return await run_in_threadpool(_tried, lambda: saved(request))

    return saving


def _tried(make: Callable[[], Response]) -> Response:
    try:
        return make()
    except (BadRequestError, JournalError, sqlite3.Error) as error:
        return refusal_of(error)


async def _nowhere(request: Request) -> Response:
    return refusal(404, "not_found", f"there is nothing at {request.url.path[:200]!r}")


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _needed(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise BadRequestError(f"give {name}=, which is missing")
    return value

"""What the page asks for, each in one state of the journal; in any thread."""

from __future__ import annotations

from dataclasses import asdict, replace
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from .._details.evaluations import evaluations_of_trace
from .._details.span import marks, whole_span
from .._details.values import ms
from .._exports.chrome import chrome_trace
from .._exports.saved import saved_document, saved_page
from .._reading.reader import Journal
from .._version import VERSION
from .._views.comparison import comparison
from .._views.connections import Connections
from .._views.conversations import conversation, conversations
from .._views.document import trace_document
from .._views.graphs import graphs_of_trace
from .._views.listing import (
    NEWEST_FIRST,
    choices,
    columns,
    newest,
    ordered,
    records,
    totals,
    window,
)
from .._views.lost import LostRuns
from .._views.naming import span_number, trace_number
from .._views.open_runs import OpenRuns
from .._views.searches import Searches
from .joined import saved_script, saved_style

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from .._reading.records import TraceFilter
    from .._views.listing import Window

MOST_SPANS: Final = 100_000


class Reads:
    """Reads a journal for the page.

    Args:
        path: of the journal; there may be none yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections = Connections(path)
        self.lost = LostRuns(path)
        self.running = OpenRuns()
        self._searches = Searches()

    def close(self) -> None:
        """Close what is open."""
        self.connections.close()

    def about(self, receiver: str) -> dict[str, Any]:
        """Return where the journal is, what reads it, and where OTLP is received."""
        return {
            "version": VERSION,
            "journal": str(self.path),
            "is_there": self.connections.identity is not None,
            "receiver": receiver,
            "now": ms(time_ns()),
        }

    def status(self) -> dict[str, Any]:
        """Return what state the journal is in."""
        with Journal(self.path) as journal:
            found = asdict(journal.status())
        del found["path"]
        backlogs = [{**each, "oldest": ms(each["oldest"])} for each in found["backlogs"]]
        return {**found, "oldest": ms(found["oldest"]), "backlogs": backlogs}

    def traces(self, asked: TraceFilter, as_of: int | None, wanted: Window) -> dict[str, Any]:
        """Return a window of the list of traces."""
        if wanted.offset == 0:
            self.lost.end()
        with self.connections.reading() as connection:
            last = as_of if as_of is not None else newest(connection)
            if asked.text:
                total, numbers, is_complete = self._found(connection, asked, last)
                if wanted.order != NEWEST_FIRST:
                    numbers = ordered(connection, numbers, wanted.order)
                numbers = numbers[wanted.offset : wanted.offset + wanted.limit]
            else:
                total, numbers = window(connection, asked, last, wanted)
                is_complete = True
            return {
                "total": total,
                "offset": wanted.offset,
                "as_of": last,
                "is_complete": is_complete,
                "columns": columns(records(connection, numbers)),
            }

    def totals(self, asked: TraceFilter, as_of: int | None) -> dict[str, Any]:
        """Return what the traces of the list come to."""
        with self.connections.reading() as connection:
            last = as_of if as_of is not None else newest(connection)
            among = self._found(connection, asked, last)[1] if asked.text else None
            return totals(connection, replace(asked, text=None), last, among)

    def choices(self) -> dict[str, list[str]]:
        """Return what the list can be filtered by."""
        with self.connections.reading() as connection:
            return choices(connection)

    def trace(self, name: str, most: int) -> dict[str, Any]:
        """Return the skeleton of a trace."""
        self.lost.end()
        with self.connections.reading() as connection:
            return trace_document(connection, trace_number(connection, name), most)

    def marks(self, name: str, span_ids: Sequence[str]) -> dict[str, Any]:
        """Return what the skeleton does not have, of spans in sight."""
        with self.connections.reading() as connection:
            return {"spans": marks(connection, trace_number(connection, name), span_ids)}

    def span(self, name: str, span_id: str) -> dict[str, Any]:
        """Return a span with all that it says."""
        with self.connections.reading() as connection:
            trace = trace_number(connection, name)
            return whole_span(connection, trace, span_number(connection, trace, span_id))

    def evaluations(self, name: str) -> dict[str, Any]:
        """Return the evaluations in a trace."""
        with self.connections.reading() as connection:
            trace = trace_number(connection, name)
            return {"evaluations": evaluations_of_trace(connection, trace)}

    def conversations(self, offset: int, limit: int) -> dict[str, Any]:
        """Return a window of the list of conversations."""
        with self.connections.reading() as connection:
            return conversations(connection, offset, limit)

    def conversation(self, name: str) -> dict[str, Any]:
        """Return the runs of a conversation."""
        with self.connections.reading() as connection:
            return conversation(connection, name)

    def graph(self, name: str) -> dict[str, Any]:
        """Return the topology of the graphs of a trace, and how their nodes were visited."""
        with self.connections.reading() as connection:
            return graphs_of_trace(connection, trace_number(connection, name))

    def open_runs(self) -> dict[str, Any]:
        """Return the runs that are open."""
        self.lost.end()
        with self.connections.reading() as connection:
            return {"runs": self.running.read(connection)}

    def comparison(self, left: str, right: str) -> dict[str, Any]:
        """Return two traces side by side."""
        with self.connections.reading() as connection:
            numbers = (trace_number(connection, name) for name in (left, right))
            return comparison(connection, *numbers)

    def otlp(self, name: str) -> str:
        """Return a trace as OTLP JSON."""
        with Journal(self.path) as journal:
            return journal.otlp_json(name)

    def chrome(self, name: str) -> dict[str, Any]:
        """Return a trace as Perfetto and Chrome's tracing page open it."""
        with self.connections.reading() as connection:
            return chrome_trace(connection, trace_number(connection, name), time_ns())

    def saved(self, name: str) -> str:
        """Return a trace as one HTML file."""
        with self.connections.reading() as connection:
            document = saved_document(connection, trace_number(connection, name))
            return saved_page(document, saved_style(), saved_script())

    def _found(
        self, connection: sqlite3.Connection, asked: TraceFilter, as_of: int
    ) -> tuple[int, list[int], bool]:
        search = self._searches.step(connection, asked, as_of, self.connections.identity)
        found = list(search.found)
        return len(found), found, search.is_complete

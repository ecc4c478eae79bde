"""Reads a journal, also while it is being written."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import contextmanager, suppress
from threading import RLock
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._errors import AmbiguousTraceError, JournalError, TraceNotFoundError
from .._journal.file import open_journal, open_to_read
from .._journal.recovery import end_lost_runs, has_lost_runs
from .._settings.journal import file_at, path_in_use
from .._settings.slips import warn_of_slips
from .activity import activity_of
from .damage import has_wrong_values, reading, typed
from .decoding import as_json, request_of, says
from .doctor import status_of_journal
from .filters import KNOWN, conditions
from .records import JournalStatus, JournalTrace, OpenRunRecord, Totals, TraceFilter, TraceRecord
from .rows import (
    OPEN_RUN_COLUMNS,
    OPEN_RUNS,
    SPAN_COLUMNS,
    Origins,
    open_run_of,
    span_of,
)
from .services import TRACE_AND_SERVICE, teach_services, trace_with_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike
    from types import TracebackType

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )

    from .activity import Activity

DEFAULT_MOST_SPANS: Final = 10_000

_LAST: Final = "last"
_PREFIX: Final = re.compile(r"[0-9a-f]{1,32}", re.IGNORECASE)
_SHOWN_CANDIDATES: Final = 5
# A text is looked for in so many of the newest spans.
_MOST_SEARCHED: Final = 200_000

_TOTALS: Final = (*[int] * 4, float, int, (float, type(None)))
_SPANS: Final = "FROM spans AS s LEFT JOIN origins AS o ON o.id = s.origin WHERE s.trace = ?"


class Journal:
    """A journal, to read from it.

    Runs that a process has left open when it died are ended as `lost` when a journal is opened,
    where it may be written.

    Args:
        path: of its file, or of its folder; by default the one that `NODESPAN_JOURNAL` names, or
            else the one in the user's state folder.

    Raises:
        JournalMissingError: there is none.
        JournalError: it is none, or one that only a newer nodespan can read. Each method that
            reads raises it too where what it reads is damaged.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        warn_of_slips()
        self.path = file_at(path) if path is not None else path_in_use(os.environ)
        self._lock = RLock()
        self._connection = open_to_read(self.path)
        teach_services(self._connection)
        self.end_lost_runs()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def end_lost_runs(self) -> None:
        """End what dead processes have left open, where the journal may be written."""
        with self._lock, suppress(sqlite3.Error, OSError):
            if not has_lost_runs(self._connection):
                return
            writing = open_journal(self.path)
            try:
                writing.execute("PRAGMA busy_timeout = 2000")
                writing.execute("BEGIN IMMEDIATE")
                end_lost_runs(writing)
                writing.execute("COMMIT")
            finally:
                writing.close()

    @property
    def version(self) -> int:
        """A number that changes whenever another process has written something."""
        ((number,),) = self._all("PRAGMA data_version")
        return int(number)

    def traces(self, asked: TraceFilter | None = None, limit: int = 50) -> list[TraceRecord]:
        """Return traces, those first that started last.

        Args:
            asked: which; without it all.
            limit: how many at most. A text is looked for in the newest 200,000 spans.
        """
        asked = asked if asked is not None else TraceFilter()
        with self._reading():
            if asked.text is not None:
                return self._with_text(asked, asked.text.casefold(), limit)
            return [record for _, record in self._traces(asked, limit)]

    def known(self, what: str, limit: int = 20) -> list[str]:
        """Return which agents, conversations, models, outcomes or services there are, sorted.

        Args:
            what: `agent`, `conversation`, `model`, `outcome` or `service`.
            limit: how many at most.
        """
        with self._reading():
            return [typed(row, (str,))[0] for row in self._all(KNOWN[what], limit, limit)]

    def trace(self, name: str, most_spans: int = DEFAULT_MOST_SPANS) -> JournalTrace:
        """Return a trace with its spans.

        Args:
            name: its id, or the beginning of it; a run's id, or the beginning of it; or `last`.
            most_spans: how many spans to return at most: the first.

        Raises:
            TraceNotFoundError: there is none.
            AmbiguousTraceError: there are several.
        """
        with self._reading():
            number, summary = self._found(name)
            rows = self._all(
                f"SELECT {SPAN_COLUMNS} {_SPANS} ORDER BY s.started_at, s.id LIMIT ?",
                number,
                most_spans,
            )
            decoded = Origins()
            spans = tuple(span_of(summary.trace_id, row, decoded) for row in rows)
        return JournalTrace(summary, spans, max(summary.spans - len(spans), 0))

    def otlp(self, name: str) -> ExportTraceServiceRequest:
        """Return a trace as a request of OTLP, open spans without an end.

        Args:
            name: as of `trace`.

        Raises:
            TraceNotFoundError: there is none.
            AmbiguousTraceError: there are several.
        """
        query = f"SELECT ifnull(o.resource, x''), ifnull(o.scope, x''), s.span {_SPANS}"
        with self._reading():
            number, _ = self._found(name)
            return request_of(self._all(f"{query} ORDER BY s.started_at, s.id", number))

    def otlp_json(self, name: str) -> str:
        """Return what `otlp` does, as one line of OTLP's JSON, which files and backends take."""
        return as_json(self.otlp(name))

    def open_runs(self, limit: int = 1_000) -> list[OpenRunRecord]:
        """Return the spans that have not ended, those first that started last."""
        with self._reading():
            rows = self._all(f"SELECT {OPEN_RUN_COLUMNS} {OPEN_RUNS} LIMIT ?", limit)
            return [open_run_of(row) for row in rows]

    def totals(self, seconds: float = 300) -> Totals:
        """Return what the traces of the last so many *seconds* come to."""
        query = (
            "SELECT count(*), ifnull(sum(outcome IN ('error', 'lost') AND open = 0), 0), "
            "ifnull(sum(input_tokens), 0), ifnull(sum(output_tokens), 0), total(cost), "
            "ifnull(sum(stalls), 0), avg(first_chunk_at - started_at) "
            "FROM traces WHERE started_at >= ?"
        )
        with self._reading():
            (row,) = self._all(query, time_ns() - int(seconds * 1e9))
            traces, errors, given, made, cost, stalls, first = typed(row, _TOTALS)
            ((running,),) = self._all("SELECT count(*) FROM traces WHERE open > 0")
        mean = first / 1e9 if first is not None else None
        return Totals(traces, running, errors, given, made, cost, stalls, mean)

    def activity(self, seconds: float = 300) -> Activity:
        """Return what goes on, and what the last so many *seconds* have brought."""
        with self._reading():
            return activity_of(self._connection, time_ns(), seconds)

    def status(self) -> JournalStatus:
        """Return what state it is in; in a large journal this counts for a second or so."""
        with self._reading():
            return status_of_journal(self.path, self._connection)

    def is_sound(self) -> bool:
        """Say whether every page and row of it can be read; this reads the whole file."""
        try:
            with self._reading():
                ((verdict,),) = self._all("PRAGMA quick_check(1)")
                return bool(verdict == "ok") and not has_wrong_values(self._connection)
        except JournalError:
            return False

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, reading(self.path, self._connection):
            yield

    def _all(self, query: str, *arguments: object) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, arguments).fetchall()

    def _traces(self, asked: TraceFilter, limit: int) -> list[tuple[int, TraceRecord]]:
        where, arguments = conditions(asked, time_ns())
        rows = self._all(
            f"SELECT t.id, {TRACE_AND_SERVICE} FROM traces AS t WHERE {where} "  # noqa: S608 - ours
            "ORDER BY t.started_at DESC LIMIT ?",
            *arguments,
            limit,
        )
        return [(row[0], trace_with_service(row[1:])) for row in rows]

    def _with_text(self, asked: TraceFilter, text: str, limit: int) -> list[TraceRecord]:
        where, arguments = conditions(asked, time_ns())
        found: dict[int, TraceRecord] = {}
        with self._reading():
            rows = self._connection.execute(
                "SELECT t.id, s.span FROM traces AS t "  # noqa: S608 - ours
                f"CROSS JOIN spans AS s ON s.trace = t.id WHERE {where} "
                "ORDER BY t.started_at DESC LIMIT ?",
                (*arguments, _MOST_SEARCHED),
            )
            one = f"SELECT {TRACE_AND_SERVICE} FROM traces AS t WHERE t.id = ?"  # noqa: S608 - ours
            for number, span in rows:
                if number not in found and says(Span.FromString(span), text):
                    (row,) = self._connection.execute(one, (number,))
                    found[number] = trace_with_service(row)
                    if len(found) >= limit:
                        break
        return list(found.values())

    def _found(self, name: str) -> tuple[int, TraceRecord]:
        text = name.strip().lower()
        found = self._traces(TraceFilter(), 1) if text == _LAST else list(self._named(text))
        if not found:
            raise TraceNotFoundError(
                f"the journal {self.path} has no trace or run {name!r}; `nodespan traces` lists "
                "what there is"
            )
        if len(found) > 1:
            raise AmbiguousTraceError(_ambiguous(name, [record for _, record in found]))
        return found[0]

    def _named(self, text: str) -> Iterator[tuple[int, TraceRecord]]:
        digits = text.replace("-", "")
        if not _PREFIX.fullmatch(digits):
            return
        first, last = (bytes.fromhex(digits.ljust(32, fill)) for fill in "0f")
        rows = self._all(
            f"SELECT t.id, {TRACE_AND_SERVICE} FROM traces AS t WHERE t.id IN ("  # noqa: S608 - ours
            "SELECT id FROM (SELECT id FROM traces WHERE trace_id BETWEEN ? AND ? LIMIT ?) UNION "
            # Run ids begin with their time: many of one trace may come before those of another.
            "SELECT trace FROM (SELECT DISTINCT trace FROM spans WHERE run_id BETWEEN ? AND ? "
            "LIMIT ?)) ORDER BY t.started_at DESC",
            *(first, last, _SHOWN_CANDIDATES + 1) * 2,
        )
        for row in rows:
            yield row[0], trace_with_service(row[1:])


def _ambiguous(name: str, found: Sequence[TraceRecord]) -> str:
    """Say which traces a name may mean, the newest first."""
    lines = [
        f"  {record.trace_id}  {record.started.astimezone():%Y-%m-%d %H:%M:%S}  {record.name}"
        for record in found[:_SHOWN_CANDIDATES]
    ]
    more = ["  and more"] if len(found) > _SHOWN_CANDIDATES else []
    head = f"{name!r} is the beginning of several traces, or of runs in them; give more of one:"
    return "\n".join([head, *lines, *more])

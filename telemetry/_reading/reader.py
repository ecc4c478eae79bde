"""Reads a journal, also while it is being written."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from threading import RLock
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from .._errors import AmbiguousTraceError, TraceNotFoundError
from .._journal.file import is_broken, open_journal, open_to_read
from .._journal.recovery import end_lost_runs, has_lost_runs
from .._settings.journal import path_in_use
from .decoding import (
    as_json,
    attributes_of,
    events_of,
    kind_of,
    links_of,
    request_of,
    says,
    status_of,
)
from .doctor import status_of_journal
from .filters import conditions
from .records import (
    RUNNING,
    JournalSpan,
    JournalStatus,
    JournalTrace,
    OpenRunRecord,
    Totals,
    TraceFilter,
    TraceRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

DEFAULT_MOST_SPANS: Final = 10_000

_LAST: Final = "last"
_PREFIX: Final = re.compile(r"[0-9a-f]{1,32}", re.IGNORECASE)
_SHOWN_CANDIDATES: Final = 5
# A text is looked for in so many of the newest spans.
_MOST_SEARCHED: Final = 200_000

_TRACE_COLUMNS: Final = (
    "t.trace_id, t.name, t.started_at, t.ended_at, t.outcome, t.error, t.agent, t.conversation, "
    "(SELECT group_concat(model, char(0)) FROM models WHERE trace = t.id), t.input_tokens, "
    "t.output_tokens, t.cost, t.currency, t.first_chunk_at, t.stalls, t.spans, t.open, t.errors"
)
_SPAN_COLUMNS: Final = (
    "s.span_id, s.parent_id, s.run_id, s.name, s.operation, s.started_at, s.ended_at, s.outcome, "
    "s.error, s.model, s.input_tokens, s.output_tokens, s.cost, s.currency, s.first_chunk_at, "
    "s.chunks, s.last_chunk_at, s.stalls, s.destination, s.refusal, o.resource, o.scope, s.span"
)
_SPANS: Final = "FROM spans AS s LEFT JOIN origins AS o ON o.id = s.origin WHERE s.trace = ?"


class Journal:
    """A journal, to read from it.

    Runs that a process has left open when it died are ended as `lost` when a journal is opened,
    where it may be written.

    Args:
        path: of its file; by default the one that `NODESPAN_JOURNAL` names, or else the one in the
            user's state folder.

    Raises:
        JournalMissingError: there is none.
        JournalError: it is none, or one that only a newer nodespan can read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else path_in_use(os.environ)
        self._lock = RLock()
        self._connection = open_to_read(self.path)
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
        if asked.text is not None:
            return self._with_text(asked, asked.text.casefold(), limit)
        return [record for _, record in self._traces(asked, limit)]

    def trace(self, name: str, most_spans: int = DEFAULT_MOST_SPANS) -> JournalTrace:
        """Return a trace with its spans.

        Args:
            name: its id, or the beginning of it; a run's id, or the beginning of it; or `last`.
            most_spans: how many spans to return at most: the first.

        Raises:
            TraceNotFoundError: there is none.
            AmbiguousTraceError: there are several.
        """
        number, summary = self._found(name)
        rows = self._all(
            f"SELECT {_SPAN_COLUMNS} {_SPANS} ORDER BY s.started_at, s.id LIMIT ?",
            number,
            most_spans,
        )
        decoded = _Origins()
        spans = tuple(_span(summary.trace_id, row, decoded) for row in rows)
        return JournalTrace(summary, spans, max(summary.spans - len(spans), 0))

    def otlp(self, name: str) -> ExportTraceServiceRequest:
        """Return a trace as a request of OTLP, open spans without an end.

        Args:
            name: as of `trace`.

        Raises:
            TraceNotFoundError: there is none.
            AmbiguousTraceError: there are several.
        """
        number, _ = self._found(name)
        query = f"SELECT ifnull(o.resource, x''), ifnull(o.scope, x''), s.span {_SPANS}"
        return request_of(self._all(f"{query} ORDER BY s.started_at, s.id", number))

    def otlp_json(self, name: str) -> str:
        """Return what `otlp` does, as one line of OTLP's JSON, which files and backends take."""
        return as_json(self.otlp(name))

    def open_runs(self, limit: int = 1_000) -> list[OpenRunRecord]:
        """Return the spans that have not ended, those first that started last."""
        rows = self._all(
            "SELECT t.trace_id, s.span_id, s.run_id, s.name, s.operation, s.model, t.agent, "
            "t.conversation, s.started_at, s.chunks, s.first_chunk_at, s.last_chunk_at "
            "FROM spans AS s INDEXED BY spans_open JOIN traces AS t ON t.id = s.trace "
            "WHERE s.ended_at IS NULL ORDER BY s.started_at DESC LIMIT ?",
            limit,
        )
        return [
            OpenRunRecord(row[0].hex(), row[1].hex(), _run_id(row[2]), *row[3:]) for row in rows
        ]

    def totals(self, seconds: float = 300) -> Totals:
        """Return what the traces of the last so many *seconds* come to."""
        rows = self._all(
            "SELECT count(*), ifnull(sum(outcome IN ('error', 'lost') AND open = 0), 0), "
            "ifnull(sum(input_tokens), 0), ifnull(sum(output_tokens), 0), total(cost), "
            "ifnull(sum(stalls), 0), avg(first_chunk_at - started_at) "
            "FROM traces WHERE started_at >= ?",
            time_ns() - int(seconds * 1e9),
        )
        ((traces, errors, given, made, cost, stalls, first),) = rows
        ((running,),) = self._all("SELECT count(*) FROM traces WHERE open > 0")
        mean = first / 1e9 if first is not None else None
        return Totals(traces, running, errors, given, made, cost, stalls, mean)

    def status(self) -> JournalStatus:
        """Return what state it is in; in a large journal this counts for a second or so."""
        with self._lock:
            return status_of_journal(self.path, self._connection)

    def is_sound(self) -> bool:
        """Say whether every page of it can be read; this reads the whole file."""
        try:
            ((verdict,),) = self._all("PRAGMA quick_check(1)")
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            return False
        return bool(verdict == "ok")

    def _all(self, query: str, *arguments: object) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, arguments).fetchall()

    def _traces(self, asked: TraceFilter, limit: int) -> list[tuple[int, TraceRecord]]:
        where, arguments = conditions(asked, time_ns())
        rows = self._all(
            f"SELECT t.id, {_TRACE_COLUMNS} FROM traces AS t WHERE {where} "  # noqa: S608 - ours
            "ORDER BY t.started_at DESC LIMIT ?",
            *arguments,
            limit,
        )
        return [(row[0], _trace(row[1:])) for row in rows]

    def _with_text(self, asked: TraceFilter, text: str, limit: int) -> list[TraceRecord]:
        where, arguments = conditions(asked, time_ns())
        found: dict[int, TraceRecord] = {}
        with self._lock:
            rows = self._connection.execute(
                f"SELECT t.id, s.span, {_TRACE_COLUMNS} FROM traces AS t "  # noqa: S608 - ours
                f"CROSS JOIN spans AS s ON s.trace = t.id WHERE {where} "
                "ORDER BY t.started_at DESC LIMIT ?",
                (*arguments, _MOST_SEARCHED),
            )
            for number, span, *columns in rows:
                if number not in found and says(Span.FromString(span), text):
                    found[number] = _trace(columns)
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
            ids = ", ".join(record.trace_id for _, record in found[:_SHOWN_CANDIDATES])
            raise AmbiguousTraceError(f"several traces begin with {name!r}: {ids}; give more of it")
        return found[0]

    def _named(self, text: str) -> Iterator[tuple[int, TraceRecord]]:
        digits = text.replace("-", "")
        if not _PREFIX.fullmatch(digits):
            return
        first, last = (bytes.fromhex(digits.ljust(32, fill)) for fill in "0f")
        rows = self._all(
            f"SELECT t.id, {_TRACE_COLUMNS} FROM traces AS t WHERE t.id IN ("  # noqa: S608 - ours
            "SELECT id FROM (SELECT id FROM traces WHERE trace_id BETWEEN ? AND ? LIMIT ?) UNION "
            "SELECT trace FROM (SELECT trace FROM spans WHERE run_id BETWEEN ? AND ? LIMIT ?))",
            *(first, last, _SHOWN_CANDIDATES + 1) * 2,
        )
        for row in rows:
            yield row[0], _trace(row[1:])


class _Origins:
    """Decodes each resource and scope once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], tuple[dict[str, Any], str]] = {}

    def of(self, resource: bytes, scope: bytes) -> tuple[dict[str, Any], str]:
        known = self._known.get((resource, scope))
        if known is None:
            decoded: Resource = ResourceSpans.FromString(resource).resource
            name = ScopeSpans.FromString(scope).scope.name
            known = self._known[resource, scope] = (attributes_of(decoded.attributes), name)
        return known


def _trace(row: Iterable[Any]) -> TraceRecord:
    (
        trace_id, name, started_at, ended_at, outcome, error, agent, conversation, models,
        input_tokens, output_tokens, cost, currency, first_chunk_at, stalls, spans, is_open, errors,
    ) = row  # fmt: skip
    first = (first_chunk_at - started_at) / 1e9 if first_chunk_at is not None else None
    ended = outcome if outcome is not None else "error" if errors else "ok"
    return TraceRecord(
        trace_id=trace_id.hex(),
        name=name or "",
        started_at=started_at,
        ended_at=ended_at if not is_open else None,
        outcome=RUNNING if is_open else ended,
        error=error,
        agent=agent,
        conversation=conversation,
        models=tuple(sorted(models.split("\0"))) if models else (),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=cost,
        currency=currency,
        time_to_first_chunk=first,
        stalls=stalls,
        spans=spans,
        open_spans=is_open,
        errors=errors,
    )


def _span(trace_id: str, row: Iterable[Any], origins: _Origins) -> JournalSpan:
    (
        span_id, parent_id, run_id, name, operation, started_at, ended_at, outcome, error, model,
        input_tokens, output_tokens, cost, currency, first_chunk_at, chunks, last_chunk_at, stalls,
        destination, refusal, made_by, scope, encoded,
    ) = row  # fmt: skip
    span = Span.FromString(encoded)
    resource, library = origins.of(made_by or b"", scope or b"")
    return JournalSpan(
        trace_id=trace_id,
        span_id=span_id.hex(),
        parent_id=parent_id.hex() if parent_id else None,
        run_id=_run_id(run_id),
        name=name,
        kind=kind_of(span),
        operation=operation,
        started_at=started_at,
        ended_at=ended_at,
        outcome=outcome if ended_at is not None else RUNNING,
        error=error,
        model=model,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost=cost,
        currency=currency,
        first_chunk_at=first_chunk_at,
        chunks=chunks,
        last_chunk_at=last_chunk_at,
        stalls=stalls or 0,
        delivery=refusal or ("owed" if destination is not None else "none"),
        status=status_of(span),
        attributes=attributes_of(span.attributes),
        events=events_of(span),
        links=links_of(span),
        resource=resource,
        scope=library,
    )


def _run_id(run_id: bytes | None) -> str | None:
    return str(UUID(bytes=run_id)) if run_id else None

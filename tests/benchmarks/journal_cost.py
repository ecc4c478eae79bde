"""What the journal costs: `python -m tests.benchmarks.journal_cost`.

Spans of an agent's traces are made, encoded and written: by the journal, and by a sketch of it that
has the official encoder, one thread that writes, one row a span, and upserts in batches of 5,000.
They take turns in one process with a provider that drops its spans and with the SDK's batch
processor. Then the journal is read and drained at its size. Printed are medians with their
quartiles, beside the goals.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import set_span_in_context
from rich import box
from rich.console import Console
from rich.table import Table

from nodespan.telemetry import TelemetryConfig
from nodespan.telemetry._diagnostics import Diagnostics
from nodespan.telemetry._encoding.rows import Encoder
from nodespan.telemetry._journal.recording import record
from nodespan.telemetry._journal.store import Store
from nodespan.telemetry._settings.variables import Signal
from nodespan.telemetry._setup.journal import ProcessJournal, set_up_journal
from nodespan.telemetry._spool.endpoint import destination_of, endpoint_of
from nodespan.telemetry.journal import Journal, TraceFilter

from .paired import Measured, Rounds, in_turns, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

    from nodespan.telemetry._spool.destinations import Destination

MADE: Final = "made"
BATCHED: Final = "batch processor"
SKETCH: Final = "sketch"
OURS: Final = "nodespan"

_SPANS_A_TRACE: Final = 8
_ROUNDS: Final = 7
_AT_ONCE: Final = 5_000
_US: Final = 1e6
_MS: Final = 1e3
_MB: Final = 1 << 20
_WIDTH: Final = 140
_AGENTS: Final = 20


def _attributes(number: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": f"agent {number % _AGENTS}",
        "gen_ai.conversation.id": f"thread {number}",
        "gen_ai.usage.input_tokens": 2 * number,
        "gen_ai.usage.output_tokens": 84,
    }
    if number % 10 == 0:
        agent["nodespan.outcome"] = "interrupted"
    node = {"langgraph.node": "model", "langgraph.step": 1, "openinference.span.kind": "CHAIN"}
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "nodespan",
        "gen_ai.request.model": "cat-1",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "cat-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.conversation.id": f"thread {number}",
        "gen_ai.usage.input_tokens": number,
        "gen_ai.usage.output_tokens": 42,
        "nodespan.stream.chunks": 42,
        "nodespan.stream.gap.p95": 0.1,
    }
    return agent, node, chat


def make_traces(tracer: Tracer, traces: int, first: int = 0) -> None:
    """Make the spans of an agent's traces: a root, three nodes, two models, two tools."""
    for number in range(first, first + traces):
        agent, node, chat = _attributes(number)
        root = tracer.start_span("invoke_agent librarian", attributes=agent)
        within = set_span_in_context(root)
        for step in range(3):
            parent = tracer.start_span("node model", within, attributes=node)
            inside = set_span_in_context(parent)
            if step != 1:
                tracer.start_span("chat cat-1", inside, attributes=chat).end()
            else:
                tracer.start_span("execute_tool look_up", inside).end()
                tracer.start_span("execute_tool look_up", inside).end()
            parent.end()
        root.end()


class _Dropping(SpanProcessor):
    """Drops spans."""


class _NotExporting(SpanExporter):
    """Takes spans, and sends them nowhere."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take spans."""
        del spans
        return SpanExportResult.SUCCESS


class Sketch(SpanProcessor):
    """The least that a journal can do with ended spans.

    Args:
        path: of its file.
    """

    def __init__(self, path: Path) -> None:
        self._queue: deque[ReadableSpan] = deque()
        self._is_stopping = False
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = NORMAL",
            (
                "CREATE TABLE spans (trace_id BLOB, span_id BLOB, parent_id BLOB, name TEXT, "
                "started_at INTEGER, ended_at INTEGER, agent TEXT, outcome TEXT, span BLOB)"
            ),
            "CREATE UNIQUE INDEX by_trace ON spans (trace_id, span_id)",
            "CREATE INDEX by_start ON spans (started_at)",
        ):
            self._connection.execute(statement)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        self._queue.append(span)

    def shutdown(self) -> None:
        """Write what waits, and stop."""
        self._is_stopping = True
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while self._queue or not self._is_stopping:
            spans = list(islice(self._queue, _AT_ONCE))
            if spans:
                self._write(spans)
            for _ in spans:
                self._queue.popleft()
            if len(spans) < _AT_ONCE:
                time.sleep(0.02)

    def _write(self, spans: Sequence[ReadableSpan]) -> None:
        rows = [
            (
                span.trace_id,
                span.span_id,
                span.parent_span_id,
                span.name,
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                None,
                None,
                span.SerializeToString(),
            )
            for group in encode_spans(spans).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id, span_id) "
            "DO UPDATE SET ended_at = excluded.ended_at, span = excluded.span",
            rows,
        )
        self._connection.execute("COMMIT")


class Contestant:
    """A provider of tracers whose spans go to one contestant.

    Args:
        name: of it.
        folder: for its file.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.provider = TracerProvider(
            resource=Resource({"service.name": "benchmark"}), shutdown_on_exit=False
        )
        self._journal: ProcessJournal | None = None
        path = folder / f"{time.time_ns()}.db"
        self.provider.add_span_processor(self._processor(name, path))

    def _processor(self, name: str, path: Path) -> SpanProcessor:
        if name == MADE:
            return _Dropping()
        if name == BATCHED:
            return BatchSpanProcessor(_NotExporting(), max_queue_size=1 << 20)
        if name == SKETCH:
            return Sketch(path)
        self._journal = journal_at(path)
        return self._journal.processor

    @property
    def tracer(self) -> Tracer:
        """Makes the spans."""
        return self.provider.get_tracer("benchmark")

    @property
    def dropped(self) -> int:
        """How many starts and ends of spans found no room."""
        return self._journal.queue.dropped if self._journal is not None else 0

    def stop(self) -> None:
        """Have all written, and stop."""
        if self._journal is not None:
            self._journal.stop(600)
        self.provider.shutdown()


def journal_at(path: Path, endpoint: str | None = None) -> ProcessJournal:
    """Return a journal that this process writes."""
    config = TelemetryConfig(endpoint=endpoint, journal_max_bytes=1 << 40).checked({})
    sends = endpoint is not None
    journal = set_up_journal(config, path, {}, otherwise=lambda: None, sends=sends)
    assert journal is not None
    return journal


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    name: str
    took: Measured | float
    unit: str
    goal: str
    is_met: bool

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows."""
        told = self.took
        number = told.median if isinstance(told, Measured) else told
        spread = f"{told.low:,.2f} to {told.high:,.2f}" if isinstance(told, Measured) else ""
        shown = f"{number:,.2f} {self.unit}".rstrip()
        return self.name, shown, spread, self.goal, "met" if self.is_met else "missed"


def to_disk(folder: Path, traces: int) -> Iterator[Row]:
    """Measure the way of a span from its making to the disk, and the application's part of it."""
    on_thread: dict[str, list[float]] = {}
    spans = traces * _SPANS_A_TRACE

    def work(name: str) -> float:
        contestant = Contestant(name, folder)

        def run() -> None:
            here = time.thread_time()
            make_traces(contestant.tracer, traces)
            on_thread.setdefault(name, []).append((time.thread_time() - here) / spans * _US)
            contestant.stop()

        return seconds(run) / spans * _US

    names = (MADE, BATCHED, SKETCH, OURS)
    rounds = in_turns({name: partial(work, name) for name in names}, _ROUNDS)
    for name in names:
        yield Row(f"CPU of a span, {name}", rounds.alone(name), "us", "", is_met=True)
    ratio = rounds.ratio(OURS, SKETCH)
    yield Row("CPU of a span, ratio to the sketch", ratio, "", "", is_met=True)
    a_second = _US / rounds.alone(OURS).median
    goal = 9_000
    yield Row("spans a CPU second, to disk", a_second, "", "9,000", is_met=a_second >= goal)
    own = Rounds({name: taken[1:] for name, taken in on_thread.items()})
    for name in names:
        yield Row(f"of the application's thread, {name}", own.alone(name), "us", "", is_met=True)
    added = own.added(OURS, BATCHED)
    most = 5.0
    name = "of the application's thread, over the batch processor"
    yield Row(name, added, "us", "5 us", is_met=added.median <= most)


def burst(folder: Path) -> Iterator[Row]:
    """Make 50,000 spans in two seconds, and see whether any is dropped."""
    journal = journal_at(folder / "burst.db")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(journal.processor)
    tracer = provider.get_tracer("benchmark")
    before = time.monotonic()
    for part in range(50):
        make_traces(tracer, 125)
        time.sleep(max(before + (part + 1) * 0.04 - time.monotonic(), 0))
    took = time.monotonic() - before
    journal.stop(600)
    dropped = journal.queue.dropped
    name = f"dropped of a burst of 50,000 in {took:.1f} s"
    yield Row(name, dropped, "", "0", is_met=dropped == 0)


def reading(folder: Path, traces: int) -> Iterator[Row]:
    """Measure what people ask of a large journal."""
    path = folder / "large.db"
    write_large(path, traces)
    spans = traces * _SPANS_A_TRACE
    yield Row("bytes of a span on the disk", path.stat().st_size / spans, "", "", is_met=True)
    with Journal(path) as read:
        middle = read.traces(TraceFilter(conversation=f"thread {traces // 2}"))[0].trace_id
        rare = TraceFilter(outcome="interrupted", agent="agent 10")
        none = TraceFilter(outcome="error", agent="agent 11")
        for name, ask, most in (
            ("list of 50 traces", read.traces, 100),
            ("one trace", lambda: read.trace(middle), 20),
            ("filter by outcome and agent", lambda: read.traces(rare), 200),
            ("filter by outcome and agent, nothing found", lambda: read.traces(none), 200),
        ):
            took_ms = _repeated(ask)
            yield Row(name, took_ms, "ms", f"{most} ms", is_met=took_ms.median <= most)


class _Kept(SpanProcessor):
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        self.spans.append(span)


def write_large(path: Path, traces: int) -> None:
    """Write a journal of many traces, a second apart, from rows that are encoded once."""
    kept, provider = _Kept(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(kept)
    make_traces(provider.get_tracer("benchmark"), _AGENTS)
    rows = list(Encoder().rows(kept.spans, {}))
    store = Store(path, Diagnostics())
    at_once = 500
    for first in range(0, traces, at_once):
        made = [
            row._replace(
                trace_id=(row.trace_id[:8] + number.to_bytes(8, "big")),
                started_at=row.started_at + number * 10**9,
                ended_at=(row.ended_at or 0) + number * 10**9,
                conversation=row.conversation and f"thread {number}",
            )
            for number in range(first, min(first + at_once, traces))
            for row in rows[number % _AGENTS * _SPANS_A_TRACE :][:_SPANS_A_TRACE]
        ]
        with store.transaction() as connection:
            record(connection, made, owner=None, destination=None, known=(), since=0)
    store.close()


def _repeated(ask: Callable[[], object]) -> Measured:
    def once() -> float:
        before = time.perf_counter()
        ask()
        return (time.perf_counter() - before) * _MS

    return Measured.of([once() for _ in range(9)])


_RECEIVER: Final = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def _destination(endpoint: str) -> Destination:
    signals = (Signal.TRACES, Signal.LOGS)
    return destination_of({each: endpoint_of(each, endpoint, None, {}) for each in signals})


def owed_in(path: Path) -> int:
    """Return how much a journal owes, to whomever."""
    with Journal(path) as read:
        return sum(backlog.spans for backlog in read.status().backlogs)


def draining(folder: Path, traces: int) -> Iterator[Row]:
    """Measure how fast what waits for an endpoint that was away is sent."""
    with subprocess.Popen(
        [sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True
    ) as receiver:
        assert receiver.stdout is not None
        endpoint = f"http://127.0.0.1:{receiver.stdout.readline().strip()}"
        path = folder / "owed.db"
        write_large(path, traces)
        spans = traces * _SPANS_A_TRACE
        journal = journal_at(path)
        journal.stop(60)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        number = _destination(endpoint).number(other)
        other.execute("UPDATE spans SET destination = ?, owner = 1", (number,))
        other.execute("COMMIT")
        other.close()
        before, used = time.monotonic(), time.process_time()
        journal = journal_at(path, endpoint)
        while owed_in(path):
            time.sleep(0.02)
        took, used = time.monotonic() - before, time.process_time() - used
        journal.stop(60)
        receiver.kill()
    goal = 5_000
    name, rate = f"spans a second, drained of {spans:,}", spans / took
    yield Row(name, rate, "", "5,000", is_met=rate >= goal)
    yield Row("CPU of a drained span", used / spans * _US, "us", "", is_met=True)


_SUSTAINED: Final = """
import sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
from tests.benchmarks.journal_cost import Contestant, make_traces
with TemporaryDirectory() as folder:
    contestant = Contestant(sys.argv[1], Path(folder))
    tracer = contestant.tracer
    make_traces(tracer, 100)
    before = time.monotonic()
    for part in range(600):
        make_traces(tracer, 63)
        time.sleep(max(before + (part + 1) * 0.1 - time.monotonic(), 0))
    took = time.monotonic() - before
    contestant.stop()
    # What `getrusage` tells is at least what the process had that has started this one.
    status = Path("/proc/self/status").read_text().split()
    print(status[status.index("VmHWM:") + 1], contestant.dropped, took)
"""
_START: Final = """
import os, sys, time
import langgraph.graph, opentelemetry.sdk.trace, nodespan.telemetry._setup.configure
os.environ["NODESPAN_JOURNAL"] = sys.argv[1]
before = time.process_time()
nodespan.telemetry.configure()
print(time.process_time() - before)
os._exit(0)
"""


def _told(code: str, *arguments: str) -> list[float]:
    command = [sys.executable, "-c", code, *arguments]
    # As it is where a program is installed: what it imports was compiled before.
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    return [float(word) for word in result.stdout.split()]


def memory() -> Iterator[Row]:
    """Measure a minute of 5,000 spans a second, written beside dropped."""
    made, ours = _told(_SUSTAINED, MADE), _told(_SUSTAINED, OURS)
    added, dropped, took = (ours[0] - made[0]) / 1024, ours[1], ours[2]
    most = 32.0
    name = f"memory that 5,000 spans a second for {took:.1f} s take"
    yield Row(name, added, "MB", "32 MB", is_met=added <= most)
    yield Row("dropped meanwhile", dropped, "", "0", is_met=not dropped)


def start(folder: Path) -> Iterator[Row]:
    """Measure what the journal adds to a `configure()`."""
    places = {"off": "off", "journal": str(folder / "start.db")}
    turns = {name: (lambda place=place: _told(_START, place)[0]) for name, place in places.items()}
    rounds = in_turns(turns, 15)
    added = rounds.added("journal", "off").times(_MS)
    most = 5.0
    name = "configure(), with a journal over without"
    yield Row(name, added, "ms", "5 ms", is_met=added.median <= most)
    yield Row("configure(), without", rounds.alone("off").times(_MS), "ms", "", is_met=True)


def rows(asked: str, spans: int, folder: Path) -> Iterator[Row]:
    """Measure all parts whose names have *asked* in them."""
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "disk": partial(to_disk, folder, 1_500),
        "burst": partial(burst, folder),
        "start": partial(start, folder),
        "memory": memory,
        "draining": partial(draining, folder, 12_500),
        "reading": partial(reading, folder, spans // _SPANS_A_TRACE),
    }
    for name, part in parts.items():
        if asked in name:
            yield from part()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="measure the parts with this in their name")
    parser.add_argument("--spans", type=int, default=1_000_000, help="in the large journal")
    parser.add_argument("--markdown", action="store_true", help="print it as Markdown")
    arguments = parser.parse_args()
    table = Table(box=box.MARKDOWN if arguments.markdown else box.SIMPLE)
    for heading in ("", "takes", "quartiles", "goal", "goal is"):
        table.add_column(heading)
    with TemporaryDirectory() as folder:
        for row in rows(arguments.only, arguments.spans, Path(folder)):
            table.add_row(*row.cells())
    Console(width=_WIDTH, highlight=False).print(table)


if __name__ == "__main__":
    main()

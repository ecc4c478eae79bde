"""What telemetry costs: `python -m tests.benchmarks.telemetry_cost`.

The same work is done bare; with a handler that does nothing, the floor that LangChain itself
sets; and with nodespan, everything on: spans, metrics, and log lines at their default level.
These take turns in one process. Each of four peers that is installed takes turns with bare work,
in processes of their own, since they patch LangChain. Printed are medians of the rounds, with
their quartiles, beside the goals; with `--markdown`, the table that README shows.
"""

from __future__ import annotations

import argparse
import os
import platform
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from rich import box
from rich.console import Console
from rich.table import Table

from . import agents, works
from .contestants import (
    BARE,
    FLOOR,
    NOT_SAMPLED,
    OURS,
    PEERS,
    WITH_CONTENT,
    Elsewhere,
    dropping_provider,
    here,
    import_seconds,
    serve,
)
from .paired import Measured, Rounds, in_turns, seconds
from .sdk_alone import SDK, sdk_alone, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from langchain_core.runnables import RunnableConfig
    from opentelemetry.sdk.trace import ReadableSpan

    from .contestants import Peer
    from .works import Work

BEGIN: Final = "<!-- python -m tests.benchmarks.telemetry_cost --markdown -->"
END: Final = "<!-- end of telemetry_cost -->"
IMPORT: Final = "import, after LangGraph and the SDK"
ENCODING: Final = "encoding a span of three nodes, one of which calls a model"
AT_ONCE: Final = {
    "200 streaming agents at once, all sent: tokens a second of CPU, ratio to bare": (
        agents.TOKENS,
        0.90,
    ),
    "200 streaming agents at once, all sent: lag of the loop, p99, ratio to bare": (
        agents.LAG,
        1.5,
    ),
}

_MODULE: Final = "tests.benchmarks.telemetry_cost"
_ADDED_TO_FLOOR: Final = 0.5
_IMPORT_GOAL: Final = 30.0
_IMPORT_ROUNDS: Final = 7
_ENCODING_ROUNDS: Final = 20
_AGENTS_ROUNDS: Final = 7
# Each with how many rounds it takes to tell.
_LENGTHS: Final = ((1_000, 80), (10_000, 20), (100_000, 8))
_STREAMS_AT_ONCE: Final = ((10, 80), (100, 12), (1_000, 4))
_MORE: Final = "added per further token"
_US: Final = 1e6
_MS: Final = 1e3
_WIDTH: Final = 220


@dataclass(frozen=True, slots=True)
class Case:
    """Something to measure with each contestant.

    Attributes:
        name: of what is measured.
        unit: of the numbers; none for ratios.
        goal: the most that nodespan may take; None for half a microsecond above the floor.
        rounds: of the contestants in this process.
        peer_rounds: of each peer; 0 where peers are not measured.
        measure: does the work once, and returns what that took.
        tell: what the rounds tell of a contestant beside another.
        ours: how nodespan is set up for it.
        recorded: the work whose spans the SDK alone makes, where that takes part.
    """

    name: str
    unit: str
    goal: float | None
    rounds: int
    peer_rounds: int
    measure: Callable[[RunnableConfig], float]
    tell: Callable[[Rounds, str, str], Measured] = Rounds.added
    ours: str = OURS
    recorded: Work | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table.

    Attributes:
        name: of what was measured.
        unit: of the numbers; none for ratios.
        goal: the most that nodespan may take; None where nobody has set one.
        ours: what it takes.
        floor: what the handler that does nothing takes, where there is one.
        peers: what the peers take, by name.
        more_is_better: whether the goal is the least instead.
    """

    name: str
    unit: str
    goal: float | None
    ours: Measured
    floor: Measured | None = None
    peers: Mapping[str, Measured] = field(default_factory=dict)
    more_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Whether the goal is met, or by how much it is missed."""
        if self.goal is None:
            return ""
        missed = (self.ours.median - self.goal) * (-1 if self.more_is_better else 1)
        return "met" if missed <= 0 else f"missed by {self.shown(missed)}"

    @property
    def spread(self) -> str:
        """The quartiles of what nodespan takes."""
        return f"{self._number(self.ours.low)} to {self._number(self.ours.high)}"

    def shown(self, number: Measured | float | None) -> str:
        """Return a number with its unit."""
        if number is None:
            return ""
        told = number.median if isinstance(number, Measured) else number
        return f"{self._number(told)} {self.unit}".rstrip()

    def _number(self, number: float) -> str:
        return f"{number:.1f}" if self.unit in ("kB", "ms") else f"{number:.2f}"


def cases(open_streams: int) -> list[Case]:
    """Return all that is measured with every contestant.

    Args:
        open_streams: whose memory is measured; one holds what any other does.
    """
    memory = partial(_open_stream_kilobytes, open_streams)
    return [
        _added("model.stream", works.stream(2_000), 40, 8),
        _added("model.astream", works.astream(2_000), 40, 5),
        _ratio("graph.stream", 1.12, works.graph_stream(2_000), 40, 6),
        _ratio("graph.astream", 1.14, works.graph_astream(2_000), 40, 4),
        _ratio("three-node invoke", 1.30, works.graph_invoke(10), 80, 20),
        _ratio("three-node ainvoke", 1.32, works.graph_ainvoke(10), 80, 20),
        _ratio("100 streams at once", 1.40, works.at_once(100, 200), 12, 2),
        Case("memory per open stream", "kB", 5.0, 1, 1, memory),
        *(_of_length(tokens, rounds) for tokens, rounds in _LENGTHS),
        *(_of_many(streams, rounds) for streams, rounds in _STREAMS_AT_ONCE),
        _beyond_floor("a stream of 2,000", 0.75, works.stream(2_000), 40),
        _beyond_floor("100 streams of 200 at once", 1.2, works.at_once(100, 200), 12),
        _ratio("three nodes and a call, invoke", 1.50, works.three_nodes(10), 40, 0),
        *_multiples("three nodes and a call, invoke", 1.7, works.three_nodes(10), 40),
        *_multiples("three nodes and a call, ainvoke", 1.7, works.three_async_nodes(10), 40),
        _multiple("one chat call", 2.0, works.chat_calls(20), 40),
        _multiple("one chat call after 20 ms of sleep", 2.0, works.chat_calls(10, 0.02), 20),
        replace(
            _ratio("three nodes and a call, not sampled", 1.20, works.three_nodes(10), 40, 0),
            ours=NOT_SAMPLED,
        ),
        _of_long_conversation(),
    ]


def _added(name: str, work: Work, rounds: int, peer_rounds: int) -> Case:
    name, measure = f"added per token, {name}", partial(_per_unit, work)
    return Case(name, "us", None, rounds, peer_rounds, measure)


def _ratio(name: str, goal: float, work: Work, rounds: int, peer_rounds: int) -> Case:
    name, measure = f"{name}, ratio to bare", partial(_per_unit, work)
    return Case(name, "", goal, rounds, peer_rounds, measure, Rounds.ratio)


def _beyond_floor(name: str, goal: float, work: Work, rounds: int) -> Case:
    name, measure = f"per token beyond the floor, {name}", partial(_per_unit, work)
    return Case(name, "us", goal, rounds, 0, measure, _beyond(FLOOR))


def _beyond(contestant: str) -> Callable[[Rounds, str, str], Measured]:
    return lambda rounds, name, _bare: rounds.added(name, contestant)


def _multiples(name: str, goal: float, work: Work, rounds: int) -> tuple[Case, Case]:
    """Return what telemetry adds without and with the collection of garbage."""
    collecting = partial(_per_unit, work, collects=True)
    alone = _multiple(name, goal, work, rounds)
    return alone, replace(alone, name=f"{alone.name}, with gc", measure=collecting)


def _multiple(name: str, goal: float, work: Work, rounds: int) -> Case:
    name, measure = f"{name}: added, times what the SDK alone adds", partial(_per_unit, work)
    return Case(name, "", goal, rounds, 0, measure, _times_sdk, recorded=work)


def _times_sdk(rounds: Rounds, contestant: str, bare: str) -> Measured:
    return rounds.multiple(contestant, SDK, bare)


def _of_long_conversation() -> Case:
    measure = partial(_milliseconds, works.long_conversation(20_000, nodes=5))
    name = "added, 20,000 messages in the state of five nodes, with content"
    return Case(name, "ms", 50.0, 12, 0, measure, ours=WITH_CONTENT)


def _of_length(tokens: int, rounds: int) -> Case:
    before = tokens // 10
    measure = partial(_per_further_token, works.stream(tokens), works.stream(before))
    name = f"{_MORE}, stream from {before:,} to {tokens:,}"
    return Case(name, "us", None, rounds, 0, measure)


def _of_many(streams: int, rounds: int) -> Case:
    name = f"{streams:,} streams of 100 at once"
    return _added(name, works.at_once(streams, 100), rounds, 0)


def _per_unit(work: Work, config: RunnableConfig, *, collects: bool = False) -> float:
    return seconds(partial(work.run, config), collects=collects) / work.units * _US


def _milliseconds(work: Work, config: RunnableConfig) -> float:
    return seconds(partial(work.run, config)) * _MS


def _per_further_token(work: Work, less: Work, config: RunnableConfig) -> float:
    """Return what a token takes, apart from what it takes to start and to end a stream."""
    took = seconds(partial(work.run, config)) - seconds(partial(less.run, config))
    return took / (work.units - less.units) * _US


def _open_stream_kilobytes(streams: int, config: RunnableConfig) -> float:
    return works.open_stream_bytes(config, streams, tokens=100) / 1_000


def measured(case: Case, elsewhere: Mapping[str, Elsewhere]) -> Row:
    """Return what a case takes with the contestants of this process, and with those elsewhere."""
    turns = {name: partial(case.measure, here(name)) for name in (BARE, FLOOR, case.ours)}
    if case.recorded is not None:
        turns[SDK] = partial(case.measure, sdk_alone(case.recorded.run))
    rounds = in_turns(turns, case.rounds)
    floor, ours = case.tell(rounds, FLOOR, BARE), case.tell(rounds, case.ours, BARE)
    goal = floor.median + _ADDED_TO_FLOOR if case.goal is None else case.goal
    peers = _of_peers(case, elsewhere) if elsewhere and case.peer_rounds else {}
    return Row(case.name, case.unit, goal, ours, floor, peers)


def _of_peers(case: Case, elsewhere: Mapping[str, Elsewhere]) -> dict[str, Measured]:
    turns = {name: partial(child.measure, case.name) for name, child in elsewhere.items()}
    rounds = in_turns(turns, case.peer_rounds)
    return {name: case.tell(rounds, name, BARE) for name in elsewhere if name != BARE}


def imported(peers: Sequence[Peer]) -> Row:
    """Return what the imports of nodespan's telemetry and of its peers take."""
    # Its public names are imported when they are first used: all of a handler is here.
    statements = {OURS: "from nodespan.telemetry import instrument"}
    statements |= {peer.name: f"import {peer.module}" for peer in peers}
    turns = {name: partial(import_seconds, statement) for name, statement in statements.items()}
    rounds = in_turns(turns, _IMPORT_ROUNDS)
    took = {name: rounds.alone(name).times(_MS) for name in statements}
    return Row(IMPORT, "ms", _IMPORT_GOAL, took.pop(OURS), None, took)


def encoded() -> Row:
    """Return what the official encoder takes for a span, ours and one that says nothing."""
    spans = spans_of(works.three_nodes(100).run)
    tracer = dropping_provider().get_tracer("sdk")
    bare = [tracer.start_span("span") for _ in spans]
    turns = {OURS: partial(_encoding, spans), FLOOR: partial(_encoding, bare)}
    rounds = in_turns(turns, _ENCODING_ROUNDS)
    return Row(ENCODING, "us", None, rounds.alone(OURS), rounds.alone(FLOOR))


def _encoding(spans: Sequence[ReadableSpan]) -> float:
    return seconds(lambda: encode_spans(spans).SerializeToString()) / len(spans) * _US


def at_once(asked: str) -> Iterator[Row]:
    """Return what many agents do in a process with everything on, against one with nothing."""
    wanted = {name: of for name, of in AT_ONCE.items() if asked in name}
    if not wanted:
        return
    with agents.contestants() as processes:
        for name, (work, goal) in wanted.items():
            turns = {each: partial(child.measure, work) for each, child in processes.items()}
            ratio = in_turns(turns, _AGENTS_ROUNDS).ratio(OURS, BARE)
            yield Row(name, "", goal, ratio, more_is_better=work == agents.TOKENS)


def rows(asked: str, peers: Sequence[Peer]) -> Iterator[Row]:
    """Measure all of whose names *asked* is a part."""
    names = [BARE, *(peer.name for peer in peers)] if peers else []
    with ExitStack() as stack:
        elsewhere = {n: stack.enter_context(Elsewhere(_MODULE, "--serve", n)) for n in names}
        for case in cases(open_streams=1_000):
            if asked in case.name:
                yield measured(case, elsewhere)
    if asked in ENCODING:
        yield encoded()
    yield from at_once(asked)
    if asked in IMPORT:
        yield imported(peers)


def table(told: Sequence[Row], peers: Sequence[Peer], *, is_markdown: bool) -> Table:
    """Return the rows as a table."""
    made = Table(box=box.MARKDOWN if is_markdown else box.SIMPLE)
    for heading in ("", "floor", "goal", OURS, "quartiles", "goal is", *(p.name for p in peers)):
        made.add_column(heading, no_wrap=True)
    for row in told:
        others = [row.shown(row.peers.get(peer.name)) for peer in peers]
        ours = [row.shown(row.ours), row.spread, row.verdict]
        made.add_row(row.name, row.shown(row.floor), row.shown(row.goal), *ours, *others)
    return made


def machine(peers: Sequence[Peer]) -> str:
    """Return where this runs: the processor, and the versions of all that has a part in it."""
    known = ("langchain-core", "langgraph", "opentelemetry-sdk")
    versions = [f"{name} {version(name)}" for name in (*known, *(p.distribution for p in peers))]
    python = f"Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores; {', '.join([python, *versions])}."


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _serve(contestant: str) -> None:
    measures = {case.name: case.measure for case in cases(open_streams=100)}
    serve(contestant, lambda name, config: measures[name](config))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="measure what has this in its name")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--markdown", action="store_true", help="print it as README shows it")
    parser.add_argument("--list", action="store_true", help="print the names of what is measured")
    parser.add_argument("--serve", metavar="CONTESTANT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        _serve(arguments.serve)
        return
    console = Console(width=_WIDTH, highlight=False)
    if arguments.list:
        names = [case.name for case in cases(open_streams=1)]
        console.print(*names, ENCODING, *AT_ONCE, IMPORT, sep="\n")
        return
    peers = [] if arguments.no_peers else [peer for peer in PEERS if peer.is_installed]
    told = list(rows(arguments.only, peers))
    printed = [table(told, peers, is_markdown=arguments.markdown), machine(peers)]
    console.print(*([BEGIN, *printed, END] if arguments.markdown else printed), sep="\n")


if __name__ == "__main__":
    main()

"""Prometheus scrapes a program that streams: its numbers are those that the program counted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from programs.streaming_program import AT_ONCE, GAPS, PRICES
from support.processes import PROGRAMS, environment_of_programs
from support.prometheus_server import SCRAPE_INTERVAL, Prometheus, run_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.flaky(reruns=1),
    pytest.mark.skipif(PROMETHEUS is None, reason="no `prometheus` on the PATH"),
]

DURATION = "gen_ai_client_operation_duration_seconds"
PER_CHUNK = "gen_ai_client_operation_time_per_output_chunk_seconds"
FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds"


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a program has counted, and the Prometheus that has scraped it.

    Attributes:
        prometheus: answers queries.
        counted: by the program itself.
        stalls: of each whole stream, the chunks that were waited for too long.
    """

    prometheus: Prometheus
    counted: dict[str, int]
    stalls: list[list[int]]

    def value(self, query: str) -> float:
        """Return the only value that an expression gives; 0 where it gives none."""
        return self.prometheus.value(query)


@contextmanager
def streaming() -> Iterator[subprocess.Popen[str]]:
    """Run the program; it waits to be told to go on."""
    process = subprocess.Popen(
        [sys.executable, PROGRAMS / "streaming_program.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment_of_programs(),
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate(timeout=30)


def go_on(process: subprocess.Popen[str]) -> None:
    """Tell the program to go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that the program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """A program that has streamed, and is still there to be scraped."""
    folder = tmp_path_factory.mktemp("prometheus")
    assert PROMETHEUS is not None
    with streaming() as program, run_prometheus(PROMETHEUS, folder, line_of(program)) as server:
        server.wait_until(lambda: server.value("up") == 1, "the program is scraped")
        go_on(program)
        told: dict[str, Any] = json.loads(line_of(program))
        server.wait_until(
            lambda: server.value(f"sum({DURATION}_count)") >= told["counted"]["ok"] + 6,
            "the last calls are scraped",
        )
        yield Scraped(server, told["counted"], told["stalls"])


def test_calls_are_counted_as_what_they_came_to(scraped: Scraped) -> None:
    """Failed, cancelled and abandoned calls are told apart; only failures have a type of error."""
    found = scraped.prometheus.vector(f"sum by (nodespan_outcome, error_type) ({DURATION}_count)")
    told = {
        (labels.get("nodespan_outcome", "ok"), labels.get("error_type")): value
        for labels, value in ((dict(key), value) for key, value in found.items())
    }
    assert told == {
        ("ok", None): scraped.counted["ok"],
        ("error", "ConnectionError"): scraped.counted["error"],
        ("abandoned", None): scraped.counted["abandoned"],
        ("cancelled", None): scraped.counted["cancelled"],
    }


def test_chunks_and_gaps_are_exact(scraped: Scraped) -> None:
    """Each chunk is counted, and each but the first of a stream has its gap."""
    assert scraped.value("sum(nodespan_stream_chunks_total)") == scraped.counted["chunks"]
    assert scraped.value(f"sum({PER_CHUNK}_count)") == scraped.counted["gaps"]
    calls = sum(scraped.counted[kind] for kind in ("ok", "error", "abandoned", "cancelled"))
    assert scraped.value(f"sum({FIRST_CHUNK}_count)") == calls


def test_tokens_and_cost_are_exact(scraped: Scraped) -> None:
    """Tokens are those that the answers told, and cost what the table says."""
    for side in ("input", "output"):
        query = f'sum(gen_ai_client_token_usage_sum{{gen_ai_token_type="{side}"}})'
        assert scraped.value(query) == scraped.counted[side] > 0
    price = PRICES["scripted"]
    cost = sum(scraped.counted[side] * price[side] for side in ("input", "output")) / 1e6
    found = scraped.prometheus.vector("sum by (nodespan_currency) (nodespan_cost_total)")
    assert found == {(("nodespan_currency", "EUR"),): pytest.approx(cost)}


def test_gaps_are_found_where_they_were(scraped: Scraped) -> None:
    """Each gap made on purpose is in its bucket, and at its chunk on the stream's span."""
    for seconds, (above, upto) in {0.8: ("0.64", "1.28"), 1.6: ("1.28", "2.56")}.items():
        assert seconds in GAPS.values()
        buckets = [f'sum({PER_CHUNK}_bucket{{le="{bound}"}})' for bound in (upto, above)]
        assert scraped.value(" - ".join(buckets)) == AT_ONCE
    assert scraped.value("sum(nodespan_stream_stalls_total)") == len(GAPS) * AT_ONCE
    assert scraped.stalls == [sorted(GAPS)] * AT_ONCE


def test_streams_were_seen_while_they_went_on(scraped: Scraped) -> None:
    """Scrapes in mid-stream have seen the streams, and that they had stalled; now all is over."""
    seen = "max_over_time(%s[2m])"
    assert max(GAPS.values()) > 0.5 + 3 * SCRAPE_INTERVAL
    assert scraped.value(seen % 'nodespan_runs_open{nodespan_run_kind="chat"}') == AT_ONCE
    assert scraped.value(seen % "nodespan_streams_stalled") == AT_ONCE
    assert scraped.value('nodespan_runs_open{nodespan_run_kind="chat"}') == 0
    assert scraped.value("nodespan_streams_stalled") == 0


def test_sums_never_shrink(scraped: Scraped) -> None:
    """What counts up in mid-stream is never scraped lower than before."""
    for name in ("nodespan_stream_chunks_total", f"{PER_CHUNK}_count", f"{DURATION}_count"):
        assert all(
            value == 0 for value in scraped.prometheus.vector(f"resets({name}[2m])").values()
        )


def test_telemetry_met_no_trouble(scraped: Scraped) -> None:
    """No run gave way, and nothing went wrong in telemetry itself."""
    assert scraped.value("sum(nodespan_runs_evicted_total)") == 0
    assert scraped.value("sum(nodespan_telemetry_errors_total)") == 0

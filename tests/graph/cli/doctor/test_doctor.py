"""`nodespan doctor`: whether the endpoint takes what is sent, and which settings are in force."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.telemetry._journal.file import open_journal
from nodespan.telemetry.journal import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.command import Result
    from support.otlp import OtlpReceiver
    from support.recording import Recording

    Command = Callable[..., Result]

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


@pytest.fixture(autouse=True)
def _journal_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NODESPAN_JOURNAL", str(tmp_path / "journal.db"))


def document(command: Command, *options: str, code: int = 0) -> dict[str, Any]:
    """Return what `--json` prints."""
    result = command("doctor", "--json", *options)
    assert (result.code, result.err) == (code, "")
    found: dict[str, Any] = json.loads(result.out)
    return found


def setting(found: dict[str, Any], name: str) -> tuple[str, str, str | None]:
    """Return value, source and trouble of a setting."""
    (one,) = (each for each in found["settings"] if each["name"] == name)
    return one["value"], one["source"], one["trouble"]


class TestJournal:
    """What is told of the journal."""

    def test_none_yet(self, command: Command, tmp_path: Path) -> None:
        """Where nothing was recorded yet, that is said, and nothing is wrong."""
        result = command("doctor")
        assert (result.code, result.err) == (0, "")
        assert f"journal   {tmp_path / 'journal.db'}" in result.out
        assert "there is none yet: nothing was recorded" in result.out
        assert "endpoint  none: nothing is sent" in result.out
        found = document(command)
        assert (found["traces"], found["is_well"]) == (None, True)
        assert not (tmp_path / "journal.db").exists()

    @pytest.mark.parametrize(
        ("place", "why"),
        [
            ("file/journal.db", "cannot be opened (File exists)"),
            ("file/folder/journal.db", "cannot be opened (Not a directory)"),
            ("/proc/none/journal.db", "cannot be opened (No such file or directory)"),
            ("/proc/journal.db", "cannot be opened (No such file or directory)"),
        ],
    )
    def test_a_place_that_cannot_be_written(
        self,
        command: Command,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        place: str,
        why: str,
    ) -> None:
        """Where no journal can lie, the doctor says what who records would say, and makes none."""
        (tmp_path / "file").write_text("x")
        path = tmp_path / place
        monkeypatch.setenv("NODESPAN_JOURNAL", str(path))
        said = f"the journal {path} {why}; set NODESPAN_JOURNAL to a file that can be written, or"
        result = command("doctor")
        assert result.code == 1
        assert f"state     {said} to off" in result.out
        found = document(command, code=1)
        assert (found["is_well"], found["trouble"]) == (False, f"{said} to off")
        with pytest.raises(JournalError) as raised:
            open_journal(path)
        assert str(raised.value) == found["trouble"]
        assert [each.name for each in tmp_path.iterdir()] == ["file"]

    def test_folders_that_can_be_made_are_not_made(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A journal may come to lie in folders that are still missing: nothing is wrong."""
        monkeypatch.setenv("NODESPAN_JOURNAL", str(tmp_path / "a" / "b" / "journal.db"))
        assert document(command)["is_well"]
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    @pytest.mark.parametrize("place", ["journal.db", "a/b/journal.db"])
    def test_a_folder_without_the_right_to_write(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        """The nearest folder that is there decides."""
        monkeypatch.setenv("NODESPAN_JOURNAL", str(tmp_path / place))
        tmp_path.chmod(0o500)
        found = document(command, code=1)
        tmp_path.chmod(0o700)
        assert "cannot be" in found["trouble"]

    def test_a_sound_one_that_cannot_be_written(
        self, command: Command, recording: Recording, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What lies there is told, and that nothing more can be recorded."""
        recording.tracer.start_span("x").end()
        recording.flush()
        monkeypatch.setenv("NODESPAN_JOURNAL", str(recording.path))
        assert document(command)["is_well"]
        monkeypatch.setattr(os, "access", lambda *_: False)
        found = document(command, code=1)
        assert (found["is_sound"], found["is_well"], found["traces"]) == (True, False, 1)
        assert "cannot be written; set NODESPAN_JOURNAL to a file that can" in found["trouble"]
        assert "WRONG: the journal" in command("doctor").out

    def test_a_place_that_nobody_writes_is_not_wrong(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the journal is off, it is no matter whether one could be written."""
        (tmp_path / "file").write_text("x")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
        monkeypatch.setenv("NODESPAN_JOURNAL", "off")
        assert document(command)["is_well"]
        monkeypatch.delenv("NODESPAN_JOURNAL")
        assert "cannot be opened" in document(command, code=1)["trouble"]

    def test_damaged_and_repaired(
        self, command: Command, recording: Recording, tmp_path: Path
    ) -> None:
        """A damaged journal is wrong; `--repair` says where it lies now, and then all is well."""
        for _ in range(50):
            recording.tracer.start_span("x" * 1000).end()
        recording.flush()
        recording.writer.stop(10)
        sqlite3.connect(recording.path).execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        content = bytearray(recording.path.read_bytes())
        content[40_000:60_000] = b"\x7f" * 20_000
        recording.path.write_bytes(content)
        assert not document(command, code=1)["is_well"]
        result = command("doctor", "--repair")
        assert result.code == 0, result.out + result.err
        (aside,) = tmp_path.glob("journal.db.broken-*[0-9]")
        assert f"repaired  the damaged one lies at {aside}" in result.out

    def test_what_the_repair_has_recovered(
        self, command: Command, recording: Recording, tmp_path: Path
    ) -> None:
        """It is said of spans how many are kept, and how many are not."""
        for number in range(20):
            recording.tracer.start_span(f"{number}").end()
        recording.flush()
        recording.writer.stop(10)
        with closing(sqlite3.connect(recording.path, isolation_level=None)) as connection:
            connection.execute("UPDATE spans SET span = x'ff', started_at = 'x' WHERE id <= 3")
        assert "damaged: nodespan doctor --repair" in command("doctor").out
        found = document(command, "--repair")
        assert (found["recovered"], found["unreadable"], found["is_sound"]) == (17, 3, True)
        assert found["aside"].startswith(str(tmp_path))
        for shown in (document(command), document(command, "--repair")):
            assert [shown[key] for key in ("aside", "recovered", "unreadable")] == [None] * 3
        with closing(sqlite3.connect(recording.path, isolation_level=None)) as connection:
            connection.execute("UPDATE spans SET started_at = 'x'")
        result = command("doctor", "--repair")
        assert "recovered 17 spans\nnot read  0 spans\n" in result.out

    @pytest.mark.parametrize("where", ["--journal", "variable"])
    def test_a_repair_of_nothing(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
    ) -> None:
        """What is missing is not made, and what is no journal is left alone, folders too."""
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "diary.txt").write_text("Dear diary")

        def repaired(place: Path) -> Result:
            """Ask for the repair of what lies at a place."""
            named = ("--journal", str(place)) if where == "--journal" else ()
            monkeypatch.setenv("NODESPAN_JOURNAL", str(place))
            return command("doctor", "--repair", *named)

        result = repaired(folder)
        assert f"there is no journal at {folder / 'journal.db'}" in result.err + result.out or (
            "there is none yet" in result.out
        )
        assert "is left alone" in repaired(folder / "diary.txt").err
        assert [each.name for each in tmp_path.rglob("*")] == ["mine", "diary.txt"]

    @pytest.mark.parametrize("filling", [b"\x7f", b"\0", b"\xc1\x05\xff"])
    def test_a_badly_damaged_one(
        self, command: Command, recording: Recording, filling: bytes
    ) -> None:
        """Whoever reads it is told which file is damaged, and what recovers what can be read."""
        for number in range(80):
            recording.tracer.start_span(f"{number}", attributes={"a": "x" * 1000}).end()
        recording.flush()
        recording.writer.stop(10)
        sqlite3.connect(recording.path).execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        content = bytearray(recording.path.read_bytes())
        content[20_000:90_000] = (filling * 70_000)[:70_000]
        recording.path.write_bytes(content)
        said = f"the journal {recording.path} is damaged; `nodespan doctor --repair` makes a new"
        for asked in (("traces",), ("trace", "last"), ("traces", "--text", "5")):
            result = command(*asked)
            assert (result.code, result.out) == (1, "")
            assert result.err.startswith(f"error: {said}")
        result = command("doctor")
        assert (result.code, result.err) == (1, "")
        assert f"state     {said}" in result.out
        assert command("doctor", "--repair").code == 0
        assert command("traces").code == 0


class TestEndpoint:
    """A real OTLP request with nothing in it."""

    def test_one_that_takes_all(
        self, command: Command, otlp_receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked for each signal that is sent, with the headers that are set."""
        monkeypatch.setenv(ENDPOINT, otlp_receiver.endpoint)
        monkeypatch.setenv(HEADERS, "x-tenant=cats")
        found = document(command)["endpoints"]
        assert [(each["signal"], each["is_well"], each["answer"]) for each in found] == [
            ("traces", True, "HTTP 200"),
            ("metrics", True, "HTTP 200"),
        ]
        assert {each["x-tenant"] for each in otlp_receiver.headers} == {"cats"}
        assert f"{otlp_receiver.endpoint}/v1/traces takes traces: HTTP 200" in (
            command("doctor").out
        )

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (401, "it wants other credentials"),
            (404, "nothing takes OTLP at that path"),
            (503, "is down for tea"),
        ],
    )
    def test_one_that_refuses(
        self,
        command: Command,
        refusing: Any,
        monkeypatch: pytest.MonkeyPatch,
        status: int,
        words: str,
    ) -> None:
        """What it says is told, with what would help; credentials that it repeats are not."""
        secret = "sesame-0f9e8d7c"  # noqa: S105 - planted
        body = {"error": {"message": "x"}, "message": f"{secret} is down for tea"}
        with refusing(status, status, body=body) as server:
            url = server.url.replace("http://", f"http://cat:{secret}@").removesuffix("/v1")
            monkeypatch.setenv(ENDPOINT, url)
            monkeypatch.setenv(HEADERS, f"authorization=Bearer {secret}")
            monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
            result = command("doctor")
        assert result.code == 1
        assert f"DOES NOT TAKE traces: HTTP {status}" in result.out
        assert words in result.out
        assert "down for tea" in result.out
        assert secret not in result.out + result.err

    def test_nobody_there(
        self, command: Command, dead_port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The reason is the system's own."""
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{dead_port}")
        first, _ = document(command, code=1)["endpoints"]
        assert (first["is_well"], first["answer"]) == (False, "Connection refused")

    def test_one_that_hangs(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that takes the request and says nothing is waited for so long, and no longer."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{silent.getsockname()[1]}")
            first, _ = document(command, "--timeout", "0.2", code=1)["endpoints"]
        assert first["answer"] in ("no answer within 0.2 s", "no answer in time")
        assert first["seconds"] < 5


class TestSettings:
    """Who says what."""

    def test_argument_variable_and_default(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, recording: Recording
    ) -> None:
        """Each setting has its source; what only OpenTelemetry reads is there too."""
        recording.flush()
        monkeypatch.setenv("OTEL_SERVICE_NAME", "cats")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        found = document(command)
        assert setting(found, "service_name") == ("cats", "OTEL_SERVICE_NAME", None)
        assert setting(found, "journal") == (str(recording.path), "NODESPAN_JOURNAL", None)
        assert setting(found, "capture_content") == ("NO_CONTENT", "default", None)
        assert setting(found, "OTEL_BSP_SCHEDULE_DELAY")[:2] == (
            "100",
            "OTEL_BSP_SCHEDULE_DELAY",
        )
        named = document(command, "--journal", str(recording.path))
        assert setting(named, "journal")[1] == "argument"

    def test_secrets_are_hidden(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, dead_port: int
    ) -> None:
        """Headers have their names alone, URLs no password and no query, wherever they stand."""
        secret = "sesame-0f9e8d7c"  # noqa: S105 - planted
        monkeypatch.setenv(ENDPOINT, f"http://cat:{secret}@127.0.0.1:{dead_port}/x?key={secret}")
        monkeypatch.setenv(HEADERS, f"x-tenant={secret},authorization=Basic%20{secret}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", f"{secret}")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"api_key={secret},team=cats")
        monkeypatch.setenv("OTEL_PYTHON_SOME_TOKEN", secret)
        for result in (command("doctor"), command("doctor", "--json")):
            assert secret not in result.out + result.err
            assert "x-tenant=REDACTED" in result.out
            assert "team=cats" in result.out

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            (ENDPOINT, "localhost:4318"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "yes"),
            ("NODESPAN_JOURNAL_MAX_BYTES", "lots"),
            ("NODESPAN_JOURNAL_MAX_BITES", "1"),
            ("NODESPAN_PRICE", "prices.toml"),
            ("NODESPAN_JOURNAL", "perhaps"),
        ],
    )
    def test_what_cannot_work_is_told(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        """A wrong value is told at its setting, beside all the rest, and the code is 1."""
        monkeypatch.setenv(variable, value)
        result = command("doctor")
        assert (result.code, result.err) == (1, "")
        (wrong,) = (line for line in result.out.splitlines() if "WRONG: " in line)
        assert variable in wrong
        assert "max_open_runs" in result.out
        assert "endpoint  not asked: a setting below cannot work" in result.out

    def test_what_is_switched_off(
        self, command: Command, monkeypatch: pytest.MonkeyPatch, dead_port: int
    ) -> None:
        """A disabled SDK sends nothing, and nobody is asked."""
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{dead_port}")
        found = document(command)
        assert found["endpoints"] == []
        assert setting(found, "journal")[0] == "off"

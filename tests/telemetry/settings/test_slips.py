"""A variable whose name is a slip for one of ours is told: nobody reads it, and nothing fails."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nodespan.graph
from nodespan.graph.served import agent
from nodespan.telemetry import OpenTelemetryCallbackHandler, configure, instrument, uninstrument
from nodespan.telemetry._process import process_wide
from nodespan.telemetry._settings.slips import _Look, known_variables, slip
from nodespan.telemetry.journal import Journal, JournalError, JournalWatch
from nodespan.telemetry.testing import capture_spans
from nodespan.telemetry.viewer import viewer_app
from support.command import run_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGES = Path(nodespan.graph.__file__).parent.parent
TESTS = Path(__file__).parent.parent.parent
WARNING = "nodespan telemetry: NODESPAN_JOURNL is no variable of nodespan's; NODESPAN_JOURNAL is"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has not looked yet."""
    monkeypatch.setattr(process_wide(_Look), "is_done", False)


def capture() -> None:
    """Capture no span."""
    with capture_spans():
        pass


def instrumented() -> None:
    """Instrument the process for no time."""
    instrument()
    uninstrument()


def read() -> None:
    """Read a journal that is not there."""
    with pytest.raises(JournalError):
        Journal("nowhere.db")


READERS: dict[str, Callable[[], Any]] = {
    "configure": lambda: configure().shutdown(),
    "a handler": OpenTelemetryCallbackHandler,
    "instrument": instrumented,
    "capture_spans": capture,
    "a journal": read,
    "a watch": lambda: JournalWatch("nowhere.db"),
    "the viewer": lambda: viewer_app(0, "nowhere.db"),
    "the served agent": agent,
}


@pytest.mark.usefixtures("providers_put_back")
@pytest.mark.parametrize("reads", READERS.values(), ids=READERS.keys())
def test_a_slip_is_one_line_of_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reads: Callable[[], Any]
) -> None:
    """Whatever reads the variables first says so in a line; what does later says nothing."""
    monkeypatch.setenv("NODESPAN_JOURNL", "cats.db")
    reads()
    reads()
    assert [record.getMessage() for record in caplog.records] == [WARNING]
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.parametrize(
    "arguments",
    [("chat", "Meow!", "--no-trace"), ("traces",), ("trace", "last"), ("watch", "--count", "1")],
    ids=lambda arguments: arguments[0],
)
def test_the_command_says_so_once(
    arguments: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each command says it in a line, which without logging is on standard error, and goes on."""
    journal = str(tmp_path / "journal.db")
    assert run_here("chat", "Meow!", NODESPAN_JOURNAL=journal).code == 0
    assert caplog.records == []
    process_wide(_Look).is_done = False
    result = run_here(*arguments, NODESPAN_JOURNAL=journal, NODESPAN_PRICE="prices.toml")
    assert result.code == 0
    assert [record.getMessage() for record in caplog.records] == [
        "nodespan telemetry: NODESPAN_PRICE is no variable of nodespan's; NODESPAN_PRICES is"
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NODESPAN_JOURNL", "NODESPAN_JOURNAL"),
        ("NODESPAN_JOURNAL_PATH", "NODESPAN_JOURNAL"),
        ("NODESPAN_JOURNAL_MAX_BITES", "NODESPAN_JOURNAL_MAX_BYTES"),
        ("NODESPAN_REDACTION", "NODESPAN_REDACT"),
        ("NODESPAN_TAG", "NODESPAN_TAGS"),
        ("NODESPAN_USERIDS", "NODESPAN_USER_IDS"),
        ("NODESPAN_MODEL_NAMES", "NODESPAN_MODEL_NAME"),
        ("NODESPAN_UI_TOKN", "NODESPAN_UI_TOKEN"),
        ("nodespan_journal", "NODESPAN_JOURNAL"),
        ("NODE_SPAN_JOURNAL", "NODESPAN_JOURNAL"),
        ("NODSPAN_PROMETHEUS_NAMES", "NODESPAN_PROMETHEUS_NAMES"),
        (
            "NODESPAN_CAPTURE_CONTENT",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        ),
        ("NODESPAN_ENDPONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("NODESPAN_SERVICE_NAME", "OTEL_SERVICE_NAME"),
        ("NODESPAN_SAMPLER", "OTEL_TRACES_SAMPLER"),
        (
            "OTEL_INSTRUMENTATION_GEN_AI_CAPTURE_MESSAGE_CONTENT",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        ),
    ],
)
def test_the_nearest_name_is_told(name: str, meant: str) -> None:
    """A name that is nearly one of ours is told with that."""
    assert slip(name) == f"{name} is no variable of nodespan's; {meant} is"


@pytest.mark.parametrize(
    "name",
    [
        *known_variables(),
        "NODESPAN_HOME",
        "NODESPAN_DEBUG",
        "NODESPAN_ENABLED",
        "NODE_ENV",
        "NODE_OPTIONS",
        "JOURNAL",
        "OTEL_EXPORTER_OTLP_ENDPONT",
        "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK",
        "OTEL_INSTRUMENTATION_GENAI_UPLOAD_BASE_PATH",
    ],
)
def test_what_is_ours_or_somebody_elses_is_let_be(name: str) -> None:
    """No line for what is known, or like nothing of ours."""
    assert slip(name) is None


def test_an_empty_slip_is_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable that says nothing is as if it were not there, as it is with ours."""
    monkeypatch.setenv("NODESPAN_JOURNL", " ")
    OpenTelemetryCallbackHandler()
    assert caplog.records == []


def names_in(folder: Path) -> Iterator[str]:
    """Give the variables of ours that stand in the modules of a folder, as texts of their own."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text.startswith("NODESPAN_") and text.isidentifier():
                yield text.rstrip("_")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["graph", "model", "telemetry"])
def test_every_variable_that_is_read_is_known(package: str) -> None:
    """What the packages read is known: none of it is told as a slip."""
    assert set(names_in(PACKAGES / package)) - {"NODESPAN"} <= {*known_variables()}


def test_variables_of_the_tests_are_no_slips() -> None:
    """What the project's own tests and checks are told by variables is none either."""
    given = {*names_in(TESTS / "end_to_end"), *names_in(TESTS / "programs")}
    assert {"NODESPAN_PHOENIX", "NODESPAN_EXAMPLES", "NODESPAN_KILLS"} <= given
    assert [name for name in given if slip(name)] == []

"""What a program that is not to be changed can say in variables: any setting of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nodespan.telemetry import ConfigurationError, OpenTelemetryCallbackHandler, TelemetryConfig
from nodespan.telemetry._settings.record import Settings, settings_of
from nodespan.telemetry.testing import capture_spans
from support.strangers import Talker

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = "gen_ai.output.messages"


def hide(name: str, _: object) -> str:
    """Say what was hidden."""
    return f"hidden {name}"


async def hide_later(name: str, _: object) -> str:
    """Say what was hidden, in some time."""
    return f"hidden {name}"


NO_FUNCTION = "text"
NOTHING = None


def test_every_setting_has_a_variable() -> None:
    """Whoever only starts a program says in its environment what others say in code."""
    assert [name for name, one in settings_of(Settings).items() if one.variable is None] == []


def test_prices_content_metadata_and_redaction_are_said_by_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One call has its cost, its metadata and its redacted content, with no argument in code."""
    prices = tmp_path / "prices.toml"
    prices.write_text("talker = { input = 1_000_000, output = 1_000_000 }")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    monkeypatch.setenv("NODESPAN_PRICES", str(prices))
    monkeypatch.setenv("NODESPAN_METADATA_KEYS", "team, floor,")
    monkeypatch.setenv("NODESPAN_REDACT", f"{__name__}:hide")
    with capture_spans() as captured:
        metadata = {"team": "blue", "floor": 3, "other": "x"}
        config: Any = {"callbacks": [captured.handler], "metadata": metadata}
        Talker(reports_usage=True).invoke("hello", config)
    attributes = captured.span("chat talker").attributes
    assert isinstance(attributes["nodespan.cost"], float)
    assert attributes["langchain.metadata.team"] == "blue"
    assert attributes["langchain.metadata.floor"] == 3
    assert "langchain.metadata.other" not in attributes
    assert attributes[ANSWER] == f"hidden {ANSWER}"


@pytest.mark.parametrize(
    ("arguments", "variables", "first", "other"),
    [
        ({}, {}, 30, 2),
        ({"stall_threshold": 5}, {}, 5, 5),
        ({"stall_threshold": 5, "first_chunk_threshold": 60}, {}, 60, 5),
        ({"first_chunk_threshold": 60}, {}, 60, 2),
        ({}, {"NODESPAN_STALL_THRESHOLD": "0.5"}, 0.5, 0.5),
        ({}, {"NODESPAN_FIRST_CHUNK_THRESHOLD": "9"}, 9, 2),
        ({"stall_threshold": 5}, {"NODESPAN_STALL_THRESHOLD": "0.5"}, 5, 5),
    ],
    ids=str,
)
def test_the_first_chunk_has_a_threshold_of_its_own(
    arguments: dict[str, Any], variables: dict[str, str], first: float, other: float
) -> None:
    """A threshold that was set is that of each wait; by default a first chunk has more time."""
    config = TelemetryConfig(**arguments).checked(variables)
    assert (config.seconds_to_first_chunk, config.seconds_to_next_chunk) == (first, other)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NODESPAN_LOG_EVENTS", "maybe", "use True or False"),
        ("NODESPAN_STALL_THRESHOLD", "soon", "it must be a number of seconds above 0"),
        ("NODESPAN_STALL_THRESHOLD", "-1", "it must be a number of seconds above 0"),
        ("NODESPAN_MAX_OPEN_RUNS", "2.5", "it must be a whole number from 1 up"),
        ("NODESPAN_REDACT", "hide", "NODESPAN_REDACT is 'hide': use MODULE:NAME, such as rules:"),
        ("NODESPAN_REDACT", "a b:c", "NODESPAN_REDACT is 'a b:c': use MODULE:NAME, such as rules:"),
        ("NODESPAN_REDACT", "no_such:hide", "the module 'no_such' cannot be imported"),
        ("NODESPAN_REDACT", "no_such.rules:hide", "'no_such'; PYTHONPATH says in which folders"),
        (
            "NODESPAN_REDACT",
            "json.no_such:hide",
            "'json.no_such'; PYTHONPATH says in which folders",
        ),
        ("NODESPAN_REDACT", f"{__name__}:missing", "has no 'missing'; it has hide, hide_later, "),
        ("NODESPAN_REDACT", "builtins:str.missing", "no 'str.missing'; it has no function"),
        ("NODESPAN_REDACT", "json:dumps.missing", "has no 'dumps.missing'; it has no function"),
        ("NODESPAN_REDACT", f"{__name__}:NO_FUNCTION.no", "'NO_FUNCTION.no'; it has no function"),
        ("NODESPAN_REDACT", "json:missing", "; it has dump, dumps, detect_encoding, load, loads"),
        ("NODESPAN_REDACT", f"{__name__}:NO_FUNCTION", "that is 'text'; use a function of two arg"),
        ("NODESPAN_REDACT", f"{__name__}:NOTHING", f"'NOTHING' of the module {__name__!r} is None"),
        ("NODESPAN_REDACT", f"{__name__}:hide_later", "; use a function that is not async"),
        ("NODESPAN_REDACT", "math:sqrt", "that is <built-in function sqrt>; use a function of two"),
        ("NODESPAN_PRICES", "no/such.toml", "'no/such.toml' cannot be read"),
    ],
)
def test_a_bad_variable_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """What a variable cannot say is refused when the handler is made, by the variable's name."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        OpenTelemetryCallbackHandler()
    assert said in str(caught.value)
    assert variable in str(caught.value)
    assert value in str(caught.value)


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_journal_in_a_folder_has_its_own_name(tmp_path: Path, ending: str) -> None:
    """A folder that is there, or says so by its end, is where the journal lies."""
    environ = {"NODESPAN_JOURNAL": f"{tmp_path}{ending}"}
    assert TelemetryConfig().checked(environ).journal == tmp_path / "journal.db"
    assert TelemetryConfig(journal=tmp_path).checked({}).journal == tmp_path / "journal.db"
    made = f"{tmp_path / 'new'}{ending}"
    expected = tmp_path / "new" / "journal.db" if ending else tmp_path / "new"
    assert TelemetryConfig().checked({"NODESPAN_JOURNAL": made}).journal == expected


@pytest.mark.parametrize("value", ["10", "0", "-1", "999999", "1e9", "lots"])
def test_a_journal_too_small_to_keep_anything_is_refused(value: str) -> None:
    """The message says the least that can be."""
    with pytest.raises(ConfigurationError) as caught:
        TelemetryConfig().checked({"NODESPAN_JOURNAL_MAX_BYTES": value})
    shown = value if value.lstrip("-").isdecimal() else repr(value)
    assert str(caught.value) == (
        f"NODESPAN_JOURNAL_MAX_BYTES is {shown}; it must be a whole number of bytes from "
        "1,000,000 up"
    )
    with pytest.raises(ConfigurationError, match="journal_max_bytes is 10; it must be"):
        TelemetryConfig(journal_max_bytes=10).checked({})
    assert TelemetryConfig(journal_max_bytes=1_000_000).checked({}).journal_max_bytes == 1_000_000


@pytest.mark.parametrize("value", ["true", "ON", "1", "yes"])
def test_an_argument_goes_before_its_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A switch that a variable puts on stays off where an argument says so."""
    monkeypatch.setenv("NODESPAN_ALL_RUNNABLES", value)
    environ = {"NODESPAN_ALL_RUNNABLES": value}
    assert TelemetryConfig().checked(environ).all_runnables is True
    assert TelemetryConfig(all_runnables=False).checked(environ).all_runnables is False


def test_a_journal_in_a_home_that_is_nobodys_is_refused() -> None:
    """The variable is named, and so is the way out."""
    said = (
        "NODESPAN_JOURNAL is '~nobody-of-that-name/x.db': '~nobody-of-that-name' is nobody's home"
    )
    with pytest.raises(ConfigurationError, match=said):
        TelemetryConfig().checked({"NODESPAN_JOURNAL": "~nobody-of-that-name/x.db"})

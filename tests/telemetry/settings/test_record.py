"""Settings have one record, and everything that takes settings is made from it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

from nodespan.telemetry import (
    ConfigurationError,
    OpenTelemetryCallbackHandler,
    TelemetryConfig,
    instrument,
)
from nodespan.telemetry._settings.checks import seconds
from nodespan.telemetry._settings.record import Record, Settings, Variable, setting
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import Callable

EVERYTHING = (OpenTelemetryCallbackHandler, instrument, TelemetryConfig, capture_spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Record):
    """A record of one setting that a variable may say."""

    wait: float | None = setting(
        None, "how long", seconds, variable=Variable("WAIT", otherwise=2.0, parse=float)
    )


@pytest.mark.parametrize("takes_settings", EVERYTHING)
def test_each_setting_is_a_keyword_of_everything(takes_settings: Callable[..., Any]) -> None:
    """Name, type and default of each are the record's, wherever settings are taken."""
    parameters = signature(takes_settings).parameters
    of_record = signature(Settings).parameters
    assert {name: parameters[name] for name in of_record} == dict(of_record)


@pytest.mark.parametrize("takes_settings", EVERYTHING)
def test_each_keyword_is_explained(takes_settings: Callable[..., Any]) -> None:
    """The docstring that people read has every keyword that there is."""
    told = takes_settings.__doc__ or ""
    assert not [name for name in signature(takes_settings).parameters if f"{name}: " not in told]
    assert "each by its keyword" not in told


@pytest.mark.parametrize("takes_settings", EVERYTHING)
def test_a_name_that_is_none_is_told_with_the_callers_word(
    takes_settings: Callable[..., Any],
) -> None:
    """An unknown keyword is a TypeError of what was called, as Python's own would be."""
    with pytest.raises(TypeError, match=rf"{takes_settings.__name__}.*unexpected.*'colour'"):
        takes_settings(colour="red")


def test_a_config_passes_every_setting_on() -> None:
    """What `configure` makes a handler of has each setting of the config, and no other."""
    every = {each.name for each in fields(Settings)}
    assert "all_runnables" in every
    assert every < {each.name for each in fields(TelemetryConfig)}


@pytest.mark.parametrize(
    ("given", "environ", "value"),
    [
        (None, {}, 2.0),
        (None, {"WAIT": " "}, 2.0),
        (None, {"WAIT": "5"}, 5.0),
        (2.0, {"WAIT": "5"}, 2.0),
    ],
)
def test_an_argument_wins_over_its_variable(
    given: float | None, environ: dict[str, str], value: float
) -> None:
    """A variable is read where no argument is given, also where that would be the default."""
    assert Waiting(wait=given).checked(environ).wait == value


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_variable_that_cannot_work_is_named(text: str) -> None:
    """What cannot be parsed, and what the check refuses, is told with the variable's name."""
    with pytest.raises(ConfigurationError, match=f"WAIT is .*{text}.*a number of seconds above 0"):
        Waiting().checked({"WAIT": text})


def test_a_variable_that_is_never_read_is_refused() -> None:
    """A setting with a default of its own would never ask its variable."""
    with pytest.raises(TypeError, match="WAIT would never be read: the default is 3"):
        setting(3, "how long", seconds, variable=Variable("WAIT"))

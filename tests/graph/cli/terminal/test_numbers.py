"""Options that are numbers: refused in plain English where they are none, or beyond bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.command import Result

    Command = Callable[..., Result]


@pytest.mark.parametrize(
    ("command_name", "option", "value", "bounds"),
    [
        *(
            ("traces", "--slow", value, "number of seconds from 0 up")
            for value in ("fast", "-1", "nan", "inf", "1s", "")
        ),
        *(
            ("traces", "--limit", value, "whole number from 1 to 10,000")
            for value in ("0", "-3", "10001", "many", "1.5", "9" * 5_000)
        ),
        ("ui", "--port", "80000", "whole number from 0 to 65,535"),
        ("ui", "--port", "http", "whole number from 0 to 65,535"),
        ("watch", "--interval", "0", "number of seconds from 0.1 to 3,600"),
        ("watch", "--interval", "often", "number of seconds from 0.1 to 3,600"),
        ("watch", "--count", "0", "whole number from 1 up"),
        ("doctor", "--timeout", "61", "number of seconds from 0.1 to 60"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_such_number(
    command: Command, command_name: str, option: str, value: str, bounds: str
) -> None:
    """The option, what was given and what would do are named, with the way to the help."""
    result = command(command_name, option, value)
    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error == f"error: Invalid value for '{option}': {value!r} is not a {bounds}"
    assert hint == f"`nodespan {command_name} --help` shows what there is."


@pytest.mark.parametrize(
    "options", [("--slow", "0"), ("--slow", "1e3"), ("--limit", "1"), ("--limit", "10000"), ()]
)
def test_numbers_within_the_bounds(
    command: Command, options: tuple[str, ...], tmp_path: Path
) -> None:
    """They are taken: what is wrong then is that there is no journal."""
    result = command("traces", *options, "--journal", str(tmp_path / "journal.db"))
    assert result.code == 1
    assert "there is no journal" in result.err

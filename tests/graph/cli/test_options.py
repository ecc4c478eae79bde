"""Each option of each command refuses what it cannot mean: in plain English, with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.main import get_command

from nodespan.graph.cli._app import _app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Nodespan = Callable[..., Any]

EMPTY: Final = (" ", "it is empty")
AT: Final = ("--model", "http://127.0.0.1:1/v1", "--model-name", "tiny")
HOME: Final = ("~nobody-of-that-name/a", "'~nobody-of-that-name'")

# What stands before the option, and of each option values that cannot be, and what is said.
REFUSED: Final[dict[tuple[str, str], list[tuple[str, str]]]] = {
    ("chat", "prompt"): [EMPTY],
    ("chat", "--model"): [
        EMPTY,
        ("gpt", "is neither 'echo'"),
        ("~nobody-of-that-name/a.gguf", "there is no file '~nobody-of-that-name/a.gguf'"),
    ],
    ("chat", "--model-name"): [(" ", "it is missing")],
    ("chat", "--tool"): [(" ", "is not MODULE:NAME"), ("search", "is not MODULE:NAME")],
    ("chat", "--n"): [("-1", "-1 is less than 0"), ("1e3", "'1e3' is no whole number")],
    ("chat", "--max-tokens"): [
        ("0", "0 is less than 1"),
        ("2147483648", "2147483648 is more than 2,147,483,647"),
        ("many", "'many' is no whole number"),
    ],
    ("chat", "--graph"): [(" ", "is not MODULE:NAME"), ("agent", "is not MODULE:NAME")],
    ("chat", "--prices"): [EMPTY, ("missing.toml", "'missing.toml' cannot be read")],
    ("chat", "--stall-threshold"): [
        ("0", "'0' is no number of seconds above 0"),
        ("inf", "'inf' is no number of seconds above 0"),
        ("nan", "'nan' is no number of seconds above 0"),
    ],
    ("traces", "--conversation"): [EMPTY],
    ("traces", "--agent"): [EMPTY],
    ("traces", "--model"): [EMPTY],
    ("traces", "--service"): [EMPTY],
    ("traces", "--outcome"): [
        ("failed", "'failed' is not one of ok, error, interrupted, cancelled, abandoned, lost or"),
        (" ", "' ' is not one of ok, error"),
    ],
    ("traces", "--slow"): [
        ("-1", "'-1' is not a number of seconds from 0 up"),
        ("nan", "'nan' is not a number of seconds"),
        ("2s", "'2s' is not a number of seconds"),
    ],
    ("traces", "--since"): [
        ("soon", "'soon' is not a time; use 90s"),
        ("999999d", "'999999d' is not a time; use 90s"),
        ("0001-01-01", "'0001-01-01' is not a time"),
        (" ", "' ' is not a time"),
    ],
    ("traces", "--text"): [EMPTY],
    ("traces", "--limit"): [
        ("0", "'0' is not a whole number from 1 to 10,000"),
        ("10001", "'10001' is not a whole number from 1 to 10,000"),
        ("1.5", "'1.5' is not a whole number"),
    ],
    ("traces", "--journal"): [EMPTY, HOME],
    ("trace", "name"): [EMPTY],
    ("trace", "--otlp"): [EMPTY, HOME],
    ("trace", "--journal"): [EMPTY, HOME],
    ("watch", "--interval"): [
        ("0", "'0' is not a number of seconds from 0.1 to 3,600"),
        ("1d", "'1d' is not a number of seconds from 0.1 to 3,600"),
    ],
    ("watch", "--count"): [("0", "'0' is not a whole number from 1 up")],
    ("watch", "--journal"): [EMPTY, HOME],
    ("ui", "--port"): [("65536", "'65536' is not a whole number from 0 to 65,535")],
    ("ui", "--host"): [EMPTY],
    ("ui", "--token"): [
        ("short", "it has 5 characters; use 16 or more"),
        ("gr\u00fc\u00dfe-an-alle-zuhause", "use letters and digits of ASCII"),
    ],
    ("ui", "--journal"): [EMPTY, HOME],
    ("doctor", "--timeout"): [
        ("0", "'0' is not a number of seconds from 0.1 to 60"),
        ("inf", "'inf' is not a number of seconds from 0.1 to 60"),
    ],
    ("doctor", "--journal"): [EMPTY, HOME],
}
CASES: Final = [(*which, *case) for which, cases in REFUSED.items() for case in cases]
# What else a command must be given before it looks at the option.
BESIDE: Final = {
    ("chat", "--model-name"): ("hi", *AT[:2]),
    ("chat", "--max-tokens"): ("hi", *AT),
    ("trace", "--otlp"): ("last",),
    ("trace", "--journal"): ("last",),
}


def with_values() -> Iterator[tuple[str, str]]:
    """Give each argument, and each option that is no switch, with its command."""
    commands: Any = get_command(_app)
    for command in commands.commands.values():
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                yield command.name, parameter.name
            elif not parameter.is_flag:
                yield command.name, parameter.opts[0]


def test_the_table_has_each_option_of_each_command() -> None:
    """A new one says what it refuses."""
    assert set(with_values()) == REFUSED.keys()


@pytest.mark.parametrize(
    ("command", "option", "value", "said"), CASES, ids=[" ".join(case[:3]) for case in CASES]
)
def test_what_cannot_be_meant_is_refused(
    nodespan: Nodespan, command: str, option: str, value: str, said: str
) -> None:
    """Nothing is done, the option is named, and so is what would do."""
    beside = BESIDE.get((command, option), ("hi",) if command == "chat" else ())
    given = (option, value) if option.startswith("--") else (value,)
    if not option.startswith("--"):
        beside = ()
    result = nodespan(command, *beside, *given)
    error, hint = result.err.splitlines()
    assert (result.code, result.out) == (2, "")
    assert error.startswith("error: Invalid value")
    assert said in error
    assert hint == f"`nodespan {command} --help` shows what there is."

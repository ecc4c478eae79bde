"""README.md is true: its programs run, and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nodespan.telemetry import OpenTelemetryCallbackHandler, _name_tables
from nodespan.telemetry._settings.keywords import described
from nodespan.telemetry._settings.record import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


class Block(NamedTuple):
    """A fenced block of README.md, and the text block that follows it at once, if one does."""

    language: str
    text: str
    printed: str | None

    def __str__(self) -> str:
        """Name the block by its first line."""
        return self.text.partition("\n")[0]


def blocks() -> list[Block]:
    """Return README's fenced blocks."""
    pattern = r"^```(\w+)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?"
    found = re.finditer(pattern, README, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], match[3]) for match in found if match[1] != "text"]


PROGRAMS = [block for block in blocks() if block.language == "python"]
COMMANDS = [block for block in blocks() if block.language == "sh"]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_programs_print_what_readme_says(
    program: Block, run_program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A Python block runs on its own, without a warning, and prints the text block after it."""
    result = run_program(program.text)
    assert (result.returncode, result.stderr) == (0, "")
    if program.printed is not None:
        assert measured_out(result.stdout) == measured_out(program.printed)


def test_the_first_command_prints_what_readme_says() -> None:
    """`nodespan chat` answers, and prints the trace that the first screen shows."""
    command = COMMANDS[0]
    name, *arguments = re.findall(r'nodespan (\w+) "(.+)"', command.text)[0]
    nodespan = Path(sys.executable).with_name("nodespan")
    result = subprocess.run(
        [nodespan, name, *arguments], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert measured_out(result.stdout) == measured_out(command.printed or "")


def test_the_first_screen_has_the_two_command_lines() -> None:
    """Both set-ups start with nothing but Python, and stand in the first 40 lines."""
    first_screen = "\n".join(README.splitlines()[:40])
    lines = re.findall(r"^python3 -m venv .*$", first_screen, re.MULTILINE)
    assert len(lines) == 2
    assert "nodespan chat" in lines[0]
    assert "pytest" in lines[1]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("attributes", _name_tables.attribute_table()),
        ("events", _name_tables.event_table()),
        ("metrics", _name_tables.metric_table()),
    ],
    ids=["attributes", "events", "metrics"],
)
def test_tables_are_those_of_the_constants(name: str, table: str) -> None:
    """README's tables of names are made from the code; where this fails, put this one there."""
    shown = re.search(f"<!-- {name} -->\n(.*?)\n?<!-- end -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == table


def test_the_table_of_settings_is_that_of_the_record() -> None:
    """README's table of settings is made from their record; where this fails, put it there."""
    shown = re.search(r"<!-- settings -->\n(.*?)\n?<!-- end -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == settings_table()


def settings_table() -> str:
    """Return README's table of what can be set wherever runs are traced."""
    rows = ["| argument | by default | what for |", "| --- | --- | --- |"]
    for each in fields(Settings):
        text = described(Settings, each.name).replace("|", "\\|")
        rows.append(f"| `{each.name}` | `{each.default!r}` | {text} |")
    return "\n".join(rows)


@pytest.mark.parametrize("block", [each for each in blocks() if each.language == "toml"], ids=str)
def test_price_files_are_read(block: Block, tmp_path: Path) -> None:
    """A TOML block is a price table."""
    file = tmp_path / "prices.toml"
    file.write_text(block.text)
    OpenTelemetryCallbackHandler(prices=str(file))


def test_the_table_of_costs_has_the_rows_of_the_benchmark() -> None:
    """README shows what the benchmark prints with `--markdown`: each row, and no other."""
    command = "python -m tests.benchmarks.telemetry_cost"
    shown = re.search(f"<!-- {command} --markdown -->\n(.*?)<!-- end", README, re.DOTALL)
    listed = subprocess.run(
        [sys.executable, *command.split()[1:], "--list"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert shown is not None
    first_column = re.findall(r"^\| *(.*?) *\|", shown[1], re.MULTILINE)
    assert first_column[2:] == listed.stdout.splitlines()


def test_links_lead_somewhere() -> None:
    """Every relative link is a file or a folder of the repository."""
    targets = re.findall(r"\]\((?!http|#)([^)#]+)", README)
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def measured_out(text: str) -> list[list[str]]:
    """Return the words of each line, with what differs from run to run taken out."""
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "RUN", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "TRACE", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "SPAN", text)
    text = re.sub(r"\b[\d-]{10}T[\d:.]{8,15}Z", "WHEN", text)
    text = re.sub(r"\b\d+(\.\d+)? (ms|s|µs|us)\b", "TIME", text)
    return [line.split() for line in text.strip().splitlines()]

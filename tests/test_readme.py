"""The documents are true: their programs run, and print what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.generated import COSTS, ROOT, SECTIONS, written_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import OtlpReceiver

DOCUMENTS = (
    "README.md",
    "graph/README.md",
    "model/README.md",
    "telemetry/README.md",
    "tests/README.md",
    COSTS,
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
)
# What it says to run needs environments of its own: the end-to-end checks run it.
RECIPES = "telemetry/RECIPES.md"
# Run by hand and by `.ci/run`: they set up an environment, or run this very suite.
SET_UPS = ("python3 -m venv ", ".ci/run", "uv ")
ENDPOINT = "http://localhost:4318"


class Block(NamedTuple):
    """A fenced block of a document, and the text block that follows it at once, if one does."""

    document: str
    language: str
    text: str
    printed: str | None

    def __str__(self) -> str:
        """Name the block by its document and its first line."""
        return f"{self.document}: {self.text.partition(chr(10))[0]}"

    @property
    def file(self) -> str | None:
        """The file that the block stands for: a program that begins with `# its_name.py`."""
        named = re.match(r"# (\w+\.py)\n", self.text)
        return named[1] if named else None


def blocks(document: str) -> Iterator[Block]:
    """Yield a document's fenced blocks."""
    pattern = r"^```(\w+)\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?"
    for match in re.finditer(pattern, text_of(document), re.MULTILINE | re.DOTALL):
        if match[1] != "text":
            yield Block(document, match[1], match[2], match[3])


def text_of(document: str) -> str:
    """Return a document."""
    return (ROOT / document).read_text()


BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
PROGRAMS = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [block for block in BLOCKS if block.language == "sh"]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_programs_print_what_the_document_says(
    program: Block, run_program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A Python block runs on its own, without a warning, and prints the text block after it."""
    result = run_program(program.text)
    assert (result.returncode, result.stderr) == (0, "")
    assert measured_out(result.stdout) == measured_out(program.printed or "")


@pytest.mark.slow
def test_the_first_command_prints_what_readme_says(tmp_path: Path) -> None:
    """`nodespan chat` answers, and prints the trace that the first screen shows."""
    command = COMMANDS[0]
    nodespan = command.text.rpartition(".venv/bin/")[2]
    result = run_commands(nodespan, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert measured_out(result.stdout) == measured_out(command.printed or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [block for block in COMMANDS if not block.text.startswith(SET_UPS)], ids=str
)
def test_commands_print_what_the_document_says(
    command: Block, tmp_path: Path, otlp_receiver: OtlpReceiver
) -> None:
    """A block of commands runs beside the files of its document; an endpoint gets its spans."""
    for block in blocks(command.document):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
    sends = ENDPOINT in command.text
    result = run_commands(command.text.replace(ENDPOINT, otlp_receiver.endpoint), tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    if command.printed is not None:
        assert measured_out(result.stdout) == measured_out(command.printed)
    assert bool(otlp_receiver.spans) is sends


def test_the_first_screen_has_the_two_command_lines() -> None:
    """Both set-ups start with nothing but Python, and stand in the first 40 lines."""
    first_screen = "\n".join(text_of("README.md").splitlines()[:40])
    lines = re.findall(r"^python3 -m venv .*$", first_screen, re.MULTILINE)
    assert len(lines) == 2
    assert "nodespan chat" in lines[0]
    assert "pytest" in lines[1]


def test_the_first_document_is_short() -> None:
    """What a newcomer reads first is less than 220 lines; the rest is in the packages."""
    assert len(text_of("README.md").splitlines()) < 220


@pytest.mark.parametrize("document", SECTIONS)
def test_generated_sections_are_up_to_date(document: str) -> None:
    """Tables and references are made from the code: `python -m tests.support.generated`."""
    assert text_of(document) == written_anew(document)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language not in ("python", "sh")], ids=str
)
def test_other_blocks_are_what_they_say(block: Block, tmp_path: Path) -> None:
    """A TOML block is a price table; a signature is one of a reference, which is generated."""
    if block.language == "toml":
        file = tmp_path / "prices.toml"
        file.write_text(block.text)
        OpenTelemetryCallbackHandler(prices=str(file))
    else:
        assert block.language == "pyi"
        assert any(block.text in make() for make in SECTIONS[block.document].values())


def test_the_map_names_every_room() -> None:
    """The map of rooms has each folder with an underscore that is installed, and no other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {name.removeprefix("nodespan.").replace(".", "/") for name in settings["packages"]}
    shown = re.findall(r"^\| `(\w+/\S*_\w+)/` \|", text_of(".github/CONTRIBUTING.md"), re.MULTILINE)
    assert sorted(shown) == sorted(name for name in rooms if "/_" in name)


@pytest.mark.slow
def test_the_table_of_costs_has_the_rows_of_the_benchmark() -> None:
    """Its document shows what the benchmark prints with `--markdown`: each row, and no other."""
    command = "python -m tests.benchmarks.telemetry_cost"
    shown = re.search(f"<!-- {command} --markdown -->\n(.*?)<!-- end", text_of(COSTS), re.DOTALL)
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


@pytest.mark.parametrize("document", [*DOCUMENTS, RECIPES])
def test_links_lead_somewhere(document: str) -> None:
    """Every relative link is a file or a folder of the repository, and a heading in it."""
    links = re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", text_of(document))
    targets = [((ROOT / document).parent / path, heading) for path, heading in links if path]
    targets += [(ROOT / document, heading) for path, heading in links if not path]
    assert targets
    assert not [path for path, _ in targets if not path.exists()]
    assert not [told for path, told in targets if told and told not in anchors(path.read_text())]


def anchors(text: str) -> set[str]:
    """Return what the headings of a document are linked by."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", told).lower().replace(" ", "-") for told in headings}


def run_commands(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run shell commands, as with the environment of this Python activated."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", commands],  # noqa: S607 - the shell that people have
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONUTF8": "1"},
        timeout=120,
    )


def measured_out(text: str) -> list[list[str]]:
    """Return the words of each line, with what differs from run to run taken out."""
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "RUN", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "TRACE", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "SPAN", text)
    text = re.sub(r"\b[\d-]{10}T[\d:.]{8,15}Z", "WHEN", text)
    text = re.sub(r"\b\d+(\.\d+)? (ms|s|µs|us)\b", "TIME", text)
    return [line.split() for line in text.strip().splitlines()]

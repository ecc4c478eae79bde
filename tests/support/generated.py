"""The sections of the documents that are made from the code: `python -m tests.support.generated`.

A section stands between `<!-- its name -->` and `<!-- end -->`. The command writes each anew, in
its place; a test holds that nothing is out of date. Another section is another line of `SECTIONS`.
"""

from __future__ import annotations

import ast
import inspect
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodespan.telemetry import OpenTelemetryCallbackHandler, TelemetryConfig
from nodespan.telemetry._settings.record import HandlerSettings, settings_of

from . import docstrings, name_tables
from .json_keys import key_tables
from .reference import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parent.parent.parent
COSTS: Final = "tests/benchmarks/README.md"

_SHOWN_COSTS: Final = (
    "added per token, model.stream",
    "three-node invoke, ratio to bare",
    "memory per open stream",
)
_SHOWN_CONTESTANTS: Final = (
    "floor",
    "nodespan",
    "official",
    "openinference",
    "traceloop",
    "langfuse",
)


def settings_table() -> str:
    """Return what the handler can be told, but for the providers, as a table in Markdown."""
    meanings = docstrings.read(OpenTelemetryCallbackHandler).items["Args"]
    rows = (
        (f"`{one.name}`", _default(one), meanings[one.name])
        for one in inspect.signature(OpenTelemetryCallbackHandler).parameters.values()
        if not one.name.endswith("_provider")
    )
    return name_tables.table(("setting", "by default", "what for"), rows)


def _default(parameter: inspect.Parameter) -> str:
    variable = settings_of(HandlerSettings)[parameter.name].variable
    value = parameter.default if variable is None else variable.otherwise
    return f"`{getattr(value, 'value', value)!r}`"


def variable_table() -> str:
    """Return the variables of our own, and which setting each of them says."""
    rows = (
        (f"`{one.variable.name}`", f"`{name}`", _otherwise(one.variable.otherwise))
        for name, one in settings_of(TelemetryConfig).items()
        if one.variable is not None and one.variable.name.startswith("NODESPAN_")
    )
    return name_tables.table(("variable", "says the setting", "by default"), rows)


def _otherwise(value: object) -> str:
    return "" if value is None or value == () else f"`{value!r}`"


def cost_table() -> str:
    """Return three rows of the benchmark's table, without the columns that are our own goals."""
    table = re.search(r"^\|  \|.*?(?=\n\n)", (ROOT / COSTS).read_text(), re.MULTILINE | re.DOTALL)
    assert table is not None
    head, _, *rows = ([cell.strip() for cell in line.split("|")] for line in table[0].splitlines())
    shown = [head.index(name) for name in _SHOWN_CONTESTANTS]
    named = {row[1]: row for row in rows}
    return name_tables.table(
        ("", *_SHOWN_CONTESTANTS),
        ((name, *(named[name][at] for at in shown)) for name in _SHOWN_COSTS),
    )


def index_of_tests() -> str:
    """Return which behaviour is held where: each test module, with what its docstring says."""
    modules = sorted((ROOT / "tests").rglob("test_*.py"))
    rows = ((_link(path), _first_line(path)) for path in modules)
    return name_tables.table(("module", "what it holds"), rows)


def _link(path: Path) -> str:
    name = path.relative_to(ROOT / "tests").as_posix()
    return f"[`{name}`]({name})"


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.partition("\n\n")[0].replace("\n", " ")


SECTIONS: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "README.md": {"costs": cost_table},
    "tests/README.md": {"index": index_of_tests},
    "graph/README.md": {
        "json keys": key_tables,
        "reference": partial(reference, "nodespan.graph"),
    },
    "model/README.md": {"reference": partial(reference, "nodespan.model")},
    "telemetry/README.md": {
        "settings": settings_table,
        "variables": variable_table,
        "attributes": name_tables.attribute_table,
        "events": name_tables.event_table,
        "metrics": name_tables.metric_table,
        "reference": partial(reference, "nodespan.telemetry"),
        "reference of testing": partial(reference, "nodespan.telemetry.testing"),
    },
}


def section(text: str, name: str) -> re.Match[str]:
    """Find a section of a document.

    Raises:
        LookupError: there is none of that name.
    """
    found = re.search(rf"(?<=<!-- {name} -->\n).*?(?=\n?<!-- end -->)", text, re.DOTALL)
    if found is None:
        raise LookupError(f"no section is between `<!-- {name} -->` and `<!-- end -->`")
    return found


def written_anew(document: str) -> str:
    """Return a document with its sections as they are now."""
    text = (ROOT / document).read_text()
    for name, make in SECTIONS[document].items():
        found = section(text, name)
        text = f"{text[: found.start()]}{make()}\n{text[found.end() :].lstrip(chr(10))}"
    return text


def _write() -> Iterator[str]:
    for document in SECTIONS:
        text = written_anew(document)
        if text != (ROOT / document).read_text():
            (ROOT / document).write_text(text)
            yield document


if __name__ == "__main__":
    for changed in _write():
        print(f"{changed} is written anew")  # noqa: T201 - it is a command

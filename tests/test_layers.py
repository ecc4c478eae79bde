"""The house's architecture: which rooms there are, who may import whom, and what is public."""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("graph", "model", "telemetry")
MAY_SEE: Final = {"graph": {"model", "telemetry"}, "model": set(), "telemetry": set()}
MAX_FILES: Final = 14

Parts: TypeAlias = tuple[str, ...]

# Each room, and what it imports of its package: other rooms, and modules that lie beside them.
# No room imports one that stands above it. "" is the face of the package: what people import.
ROOMS: Final[Mapping[str, str]] = {
    # telemetry: the ground floor, data in and data out
    "telemetry/_interrupts": "",
    "telemetry/_errors": "",
    "telemetry/_version": "",
    "telemetry/_process": "",
    "telemetry/_diagnostics": "_interrupts _process",
    "telemetry/_providers": "_process",
    "telemetry/_upstream": "_diagnostics",
    "telemetry/_values": "_interrupts _upstream",
    "telemetry/_semconv": "",
    "telemetry/_context": "_process _upstream",
    "telemetry/_content": "_errors _interrupts _values",
    "telemetry/_stream": "_context _semconv _values",
    "telemetry/_translation": "_content _semconv _values",
    "telemetry/_settings": "_content _diagnostics _errors _process _semconv _values",
    # telemetry: a run's life, and what each signal makes of it
    "telemetry/_runs": (
        "_content _context _diagnostics _interrupts _process _providers _semconv _settings"
        " _stream _translation _upstream _values"
    ),
    "telemetry/_traces": (
        "_content _context _diagnostics _interrupts _process _runs _semconv _settings _stream"
        " _translation _upstream _values _version"
    ),
    "telemetry/_console": "_process _traces _values",
    "telemetry/console": "_console",
    "telemetry/_metrics": (
        "_content _diagnostics _process _providers _runs _semconv _stream _translation"
        " _upstream _values _version"
    ),
    "telemetry/_logs": (
        "_content _context _diagnostics _errors _process _runs _semconv _settings _stream"
        " _translation _upstream _values _version"
    ),
    # telemetry: what LangChain calls, and the ways to set it up
    "telemetry/_handler": (
        "_content _context _diagnostics _errors _interrupts _logs _metrics _process _runs"
        " _semconv _settings _stream _traces _translation _upstream _version"
    ),
    "telemetry/_encoding": "_process _semconv _upstream _values",
    "telemetry/_journal": "_context _diagnostics _encoding _errors _process _settings _values",
    "telemetry/_reading": "_errors _journal _semconv _settings",
    "telemetry/_details": "_reading _semconv",
    "telemetry/_views": "_details _errors _journal _reading _semconv",
    "telemetry/_exports": "_details _reading _views",
    "telemetry/_receiving": "_diagnostics _encoding _errors _journal _reading _semconv",
    "telemetry/_viewer": "_details _errors _exports _journal _reading _receiving _version _views",
    "telemetry/viewer": "_errors _journal _settings _viewer",
    "telemetry/_spool": (
        "_diagnostics _errors _journal _process _semconv _settings _upstream _version"
    ),
    "telemetry/journal": "_errors _reading _settings",
    "telemetry/_checkup": "_content _errors _process _settings _spool _values",
    "telemetry/checkup": "_checkup _settings",
    "telemetry/_instrument": (
        "_context _handler _process _providers _runs _settings _traces _translation _upstream"
    ),
    "telemetry/_scraping": "_errors _process _upstream",
    "telemetry/_setup": (
        "_console _content _diagnostics _errors _handler _instrument _journal _process"
        " _providers _scraping _semconv _settings _spool _upstream _values _version"
    ),
    "telemetry/_record_evaluation": "_handler _runs _traces",
    "telemetry/testing": "_handler _semconv _settings _traces",
    "telemetry/instrumentor": "_instrument",
    "telemetry": (
        "_content _errors _handler _instrument _logs _record_evaluation _runs _settings"
        " _setup _traces"
    ),
    # model: from the pieces of an answer to whole chat models
    "model/_errors": "",
    "model/_names": "",
    "model/_process": "",
    "model/_upstream": "",
    "model/_generators": "_process",
    "model/_answer": "_errors",
    "model/_tools": "_answer _errors",
    "model/_custom": "_answer _errors _generators _names _process _tools _upstream",
    "model/_scripted": "_answer _custom _errors _process",
    "model/_openai": "_answer _custom _errors _generators _tools",
    "model/_llama_cpp": "_answer _custom _errors _generators _process _tools",
    "model/_echo": "_custom _errors",
    "model": "_answer _custom _echo _errors _llama_cpp _openai _scripted",
    # graph: a node, an agent, and the command
    "graph/_upstream": "",
    "graph/_chat_model": "_upstream",
    "graph/_tools": "",
    "graph/_history": "",
    "graph/_calls": "_history",
    "graph/_node": "_calls _chat_model _history",
    "graph/_agent": "_calls _chat_model _node _tools",
    "graph/cli/_terminal": "",
    "graph/cli/_script": "cli/_terminal",
    "graph/cli/_traces": "cli/_script cli/_terminal",
    "graph/cli/_doctor": "cli/_terminal",
    "graph/cli/_watch": "cli/_terminal",
    "graph/cli/_ui": "cli/_terminal",
    "graph/cli/_chat": "_agent _chat_model cli/_terminal",
    "graph/cli": "cli/_chat cli/_doctor cli/_terminal cli/_traces cli/_ui cli/_watch",
    "graph/served": "_agent cli/_chat",
    "graph": "_agent _node",
}

MODULES: Final = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def module_of(path: Path) -> Parts:
    """Return the parts of a module's name; a package's own is its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


RUN: Final = ("telemetry", "_runs", "run")
KNOWN: Final = {module_of(path): path for path in MODULES}


@cache
def imports(module: Parts) -> frozenset[Parts]:
    """Return the modules of the house that a module imports, for type checkers alone too."""
    path = KNOWN[module]
    package = module if path.name == "__init__.py" else module[:-1]
    tree = ast.parse(path.read_text())
    return frozenset(name for node in ast.walk(tree) for name in _imported(node, package))


def _imported(node: ast.AST, package: Parts) -> Iterator[Parts]:
    if isinstance(node, ast.Import):
        yield from (_known(_inside(alias.name)) for alias in node.names if _inside(alias.name))
    if not isinstance(node, ast.ImportFrom):
        return
    module = tuple(node.module.split(".")) if node.module else ()
    if node.level:
        module = (*package[: len(package) - node.level + 1], *module)
    elif not (module := _inside(node.module or "")):
        return
    yield from (_known((*module, alias.name)) for alias in node.names)


def _inside(name: str) -> Parts:
    house, *parts = name.split(".")
    return tuple(parts) if house == "nodespan" else ()


def _known(name: Parts) -> Parts:
    while name not in KNOWN:
        name = name[:-1]
    return name


def room_of(module: Parts) -> str:
    """Return the room that a module is in: the longest name of `ROOMS` that it begins with."""
    while "/".join(module) not in ROOMS:
        module = module[:-1]
    return "/".join(module)


def circles(graph: dict[Parts, frozenset[Parts]]) -> dict[Parts, frozenset[Parts]]:
    """Return what is left of a graph when all that is in no circle is taken away."""
    while free := {name for name, below in graph.items() if not below & graph.keys()}:
        graph = {name: below for name, below in graph.items() if name not in free}
    return graph


def test_packages_see_each_other_one_way() -> None:
    """`graph` sees `model` and `telemetry`, by their public names; those two are strangers."""
    for module in KNOWN:
        foreign = {name for name in imports(module) if name[0] != module[0]}
        assert {name[0] for name in foreign} <= MAY_SEE[module[0]], module
        assert not [name for name in foreign if any(part[0] == "_" for part in name)], module


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_says(room: str) -> None:
    """The table of rooms is true: each room imports just what stands there."""
    package = room.partition("/")[0]
    seen = {
        room_of(name)
        for module in KNOWN
        if room_of(module) == room
        for name in imports(module)
        if name[0] == package
    }
    assert seen - {room} == {f"{package}/{name}" for name in ROOMS[room].split()}


def test_rooms_are_in_no_circle() -> None:
    """A room stands below those that import it: the table's order is that of the floors."""
    order = list(ROOMS)
    for room, names in ROOMS.items():
        below = [f"{room.partition('/')[0]}/{name}" for name in names.split()]
        assert all(order.index(name) < order.index(room) for name in below), room


def test_no_module_imports_one_that_imports_it() -> None:
    """Imports have an order, inside a room and beyond, those for type checkers included."""
    assert circles({module: imports(module) for module in KNOWN}) == {}


@pytest.mark.parametrize("room", [name for name in ROOMS if (ROOT / name).is_dir()])
def test_a_room_is_small_and_says_what_it_is(room: str) -> None:
    """No folder has more than 14 modules; a room's `__init__` is one sentence, and all it has."""
    assert len(list((ROOT / room).glob("*.py"))) <= MAX_FILES
    tree = ast.parse((ROOT / room / "__init__.py").read_text())
    sentence = ast.get_docstring(tree) or ""
    assert sentence
    if room not in PACKAGES and room not in ("graph/cli", "telemetry/viewer"):
        assert len(tree.body) == 1
        assert "\n" not in sentence


def test_every_folder_is_a_room_of_the_table() -> None:
    """No room is left out of the table."""
    folders = {"/".join(module_of(path)[:-1]) for path in MODULES if path.name != "__init__.py"}
    assert folders <= ROOMS.keys()


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_all_and_nothing_else(package: str) -> None:
    """What is public stands in `__all__`, sorted, and says that it lives in its package."""
    face = import_module(f"nodespan.{package}")
    found = {name: getattr(face, name) for name in face.__all__}
    public = {
        name
        for name, value in vars(face).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(face.__all__)
    assert list(face.__all__) == sorted(face.__all__)
    assert {value.__module__ for value in found.values()} == {face.__name__}


def test_all_else_is_private() -> None:
    """Privacy is on the door: what lies at a package's top is private, or is named here."""
    tops = {module[1] for module in KNOWN if len(module) > 1}
    assert {name for name in tops if not name.startswith("_")} == {
        "checkup",
        "console",
        "cli",
        "instrumentor",
        "journal",
        "served",
        "testing",
        "viewer",
    }


def test_no_module_changes_a_run_but_its_own() -> None:
    """What is known of a run is changed by the run's own methods, and nowhere else."""
    changed = [
        f"{'/'.join(module)}:{target.lineno}"
        for module in KNOWN
        if RUN in imports(module)
        for target in _assigned(ast.parse(KNOWN[module].read_text()))
        if target.attr in _fields_of_run() and ast.unparse(target.value) != "self"
    ]
    assert changed == []


def _assigned(tree: ast.Module) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node


@cache
def _fields_of_run() -> set[str]:
    return set(import_module("nodespan.telemetry._runs.run").Run.__dataclass_fields__)

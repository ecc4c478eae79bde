"""The house's arrows: who may import whom, and what is public."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("graph", "model", "telemetry")
MAY_SEE = {"graph": {"model", "telemetry"}, "model": set(), "telemetry": set()}

# Data in, data out: neither a signal nor a callback is at hand here.
PURE = {
    "model": {
        "_errors",
        "_openai_errors",
        "_openai_messages",
        "_openai_request",
        "_retry",
        "_stop",
    },
    "telemetry": {
        "_attributes",
        "_blocks",
        "_chunk_content",
        "_checks",
        "_config",
        "_content",
        "_conversation",
        "_credentials",
        "_errors",
        "_exceptions",
        "_identifying",
        "_instruments",
        "_messages",
        "_numbers",
        "_outcome",
        "_payload",
        "_plain",
        "_prices",
        "_request",
        "_response",
        "_semconv",
        "_sketch",
        "_spans",
        "_start",
        "_stream",
        "_stream_text",
        "_timeline",
        "_usage",
        "_variables",
    },
}
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(path: Path, *, at_run_time: bool = False) -> set[tuple[str, str]]:
    """Return the (room, module) pairs of the house that a module imports.

    Args:
        path: of the module.
        at_run_time: leaves out what is imported for type checkers alone.
    """
    tree = ast.parse(path.read_text())
    if at_run_time:
        _drop_type_checking(tree)
    here = path.relative_to(ROOT).with_suffix("").parts
    found = {parts for node in ast.walk(tree) for parts in _imported(node, here)}
    return {(parts[0], parts[1] if len(parts) > 1 else "") for parts in found if parts}


def _imported(node: ast.AST, here: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(node, ast.Import):
        return [_inside(alias.name) for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if not node.level:
        return [_inside(node.module or "")]
    package = here[: len(here) - node.level]
    if node.module:
        return [(*package, *node.module.split("."))]
    return [(*package, alias.name) for alias in node.names]


def _inside(name: str) -> tuple[str, ...]:
    house, *parts = name.split(".")
    return tuple(parts) if house == "nodespan" else ()


def _drop_type_checking(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_between_rooms_run_one_way(path: Path) -> None:
    """`graph` sees `model` and `telemetry`; those two are strangers to each other."""
    room = path.relative_to(ROOT).parts[0]
    assert {other for other, _ in imports(path)} <= MAY_SEE[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_another_room_is_seen_through_its_public_face(path: Path) -> None:
    """No private module of another room is imported."""
    room = path.relative_to(ROOT).parts[0]
    foreign = {module for other, module in imports(path) if other != room}
    assert not [module for module in foreign if module.startswith("_")]


@pytest.mark.parametrize("room", PURE)
def test_pure_modules_are_the_ground_floor(room: str) -> None:
    """A pure module imports pure modules alone."""
    for name in PURE[room]:
        below = {module for _, module in imports(ROOT / room / f"{name}.py")}
        assert below <= PURE[room], name


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_imports_one_that_imports_it(room: str) -> None:
    """Inside a room the imports have an order: there is no circle."""
    graph = {
        path.stem: {module for other, module in imports(path, at_run_time=True) if other == room}
        for path in (ROOT / room).glob("*.py")
        if path.stem != "__init__"
    }
    while free := {name for name, below in graph.items() if not below & graph.keys()}:
        graph = {name: below for name, below in graph.items() if name not in free}
    assert not graph


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_all_and_nothing_else(room: str) -> None:
    """What is public stands in `__all__`, sorted, and says that it lives in its package."""
    package = import_module(f"nodespan.{room}")
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(package.__all__)
    assert list(package.__all__) == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name).__module__ == f"nodespan.{room}"


def test_all_other_modules_are_private() -> None:
    """A module is private by its name, but for those that are named here."""
    public = {path.stem for path in MODULES if not path.stem.startswith("_")}
    assert public <= {"testing", "instrumentor"}

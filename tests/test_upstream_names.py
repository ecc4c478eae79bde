"""Telemetry goes on without the names that libraries do not promise to keep, and says what is off.

They stand in tables, and nowhere else. Each is taken away in a process of its own, there where
the library has it, before nodespan is imported.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import BaseChatModel

from nodespan.telemetry import _diagnostics
from nodespan.telemetry._diagnostics import features_off
from nodespan.telemetry._upstream import (
    langchain,
    langgraph,
    opentelemetry,
    pydantic,
    standard_library,
)
from nodespan.telemetry._upstream.names import Kind, Name
from support.processes import PROGRAMS, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespan.telemetry._upstream.names import Use

ROOT = Path(__file__).parent.parent
PROGRAM = (PROGRAMS / "without_a_name.py").read_text()
UPSTREAM = (
    "langchain_core.language_models.fake_chat_models",
    "langchain_core.retrievers",
    "langchain_core.tools",
    "langchain_core.tracers.context",
    "langgraph.cache.memory",
    "langgraph.callbacks",
    "langgraph.graph",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._logs.export",
    "opentelemetry.sdk.metrics.export",
    "opentelemetry.sdk.trace.export",
    "structlog",
)
TABLES = (langchain, langgraph, opentelemetry, pydantic, standard_library)
USES = [use for table in TABLES for use in table.TABLE]
# LangGraph's task has public fields: what it has no name for cannot be taken away by its name.
NAMES = [(use, name) for use in USES if use is not langgraph.TASKS for name in use.names]
# One of each library; the slower checks try them all.
FIRST = [next((use, name) for use, name in NAMES if use in table.TABLE) for table in TABLES]

GRAPH = ["invoke_workflow LangGraph", "  node answer", "    chat FakeListChatModel"]
CHAT = ["chat FakeListChatModel"]
PLAIN = {
    "invoke": CHAT,
    "ainvoke": CHAT,
    "stream": CHAT,
    "astream": CHAT,
    "events": CHAT,
    "graph": GRAPH,
    "agraph": GRAPH,
    "tool": ["execute_tool purr", "execute_tool purr"],
    "retry": ["FakeListChatModel", "  chat FakeListChatModel"],
}
CACHED = ["invoke_workflow LangGraph", "  node answer"]


@pytest.fixture(scope="module")
def fresh_processes() -> Iterator[Processes]:
    """Processes where all upstream is imported, and nothing of nodespan's."""
    processes = Processes(*UPSTREAM)
    yield processes
    processes.close()


def seen_without(processes: Processes, name: Name | None) -> tuple[dict[str, Any], str]:
    """Run the program without a name; return what it has seen, and what it has logged."""
    gone: dict[str, Any] = {}
    if name is not None:
        gone = {"module": name.module, "path": name.path, "local": name.local}
        gone["frame"] = name.kind is Kind.FRAME
    ended = processes.run(PROGRAM, json.dumps(gone))
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr


def assert_goes_on(processes: Processes, use: Use, name: Name) -> None:
    """Fail unless plain runs are traced, and what is off is said once, where anything is."""
    seen, logged = seen_without(processes, name)
    assert {run: seen[run] for run in PLAIN} == PLAIN
    assert seen["instrument"][: len(GRAPH)] == GRAPH
    assert seen["uninstrument"] == []
    # A name is renamed wherever the library has it: two names of a use may be one.
    last = name.path.rpartition(".")[2]
    likely = [(other, each) for other, each in NAMES if each.path.endswith(last)]
    told = [
        f"{other.without}: there is no {each}" for other, each in likely if not other.is_replaced
    ]
    off = {trouble: 1 for trouble in told if trouble in seen["off"]}
    assert any(trouble.startswith(use.without) for trouble in off) is not use.is_replaced
    assert seen["after the import"].items() <= off.items()
    assert seen["off"] == off
    assert seen["measured"] == off
    assert lines_of_ours(logged) == [f"nodespan telemetry: {trouble}" for trouble in off]


def lines_of_ours(logged: str) -> list[str]:
    """Return what nodespan has logged, but that nothing is listening where the journal sends."""
    lines = [line for line in logged.splitlines() if "nodespan" in line]
    return [line for line in lines if "wait in the journal" not in line]


@pytest.mark.slow
def test_nothing_is_off_with_all_names(fresh_processes: Processes) -> None:
    """With the libraries as they are, all is traced, and nothing is said."""
    seen, logged = seen_without(fresh_processes, None)
    assert {run: seen[run] for run in PLAIN} == PLAIN
    assert seen["instrument"] == [*GRAPH, *GRAPH, *CACHED]
    assert seen["off"] == seen["measured"] == {}
    assert lines_of_ours(logged) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "name"), FIRST, ids=lambda each: str(each) if isinstance(each, Name) else ""
)
def test_without_a_name_of_each_library(fresh_processes: Processes, use: Use, name: Name) -> None:
    """Without it plain runs are traced as before, and what is off is said once."""
    assert_goes_on(fresh_processes, use, name)


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("use", "name"), NAMES, ids=lambda each: str(each) if isinstance(each, Name) else ""
)
def test_without_each_name(fresh_processes: Processes, use: Use, name: Name) -> None:
    """The same for every name."""
    assert_goes_on(fresh_processes, use, name)


PACKAGES = ("graph", "model", "telemetry")
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
# Of these the modules that import them are imported only where `has_logs` says so.
BEHIND_A_GATE = {"opentelemetry._logs", "opentelemetry.sdk._logs", "opentelemetry.sdk._logs.export"}
# Public, and documented as such, in spite of their underscores: what every class or function has.
OF_PYTHON = {"__dict__", "__module__", "__name__"}
# The same of each named tuple.
OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}
# What is told apart by its name alone, wherever it stands.
TELLTALES = {
    "RunnableBindingBase",
    "f_locals",
    *(
        part
        for _, name in NAMES
        for part in (name.path.rpartition(".")[2], name.local)
        if "_" in part.strip("_") and not part.startswith("_")
    ),
}


def private_names(nodes: list[ast.AST], own: set[str]) -> set[str]:
    """Return the names of other libraries' that a module names though they are private."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name for name in names if is_private(name) and not is_gated(name)}
            found |= {alias.name for alias in node.names} & TELLTALES
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if is_private(alias.name)}
        elif isinstance(node, ast.Attribute):
            is_foreign = node.attr.startswith("_") and not node.attr.startswith("__")
            above = isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"
            of_model = above and hasattr(BaseChatModel, node.attr)
            if (is_foreign and (of_model or node.attr not in own)) or node.attr in TELLTALES:
                found.add(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
            asked = node.args[1]
            if isinstance(asked, ast.Constant) and str(asked.value).startswith("_"):
                found.add(str(asked.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & TELLTALES
    return found - OF_PYTHON - OF_NAMED_TUPLES


def is_private(name: str) -> bool:
    """Say whether a part of a dotted name has an underscore before it."""
    return any(part.startswith("_") for part in name.split(".")) and not name.startswith("__")


def is_gated(name: str) -> bool:
    """Say whether a name is in a module of logs."""
    return name in BEHIND_A_GATE or name.rpartition(".")[0] in BEHIND_A_GATE


def own_names(nodes: list[ast.AST]) -> set[str]:
    """Return all that nodespan itself defines."""
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    stored = (node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Store))
    return {node.name for node in nodes if isinstance(node, defined)} | {
        getattr(node, "attr", None) or getattr(node, "id", "") for node in stored
    }


def test_private_names_stand_in_the_tables_alone() -> None:
    """No other module names what a library does not promise to keep."""
    nodes = {path: list(ast.walk(ast.parse(path.read_text()))) for path in MODULES}
    own = own_names([node for of_module in nodes.values() for node in of_module])
    found = {
        str(path.relative_to(ROOT)): names
        for path in MODULES
        if "_upstream" not in str(path) and (names := private_names(nodes[path], own))
    }
    assert found == {}


def test_a_frame_is_found_without_python_s_own_way() -> None:
    """The stack can be read from the traceback of an exception."""
    assert standard_library._frame() is sys._getframe()
    assert standard_library._frame(1) is sys._getframe(1)


def test_a_task_without_a_config_is_one_without_a_manager() -> None:
    """A task that LangGraph has made otherwise has no callback manager, and that is said."""
    before = dict(features_off())
    try:
        assert langgraph.manager_of(object()) is None
        told = features_off().keys() - before.keys()
        assert told == {
            f"{langgraph.TASKS.without}: there is no langgraph.types.PregelExecutableTask.config"
        }
    finally:
        _diagnostics._OFF.clear()

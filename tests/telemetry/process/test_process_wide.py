"""What belongs to the process and to providers: it goes with them, and a fork breaks nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.tracers import context as tracers_context

from nodespan.telemetry import (
    instrument,
    uninstrument,
)
from nodespan.telemetry._instrument import process
from nodespan.telemetry._instrument.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess


DROPPED = """
import atexit, gc, tracemalloc
from nodespan.telemetry import OpenTelemetryCallbackHandler
from opentelemetry.sdk.trace import TracerProvider

provider = TracerProvider(shutdown_on_exit=False)

def make(count):
    for _ in range(count):
        OpenTelemetryCallbackHandler(tracer_provider=provider)
    gc.collect()

make(100)
hooks, objects = atexit._ncallbacks(), len(gc.get_objects())
make(10_000)
print(atexit._ncallbacks() - hooks, len(gc.get_objects()) - objects)
tracemalloc.start()  # makes it slow
make(100)
memory, _ = tracemalloc.get_traced_memory()
make(1_000)
print(tracemalloc.get_traced_memory()[0] - memory)
"""


def test_handlers_that_are_dropped_leave_nothing_behind(
    run_program: Callable[..., CompletedProcess[str]],
) -> None:
    """Ten thousand handlers, made and dropped, cost no hook, no object and no memory."""
    # In a process of its own: what other tests have dropped is collected there at no time.
    result = run_program(DROPPED)
    assert (result.returncode, result.stderr) == (0, "")
    hooks, objects, memory = map(int, result.stdout.split())
    assert hooks == 0
    assert objects < 100
    assert memory < 10_000  # bytes, of a thousand handlers


def test_instrumenting_again_and_again_leaves_one_hook() -> None:
    """However often it is switched on, LangChain asks once; once it is off, not at all."""
    before = list(tracers_context._configure_hooks)
    try:
        instrument()
        instrument()
        assert len(tracers_context._configure_hooks) == len(before) + 1
    finally:
        uninstrument()
    assert list(tracers_context._configure_hooks) == before


STEPS = 14


@pytest.mark.parametrize("step", range(STEPS))
def test_instrumenting_that_fails_leaves_nothing_in_place(
    monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Whichever step fails, all is as it was before, and the next attempt succeeds."""
    wrap, steps = Patches.wrap, iter(range(STEPS))

    def fails(patches: Patches, owner: Any, name: str, wrapping: Any) -> bool:
        if next(steps) == step:
            raise AttributeError(name)
        return wrap(patches, owner, name, wrapping)

    hooks = list(tracers_context._configure_hooks)
    wrapped = [(owner, name) for owner, name, _ in process._wrappers()]
    before = [vars(owner)[name] for owner, name in wrapped]
    with monkeypatch.context() as patched:
        patched.setattr(Patches, "wrap", fails)
        with pytest.raises(AttributeError):
            instrument()
    assert list(tracers_context._configure_hooks) == hooks
    assert [vars(owner)[name] for owner, name in wrapped] == before
    assert instrument() is instrument()
    uninstrument()
    assert [vars(owner)[name] for owner, name in wrapped] == before


def test_shutting_down_makes_no_handler(run_program: Callable[..., CompletedProcess[str]]) -> None:
    """A program that configures and traces nothing has no handler, also not at the end."""
    code = """
import gc
from nodespan.telemetry import OpenTelemetryCallbackHandler, configure

made = []
set_up = OpenTelemetryCallbackHandler._set_up
OpenTelemetryCallbackHandler._set_up = lambda self, given: (made.append(1), set_up(self, given))
with configure() as telemetry:
    pass
assert not made
assert telemetry.handler() is telemetry.handler()
assert made == [1]
"""
    result = run_program(code)
    assert (result.returncode, result.stderr) == (0, "")


FORK = """
import gc, os, threading
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from nodespan.telemetry import SpanCollector, configure, configure_logging, instrument
from nodespan.telemetry.testing import capture_spans
from nodespan.model import CustomChatModel, EchoChatModel, ScriptedChatModel
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

LOCKS = (type(threading.Lock()), type(threading.RLock()))
configure_logging(level="error")
script = ScriptedChatModel(answers=["one", "two"])

class Slow(CustomChatModel):
    async def arespond(self, messages):
        yield "Meow!"

Slow().invoke("Hi")
collector, reader = SpanCollector(), InMemoryMetricReader()
telemetry = configure(span_processors=[collector], metric_readers=[reader])
instrument(log_events=True, logger_provider=telemetry.logger_provider)
EchoChatModel().invoke("Hi")

def parts(one):
    names = [*getattr(one, "__dict__", ())]
    names += [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    return [getattr(one, name, None) for name in names]

def own():
    return [
        (type(one).__qualname__, part)
        for one in gc.get_objects()
        if str(type(one).__module__).startswith("nodespan.")
        for part in parts(one)
        if isinstance(part, LOCKS)
    ]

locks = own()
assert len(locks) > 5, locks
held, forked = threading.Event(), threading.Event()

def hold():
    for _, lock in locks:
        lock.acquire()
    held.set()
    forked.wait()
    for _, lock in reversed(locks):
        lock.release()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    stuck = [name for name, lock in own() if not lock.acquire(timeout=0)]
    for _, lock in own():
        lock.release()
    assert not stuck, stuck
    collector.clear()
    for model in (EchoChatModel(), script, Slow()):
        model.invoke("Hi")
    assert [span.name.split()[0] for span in collector.spans()] == ["chat"] * 3
    telemetry.flush()
    assert telemetry.unsent == 0
    os._exit(0)
forked.set()
thread.join()
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
EchoChatModel().invoke("Hi")
telemetry.shutdown()
raise SystemExit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_a_fork_traces_and_exports(
    run_program: Callable[..., CompletedProcess[str]], otlp_receiver: Any
) -> None:
    """A fork while another thread holds every lock of ours: the child has new ones, and sends."""
    warned = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
    result = run_program(warned + FORK, OTEL_EXPORTER_OTLP_ENDPOINT=otlp_receiver.endpoint)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(otlp_receiver.spans) == 5

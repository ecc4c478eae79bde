"""Beside whatever else listens to LangChain: everyone is told what they would be told alone."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from functools import wraps
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.callbacks.base import BaseCallbackManager
from langchain_core.language_models.fake import FakeStreamingListLLM
from langchain_core.tools import tool
from langchain_core.tracers import LangChainTracer
from langsmith import Client

from support.strangers import AINVOKE, ASTREAM, INVOKE, STREAM, Call, Talker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.traced import Traced

CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM)
HOOKS = (
    *("on_chain_start", "on_chain_end", "on_chain_error"),
    *("on_chat_model_start", "on_llm_new_token", "on_llm_end", "on_llm_error"),
    *("on_tool_start", "on_tool_end", "on_tool_error"),
)
TREE = [
    "invoke_agent helper",
    *["  node model", "    chat talker"],
    *["  node tools", "    execute_tool look_up"],
    *["  node model", "    chat talker"],
]


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word.upper()


def work(call: Call, config: Any) -> None:
    """Have an agent call a tool, and answer."""
    asked = [{"name": "look_up", "args": {"word": "owl"}, "id": "1", "type": "tool_call"}]
    agent = create_agent(Talker(calls=[asked]), [look_up], name="helper")
    call.run(agent, {"messages": ["hello"]}, config)


class Listener(BaseCallbackHandler):
    """Counts what it is told, where LangChain puts it: on a thread, in an async call."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()


class InlineListener(Listener):
    """Counts it in the caller's own thread."""

    run_inline = True


class AsyncListener(AsyncCallbackHandler):
    """Counts it in the event loop."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()


def _counting(name: str) -> Callable[..., None]:
    def hook(self: Any, *_: Any, **__: Any) -> None:
        self.told[name] += 1

    return hook


def _counting_async(name: str) -> Callable[..., Any]:
    async def hook(self: Any, *_: Any, **__: Any) -> None:
        self.told[name] += 1

    return hook


for _name in HOOKS:
    setattr(Listener, _name, _counting(_name))
    setattr(AsyncListener, _name, _counting_async(_name))


@pytest.fixture
def alone(kind: Any, call: Call) -> Counter[str]:
    """What a handler hears before there is ours."""
    listener = kind()
    work(call, {"callbacks": [listener]})
    told: Counter[str] = listener.told
    assert told["on_chat_model_start"] == told["on_llm_end"] == 2
    return told


@pytest.mark.parametrize("kind", [Listener, InlineListener, AsyncListener])
@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("place", ["before", "after"])
def test_other_handlers(
    alone: Counter[str], traced: Traced, call: Call, kind: Any, place: str
) -> None:
    """A handler of any sort, before ours or after it, hears what it hears without ours."""
    beside = kind()
    ours = traced.config().get("callbacks", [])
    work(call, {"callbacks": [beside, *ours] if place == "before" else [*ours, beside]})
    assert beside.told == alone
    assert traced.tree == TREE


class LangSmith(ThreadingHTTPServer):
    """Takes the runs that LangSmith's client sends.

    Attributes:
        started: the names of the runs.
        ended: how many of them have ended.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _LangSmithHandler)
        self.started: list[str] = []
        self.ended = 0


class _LangSmithHandler(BaseHTTPRequestHandler):
    server: LangSmith

    def do_POST(self) -> None:
        self.server.started.append(self._read()["name"])
        self._answer()

    def do_PATCH(self) -> None:
        self.server.ended += bool(self._read().get("end_time"))
        self._answer()

    def _read(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self) -> None:
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def langsmith() -> Iterator[LangSmith]:
    """A server as LangSmith's, for as long as the test."""
    with LangSmith() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.slow
def test_the_tracer_of_langsmith(traced: Traced, langsmith: LangSmith, call: Call) -> None:
    """LangSmith gets every run, with its end; our spans are what they are without it."""
    url = f"http://127.0.0.1:{langsmith.server_port}"
    client = Client(api_url=url, api_key="a key", auto_batch_tracing=False)
    tracer = LangChainTracer(client=client)
    ours = traced.config().get("callbacks", [])
    work(call, {"callbacks": [tracer, *ours]})
    tracer.wait_for_futures()
    client.cleanup()
    assert Counter(langsmith.started)["Talker"] == 2
    assert {"helper", "look_up", "model", "tools"} <= set(langsmith.started)
    assert langsmith.ended == len(langsmith.started)
    assert traced.tree == TREE


@contextmanager
def instrumented_by_a_peer(listener: BaseCallbackHandler) -> Iterator[None]:
    """Add a handler to every callback manager that is made, as other instrumentors do."""
    original = BaseCallbackManager.__init__

    @wraps(original)
    def init(self: BaseCallbackManager, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if listener not in self.inheritable_handlers:
            self.add_handler(listener, inherit=True)

    BaseCallbackManager.__init__ = init  # type: ignore[method-assign]  # what peers do
    try:
        yield
    finally:
        BaseCallbackManager.__init__ = original  # type: ignore[method-assign]  # as above


@pytest.mark.parametrize("kind", [InlineListener])
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_peers_instrumentor(alone: Counter[str], traced: Traced, call: Call, kind: Any) -> None:
    """One that patches LangChain's callback managers hears all, and so do we."""
    beside = kind()
    with instrumented_by_a_peer(beside):
        work(call, traced.config())
    assert beside.told == alone
    assert traced.tree == TREE


class CompletionEvents(BaseCallbackHandler):
    """Keeps what it is told of completion models, and of which prompt."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def on_llm_start(self, _: Any, prompts: list[str], **kwargs: Any) -> None:
        """Keep a start."""
        self.told.append((f"start {kwargs['name']}", *prompts))

    def on_llm_end(self, response: Any, **_: Any) -> None:
        """Keep an end."""
        self.told.append(("end", response.generations[0][0].text))


class AsyncCompletionEvents(AsyncCallbackHandler):
    """Keeps the same in the event loop."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def on_llm_start(self, _: Any, prompts: list[str], **kwargs: Any) -> None:
        """Keep a start."""
        self.told.append((f"start {kwargs['name']}", *prompts))

    async def on_llm_end(self, response: Any, **_: Any) -> None:
        """Keep an end."""
        self.told.append(("end", response.generations[0][0].text))


class InlineCompletionEvents(CompletionEvents):
    """Keeps the same in the caller's thread."""

    run_inline = True


def completion_model() -> FakeStreamingListLLM:
    """A model that answers the same to each prompt."""
    return FakeStreamingListLLM(responses=["yes"])


async def _ainvoke(config: Any) -> None:
    await completion_model().ainvoke("one", config)


async def _abatch(config: Any) -> None:
    await completion_model().abatch(["one", "two", "three"], config)


async def _astream(config: Any) -> None:
    assert "".join([chunk async for chunk in completion_model().astream("one", config)]) == "yes"


async def _agenerate(config: Any) -> None:
    await completion_model().agenerate(["one", "two"], callbacks=config.get("callbacks"))


@pytest.mark.parametrize("ask", [_ainvoke, _abatch, _astream, _agenerate])
@pytest.mark.parametrize("kind", [CompletionEvents, AsyncCompletionEvents, InlineCompletionEvents])
@pytest.mark.parametrize("place", ["before", "after", "twice"])
async def test_completion_models(traced: Traced, ask: Any, kind: Any, place: str) -> None:
    """Handlers of any sort hear of each completion model, once, what they hear alone."""
    alone, beside = kind(), kind()
    await ask({"callbacks": [alone]})
    traced.collector.clear()
    ours = traced.config().get("callbacks", [])
    places = {"before": [beside, *ours], "after": [*ours, beside], "twice": [*ours, beside, *ours]}
    await ask({"callbacks": places[place]})
    assert len(alone.told) >= 2
    assert sorted(beside.told) == sorted(alone.told)
    spans = [span for span in traced.spans if span.name.startswith("text_completion")]
    assert len(spans) == len(alone.told) // 2


async def test_those_whom_another_inline_handler_hides(traced: Traced) -> None:
    """Where another inline handler has LangChain leave somebody out, that stays as it is."""
    alone, beside = CompletionEvents(), CompletionEvents()
    await completion_model().ainvoke("one", {"callbacks": [InlineCompletionEvents(), alone]})
    ours = traced.config().get("callbacks", [])
    handlers = [*ours, InlineCompletionEvents(), beside]
    await completion_model().ainvoke("one", {"callbacks": handlers})
    assert beside.told == alone.told


@pytest.mark.filterwarnings("ignore:astream_events version='v1' is deprecated")
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_events_of_completion_models(traced: Traced, version: Any) -> None:
    """An application's own stream of events is whole."""

    async def events(config: Any) -> list[str]:
        stream = (completion_model() | str.upper).astream_events("one", config, version=version)
        return [f"{event['event']} {event['name']}" async for event in stream]

    alone = await events({})
    assert "on_llm_start FakeStreamingListLLM" in alone
    assert await events(traced.config()) == alone


@pytest.mark.filterwarnings("ignore:astream_log is deprecated")
async def test_the_log_of_completion_models(traced: Traced) -> None:
    """An application's own stream of a log is whole."""

    async def paths(config: Any) -> list[str]:
        stream = (completion_model() | str.upper).astream_log("one", config)
        return [each["path"] async for patch in stream for each in patch.ops]

    alone = await paths({})
    assert "/logs/FakeStreamingListLLM" in alone
    assert await paths(traced.config()) == alone

"""Tools that show the variables of each frame of a failure show no secret of a model's."""

from __future__ import annotations

import asyncio
import traceback
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import ValidationError
from rich.pretty import pretty_repr
from rich.traceback import Traceback
from structlog.tracebacks import ExceptionDictTransformer

from nodespan.graph import chat_node
from nodespan.model import BadRequestError, CustomChatModel, ModelError, OpenAICompatibleChatModel
from support.hostile import HostileServer, chunk, refuses, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from support.hostile import Wire

S = "planted7x9planted"
KEY = f"sk-{S}"
# In every place where a person can put one.
GIVEN: dict[str, Any] = {
    "api_key": KEY,
    "headers": {"X-Gateway-Key": f"gw-{S}"},
    "extra_body": {
        "api_key": S,
        "auth": {"password": S},
        "pairs": [("Authorization", S), {"name": "X-Api-Key", "value": S}],
        "note": f"token = {S}",
    },
    "stop": [f"password: {S}", f"postgres://u:{S}@h"],
    "chunk_timeout": 0.2,
    "max_retries": 0,
}
NOWHERE = "http://127.0.0.1:1/v1"


def plain(url: str, **more: Any) -> OpenAICompatibleChatModel:
    """Make a model without a secret."""
    return OpenAICompatibleChatModel(base_url=url, model_name="m", **more)


def given(url: str, **more: Any) -> OpenAICompatibleChatModel:
    """Make a model with a secret in each place."""
    return plain(url, **{**GIVEN, **more})


def failures(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Go through an error, what led to it, and what it is a group of."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inside = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for other in (error.__cause__, error.__context__, *inside):
        yield from failures(other, seen)


def variables(error: BaseException) -> Iterator[Any]:
    """List what each frame of it knows, but those of this module, which plant the secret."""
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename != __file__:
            yield from frame.tb_frame.f_locals.values()
        frame = frame.tb_next


def shown(error: BaseException) -> list[str]:
    """Show all that is known of an error, as Python and as rich show an object."""
    known: dict[int, Any] = {}
    for one in failures(error, set()):
        known |= {id(each): each for each in (one, vars(one), str(one), *variables(one))}
    told = [repr(each) for each in known.values()]
    # As rich goes through an object itself: by fields, attributes and items.
    return told + [pretty_repr(e, max_length=50, max_depth=6) for e in known.values()]


def leaks(error: BaseException) -> list[str]:
    """Return the ends of what shows the secret."""
    told = (text for text in shown(error) if "planted" in text)
    return [text[max(text.index("planted") - 200, 0) :][:300] for text in told]


async def _in_another_protocol(wire: Wire) -> None:
    await wire.send(f"{KEY}\r\n\r\n".encode())


async def _breaks_off(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("a"))
    wire.writer.transport.abort()


async def _falls_silent(wire: Wire) -> None:
    await wire.head()
    await wire.event(chunk("a"))
    await wire.until_gone()


async def _compressed(wire: Wire) -> None:
    await wire.head(Content_Encoding="br", X_Echo=KEY)
    await wire.part("abc")
    await wire.end()


def _calls(number: int) -> list[dict[str, Any]]:
    return [{"index": i, "id": f"c{i}", "function": {"name": KEY}} for i in range(number)]


async def _all(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


def _in_a_graph(model: Any) -> Any:
    return StateGraph(MessagesState).add_node("n", chat_node(model)).add_edge(START, "n").compile()


INPUT: Any = {"messages": [("user", "Hi")]}
REPLIES = {
    "refused": refuses(401, {"error": {"message": f"bad {KEY} gw-{S}"}}, X_Request_Id=KEY),
    "failed": refuses(500, KEY),
    "elsewhere": refuses(302, "", Location=f"http://x/?k={KEY}"),
    "a page": refuses(200, f"<html>{KEY}</html>"),
    "too long": refuses(400, {"error": {"message": f"context length {KEY}"}}),
    "no chunk": sends(f"no chunk {KEY}"),
    "an error": sends(chunk("a"), {"error": {"message": f"no {KEY}"}}),
    "too many calls": sends(chunk(tool_calls=_calls(300))),
    "another protocol": _in_another_protocol,
    "broken off": _breaks_off,
    "silent": _falls_silent,
    "compressed": _compressed,
}
WAYS: dict[str, Callable[[str], object]] = {
    "invoke": lambda url: given(url).invoke("Hi"),
    "astream": lambda url: asyncio.run(_all(given(url).astream("Hi"))),
    "for a call": lambda url: plain(url).invoke("Hi", **GIVEN),
    "stream for a call": lambda url: list(plain(url).stream("Hi", **GIVEN)),
    "bound": lambda url: asyncio.run(plain(url).bind(**GIVEN).ainvoke("Hi")),
    "batch": lambda url: plain(url).batch(["Hi", "Ho"], **GIVEN),
    "events": lambda url: list(given(url).stream_events("Hi", version="v3")),
    "generate": lambda url: given(url).generate([[HumanMessage("Hi")]]),
    "in a graph": lambda url: _in_a_graph(given(url)).invoke(INPUT),
    "bound in a graph": lambda url: asyncio.run(
        _in_a_graph(plain(url).bind(**GIVEN)).ainvoke(INPUT)
    ),
    "held to a schema": lambda url: (
        given(url, tool_calling="json_schema")
        .bind_tools([{"name": "f", "description": "", "parameters": {}}])
        .invoke("Hi")
    ),
    "tried again": lambda url: given(url).with_retry(stop_after_attempt=1).invoke("Hi"),
}


FAST = set(zip(REPLIES, WAYS, strict=True))
EACH = [
    pytest.param(*each, marks=() if each in FAST else pytest.mark.slow)
    for each in product(REPLIES, WAYS)
]


@pytest.mark.parametrize(("reply", "way"), EACH)
def test_a_failed_answer(reply: str, way: str) -> None:
    """Each kind of failure by each way to call; among the fast tests each by another one."""
    with HostileServer([REPLIES[reply]]) as server, pytest.raises(ModelError) as caught:
        WAYS[way](server.url)
    assert not leaks(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: given(NOWHERE).invoke("Hi"),
        lambda: given(NOWHERE).invoke([]),
        lambda: given(NOWHERE).invoke([("user", [{"type": "weird"}])]),
        lambda: given(NOWHERE).invoke("Hi", max_tokens="many"),
        lambda: given(NOWHERE).invoke("Hi", bogus=1),
        lambda: plain(NOWHERE, **{**GIVEN, "extra_body": {"password": S, "a": {1}}}).invoke("Hi"),
        lambda: plain(NOWHERE).model_copy(update=GIVEN).invoke("Hi", temperature=-1),
        lambda: given(NOWHERE, tool_calling="json_schema").invoke([]),
    ],
)
def test_a_call_that_is_not_sent(call: Callable[[], object]) -> None:
    """Because nobody is there, or it cannot be sent."""
    with pytest.raises(ModelError) as caught:
        call()
    assert not leaks(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": f"{KEY}\n"},
        {"headers": {"X": f"{KEY}\n"}},
        {"base_url": f"http://u:{S}@h/v1"},
        {"base_url": f"http://h/v1?key={S}"},
        {"max_tokens": "many"},
        {"stop": [1]},
        {"bogus": 1},
    ],
)
def test_a_model_that_is_not_made(wrong: dict[str, Any]) -> None:
    """Nor do the frames of its construction."""
    with pytest.raises((ValidationError, BadRequestError)) as caught:
        OpenAICompatibleChatModel(**{"base_url": NOWHERE, "model_name": "m", **GIVEN, **wrong})
    assert not leaks(caught.value)


class Failing(CustomChatModel):
    """Has secrets in fields of any kind, and fails."""

    my_key: str = ""
    note: str = ""
    pairs: Any = None

    def respond(self, messages: list[Any], stop: list[str] | None = None) -> Iterator[str]:  # type: ignore[override]  # no more
        """Begin, and fail."""
        yield str(len(messages))
        raise ValueError(f"oops {len(stop or ())}")


@pytest.mark.parametrize("way", [Failing.invoke, lambda model, x: asyncio.run(model.ainvoke(x))])
def test_a_model_of_ones_own(way: Any) -> None:
    """Whose own frames know the model, and what stops it."""
    made = Failing(my_key=S, note=f"password: {S}", pairs=[("Cookie", S)], stop=[f"token = {S}"])
    with pytest.raises(ValueError, match="oops 1") as caught:
        way(made, "Hi")
    assert not leaks(caught.value)


def test_whole_tracebacks() -> None:
    """Python's, rich's and structlog's own, with the variables."""
    with pytest.raises(ModelError) as caught:
        plain(NOWHERE).invoke("Hi", **GIVEN)
    # The first frame is that of this module.
    info: Any = (caught.type, caught.value, caught.tb.tb_next)
    assert caught.tb.tb_frame.f_code.co_filename == __file__
    assert info[2].tb_frame.f_code.co_filename != __file__
    rich = Traceback.extract(*info, show_locals=True, locals_max_string=1_000)
    frames = [frame for stack in rich.stacks for frame in stack.frames]
    python = traceback.TracebackException(*info, capture_locals=True)
    structured = ExceptionDictTransformer(show_locals=True, locals_max_string=1_000)(info)
    told = [
        # What structlog's own renderer for the console shows is this.
        "".join(f"{name}={node}" for f in frames for name, node in (f.locals or {}).items()),
        "".join(python.format()),
        repr(structured),
    ]
    assert all("X-Gateway-Key" in text for text in told)
    assert not [text for text in told if "planted" in text]

"""Whatever an application hands around, it notices nothing of telemetry, and the span is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import Command, interrupt
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from nodespan.telemetry.testing import capture_spans
from support.reporters import Nameless, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.runnables import RunnableConfig

    from nodespan.telemetry.testing import CapturedSpans

MEGABYTES = 10 * 1024 * 1024


class Grumpy:
    """Its text cannot be had: it raises, or would take for ever."""

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("somebody has looked at it")

    __repr__ = __str__ = __format__ = __len__ = __iter__ = __bytes__ = __getstate__ = _refuse
    __dict__ = property(_refuse)  # type: ignore[assignment]


class GrumpyText(str):
    """A text that is one only underneath."""

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("somebody has looked at it")

    __repr__ = __str__ = __format__ = __iter__ = _refuse


def cycle() -> Any:
    """Return a state that holds itself."""
    state: dict[str, Any] = {"name": "loop", "items": []}
    state["items"].append(state)
    return state


def deep() -> Any:
    """Return a value that is deeper than Python's stack."""
    value: Any = "bottom"
    for _ in range(50_000):
        value = [value]
    return value


VALUES = {
    "ten megabytes of text": "x" * MEGABYTES,
    "a lone surrogate": "half \ud83d of it",
    "control characters": "\0\x1b[31m\u2028",
    "not a number": float("nan"),
    "infinity": [float("inf"), float("-inf")],
    "a long integer": 2**64,
    "a very long integer": [10**5_000],
    "bytes": b"\xff" * 1_000,
    "a set": {1, "two", None},
    "a cycle": cycle(),
    "depth": deep(),
    "a grumpy object": Grumpy(),
    "a grumpy text": GrumpyText("text"),
    "keys that are no text": {1: "a", None: "b", (1, 2): "c", "\ud800": "d", b"e": "f"},
    "many items": list(range(100_000)),
    "ten megabytes of an image": [
        {"type": "image", "base64": "A" * MEGABYTES, "mime_type": "image/png"}
    ],
}


class State(TypedDict, total=False):
    """A state that holds anything."""

    value: Any


def in_a_state(value: Any, config: RunnableConfig) -> Any:
    """Hand it from node to node."""
    graph = StateGraph(State)
    graph.add_node("one", lambda state: {"value": state["value"]})
    graph.add_node("two", lambda _state: {})
    graph.add_edge("one", "two")
    graph.set_entry_point("one")
    return graph.compile().invoke({"value": value}, config)["value"]


def in_a_chain(value: Any, config: RunnableConfig) -> Any:
    """Hand it through a chain."""
    return (RunnableLambda(lambda given: given) | RunnableLambda(lambda x: x)).invoke(value, config)


def in_identifying_parameters(value: Any, config: RunnableConfig) -> Any:
    """Say that it identifies a model."""
    model = Reporter.model_construct(params={"thing": value, "model_name": value})
    return model.invoke("x", config).text == "so it is"


def in_a_call(value: Any, config: RunnableConfig) -> Any:
    """Hand it to a model, under a name of content and another."""
    told = {"stop": ["a"], "temperature": value, "tools": value, "response_format": value}
    bound = Nameless().bind(thing=value, context=value, **told)
    return bound.invoke("x", config).text == "so it is"


def in_an_answer(value: Any, config: RunnableConfig) -> Any:
    """Have a model say it, and tell it of its answer."""
    told = {"usage_metadata": {"input_tokens": value, "input_token_details": value}}
    reply = AIMessage.model_construct(
        content=value if isinstance(value, str | list) else "x",
        response_metadata={"model_name": value, "id": value, "finish_reason": value},
        additional_kwargs={"reasoning_content": value, "thing": value},
        tool_calls=[{"name": "t", "args": {"a": value}, "id": "1"}],
        **told,
    )
    model = Reporter.model_construct(replies=[reply])
    return model.invoke([HumanMessage.model_construct(content=reply.content)], config).content


def in_a_tool(value: Any, config: RunnableConfig) -> Any:
    """Hand it to a tool, and have it back."""

    @tool
    def same(thing: Any) -> Any:
        """Return the thing."""
        return thing

    return same.invoke({"thing": value}, config)


def in_a_document(value: Any, config: RunnableConfig) -> Any:
    """Find it in a library."""

    class Library(BaseRetriever):
        def _get_relevant_documents(self, _query: str, **_: Any) -> list[Document]:
            return [Document.model_construct(page_content="x", metadata={"score": value, 1: value})]

    return Library().invoke("x", config)[0].metadata["score"]


def in_metadata(value: Any, config: RunnableConfig) -> Any:
    """Say it of a call."""
    told: dict[Any, Any] = {"thing": value, "thread_id": value, "langgraph_step": value, 7: value}
    Nameless().invoke("x", {**config, "metadata": told})
    return told["thing"]


def in_an_exception(value: Any, config: RunnableConfig) -> Any:
    """Raise it."""

    def fail(_given: Any) -> NoReturn:
        raise ValueError(value)

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text may not be had
        RunnableLambda(fail).invoke("x", config)
    return caught.value.args[0]


PLACES = (
    in_a_state,
    in_a_chain,
    in_identifying_parameters,
    in_a_call,
    in_an_answer,
    in_a_tool,
    in_a_document,
    in_metadata,
    in_an_exception,
)


def outcome(place: Callable[..., Any], value: Any, config: RunnableConfig) -> tuple[str, object]:
    """Return what becomes of a value; LangChain itself cannot hand all of them everywhere."""
    try:
        return "identity", id(place(value, config))
    except (AssertionError, AttributeError, TypeError, ValueError, RecursionError) as error:
        return "error", type(error)


def sent(captured: CapturedSpans) -> bytes:
    """Return what is sent of the spans."""
    spans = captured.collector.spans()
    assert spans
    return encode_spans(spans).SerializeToString()


@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_ONLY"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("name", VALUES)
def test_the_application_notices_nothing(
    name: str, place: Callable[[Any, RunnableConfig], Any], mode: str
) -> None:
    """The application gets what it would get without telemetry, and the span is sent."""
    value = VALUES[name]
    with capture_spans(capture_content=mode, metadata_keys=["thing"]) as captured:
        captured.handler.raise_error = True
        without = outcome(place, value, {})
        with_it = outcome(place, value, {"callbacks": [captured.handler]})
        assert with_it == without
        if with_it[0] == "identity":
            assert len(sent(captured)) < 2_000_000
        assert captured.handler.open_runs == 0
        assert captured.handler.diagnostics.counts == {}


class TestMessages:
    """Many messages, and large ones."""

    @pytest.mark.slow
    def test_ten_thousand_messages(self) -> None:
        """Of 10,000 messages the first and the newest are told, and how many are left out."""
        messages = [HumanMessage(f"message {place}") for place in range(10_000)]
        with capture_spans(capture_content="SPAN_ONLY") as captured:
            Nameless().invoke(messages, {"callbacks": [captured.handler]})
        attributes = captured.span("chat Nameless").attributes
        first, stand_in, *newest = (
            message["parts"][0]["content"]
            for message in json.loads(str(attributes["gen_ai.input.messages"]))
        )
        assert first == "message 0"
        assert newest[-1] == "message 9999"
        assert stand_in == f"{10_000 - 1 - len(newest):,} messages left out"
        assert attributes["nodespan.input.dropped"] == 10_000 - 1 - len(newest)

    def test_ten_megabytes(self) -> None:
        """Of a message of ten megabytes the beginning is told, and how much is left out."""
        with capture_spans(capture_content="SPAN_ONLY") as captured:
            Nameless().invoke("x" * MEGABYTES, {"callbacks": [captured.handler]})
        attributes = captured.span("chat Nameless").attributes
        (message,) = json.loads(str(attributes["gen_ai.input.messages"]))
        kept = message["parts"][0]["content"]
        assert 95_000 < len(kept) < 100_000
        assert attributes["nodespan.input.dropped"] == MEGABYTES - len(kept)

    def test_a_picture_of_ten_megabytes(self) -> None:
        """A picture is measured: its kind and its size are told, and nothing of its data."""
        picture = {"type": "image", "base64": "A" * MEGABYTES, "mime_type": "image/png"}
        with capture_spans(capture_content="SPAN_ONLY") as captured:
            Nameless().invoke([HumanMessage([picture])], {"callbacks": [captured.handler]})
        attributes = captured.span("chat Nameless").attributes
        (message,) = json.loads(str(attributes["gen_ai.input.messages"]))
        size = MEGABYTES * 3 // 4
        assert message["parts"] == [
            {
                "type": "blob",
                "modality": "image",
                "mime_type": "image/png",
                "content": "",
                "size": size,
            }
        ]
        assert "nodespan.input.dropped" not in attributes

    @pytest.mark.slow
    def test_a_stream_of_large_chunks(self) -> None:
        """Chunks of a megabyte, with halves of characters in them, are counted as any."""

        class Large(Nameless):
            def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
                for _ in range(10):
                    message = AIMessageChunk.model_construct(content="\ud83d" + "x" * 2**20)
                    yield ChatGenerationChunk.model_construct(message=message, text=message.content)

        with capture_spans(capture_content="SPAN_ONLY") as captured:
            captured.handler.raise_error = True
            given = list(Large().stream("x", {"callbacks": [captured.handler]}))
        assert sum(len(str(chunk.content)) for chunk in given) == 10 * (2**20 + 1)
        assert captured.span("chat Large").attributes["nodespan.stream.chunks"] == 10
        assert sent(captured)


class TestNames:
    """Names that people give."""

    @pytest.mark.parametrize("name", ["\ud800", "x" * 10**6, "a\0b", " ", "naïve 中文 🙂"])
    def test_of_graphs_nodes_and_runs(self, name: str) -> None:
        """Graphs, nodes, runs, tags and threads may be called anything."""
        # LangGraph itself cannot take half a character in a node's name.
        node = name.encode(errors="replace").decode()
        graph = StateGraph(State)
        graph.add_node(node, lambda state: state)
        graph.set_entry_point(node)
        compiled = graph.compile(name=name)
        with capture_spans(capture_content="SPAN_ONLY") as captured:
            captured.handler.raise_error = True
            config: RunnableConfig = {
                "callbacks": [captured.handler],
                "run_name": name,
                "tags": [name],
                "configurable": {"thread_id": name},
            }
            compiled.invoke({"value": 1}, config)
        assert sent(captured)
        assert len(captured.spans) == 2
        assert all(len(span.name) < 300 for span in captured.spans)

    def test_of_exceptions(self) -> None:
        """An exception of any name, whose text cannot be had, is told by what can be had."""

        class Rude(Exception):  # noqa: N818 - its name is the point
            def __str__(self) -> str:
                raise RuntimeError("no")

        Rude.__qualname__ = "R\ud800de" + "x" * 10**6

        def fail(_given: Any) -> NoReturn:
            raise Rude

        with capture_spans(capture_content="SPAN_ONLY") as captured:
            with pytest.raises(Rude):
                RunnableLambda(fail).invoke("x", {"callbacks": [captured.handler]})
            (span,) = captured.spans
        assert span.status == "error"
        assert [event.name for event in span.events] == ["exception"]
        assert sent(captured)
        assert len(sent(captured)) < 20_000


class TestPeople:
    """What people are asked and answer."""

    @pytest.mark.parametrize("value", ["x" * MEGABYTES, {"a": b"\xff", "b": [1.5, None]}, {1, 2}])
    def test_interrupts(self, value: Any) -> None:
        """An interrupt's value and its answer may be anything that a checkpoint takes."""
        graph = StateGraph(State)
        graph.add_node("ask", lambda _state: {"value": interrupt(value)})
        graph.set_entry_point("ask")
        compiled = graph.compile(checkpointer=InMemorySaver())
        with capture_spans(capture_content="SPAN_ONLY") as captured:
            captured.handler.raise_error = True
            config: RunnableConfig = {
                "callbacks": [captured.handler],
                "configurable": {"thread_id": "1"},
            }
            compiled.invoke({"value": 1}, config)
            assert compiled.invoke(Command(resume=value), config) == {"value": value}
        assert captured.handler.diagnostics.counts == {}
        assert len(sent(captured)) < 1_000_000


def test_a_callback_that_cannot_be_made_sense_of() -> None:
    """Calls of the handler with arguments that nobody understands are counted, and no more."""
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        handler: Any = captured.handler
        for name in dir(handler):
            if name.startswith("on_"):
                for junk in (None, 7, "x", Grumpy(), [Grumpy()], {1: 2}):
                    callback = getattr(handler, name)
                    try:
                        callback(junk, junk, run_id=junk, parent_run_id=junk, metadata=junk)
                    except TypeError as error:
                        assert "argument" in str(error)  # noqa: PT017 - LangChain's signatures
        handler.close()
    assert captured.handler.open_runs == 0

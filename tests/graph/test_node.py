"""`chat_node`: a chat model in anybody's state graph."""

import asyncio
import operator
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.utils.runnable import RunnableCallable
from pydantic import BaseModel

from nodespan.graph import chat_node

pytestmark = pytest.mark.filterwarnings(
    "ignore:The v3 streaming protocol:langchain_core._api.LangChainBetaWarning"
)


class TypedDictState(TypedDict):
    """A state as LangGraph documents it."""

    messages: Annotated[list[AnyMessage], add_messages]


class PydanticState(BaseModel):
    """A state that is a pydantic model."""

    messages: Annotated[list[AnyMessage], add_messages]


@dataclass
class DataclassState:
    """A state that is a dataclass."""

    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)


def cat() -> FakeListChatModel:
    """A model that streams `c`, `a`, `t`."""
    return FakeListChatModel(responses=["cat"])


def graph_of(node: Any, schema: type = MessagesState, **compiling: Any) -> Any:
    """A graph with one node."""
    builder = StateGraph(schema)
    builder.add_node("model", node)
    builder.add_edge(START, "model")
    builder.add_edge("model", END)
    return builder.compile(**compiling)


def texts(messages: list[BaseMessage]) -> list[str]:
    """The messages in short."""
    return [f"{each.type}: {each.text}" for each in messages]


@pytest.mark.parametrize("schema", [TypedDictState, PydanticState, DataclassState])
class TestStates:
    """Whatever kind of state there is."""

    def test_invoke(self, schema: type) -> None:
        """The answer is appended to the messages, whatever kind of state holds them."""
        result = graph_of(chat_node(cat()), schema).invoke({"messages": [HumanMessage("hi")]})

        assert texts(result["messages"]) == ["human: hi", "ai: cat"]

    async def test_ainvoke(self, schema: type) -> None:
        """The same holds for async calls."""
        graph = graph_of(chat_node(cat()), schema)

        result = await graph.ainvoke({"messages": [HumanMessage("hi")]})

        assert texts(result["messages"]) == ["human: hi", "ai: cat"]


MODES = ["values", "updates", "messages", "custom", "tasks", "debug", "checkpoints"]


class TestStreams:
    """In every stream mode."""

    @pytest.mark.parametrize("mode", MODES)
    async def test_mode(self, mode: str) -> None:
        """A stream in any mode, sync or async, ends with the answer in the state."""
        for asynchronously in (False, True):
            graph = graph_of(chat_node(cat()), checkpointer=InMemorySaver())
            config = {"configurable": {"thread_id": "1"}}
            if asynchronously:
                _ = [each async for each in graph.astream(HI, config, stream_mode=mode)]
            else:
                _ = list(graph.stream(HI, config, stream_mode=mode))

            state = graph.get_state(config)
            assert texts(state.values["messages"]) == ["human: hi", "ai: cat"]

    def test_messages(self) -> None:
        """Mode `messages` gives the chunks as the model gives them."""
        stream = graph_of(chat_node(cat())).stream(HI, stream_mode="messages")

        assert [chunk.text for chunk, _ in stream][:3] == ["c", "a", "t"]

    async def test_messages_async(self) -> None:
        """Mode `messages` does so for async streams too."""
        stream = graph_of(chat_node(cat())).astream(HI, stream_mode="messages")

        assert [chunk.text async for chunk, _ in stream][:3] == ["c", "a", "t"]

    async def test_event_stream(self) -> None:
        """`astream_events` has an event for each chunk."""
        events = graph_of(chat_node(cat())).astream_events(HI, version="v2")

        chunks = [e["data"]["chunk"] async for e in events if e["event"] == "on_chat_model_stream"]
        assert [chunk.text for chunk in chunks][:3] == ["c", "a", "t"]

    def test_v3_stream(self) -> None:
        """The third protocol streams the model's text as well."""
        stream = graph_of(chat_node(cat())).stream_events(HI, version="v3")

        assert ["".join(message.text) for message in stream.messages] == ["cat"]

    def test_several_modes_at_once(self) -> None:
        """Modes may be combined."""
        parts = graph_of(chat_node(cat())).stream(HI, stream_mode=["messages", "values"])

        assert {mode for mode, _ in parts} == {"messages", "values"}


HI = {"messages": [HumanMessage("hi")]}


class TestEngines:
    """For what runs a graph's nodes elsewhere, as Temporal's plugin for LangGraph does."""

    def test_kind(self) -> None:
        """Added to a graph it is what LangGraph makes of functions, by the name it has."""
        builder = StateGraph(MessagesState)
        builder.add_node(chat_node(cat(), name="talk"))

        assert isinstance(builder.nodes["talk"].runnable, RunnableCallable)

    async def test_functions(self) -> None:
        """Its functions, sync and async, give the node's update without a graph."""
        node = StateGraph(MessagesState).add_node("a", chat_node(cat())).nodes["a"].runnable
        assert isinstance(node, RunnableCallable)
        assert node.func is not None
        assert node.afunc is not None

        updates = [node.func(HI, config={}), await node.afunc(HI, config={})]

        assert [texts(update["messages"]) for update in updates] == [["ai: cat"]] * 2

    @pytest.mark.parametrize("asynchronously", [False, True])
    async def test_function_in_its_place(self, asynchronously: bool) -> None:
        """An engine may put a function of its own in the place of both."""
        builder = StateGraph(MessagesState).add_node("model", chat_node(cat()))
        node = builder.add_edge(START, "model").nodes["model"].runnable
        assert isinstance(node, RunnableCallable)

        async def elsewhere(state: Any, **_: Any) -> Any:
            return {"messages": [AIMessage(f"{len(state['messages'])} came")]}

        node.func, node.afunc = None, elsewhere
        graph = builder.compile()
        if asynchronously:
            result = await graph.ainvoke(HI)
            assert texts(result["messages"]) == ["human: hi", "ai: 1 came"]
        else:
            with pytest.raises(TypeError, match="No synchronous function"):
                graph.invoke(HI)


class TestPrompt:
    """What the model is given."""

    @pytest.mark.parametrize("prompt", ["Be brief.", SystemMessage("Be brief.")])
    def test_system_prompt(self, prompt: Any, run_log: Any) -> None:
        """The system prompt comes first at every call, and never enters the state."""
        graph = graph_of(chat_node(cat(), system_prompt=prompt))

        result = graph.invoke(HI, {"callbacks": [run_log]})

        (chat,) = run_log.of_kind("chat")
        assert texts(chat.messages) == ["system: Be brief.", "human: hi"]
        assert texts(result["messages"]) == ["human: hi", "ai: cat"]

    def test_messages_key(self) -> None:
        """The messages may have another key, which the answer gets too."""

        class State(TypedDict):
            talk: Annotated[list[AnyMessage], add_messages]
            count: int

        graph = graph_of(chat_node(cat(), messages_key="talk"), State)

        result = graph.invoke({"talk": [("human", "hi")], "count": 3})

        assert texts(result["talk"]) == ["human: hi", "ai: cat"]
        assert result["count"] == 3

    def test_plain_reducer(self, run_log: Any) -> None:
        """Without `add_messages`, tuples and dicts in the state are messages all the same."""

        class State(TypedDict):
            messages: Annotated[list[Any], operator.add]

        graph = graph_of(chat_node(cat()), State)
        history = [("system", "Be brief."), {"role": "user", "content": "hi"}]

        result = graph.invoke({"messages": history}, {"callbacks": [run_log]})

        (chat,) = run_log.of_kind("chat")
        assert texts(chat.messages) == ["system: Be brief.", "human: hi"]
        assert result["messages"][-1].text == "cat"

    def test_system_prompt_alone(self) -> None:
        """A system prompt alone is a prompt: the model may speak first."""
        result = graph_of(chat_node(cat(), system_prompt="Greet.")).invoke({"messages": []})

        assert texts(result["messages"]) == ["ai: cat"]


class TestConfig:
    """What the node passes on."""

    def test_runs(self, run_log: Any) -> None:
        """The model's run is a child of the node's, which is a child of the graph's."""
        graph = graph_of(chat_node(cat()), name="conversation")

        graph.invoke(HI, {"callbacks": [run_log]})

        assert [(run.name, run.parent) for run in run_log.runs] == [
            ("conversation", None),
            ("model", "conversation"),
            ("FakeListChatModel", "model"),
        ]

    async def test_passed_on(self, run_log: Any) -> None:
        """Tags and metadata of the call reach the model, sync and async."""
        graph = graph_of(chat_node(cat()))
        config = {"callbacks": [run_log], "tags": ["mine"], "metadata": {"tenant": "a"}}

        graph.invoke(HI, config)
        await graph.ainvoke(HI, config)

        chats = run_log.of_kind("chat")
        assert ["mine" in chat.tags for chat in chats] == [True, True]
        assert [chat.metadata["tenant"] for chat in chats] == ["a", "a"]

    def test_outside_a_graph(self) -> None:
        """A node is a runnable, and can be tried without a graph."""
        update = chat_node(cat()).invoke(HI, stop=["x"])

        assert texts(update["messages"]) == ["ai: cat"]

    def test_name(self) -> None:
        """`add_node` without a name takes the node's own."""
        builder = StateGraph(MessagesState)
        builder.add_node(chat_node(cat()))
        builder.add_node(chat_node(cat(), name="critic"))

        assert list(builder.nodes) == ["chat", "critic"]


class SleepySyncModel(BaseChatModel):
    """Has a sync side only, which takes a while."""

    @property
    def _llm_type(self) -> str:
        return "sleepy"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        time.sleep(0.3)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("done"))])


class NativeAsyncModel(SleepySyncModel):
    """Says on which thread its async side ran."""

    async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
        answer = AIMessage(str(threading.get_ident()))
        return ChatResult(generations=[ChatGeneration(message=answer)])

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(str(threading.get_ident())))


class TestEventLoop:
    """What an async call does to the event loop."""

    async def test_not_blocked(self) -> None:
        """While a model that has no async side works, the event loop goes on."""
        graph = graph_of(chat_node(SleepySyncModel()))
        run = asyncio.ensure_future(graph.ainvoke(HI))
        longest, last = 0.0, time.monotonic()
        while not run.done():
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

        assert (await run)["messages"][-1].text == "done"
        assert longest < 0.25

    async def test_native(self) -> None:
        """A model's own async side is used, on the event loop's thread."""
        graph = graph_of(chat_node(NativeAsyncModel()))

        result = await graph.ainvoke(HI)
        chunks = [chunk.text async for chunk, _ in graph.astream(HI, stream_mode="messages")]

        assert result["messages"][-1].text == str(threading.get_ident())
        assert chunks[0] == str(threading.get_ident())


class TestModels:
    """What counts as a chat model."""

    @pytest.mark.parametrize(
        "model",
        [
            cat().bind(stop=["x"]),
            cat().with_retry(),
            cat().with_config(tags=["mine"]),
            cat().with_fallbacks([cat()]),
            cat().bind(stop=["x"]).with_retry().with_fallbacks([cat()]),
        ],
        ids=["bind", "retry", "config", "fallbacks", "all"],
    )
    def test_wrapped(self, model: Any) -> None:
        """A chat model with arguments, retries or fallbacks bound to it is one."""
        assert texts(graph_of(chat_node(model)).invoke(HI)["messages"])[1:] == ["ai: cat"]

    def test_fallback(self) -> None:
        """A fallback answers when the first model fails."""
        broken = FakeListChatModel(responses=["cat"], error_on_chunk_number=0)
        graph = graph_of(chat_node(broken.with_fallbacks([cat()])))

        chunks = [chunk.text for chunk, _ in graph.stream(HI, stream_mode="messages")]

        assert "".join(chunks) == "cat"

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            (None, "NoneType"),
            ("gpt-5", "'gpt-5'"),
            (FakeListChatModel, "an instance"),
            (FakeListLLM(responses=["cat"]), "FakeListLLM"),
            (RunnableLambda(lambda x: x), "RunnableLambda"),
            (cat() | RunnableLambda(lambda x: x), "RunnableSequence"),
        ],
        ids=["none", "text", "class", "completion model", "function", "sequence"],
    )
    def test_not_a_chat_model(self, wrong: Any, named: str) -> None:
        """Anything that is no chat model is refused at once, by name."""
        with pytest.raises(TypeError, match=f"chat model is needed.*{named}"):
            chat_node(wrong)


class TestBadInput:
    """What is refused, and how."""

    def test_state_without_messages(self, run_log: Any) -> None:
        """A state without the key is refused before the model is called; values stay private."""

        class State(TypedDict):
            question: str

        graph = graph_of(chat_node(cat()), State)

        with pytest.raises(ValueError, match=r"no 'messages', only 'question'.*messages_key") as e:
            graph.invoke({"question": "secret"}, {"callbacks": [run_log]})
        assert "secret" not in str(e.value)
        assert run_log.of_kind("chat") == []

    def test_object_without_messages(self) -> None:
        """The same holds for a state that is an object."""

        class State(BaseModel):
            question: str

        with pytest.raises(ValueError, match="no 'messages', only what a State has"):
            graph_of(chat_node(cat()), State).invoke({"question": "hi"})

    async def test_no_message(self) -> None:
        """An empty list of messages is refused, for there is nothing to answer."""
        with pytest.raises(ValueError, match="'messages' is empty"):
            await graph_of(chat_node(cat())).ainvoke({"messages": []})

    def test_not_a_list(self) -> None:
        """Text in the place of messages is refused."""

        class State(TypedDict):
            messages: str

        with pytest.raises(TypeError, match="a list of messages, not an object of type str"):
            graph_of(chat_node(cat()), State).invoke({"messages": "hi"})

    @pytest.mark.parametrize("key", ["", None, 3])
    def test_messages_key(self, key: Any) -> None:
        """A key that no state can have is refused at once."""
        with pytest.raises(TypeError, match="messages_key"):
            chat_node(cat(), messages_key=key)

    def test_system_prompt(self) -> None:
        """A system prompt that is neither text nor a system message is refused at once."""
        with pytest.raises(TypeError, match=r"system prompt.*HumanMessage"):
            chat_node(cat(), system_prompt=HumanMessage("Be brief."))  # type: ignore[arg-type]

    def test_error_untouched(self) -> None:
        """The model's own exception leaves the graph as the very same object."""
        error = ConnectionError("refused")

        class Broken(SleepySyncModel):
            def _generate(self, *_: Any, **__: Any) -> ChatResult:
                raise error

        with pytest.raises(ConnectionError) as caught:
            graph_of(chat_node(Broken())).invoke(HI)
        assert caught.value is error

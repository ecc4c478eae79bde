"""`build_agent`: the model, its tools, and the loop between them."""

from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolCall, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from nodespan.graph import build_agent

pytestmark = pytest.mark.filterwarnings(
    "ignore:The v3 streaming protocol:langchain_core._api.LangChainBetaWarning"
)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(return_direct=True)
def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: a word"


def calling(*calls: tuple[str, dict[str, Any]]) -> AIMessage:
    """An answer that asks for tools."""
    return AIMessage(
        "",
        tool_calls=[ToolCall(name=n, args=a, id=f"call_{i}") for i, (n, a) in enumerate(calls)],
    )


def texts(messages: list[BaseMessage]) -> list[str]:
    """The messages in short."""
    return [f"{each.type}: {each.text}" for each in messages]


HI = {"messages": [("human", "hi")]}


class TestWithoutTools:
    """An agent that only answers."""

    def test_graph(self, played: Any) -> None:
        """Without tools the graph is the model's node alone."""
        drawing = build_agent(played("cat")).get_graph()

        assert list(drawing.nodes) == ["__start__", "model", "__end__"]

    async def test_answer(self, played: Any) -> None:
        """The model answers, sync and async."""
        agent = build_agent(played("cat"))

        assert texts(agent.invoke(HI)["messages"]) == ["human: hi", "ai: cat"]
        assert texts((await agent.ainvoke(HI))["messages"]) == ["human: hi", "ai: cat"]

    def test_system_prompt(self, played: Any, run_log: Any) -> None:
        """The system prompt stands before the messages of the call."""
        agent = build_agent(played("cat"), system_prompt=SystemMessage("Be brief."))

        agent.invoke(HI, {"callbacks": [run_log]})

        (chat,) = run_log.of_kind("chat")
        assert texts(chat.messages) == ["system: Be brief.", "human: hi"]

    async def test_stream(self) -> None:
        """The answer streams chunk by chunk."""
        agent = build_agent(FakeListChatModel(responses=["cat"]))

        stream = agent.astream(HI, stream_mode="messages")

        assert [chunk.text async for chunk, _ in stream][:3] == ["c", "a", "t"]


class TestToolLoop:
    """Model, tools, and the model again."""

    def test_graph(self, played: Any) -> None:
        """The graph has the model, the tools, and the way back from these to the model."""
        drawing = build_agent(played("cat"), [add]).get_graph()

        assert {(edge.source, edge.target) for edge in drawing.edges} == {
            ("__start__", "model"),
            ("model", "tools"),
            ("tools", "model"),
            ("model", "__end__"),
        }

    async def test_loop(self, played: Any) -> None:
        """The model's calls are made, and it sees their results, until it calls no more."""
        agent = build_agent(
            played(calling(("add", {"a": 1, "b": 2})), calling(("add", {"a": 3, "b": 3})), "six"),
            [add],
        )
        expected = ["human: hi", "ai: ", "tool: 3", "ai: ", "tool: 6", "ai: six"]

        assert texts(agent.invoke(HI)["messages"]) == expected
        assert texts((await agent.ainvoke(HI))["messages"]) == expected

    def test_streamed_calls(self, played: Any) -> None:
        """Calls that arrive in a stream are made as well."""
        agent = build_agent(played(calling(("add", {"a": 1, "b": 2})), "three"), [add])

        chunks = [chunk for chunk, _ in agent.stream(HI, stream_mode="messages")]

        assert [each.text for each in chunks if isinstance(each, ToolMessage)] == ["3"]
        assert "".join(each.text for each in chunks if isinstance(each, AIMessage)) == "three"

    def test_parallel_calls(self, played: Any, run_log: Any) -> None:
        """Several calls of one answer are made in one step of the tools' node."""
        calls = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 3}))
        agent = build_agent(played(calls, "done"), [add], name="sums")

        result = agent.invoke(HI, {"callbacks": [run_log]})

        assert texts(result["messages"])[2:4] == ["tool: 3", "tool: 6"]
        tools = run_log.of_kind("tool")
        assert [(run.name, run.parent) for run in tools] == [("add", "tools"), ("add", "tools")]

    def test_function(self, played: Any) -> None:
        """A plain function is a tool."""

        def greet(name: str) -> str:
            """Greet somebody."""
            return f"Hello {name}"

        agent = build_agent(played(calling(("greet", {"name": "Ann"})), "done"), [greet])

        assert texts(agent.invoke(HI)["messages"])[2] == "tool: Hello Ann"

    def test_return_direct(self, played: Any) -> None:
        """A tool with `return_direct` has the last word."""
        agent = build_agent(played(calling(("look_up", {"word": "cat"})), "more"), [look_up, add])

        assert texts(agent.invoke(HI)["messages"])[-1] == "tool: cat: a word"

    def test_return_direct_among_others(self, played: Any) -> None:
        """When another tool was called too, the model still gets to see its result."""
        calls = calling(("look_up", {"word": "cat"}), ("add", {"a": 1, "b": 2}))
        agent = build_agent(played(calls, "done"), [look_up, add])

        assert texts(agent.invoke(HI)["messages"])[-1] == "ai: done"

    def test_providers_tool(self, played: Any, run_log: Any) -> None:
        """A tool in the provider's format is bound to the model; the agent does not call it."""
        search = {
            "type": "function",
            "function": {"name": "search", "description": "Search.", "parameters": {}},
        }
        agent = build_agent(played("found"), [search])

        agent.invoke(HI, {"callbacks": [run_log]})

        (chat,) = run_log.of_kind("chat")
        assert [each["function"]["name"] for each in chat.kwargs["tools"]] == ["search"]
        assert "tools" not in agent.get_graph().nodes

    def test_arguments_that_do_not_fit(self, played: Any) -> None:
        """The model is told when its arguments do not fit, and may try again."""
        agent = build_agent(played(calling(("add", {"a": "one"})), "sorry"), [add])

        _, _, told, answer = agent.invoke(HI)["messages"]

        assert told.status == "error"
        assert answer.text == "sorry"

    def test_tools_exception(self, played: Any) -> None:
        """A tool's own exception ends the run as the very same object."""
        error = RuntimeError("no network")

        @tool
        def fetch() -> str:
            """Fetch a page."""
            raise error

        agent = build_agent(played(calling(("fetch", {})), "done"), [fetch])

        with pytest.raises(RuntimeError) as caught:
            agent.invoke(HI)
        assert caught.value is error


class TestBoundModels:
    """Models that have something bound to them."""

    def test_what_is_bound_stays(self, played: Any, run_log: Any) -> None:
        """Arguments that are bound to the model are kept beside the tools."""
        model = played("cat").bind(stop=["x"]).with_config(tags=["mine"])

        build_agent(model, [add]).invoke(HI, {"callbacks": [run_log]})

        (chat,) = run_log.of_kind("chat")
        assert chat.kwargs["stop"] == ["x"]
        assert [each["function"]["name"] for each in chat.kwargs["tools"]] == ["add"]
        assert "mine" in chat.tags

    def test_fallbacks(self, played: Any, run_log: Any) -> None:
        """Every fallback gets the tools, whatever its method's annotations say."""
        broken = played().with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        model = broken.with_fallbacks([played("cat")])

        result = build_agent(model, [add]).invoke(HI, {"callbacks": [run_log]})

        assert texts(result["messages"])[-1] == "ai: cat"
        chats = run_log.of_kind("chat")
        assert len(chats) == 3
        assert all("tools" in chat.kwargs for chat in chats)


class TestPersistence:
    """Threads and approval."""

    async def test_checkpointer(self, played: Any) -> None:
        """With a checkpointer, a thread keeps its history, and threads know nothing of another."""
        agent = build_agent(played("one", "two"), checkpointer=InMemorySaver())
        first = {"configurable": {"thread_id": "1"}}
        second = {"configurable": {"thread_id": "2"}}

        agent.invoke(HI, first)
        again = await agent.ainvoke(HI, first)
        other = agent.invoke(HI, second)

        assert texts(again["messages"]) == ["human: hi", "ai: one", "human: hi", "ai: two"]
        assert texts(other["messages"]) == ["human: hi", "ai: one"]

    def test_approval(self, played: Any) -> None:
        """The run can stop before the tools, and go on when a human agrees."""
        agent = build_agent(
            played(calling(("add", {"a": 1, "b": 2})), "three"),
            [add],
            checkpointer=InMemorySaver(),
            interrupt_before=["tools"],
        )
        config = {"configurable": {"thread_id": "1"}}

        agent.invoke(HI, config)
        assert agent.get_state(config).next == ("tools",)
        result = agent.invoke(Command(resume=True), config)

        assert texts(result["messages"])[-2:] == ["tool: 3", "ai: three"]


MARK = "nodespan_agent_name"


def marked(run_log: Any) -> list[str]:
    """The names of the runs that telemetry would take for an agent's."""
    return [run.name for run in run_log.runs if run.metadata.get(MARK) == run.name]


class TestMark:
    """By what telemetry knows an agent."""

    async def test_root_only(self, played: Any, run_log: Any) -> None:
        """The graph's own run bears the agent's name, and no run beneath it does."""
        agent = build_agent(played(calling(("add", {"a": 1, "b": 2})), "3"), [add], name="sums")
        config = {"callbacks": [run_log]}

        agent.invoke(HI, config)
        await agent.ainvoke(HI, config)
        list(agent.stream(HI, config))
        _ = [each async for each in agent.astream(HI, config)]
        _ = [each async for each in agent.astream_events(HI, config, version="v2")]
        _ = [each.text for each in agent.stream_events(HI, config, version="v3").messages]
        agent.batch([HI, HI], config)

        assert marked(run_log) == ["sums"] * 8
        assert agent.name == "sums"

    @pytest.mark.parametrize("way", ["node", "call", "call with config"])
    def test_agent_in_an_agent(self, way: str, played: Any, run_log: Any) -> None:
        """An agent inside another agent's graph is marked as itself."""
        inner = build_agent(played("cat"), name="inner")
        nodes: dict[str, Any] = {
            "node": inner,
            "call": lambda state: inner.invoke(state),  # noqa: PLW0108 - LangGraph looks at the signature
            "call with config": lambda state, config: inner.invoke(state, config),  # noqa: PLW0108 - as above
        }
        builder = StateGraph(MessagesState)
        builder.add_node("delegate", nodes[way])
        builder.add_edge(START, "delegate")
        builder.add_edge("delegate", END)
        outer = builder.compile(name="outer").with_config(metadata={MARK: "outer"})

        outer.invoke(HI, {"callbacks": [run_log]})

        assert marked(run_log) == ["outer", "inner"]

    def test_other_run_name(self, played: Any, run_log: Any) -> None:
        """The mark stays the agent's own name when the caller gives the run another."""
        agent = build_agent(played("cat", "dog"), name="sums")

        agent.invoke(HI, {"callbacks": [run_log], "run_name": "morning"})
        agent.with_config(run_name="noon").invoke(HI, {"callbacks": [run_log]})

        roots = [run for run in run_log.runs if run.parent is None]
        assert [run.name for run in roots] == ["morning", "noon"]
        assert {run.metadata["nodespan_agent_name"] for run in roots} == {"sums"}

    def test_callers_metadata(self, played: Any, run_log: Any) -> None:
        """The caller's config is not changed, and its metadata stands beside the mark."""
        config: Any = {"callbacks": [run_log], "metadata": {"tenant": "a"}}

        build_agent(played("cat")).invoke(HI, config)

        assert config["metadata"] == {"tenant": "a"}
        assert run_log.runs[0].metadata["tenant"] == "a"


class TestBadInput:
    """What is refused, and how."""

    def test_not_a_chat_model(self) -> None:
        """Something that is no chat model is refused."""
        with pytest.raises(TypeError, match="chat model is needed"):
            build_agent("gpt-5")  # type: ignore[arg-type]

    def test_model_without_tools(self) -> None:
        """Tools for a model that cannot call any are refused when the agent is built."""
        with pytest.raises(TypeError, match=r"FakeListChatModel cannot call tools \(it has no"):
            build_agent(FakeListChatModel(responses=["cat"]), [add])

    def test_tool_without_docstring(self, played: Any) -> None:
        """A function that does not say what it does is refused by its name."""

        def mute(word: str) -> str:
            return word

        with pytest.raises(ValueError, match=r"'mute' cannot be a tool: .*docstring"):
            build_agent(played("cat"), [mute])

    def test_model_with_tools(self, played: Any) -> None:
        """Tools beside others that are bound already are refused: those would hide them."""
        with pytest.raises(ValueError, match="has tools bound to it already"):
            build_agent(played("cat").bind_tools([look_up]), [add])

    def test_same_name(self, played: Any) -> None:
        """Two tools of one name are refused."""
        with pytest.raises(ValueError, match="the name 'add'"):
            build_agent(played("cat"), [add, add])

    @pytest.mark.parametrize("tools", [add, "add", None])
    def test_not_a_list(self, tools: Any, played: Any) -> None:
        """A tool outside a list is refused."""
        with pytest.raises(TypeError, match="tools is a list of tools"):
            build_agent(played("cat"), tools)

    def test_not_a_tool(self, played: Any) -> None:
        """A list with something else in it is refused, by value."""
        with pytest.raises(TypeError, match="not 3"):
            build_agent(played("cat"), [3])  # type: ignore[list-item]

    @pytest.mark.parametrize("name", ["", "  ", None])
    def test_name(self, name: Any, played: Any) -> None:
        """An agent without a name is refused."""
        with pytest.raises(ValueError, match="agent's name"):
            build_agent(played("cat"), name=name)

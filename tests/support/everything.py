"""An application that does everything, with words planted wherever people and models put theirs."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import ToolException, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.errors import NodeCancelledError
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt
from pydantic import SecretStr

from support.reporters import Completer, Nameless

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.runnables import Runnable, RunnableConfig

    from support.strangers import Call

CONTENT = {
    name: f"planted-{name}"
    for name in (
        *("prompt", "system", "answer", "thought", "tool-argument", "tool-result", "state"),
        *("state-change", "interrupt", "human-answer", "exception", "query", "document"),
        *("document-metadata", "completion-prompt", "listed-answer", "listed-completion"),
        *("template", "call-argument", "request-context", "tool-error", "task-argument"),
        *("task-result", "subgraph-state", "sent", "prediction", "image-url"),
    )
}
"""What may be recorded where content was asked for, and nowhere else."""

OTHERS = {
    name: f"planted-{name}"
    for name in (
        *("metadata", "custom-event", "written", "tag", "artifact", "note", "cause"),
        *("image-data", "message-among-parameters"),
    )
}
"""What is no content of a run's, and is never recorded."""

CREDENTIALS = {
    name: f"planted-{name}-a1b2c3d4"
    for name in (
        *("api-key", "authorization", "nested-key", "password-in-url", "key-in-url", "bearer"),
        *("key-in-state", "key-in-json", "token-in-argument", "cookie", "secret-str"),
    )
}
"""What is never recorded, whatever was asked for."""


class Speaker(Nameless):
    """Gives planted answers, and is full of secrets."""

    replies: list[AIMessage]
    api_key: SecretStr = SecretStr(CREDENTIALS["secret-str"])

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model_name": "speaker-1",
            "api_key": CREDENTIALS["api-key"],
            "key": self.api_key,
            "headers": {"Authorization": CREDENTIALS["authorization"], "X-Trace": "on"},
            "options": [{"nested": {"client_secret": CREDENTIALS["nested-key"]}}],
            "cookies": {"session_cookie": CREDENTIALS["cookie"]},
            "base_url": f"https://bob:{CREDENTIALS['password-in-url']}@acme.dev/v1"
            f"?api_key={CREDENTIALS['key-in-url']}",
            "extra": f"Bearer {CREDENTIALS['bearer']}",
            "examples": [CONTENT["template"]],
            "seen": [HumanMessage(OTHERS["message-among-parameters"])],
        }

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Bind tools as OpenAI's models do."""
        return self.bind(tools=[convert_to_openai_tool(each) for each in tools], **kwargs)

    def _reply(self, messages: list[Any]) -> AIMessage:
        turn = sum(isinstance(message, AIMessage) for message in messages)
        return self.replies[min(turn, len(self.replies) - 1)].model_copy()

    def _generate(self, messages: list[Any], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages))])

    def _stream(self, messages: list[Any], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        yield from _chunks(self._reply(messages))

    async def _astream(
        self, messages: list[Any], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(self._reply(messages)):
            yield chunk


def _chunks(reply: AIMessage) -> list[ChatGenerationChunk]:
    first = AIMessageChunk(reply.content, additional_kwargs=reply.additional_kwargs)
    last = AIMessageChunk(
        "",
        tool_calls=reply.tool_calls,
        usage_metadata=reply.usage_metadata,
        response_metadata=reply.response_metadata,
        chunk_position="last",
    )
    return [ChatGenerationChunk(message=message) for message in (first, last)]


LONG_LIVED = {"ephemeral_1h_input_tokens": 1}
USAGE: Any = {
    "input_tokens": 10,
    "output_tokens": 20,
    "total_tokens": 30,
    "input_token_details": {"cache_read": 4, "cache_creation": 3, "audio": 2, **LONG_LIVED},
    "output_token_details": {"reasoning": 7, "audio": 1},
}
MISCOUNTED: Any = {**USAGE, "output_token_details": {"reasoning": -1}}
ESTIMATED = {"usage_is_estimated": True, "retries": ["503"]}
CALL: Any = {
    "name": "weather",
    "args": {"city": CONTENT["tool-argument"], "token": CREDENTIALS["token-in-argument"]},
    "id": "call-1",
    "type": "tool_call",
}
ANSWER = AIMessage(
    CONTENT["answer"],
    additional_kwargs={"reasoning_content": CONTENT["thought"]},
    usage_metadata=USAGE,
    response_metadata={"model_name": "speaker-1-may", "finish_reason": "stop", "id": "resp-1"},
)


@tool
def weather(city: str, token: str = "") -> str:
    """Tell the weather."""
    assert city, token
    return f'{CONTENT["tool-result"]} {{"api_key": "{CREDENTIALS["key-in-json"]}"}}'


@tool(response_format="content_and_artifact")
def chart(city: str) -> tuple[str, str]:
    """Draw the weather."""
    return f"{CONTENT['tool-result']} of {city}", OTHERS["artifact"]


@tool
def failing(city: str) -> str:
    """Fail to tell the weather."""
    raise ToolException(f"{CONTENT['tool-error']} {city}")


class Library(BaseRetriever):
    """Finds a planted document."""

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        assert query
        metadata = {"source": CONTENT["document-metadata"], "score": 0.5}
        return [Document(CONTENT["document"], id="doc-1", metadata=metadata)]


class State(TypedDict, total=False):
    """A state that is no conversation."""

    topic: str
    api_key: str
    notes: Annotated[list[str], operator.add]


def fail(*_: Any, **__: Any) -> Any:
    """Raise an exception of planted words, with a cause and a note."""
    error = ValueError(CONTENT["exception"])
    error.add_note(OTHERS["note"])
    raise error from KeyError(OTHERS["cause"])


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that the application does.

    Attributes:
        name: of the thing.
        make: makes the runnable.
        given: to the runnable.
        resumed: given when it has been interrupted.
    """

    name: str
    make: Callable[[], Runnable[Any, Any]]
    given: Any
    resumed: Any = None

    def run(self, call: Call, config: RunnableConfig) -> None:
        """Do it; what it raises is what it is planted to raise."""
        runnable = self.make()
        for given in (self.given, *([self.resumed] if self.resumed is not None else [])):
            try:
                call.run(runnable, given, config)
            except (ValueError, ToolException, NodeCancelledError):
                continue


def _agent() -> Any:
    calling = AIMessage(
        "", tool_calls=[CALL], usage_metadata=MISCOUNTED, response_metadata=ESTIMATED
    )
    speaker = Speaker(replies=[calling, ANSWER])
    return create_agent(speaker, [weather], system_prompt=CONTENT["system"], name="forecaster")


def _model() -> Any:
    named = Speaker(replies=[ANSWER]).with_config(run_name="spoken")
    return named.bind(
        stop=["END"],
        temperature=0.5,
        context=CONTENT["request-context"],
        prediction={"type": "content", "content": CONTENT["prediction"]},
        response_format={"type": "json_object"},
        n=2,
    )


def _workflow() -> Any:
    inner = StateGraph(State)
    inner.add_node("think", lambda _state: {"notes": [CONTENT["subgraph-state"]]})
    inner.add_edge(START, "think")

    def write(state: State) -> State:
        dispatch_custom_event("said", {"text": OTHERS["custom-event"]})
        get_stream_writer()({"text": OTHERS["written"]})
        return {"notes": [state["topic"], CONTENT["state-change"]]}

    def ask(_state: State) -> State:
        told = interrupt({"question": CONTENT["interrupt"], "password": "x" * 9})
        return {"notes": [told]}

    def spread(_state: State) -> list[Send]:
        return [Send("sent", {"topic": CONTENT["sent"]}) for _ in range(2)]

    graph = StateGraph(State)
    graph.add_node("write", write)
    graph.add_node("inner", inner.compile())
    graph.add_node("ask", ask)
    graph.add_node("sent", lambda state: {"notes": [state["topic"]]})
    graph.add_edge(START, "write")
    graph.add_edge("write", "inner")
    graph.add_edge("inner", "ask")
    graph.add_conditional_edges("ask", spread, ["sent"])
    graph.add_edge("sent", END)
    return graph.compile(checkpointer=InMemorySaver(), name="writer")


def _failing_node() -> Any:
    graph = StateGraph(MessagesState)
    policy = RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False, retry_on=ValueError)
    graph.add_node("fail", fail, retry_policy=policy)
    graph.set_entry_point("fail")
    return graph.compile()


def _failing_model() -> Any:
    class Failing(Speaker):
        _generate = _stream = _astream = fail

    return Failing(replies=[]).with_fallbacks([Failing(replies=[])])


def _failing_agent() -> Any:
    call = {**CALL, "name": "failing", "args": {"city": CONTENT["tool-argument"]}}
    return create_agent(Speaker(replies=[AIMessage("", tool_calls=[call]), ANSWER]), [failing])


def _cancelled_node() -> Any:
    async def cancel(_state: MessagesState) -> Any:
        raise asyncio.CancelledError

    graph = StateGraph(MessagesState)
    graph.add_node("cancel", cancel)
    graph.set_entry_point("cancel")
    return graph.compile()


def _function() -> Any:
    @task
    def work(argument: str) -> str:
        assert argument
        return CONTENT["task-result"]

    @entrypoint()
    def flow(given: dict[str, Any]) -> str:
        return work(given["argument"]).result()

    return flow


def _chain() -> Any:
    prompt = ChatPromptTemplate.from_messages(
        [("system", CONTENT["system"]), ("user", "{question}")]
    )
    return prompt | Speaker(replies=[ANSWER])


def _async_events() -> Any:
    async def tell(_state: MessagesState) -> dict[str, Any]:
        await adispatch_custom_event("said", OTHERS["custom-event"])
        return {"messages": [AIMessage(CONTENT["answer"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("tell", tell)
    graph.set_entry_point("tell")
    return graph.compile()


TOPIC = {"topic": CONTENT["state"], "api_key": CREDENTIALS["key-in-state"]}
QUESTION = {"messages": [{"role": "user", "content": CONTENT["prompt"]}]}
PICTURE = [
    SystemMessage(CONTENT["system"]),
    HumanMessage(
        [
            {"type": "text", "text": CONTENT["prompt"]},
            {"type": "image", "base64": OTHERS["image-data"], "mime_type": "image/png"},
            {"type": "image", "url": f"https://acme.dev/{CONTENT['image-url']}.png"},
        ]
    ),
]

SYNC = (
    Scenario("agent", _agent, QUESTION),
    Scenario("model", _model, CONTENT["prompt"]),
    Scenario("picture", lambda: Speaker(replies=[ANSWER]), PICTURE),
    Scenario("workflow", _workflow, TOPIC, Command(resume=CONTENT["human-answer"])),
    Scenario("failing node", _failing_node, QUESTION),
    Scenario("failing model", _failing_model, CONTENT["prompt"]),
    Scenario("failing agent", _failing_agent, QUESTION),
    Scenario("function", _function, {"argument": CONTENT["task-argument"]}),
    Scenario("chain", _chain, {"question": CONTENT["prompt"]}),
    Scenario("retriever", Library, CONTENT["query"]),
    Scenario("tool", lambda: weather, CALL),
    Scenario("tool with artifact", lambda: chart, {**CALL, "name": "chart"}),
    Scenario("completion", lambda: Completer(params={"suffix": CONTENT["call-argument"]}),
             CONTENT["completion-prompt"]),
    Scenario("listed answers", lambda: FakeListChatModel(responses=[CONTENT["listed-answer"]]),
             CONTENT["prompt"]),
    Scenario("listed completions", lambda: FakeListLLM(responses=[CONTENT["listed-completion"]]),
             CONTENT["completion-prompt"]),
)  # fmt: skip
ASYNC = (
    *SYNC,
    Scenario("cancelled node", _cancelled_node, QUESTION),
    Scenario("async events", _async_events, QUESTION),
)


def scenarios(call: Call) -> tuple[Scenario, ...]:
    """Return what the application does when it is called like this."""
    return SYNC if call.sync is not None else ASYNC


def config_of(config: RunnableConfig) -> RunnableConfig:
    """Return a call's config with planted metadata and tags."""
    metadata = {"user": OTHERS["metadata"], "Authorization": CREDENTIALS["authorization"]}
    return {
        **config,
        "metadata": metadata,
        "tags": [OTHERS["tag"]],
        "configurable": {"thread_id": "thread-1"},
    }

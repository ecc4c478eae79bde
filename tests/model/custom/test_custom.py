"""What an author gets for one generator, and what the author is told when it is wrong."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import pickle
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, SecretStr

from nodespan.model import (
    BadRequestError,
    CustomChatModel,
    MalformedAnswerError,
    UnsupportedError,
)
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")


class Shouting(CustomChatModel):
    """The model of the guide in the README."""

    mark: str = "!"

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Shout."""
        for word in messages[-1].text.split():
            yield word.upper() + self.mark


def test_a_model_of_a_few_lines_is_complete() -> None:
    """It answers, streams, tells what it is, and takes parameters with a call."""
    model = Shouting()
    assert model.invoke("you there").content == "YOU!THERE!"
    assert [chunk.content for chunk in model.stream("you there")] == ["YOU!", "THERE!", ""]
    assert model.invoke("you", mark="?").content == "YOU?"
    assert model._llm_type == "shouting"
    assert model._identifying_params == {"model_name": "shouting", "mark": "!"}
    assert model._get_ls_params()["ls_provider"] == "shouting"


def test_usage_is_estimated_and_says_so() -> None:
    """A model that counts nothing has an estimate, which is marked as one."""
    answer = Shouting().invoke("you there")
    assert answer.usage_metadata
    assert answer.usage_metadata["output_tokens"] == 3
    assert answer.response_metadata["usage_is_estimated"] is True


def test_a_model_that_counts_is_believed() -> None:
    """A tokenizer of the author's, or the user's, makes usage exact."""
    model = Shouting(custom_get_token_ids=lambda text: [0] * len(text))
    answer = model.invoke("you")
    assert answer.usage_metadata == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert "usage_is_estimated" not in answer.response_metadata


class Reporting(CustomChatModel):
    """Tells usage and metadata in several places, as backends do."""

    def respond(self, messages: list[BaseMessage]) -> Iterator[str | AIMessageChunk]:  # noqa: ARG002
        """Answer with what a backend would say along the way."""
        sent: Any = {"input_tokens": 4, "output_tokens": 0, "total_tokens": 4}
        received: Any = {"input_tokens": 0, "output_tokens": 2, "total_tokens": 2}
        yield AIMessageChunk("a", usage_metadata=sent, response_metadata={"model_name": "m-2"})
        yield "b"
        yield AIMessageChunk(
            "", chunk_position="last", response_metadata={"finish_reason": "length"}
        )
        yield AIMessageChunk("", usage_metadata=received)


def test_usage_and_metadata_are_told_once_however_they_come() -> None:
    """What the pieces say is added up and told with the last chunk."""
    *texts, last = Reporting().stream("?")
    assert [chunk.content for chunk in texts] == ["a", "b"]
    assert not any(chunk.response_metadata or chunk.chunk_position for chunk in texts)
    assert last.usage_metadata == {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6}
    assert last.response_metadata["model_name"] == "m-2"
    assert last.response_metadata["finish_reason"] == "length"


class Citing(CustomChatModel):
    """Tells where a text comes from after the text, in a block that has none, as providers do."""

    def respond(self, messages: list[BaseMessage]) -> Iterator[AIMessageChunk]:  # noqa: ARG002
        """Answer, and cite."""
        cited = {"type": "text", "index": 0, "citations": [{"cited_text": "roads"}]}
        yield AIMessageChunk([{"type": "text", "text": "Rome", "index": 0}])
        yield AIMessageChunk([cited])


@pytest.mark.parametrize("stop", [None, ["Paris"]])
def test_a_text_block_without_a_text_passes_through(stop: list[str] | None) -> None:
    """What it says of the text is in the answer, whether or not stop strings are looked for."""
    (block,) = Citing().invoke("?", stop=stop).content
    assert block == {
        "type": "text",
        "text": "Rome",
        "index": 0,
        "citations": [{"cited_text": "roads"}],
    }


class Introducing(CustomChatModel):
    """Says who it is before it says anything, as providers do."""

    def respond(self, messages: list[BaseMessage]) -> Iterator[str | AIMessageChunk]:  # noqa: ARG002
        """Introduce itself and answer."""
        yield AIMessageChunk("", id="msg_1", name="bob")
        yield "a"
        yield AIMessageChunk("b")


async def test_an_answer_has_one_id_and_one_name() -> None:
    """What a piece says of them holds for all chunks after it, and for the whole answer."""
    model = Introducing()
    assert [(c.content, c.id, c.name) for c in model.stream("?")] == [
        ("a", "msg_1", "bob"),
        ("b", "msg_1", "bob"),
        ("", "msg_1", "bob"),
    ]
    for answer in (model.invoke("?"), await model.ainvoke("?")):
        assert (answer.content, answer.id, answer.name) == ("ab", "msg_1", "bob")


class Watched(CustomChatModel):
    """Counts to a hundred, and remembers what happened to its generator."""

    log: ClassVar[list[str]] = []

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002
        """Count."""
        self.log.append(f"{_caller.get()} in {threading.current_thread().name.split('_')[0]}")
        try:
            for number in range(100):
                self.log.append(str(number))
                yield f"{number} "
        finally:
            self.log.append("closed")


class WatchedAsync(CustomChatModel):
    """Does the same, async."""

    log: ClassVar[list[str]] = []

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: ARG002
        """Count."""
        self.log.append(f"{_caller.get()} in {threading.current_thread().name.split('_')[0]}")
        try:
            for number in range(100):
                self.log.append(str(number))
                await asyncio.sleep(0)
                yield f"{number} "
        finally:
            await asyncio.sleep(0)
            self.log.append("closed")


@pytest.fixture(params=[Watched, WatchedAsync])
def watched(request: pytest.FixtureRequest) -> Any:
    """Give a fresh model with an empty log."""
    request.param.log.clear()
    _caller.set("me")
    return request.param()


def test_a_generator_is_lazy_and_closed(watched: Any) -> None:
    """A sync consumer that leaves after two pieces has cost two pieces."""
    stream = watched.stream("?")
    next(stream)
    next(stream)
    stream.close()
    thread = "MainThread" if isinstance(watched, Watched) else "nodespan-loop"
    assert watched.log == [f"me in {thread}", "0", "1", "closed"]


async def test_a_generator_is_lazy_and_closed_async(watched: Any) -> None:
    """So has an async one, in the caller's context."""
    stream = watched.astream("?")
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    await asyncio.sleep(0.1)
    thread = "MainThread" if isinstance(watched, WatchedAsync) else "nodespan-respond"
    assert watched.log == [f"me in {thread}", "0", "1", "closed"]


def test_a_stop_string_stops_the_generator_before_it_is_told(watched: Any) -> None:
    """When the consumer sees the stop string, the backend has been told."""
    *_, stopped, _last = watched.stream("?", stop=["2"])
    assert stopped.content == "2"
    assert watched.log[1:] == ["0", "1", "2", "closed"]
    stream = watched.stream("?", stop=["0"])
    watched.log.clear()
    assert next(stream).content == "0"
    assert watched.log[-1] == "closed"


async def test_a_stop_string_stops_the_generator_async(watched: Any) -> None:
    """So it has in an async stream."""
    chunks = [chunk.content async for chunk in watched.astream("?", stop=["2"])]
    assert chunks == ["0 ", "1 ", "2", ""]
    assert watched.log[1:] == ["0", "1", "2", "closed"]


async def test_a_sync_call_inside_an_event_loop_works(watched: Any) -> None:
    """A sync call from async code, as people make them in notebooks, does not fail."""
    assert watched.invoke("?").text.startswith("0 1 2")


_LEAVES_STREAMS_OPEN = """
import asyncio
from nodespan.model import CustomChatModel

class Sync(CustomChatModel):
    def respond(self, messages):
        yield from "abc"

class Async(CustomChatModel):
    async def arespond(self, messages):
        try:
            for character in "abc":
                yield character
        finally:
            print("closed")

async def left_open():
    stream = Sync().astream("?")
    await anext(stream)
    return stream

streams = [Async().stream("?"), Sync().stream("?"), asyncio.run(left_open())]
print(next(streams[0]).content, next(streams[1]).content)
"""


def test_the_interpreter_exits_cleanly_with_streams_open(run_program: Any) -> None:
    """A program that ends with streams open ends at once, closes them, and says nothing."""
    result = run_program(_LEAVES_STREAMS_OPEN)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["a a", "closed"]


class Calling(CustomChatModel):
    """Calls another async model in a sync way, in its own async generator."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Let another model answer."""
        yield str(Shouting().invoke(messages).text)


def test_a_model_may_call_a_model() -> None:
    """A sync call inside the loop that sync calls run on does not wait for itself."""
    assert Calling().invoke("you").content == "YOU!"


class Blocking(CustomChatModel):
    """Blocks its thread until somebody lets it go on."""

    wait: Any = Field(exclude=True)

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002
        """Wait and answer."""
        for _ in range(3):
            self.wait()
            yield "z"


async def test_blocking_generators_run_beside_the_loop_and_each_other() -> None:
    """Ten answers that wait for one another, and for the event loop, are all given."""
    together = threading.Barrier(11)
    model = Blocking(wait=lambda: together.wait(timeout=30))
    answers = asyncio.gather(*(model.ainvoke("?") for _ in range(10)))
    for _ in range(3):
        while together.n_waiting < 10:  # noqa: ASYNC110  # a thread cannot set asyncio's events
            await asyncio.sleep(0.001)
        together.wait(timeout=30)
    assert [answer.content for answer in await answers] == ["zzz"] * 10


async def test_a_cancelled_call_does_not_wait_for_a_blocking_step() -> None:
    """Cancellation is at once; the step that is under way ends by itself, and is the last."""
    steps: list[str] = []
    let_go = threading.Event()

    def wait() -> None:
        steps.append("step")
        let_go.wait(timeout=30)

    task = asyncio.create_task(Blocking(wait=wait).ainvoke("?"))
    while not steps:  # noqa: ASYNC110  # as above
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    let_go.set()
    await asyncio.sleep(0.05)
    assert steps == ["step"]


class Failing(CustomChatModel):
    """Fails in the middle with the exception it was made with."""

    failure: Any = Field(exclude=True)

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002
        """Fail."""
        yield "a"
        raise self.failure


class FailingAsync(CustomChatModel):
    """Does the same, async."""

    failure: Any = Field(exclude=True)

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:  # noqa: ARG002
        """Fail."""
        yield "a"
        raise self.failure


@pytest.mark.parametrize("model", [Failing, FailingAsync])
async def test_an_exception_passes_untouched(model: Any) -> None:
    """The application gets the very object that the author raised, whichever way it asked."""
    failure = LookupError("mine")
    failing = model(failure=failure)
    with pytest.raises(LookupError) as caught:
        failing.invoke("?")
    assert caught.value is failure
    with pytest.raises(LookupError) as caught:
        await failing.ainvoke("?")
    assert caught.value is failure
    stream = failing.astream("?")
    assert (await anext(stream)).content == "a"
    with pytest.raises(LookupError) as caught:
        await anext(stream)
    assert caught.value is failure


class Keeping(CustomChatModel):
    """Holds secrets in several places, some of them badly typed."""

    api_key: SecretStr | None = None
    access_token: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
        """Echo."""
        yield str(messages[-1].text)


def test_secrets_are_in_no_representation() -> None:
    """Whatever describes the model leaves its secrets out; what is public stays."""
    model = Keeping(
        api_key="SECRET-1",
        access_token="SECRET-2",  # noqa: S106
        headers={"Authorization": "SECRET-3", "X-Team": "blue"},
    )
    for text in (
        repr(model),
        str(model),
        dumps(model),
        str(model.asdict()),
        model._get_llm_string(),
    ):
        assert "SECRET" not in text
    assert model._identifying_params["headers"] == {"X-Team": "blue"}
    with pytest.raises(BadRequestError) as caught:
        model.invoke("?", api_key=["SECRET-4"])
    assert "SECRET" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_secrets_are_not_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle holds no secret; who loads it takes them from the environment, if they are there."""
    model = Keeping(api_key="SECRET-1", headers={"Cookie": "SECRET-2"})
    pickled = pickle.dumps(model)
    assert b"SECRET" not in pickled
    assert pickle.loads(pickled).api_key is None  # noqa: S301
    monkeypatch.setenv("KEEPING_API_KEY", "SECRET-5")
    assert pickle.loads(pickled).api_key == SecretStr("SECRET-5")  # noqa: S301


class Revealing(CustomChatModel):
    """Answers with the secrets that it is called with, so that a test can see them arrive."""

    api_key: SecretStr | None = None
    headers: dict[str, SecretStr] | None = None
    options: dict[str, Any] | None = None

    def respond(
        self,
        messages: list[BaseMessage],  # noqa: ARG002
        *,
        response_format: Any = None,  # noqa: ARG002
    ) -> Iterator[str]:
        """Answer with the secrets."""
        key, headers = self.api_key, self.headers or {}
        yield f"{key and key.get_secret_value()}, "
        yield ", ".join(value.get_secret_value() for value in headers.values())


class Overhearing(BaseCallbackHandler):
    """Writes down all that callbacks are told when a call starts."""

    run_inline = True

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Write it down."""
        self.told.append(f"{args} {kwargs}")


async def test_secrets_of_one_call_reach_the_model_and_nobody_else() -> None:
    """Neither callbacks nor the key of a cache hold a key or a header that a call is made with."""
    handler, cache = Overhearing(), InMemoryCache()
    config: Any = {"callbacks": [handler]}
    given: Any = {"api_key": "SECRET-1", "headers": {"X-Key": "SECRET-2"}, "options": {"n": 1}}
    given["options"]["cookie"] = "SECRET-3"
    model = Revealing(cache=cache)
    assert model.invoke("a", config, **given).content == "SECRET-1, SECRET-2"
    assert (await model.ainvoke("b", config, **given)).content == "SECRET-1, SECRET-2"
    list(model.stream("c", config, **given))
    [chunk async for chunk in model.astream("d", config, **given)]
    assert len(handler.told) == 4
    assert all("'n': 1" in told for told in handler.told)
    assert "SECRET" not in "".join(handler.told)
    assert "SECRET" not in "".join(key for _, key in cache._cache)


def test_a_schema_may_speak_of_secrets() -> None:
    """A property that has a credential's name is none: callbacks and caches learn of it."""
    schema = {"type": "object", "properties": {"token": {"type": "string"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "login", "schema": schema}}
    params = Revealing()._get_invocation_params(response_format=asked)
    assert params["response_format"] == asked
    leaking = {"properties": {"token": "SECRET"}}
    assert "SECRET" not in str(Revealing()._get_invocation_params(options=leaking))


class Gateway(BaseModel):
    """Where to ask, and with which key."""

    url: str
    api_key: SecretStr | None


class Configured(CustomChatModel):
    """Holds whatever it is configured with."""

    config: Any = None

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:
        """Echo."""
        yield str(messages[-1].text)


_GATEWAY = Gateway(url="public", api_key=SecretStr("SECRET"))


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (SecretStr("SECRET"), None),
        (["public", SecretStr("SECRET")], ["public"]),
        (("public", {"token": "SECRET", "n": 1}), ("public", {"n": 1})),
        ({"servers": [{"authorization": "SECRET"}, {"n": 1}]}, {"servers": [{}, {"n": 1}]}),
        (_GATEWAY, Gateway(url="public", api_key=None)),
        ([{"deep": [_GATEWAY]}], [{"deep": [Gateway(url="public", api_key=None)]}]),
        (Keeping(api_key="SECRET"), Keeping()),
    ],
    ids=str,
)
def test_secrets_are_found_at_any_depth(config: Any, kept: Any) -> None:
    """They are in nothing that describes the model, nor in its pickle; what is public stays."""
    model = Configured(config=config)
    described = [repr(model), dumps(model), str(model._identifying_params), model._get_llm_string()]
    assert "SECRET" not in "".join(described)
    pickled = pickle.dumps(model)
    assert b"SECRET" not in pickled
    assert pickle.loads(pickled).config == kept  # noqa: S301
    assert model.config is config


def test_what_holds_no_secret_stays_as_it_is() -> None:
    """A value without secrets is told as the very object that it is, however deep, or in rings."""
    ring: list[Any] = ["public"]
    ring.append(ring)
    for config in (ring, OrderedDict(n=1), _GATEWAY.model_copy(update={"api_key": None})):
        assert Configured(config=config)._identifying_params["config"] is config


def test_a_secret_in_a_ring_is_found() -> None:
    """What holds itself, and a secret, is told as deep as it makes sense, without the secret."""
    ring: dict[str, Any] = {"public": 1, "password": "SECRET"}
    ring["ring"] = [ring, ring]
    model = Configured(config=ring)
    assert "SECRET" not in repr(model)
    assert model._identifying_params["config"]["public"] == 1
    assert b"SECRET" not in pickle.dumps(model)


class Tooled(CustomChatModel):
    """Is given tools."""

    def respond(
        self,
        messages: list[BaseMessage],  # noqa: ARG002
        *,
        tools: Any = None,
        tool_choice: Any = None,
    ) -> Iterator[str]:
        """Tell which tools there are."""
        yield f"{[t['function']['name'] for t in tools or []]} {tool_choice}"


@tool
def look(where: str) -> str:
    """Look somewhere."""
    return where


def test_tools_reach_a_generator_that_takes_them() -> None:
    """It gets the definitions and the choice in OpenAI's format."""
    assert Tooled().bind_tools([look], tool_choice="any").invoke("?").content == "['look'] required"
    assert Tooled().bind_tools([look]).invoke("?").content == "['look'] None"
    named = Tooled().bind_tools([look], tool_choice="look").invoke("?").content
    assert named == "['look'] {'type': 'function', 'function': {'name': 'look'}}"
    assert Tooled().invoke("?").content == "[] None"


def test_a_tool_choice_that_is_no_tool_is_refused() -> None:
    """The error names the choice and what there is to choose from."""
    with pytest.raises(BadRequestError, match=r"'lok' is none of the tools \(look\)"):
        Tooled().bind_tools([look], tool_choice="lok")


def test_a_model_without_tools_says_so() -> None:
    """A generator that does not take tools is not given any."""
    with pytest.raises(UnsupportedError, match="support tools: its generator takes no `tools` or"):
        Shouting().bind_tools([look])
    with pytest.raises(UnsupportedError, match="Shouting does not support structured output"):
        Shouting().with_structured_output({"title": "t", "type": "object"})
    with pytest.raises(UnsupportedError, match="Shouting does not support json_schema"):
        Shouting().with_structured_output({"title": "t", "type": "object"}, method="json_schema")
    with pytest.raises(UnsupportedError, match="does not take response_format"):
        Shouting().invoke("?", response_format={"type": "json_object"})


@pytest.mark.parametrize("model", [Revealing(), Tooled(), Shouting()])
def test_an_unknown_method_of_structured_output_is_refused(model: CustomChatModel) -> None:
    """The error names the method, and those that there are."""
    with pytest.raises(BadRequestError, match="'nope' is no method of structured output; use "):
        model.with_structured_output({"title": "t", "type": "object"}, method="nope")


def test_a_class_without_a_generator_says_so() -> None:
    """The author is told what to write."""

    class Empty(CustomChatModel):
        """Has nothing to say."""

    with pytest.raises(TypeError, match="Empty must define respond or arespond"):
        Empty()


def test_an_async_respond_says_so() -> None:
    """The author is told the right name, when the class is defined."""
    with pytest.raises(TypeError, match="respond is async; name it arespond"):

        class Misnamed(CustomChatModel):
            """Has the wrong name."""

            async def respond(self, messages: Any) -> Any:  # type: ignore[override]
                """Answer."""
                yield messages


class Mistaken(CustomChatModel):
    """Returns or yields what the author gave it."""

    gives: Any = Field(exclude=True)

    def respond(self, messages: list[BaseMessage]) -> Any:  # noqa: ARG002
        """Give it."""
        return self.gives


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("a text", "Mistaken.respond returned an object of type str; yield it"),
        (None, "Mistaken.respond returned an object of type NoneType"),
        ([1], "the model yielded an object of type int; yield text"),
        ([HumanMessage("x")], "of type HumanMessage"),
    ],
)
def test_a_generator_that_is_none_says_so(gives: Any, message: str) -> None:
    """The author is told what was returned or yielded, and what to yield."""
    with pytest.raises(MalformedAnswerError, match=message):
        Mistaken(gives=gives).invoke("?")


def test_an_excluded_field_tells_nothing_of_itself() -> None:
    """A field that is excluded identifies no model: what people wrote may be in it."""
    model = Mistaken(gives=["planted"])
    assert "planted" not in repr(model._identifying_params)
    with capture_spans() as captured:
        model.invoke("?", {"callbacks": [captured.handler]})
    (span,) = captured.spans
    assert "planted" not in repr(dict(span.attributes))


class Templated(CustomChatModel):
    """Fills a template in, which a call may well be made with another one of."""

    template: Any = Field(exclude=True)
    api_key: SecretStr | None = Field(default=None, exclude=True)

    def respond(self, messages: list[BaseMessage]) -> Iterator[str]:  # noqa: ARG002
        """Answer with what the template gives."""
        yield self.template() if callable(self.template) else str(self.template)


def test_a_cache_tells_apart_what_is_excluded() -> None:
    """One model's answer is not another's whose excluded field differs, and is an equal one's."""
    cache = InMemoryCache()
    answers = [Templated(template=text, cache=cache).invoke("?") for text in "ABA"]
    assert [answer.content for answer in answers] == ["A", "B", "A"]
    assert answers[2].usage_metadata
    assert "total_cost" in answers[2].usage_metadata


@pytest.mark.slow
def test_a_cache_tells_functions_apart_that_come_one_after_another() -> None:
    """A function that has the address of one that is gone is not taken for it."""
    cache = InMemoryCache()
    for number in range(100):
        model = Templated(template=lambda number=number: str(number), cache=cache)
        assert model.invoke("?").content == str(number)
        again = model.invoke("?").usage_metadata
        assert again
        assert "total_cost" in again


@pytest.mark.parametrize(
    ("one", "equal", "other"),
    [
        ("A", "A", "B"),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, {"a": 1, "b": [3]}),
        (Path("a"), Path("a"), Path("b")),
        (AIMessageChunk("a"), AIMessageChunk("a"), AIMessageChunk("b")),
        ([HumanMessage("a")], [HumanMessage("a")], [ToolMessage("a", tool_call_id="1")]),
        (print, print, len),
    ],
)
def test_the_key_of_a_cache_says_nothing_of_what_is_excluded(
    one: Any, equal: Any, other: Any
) -> None:
    """It is a digest of the values: the same for equal ones."""
    key = Templated(template=one)._get_llm_string()
    assert key == Templated(template=equal)._get_llm_string()
    assert key != Templated(template=other)._get_llm_string()


def test_a_cache_does_not_know_secrets() -> None:
    """Answers are shared over keys, of which the cache's own key holds nothing."""
    models = [Templated(template="planted", api_key=key) for key in ("SECRET-1", "SECRET-2")]
    first, second = (model._get_llm_string() for model in models)
    assert first == second
    assert "planted" not in first
    assert "SECRET" not in first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("password: planted-1", "password: planted-2"),
        (["use", {"token": "planted-1"}], ["use", {"token": "planted-2"}]),
        ([("Authorization", "planted-1")], [("Authorization", "planted-2")]),
        (AIMessageChunk("token = planted-1"), AIMessageChunk("token = planted-2")),
    ],
)
def test_a_cache_tells_apart_what_is_hidden(one: Any, other: Any) -> None:
    """Texts that differ in what looks like a credential are others; equal ones are equal."""
    for key_of in (
        lambda value: Templated(template=value)._get_llm_string(),
        lambda value: Configured(config=value)._get_llm_string(),
        lambda value: Revealing()._get_llm_string(options={"o": value}),
        lambda value: Revealing()._get_llm_string(stop=[str(value)]),
    ):
        key = key_of(one)
        assert key == key_of(one)
        assert key != key_of(other)
        assert "planted" not in key


def test_what_a_key_of_a_cache_hides_cannot_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest is another in every process; a model that hides nothing has one key in all."""
    hiding, plain = Templated(template="password: planted-1"), Templated(template="a")
    before = hiding._get_llm_string(), plain._get_llm_string()
    monkeypatch.setattr("nodespan.model._custom.cache_key._KEY", b"of another process")
    assert hiding._get_llm_string() != before[0]
    assert plain._get_llm_string() == before[1]


def test_whether_there_is_a_key_is_no_secret() -> None:
    """A switch that is named as a credential is part of what identifies a model."""
    params = Configured(config={"use_token": True, "token": "planted"})._identifying_params
    assert params["config"] == {"use_token": True}


class Housed(Shouting):
    """Says whose it is, and that it runs in this process."""

    provider = "acme"
    in_process = True


def test_a_class_says_whose_model_it_is() -> None:
    """Provider and place of a model are on its span as its class says them."""
    with capture_spans() as captured:
        Housed().invoke("?", {"callbacks": [captured.handler]})
    (span,) = captured.spans
    assert span.attributes["gen_ai.provider.name"] == "acme"
    assert span.kind == "internal"


class SyncByMistake(CustomChatModel):
    """Has a sync generator under the name of the async one."""

    def arespond(self, messages: list[BaseMessage]) -> Any:  # noqa: ARG002
        """Yield."""
        yield "a"


class Returning(CustomChatModel):
    """Returns its answer."""

    async def arespond(self, messages: list[BaseMessage]) -> Any:  # noqa: ARG002
        """Return."""
        return "a"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SyncByMistake(), "write it with async, or call it respond"),
        (Returning(), "Returning.arespond returned an object of type coroutine; yield it"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_generator_of_the_other_kind_says_so(model: CustomChatModel, message: str) -> None:
    """The author is told which word is missing, or too many; nothing is left unawaited."""
    with pytest.raises(MalformedAnswerError, match=message):
        model.invoke("?")
    with pytest.raises(MalformedAnswerError, match=message):
        asyncio.run(model.ainvoke("?"))
    gc.collect()


def test_a_respond_may_return_any_iterable_of_pieces() -> None:
    """A list of texts is an answer too."""
    assert Mistaken(gives=["a", "", "b"]).invoke("?").content == "ab"


def test_tokens_of_a_conversation_are_counted() -> None:
    """Messages, tool calls and tool definitions count."""
    messages: list[BaseMessage] = [
        HumanMessage("look at Rome"),
        ToolMessage("sunny", tool_call_id="1"),
    ]
    model = Shouting(custom_get_token_ids=lambda text: text.split())
    assert model.get_num_tokens_from_messages(messages) == 4
    assert model.get_num_tokens_from_messages(messages, [{"name": "a b c"}]) > 4
    assert Shouting().get_num_tokens_from_messages(messages) > 4


def glance(where: str) -> str:
    """Glance somewhere."""
    return where


class Stare(BaseModel):
    """Stare somewhere."""

    where: str


@pytest.mark.parametrize("model", [Shouting(), Shouting(custom_get_token_ids=list)])
@pytest.mark.parametrize(
    "given", [look, glance, Stare, convert_to_openai_tool(look), {"type": "web_search"}]
)
def test_tools_of_every_kind_are_counted(model: CustomChatModel, given: Any) -> None:
    """A tool counts in each form that LangChain takes, a server's own kind of tool included."""
    alone = model.get_num_tokens_from_messages([HumanMessage("?")])
    assert model.get_num_tokens_from_messages([HumanMessage("?")], [given]) > alone


def test_standard_parameters_are_accepted_by_every_model() -> None:
    """Models can be exchanged for one another: LangChain's own parameters are no error."""
    model = Shouting(temperature=0, max_tokens=5, timeout=3, max_retries=1, api_key="x")
    assert model.invoke("a", temperature=1).content == "A!"
    assert "temperature" not in model._identifying_params


def test_the_model_can_be_named_by_either_name() -> None:
    """Both LangChain names of the parameter work, on construction and on a call."""
    assert Shouting(model="m").model_name == "m"
    answer = Shouting(model_name="m").invoke("a", model="n")
    assert answer.response_metadata["model_name"] == "n"


class Restless(CustomChatModel):
    """Answers without end, and never waits."""

    async def arespond(self, messages: list[BaseMessage]) -> AsyncIterator[str]:
        """Go on and on."""
        while True:
            yield messages[-1].text


async def test_a_model_that_never_waits_lets_others_run() -> None:
    """Another task gets its turns while such a model streams, and can stop it."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await Restless().ainvoke("on ")
    counting.cancel()
    assert turns > 1

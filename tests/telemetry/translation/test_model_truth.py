"""What is told of a model is true: its name, its provider, its parameters, its tokens."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.graph import StateGraph
from pydantic import BaseModel, SecretStr

from nodespan.telemetry._semconv.names import NEWEST, RELEASED
from nodespan.telemetry._translation.response import response_attributes
from nodespan.telemetry._translation.start import Start
from nodespan.telemetry.testing import capture_spans
from support.reporters import Completer, Nameless, Reporter, StreamingReporter
from support.strangers import (
    AINVOKE,
    GRAPH_CALLS,
    INVOKE,
    MODEL_CALLS,
    PLAIN_CALLS,
    STREAM,
    Call,
    State,
)
from support.values import SCALARS

if TYPE_CHECKING:
    from support.traced import Traced

# LangChain says so of each of its v3 streams.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

USAGE: Any = {
    "input_tokens": 10,
    "output_tokens": 20,
    "total_tokens": 30,
    "input_token_details": {"cache_read": 4, "cache_creation": 3, "audio": 2},
    "output_token_details": {"reasoning": 7, "audio": 1, "image": 5},
}
PREFIX = "langchain.identifying_params."

every_call = pytest.mark.parametrize("call", PLAIN_CALLS, ids=str)


def attributes_of(traced: Traced, model: Any, call: Call = INVOKE) -> dict[str, Any]:
    """Call a model, and return the attributes of its only span."""
    call.run(model, "hello", traced.config())
    (span,) = traced.spans
    return dict(span.attributes)


def identifying(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the identifying parameters that have attributes of their own."""
    return {
        key.removeprefix(PREFIX): value
        for key, value in attributes.items()
        if key.startswith(PREFIX)
    }


def usage(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the tokens that are told."""
    return {key: value for key, value in attributes.items() if key.startswith("gen_ai.usage.")}


class TestName:
    """Which model, and whose."""

    @every_call
    def test_a_model_without_a_name(self, traced: Traced, call: Call) -> None:
        """A model that says nothing of itself is told by its class, its provider by its type."""
        attributes = attributes_of(traced, Nameless(), call)
        assert traced.tree == ["chat Nameless"]
        assert attributes["gen_ai.request.model"] == "Nameless"
        assert attributes["gen_ai.response.model"] == "Nameless"
        assert attributes["gen_ai.provider.name"] == "nameless-type"
        assert "unknown" not in str(attributes).lower()

    @every_call
    def test_a_model_with_a_name(self, traced: Traced, call: Call) -> None:
        """The identifying parameter `model_name` names the model."""
        attributes = attributes_of(traced, Reporter(params={"model_name": "tiny-1"}), call)
        assert traced.tree == ["chat tiny-1"]
        assert attributes["gen_ai.request.model"] == "tiny-1"
        assert identifying(attributes) == {"model_name": "tiny-1"}

    @pytest.mark.parametrize("key", ["model", "model_name", "model_id", "deployment_name"])
    def test_the_names_of_names(self, traced: Traced, key: str) -> None:
        """Integrations call the model's name differently."""
        assert attributes_of(traced, Reporter(params={key: "m"}))["gen_ai.request.model"] == "m"

    def test_the_name_for_langsmith(self, traced: Traced) -> None:
        """Where no parameter names the model, what LangSmith is told does."""
        model = Reporter(ls_params={"ls_model_name": "m", "ls_provider": "acme"})
        attributes = attributes_of(traced, model)
        assert attributes["gen_ai.request.model"] == "m"
        assert attributes["gen_ai.provider.name"] == "acme"

    def test_a_call_may_ask_for_another_model(self, traced: Traced) -> None:
        """An argument of the call counts before what the model was made with."""
        attributes = attributes_of(traced, Reporter(params={"model": "m"}).bind(model="other"))
        assert attributes["gen_ai.request.model"] == "other"

    def test_the_answer_names_its_model(self, traced: Traced) -> None:
        """What answered is told beside what was asked for."""
        reply = AIMessage("x", response_metadata={"model_name": "tiny-1-2026-05"})
        attributes = attributes_of(traced, Reporter(params={"model": "tiny-1"}, replies=[reply]))
        assert attributes["gen_ai.request.model"] == "tiny-1"
        assert attributes["gen_ai.response.model"] == "tiny-1-2026-05"

    def test_a_failed_call_has_no_answering_model(self, traced: Traced) -> None:
        """Where nothing was answered, nobody has answered."""
        with pytest.raises(IndexError):
            Reporter(replies=[]).invoke("x", traced.config())
        (span,) = traced.spans
        assert "gen_ai.response.model" not in span.attributes

    @pytest.mark.parametrize(
        ("told", "provider"),
        [
            ("openai", "openai"),
            ("azure", "azure.ai.openai"),
            ("amazon_bedrock", "aws.bedrock"),
            ("google_genai", "gcp.gemini"),
            ("google_vertexai", "gcp.vertex_ai"),
            ("mistralai", "mistral_ai"),
            ("xai", "x_ai"),
            ("acme", "acme"),
            ("reporter", "nameless-type"),
            ("", "nameless-type"),
            (None, "nameless-type"),
            (7, "nameless-type"),
        ],
    )
    def test_providers(self, traced: Traced, told: Any, provider: str) -> None:
        """A provider has the conventions' name; one that LangChain makes of the class has none."""
        attributes = attributes_of(traced, Reporter(ls_params={"ls_provider": told}))
        assert attributes["gen_ai.provider.name"] == provider

    def test_a_name_of_any_length(self, traced: Traced) -> None:
        """A name of a megabyte, with half a character in it, makes a name that can be sent."""
        attributes = attributes_of(traced, Reporter(params={"model": "\ud800" + "x" * 10**6}))
        (span,) = traced.spans
        assert len(span.name) < 300
        assert len(attributes["gen_ai.request.model"]) < 5_000
        assert span.name.encode()

    def test_in_process(self, traced: Traced) -> None:
        """A model that says that it runs in this process is no client."""
        Nameless(metadata={"nodespan_in_process": True}).invoke("x", traced.config())
        Nameless().invoke("x", traced.config())
        assert [span.kind for span in traced.spans] == ["internal", "client"]


class TestRequest:
    """What is asked for."""

    @every_call
    def test_every_identifying_parameter(self, traced: Traced, call: Call) -> None:
        """Each identifying parameter is on the span, as what it is."""
        params = {"model_name": "m", "n": 3, "fast": True, "rate": 0.5, "stops": ["a", "b"]}
        nested = {"options": {"depth": 2, "mirostat": None}}
        attributes = attributes_of(traced, Reporter(params=params | nested), call)
        assert identifying(attributes) == {
            **params,
            "stops": ("a", "b"),
            "options": '{"depth":2,"mirostat":null}',
        }

    @pytest.mark.parametrize("count", [60, 61, 200, 2_000])
    def test_any_number_of_parameters(self, traced: Traced, count: int) -> None:
        """However many there are, all are on the span, and push nothing else off it."""
        params = {f"param_{place}": place for place in range(count)}
        attributes = attributes_of(traced, Reporter(params=params))
        more = json.loads(attributes.get("langchain.more_identifying_params", "{}"))
        assert identifying(attributes) | more == params
        assert attributes["gen_ai.operation.name"] == "chat"
        assert attributes["gen_ai.request.model"] == "Reporter"
        assert len(attributes) < 128
        (span,) = traced.collector.spans()
        assert span.dropped_attributes == 0
        assert "nodespan.identifying_params.dropped" not in attributes

    def test_parameters_of_any_key(self, traced: Traced) -> None:
        """Keys that are no text, or too long, make names that can be sent."""
        params: Any = {7: "a", None: "b", "\ud800": "c", "k" * 10**5: "d"}
        assert len(identifying(attributes_of(traced, Reporter(params=params)))) == 4

    def test_what_is_left_out_is_told(self, traced: Traced) -> None:
        """A parameter that is cut, or holds a credential, is counted."""
        params = {"notes": "x" * 5_000, "headers": {"authorization": "x"}}
        attributes = attributes_of(traced, Reporter(params=params))
        assert attributes["nodespan.identifying_params.dropped"] == 905

    def test_request_parameters_have_the_conventions_names(self, traced: Traced) -> None:
        """What the conventions have names for is told by them."""
        params = {
            "temperature": 1,
            "top_p": 0.9,
            "top_k": 40,
            "max_tokens": 100,
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "seed": 7,
        }
        attributes = attributes_of(traced, Reporter(params=params).bind(stop=["END"]))
        assert {key: value for key, value in attributes.items() if ".request." in key} == {
            "gen_ai.request.model": "Reporter",
            "gen_ai.request.temperature": 1.0,
            "gen_ai.request.top_p": 0.9,
            "gen_ai.request.top_k": 40.0,
            "gen_ai.request.max_tokens": 100,
            "gen_ai.request.frequency_penalty": 0.1,
            "gen_ai.request.presence_penalty": 0.2,
            "gen_ai.request.seed": 7,
            "gen_ai.request.stop_sequences": ("END",),
        }
        assert isinstance(attributes["gen_ai.request.temperature"], float)

    def test_what_only_langsmith_is_told(self, traced: Traced) -> None:
        """Temperature, limit and stops count where the parameters do not tell them."""
        told = {"ls_temperature": 0.5, "ls_max_tokens": 9, "ls_stop": ["a"]}
        attributes = attributes_of(traced, Reporter(ls_params=told))
        assert attributes["gen_ai.request.temperature"] == 0.5
        assert attributes["gen_ai.request.max_tokens"] == 9
        assert attributes["gen_ai.request.stop_sequences"] == ("a",)

    @pytest.mark.parametrize("value", [None, "0.5", float("nan"), float("inf"), 2**70, True, [1]])
    def test_parameters_that_are_no_numbers(self, traced: Traced, value: Any) -> None:
        """A limit that is no whole number is not told as one."""
        attributes = attributes_of(traced, Reporter(params={"max_tokens": value}))
        assert "gen_ai.request.max_tokens" not in attributes

    def test_choices(self, traced: Traced) -> None:
        """`n` is a number of choices where the provider is known to mean that, and not one."""
        for provider, n, told in (("openai", 3, 3), ("openai", 1, None), ("acme", 3, None)):
            traced.collector.clear()
            model = Reporter(params={"n": n}, ls_params={"ls_provider": provider})
            attributes = attributes_of(traced, model)
            assert attributes.get("gen_ai.request.choice.count") == told

    @pytest.mark.parametrize(
        ("bound", "told"),
        [
            ({}, None),
            ({"response_format": {"type": "json_object"}}, "json"),
            ({"response_format": {"type": "json_schema", "json_schema": {}}}, "json"),
            ({"response_format": {"type": "text"}}, "text"),
            ({"response_mime_type": "application/json"}, "json"),
            ({"format": "json"}, "json"),
            ({"format": {"properties": {}}}, "json"),
            ({"modalities": ["text", "audio"]}, "speech"),
            ({"modalities": ["image"]}, "image"),
            ({"modalities": ["smell"]}, None),
            ({"ls_structured_output_format": {"kwargs": {}, "schema": {"title": "T"}}}, "json"),
        ],
    )
    def test_output_types(self, traced: Traced, bound: dict[str, Any], told: str | None) -> None:
        """Which type of output was asked for is told where a format was asked for."""
        attributes = attributes_of(traced, Reporter().bind(**bound))
        assert attributes.get("gen_ai.output.type") == told

    def test_structured_output_through_a_tool(self, traced: Traced) -> None:
        """`with_structured_output` asks for JSON, whichever way the model gives it."""

        class Weather(BaseModel):
            rain: bool

        class ToolUser(Reporter):
            def bind_tools(self, _tools: Any, **kwargs: Any) -> Any:
                return self.bind(**kwargs)

        ToolUser().with_structured_output(Weather, include_raw=True).invoke("x", traced.config())
        (chat,) = (span for span in traced.spans if span.name.startswith("chat"))
        assert chat.attributes["gen_ai.output.type"] == "json"

    @pytest.mark.parametrize(
        ("key", "url", "address", "port"),
        [
            ("base_url", "https://api.acme.dev/v1", "api.acme.dev", 443),
            ("openai_api_base", "http://127.0.0.1:8080/v1", "127.0.0.1", 8080),
            ("azure_endpoint", "https://bob:secret@acme.dev", "acme.dev", 443),
            ("endpoint_url", "http://[::1]:9/x", "::1", 9),
            ("base_url", "http://host:many", None, None),
            ("base_url", "nowhere", None, None),
            ("base_url", "file:///model", None, None),
            ("base_url", SecretStr("https://host"), None, None),
        ],
    )
    def test_servers(
        self, traced: Traced, key: str, url: Any, address: str | None, port: int | None
    ) -> None:
        """Where a model is served is told by host and port, and nothing else of its URL."""
        attributes = attributes_of(traced, Reporter(params={key: url}))
        assert attributes.get("server.address") == address
        assert attributes.get("server.port") == port
        assert "secret" not in str(attributes).replace("<secret>", "")


class TestUsage:
    """What an answer has cost."""

    @pytest.mark.parametrize("call", MODEL_CALLS, ids=str)
    def test_details(self, traced: Traced, call: Call) -> None:
        """Tokens are told once, with those that a cache read and wrote, and those of thought."""
        model = StreamingReporter(replies=[AIMessage("so it is", usage_metadata=USAGE)])
        attributes = attributes_of(traced, model, call)
        assert usage(attributes) == {
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.usage.cache_creation.input_tokens": 3,
            "gen_ai.usage.reasoning.output_tokens": 7,
        }

    def test_details_of_the_newest_edition(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the newest edition there is usage by modality, and the cache is written to."""
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http, gen_ai_latest_experimental")
        with capture_spans() as captured:
            model = Reporter(
                params={"top_k": 4, "reasoning_effort": "low", "previous_response_id": "r1"},
                replies=[AIMessage("x", usage_metadata=USAGE)],
            )
            model.invoke("x", {"callbacks": [captured.handler]})
            attributes = dict(captured.span("chat Reporter").attributes)
        assert usage(attributes) == {
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.usage.cache_write.input_tokens": 3,
            "gen_ai.usage.reasoning.output_tokens": 7,
            "gen_ai.usage.audio.input_tokens": 2,
            "gen_ai.usage.audio.output_tokens": 1,
            "gen_ai.usage.image.output_tokens": 5,
        }
        assert attributes["gen_ai.request.top_k"] == 4
        assert isinstance(attributes["gen_ai.request.top_k"], int)
        assert attributes["gen_ai.request.reasoning.level"] == "low"
        assert attributes["gen_ai.request.previous_response.id"] == "r1"

    @every_call
    def test_none_reported_none_told(self, traced: Traced, call: Call) -> None:
        """Where a model reports no usage, there is none, not even a zero."""
        assert usage(attributes_of(traced, Nameless(), call)) == {}

    @pytest.mark.parametrize(
        "told",
        [
            {"output": {"token_usage": {"prompt_tokens": 1, "completion_tokens": 2}}},
            {"output": {"usage": {"input_tokens": 1, "output_tokens": 2}}},
            {"metadata": {"token_usage": {"prompt_tokens": 1, "completion_tokens": 2}}},
            {"metadata": {"usage_metadata": {"prompt_token_count": 1, "output_tokens": 2}}},
        ],
    )
    def test_usage_in_the_providers_words(self, traced: Traced, told: dict[str, Any]) -> None:
        """Without LangChain's usage metadata, what the provider has told counts."""
        reply = AIMessage("x", response_metadata=told.get("metadata", {}))
        model = Reporter(replies=[reply], output=told.get("output", {}))
        assert usage(attributes_of(traced, model)) == {
            "gen_ai.usage.input_tokens": 1,
            "gen_ai.usage.output_tokens": 2,
        }

    def test_an_estimate_is_told_as_one(self, traced: Traced) -> None:
        """Tokens that the model has not counted itself are marked, and say so beside a cost."""
        told = {"usage_is_estimated": True}
        reply = AIMessage("x", usage_metadata=USAGE, response_metadata=told)
        attributes = attributes_of(traced, Reporter(replies=[reply]))
        assert attributes["gen_ai.usage.input_tokens"] == 10
        assert attributes["nodespan.usage.is_estimated"] is True

    def test_what_is_counted_or_missing_is_no_estimate(self, traced: Traced) -> None:
        """No other model has the mark: not where tokens were counted, nor where there are none."""
        counted = AIMessage("x", usage_metadata=USAGE)
        none = AIMessage("x", response_metadata={"usage_is_estimated": True})
        Reporter(replies=[counted]).invoke("hello", traced.config())
        Reporter(replies=[none]).invoke("hello", traced.config())
        assert not any("nodespan.usage.is_estimated" in span.attributes for span in traced.spans)

    def test_several_choices_are_one_request(self, traced: Traced) -> None:
        """Each choice repeats the usage of the request: it counts once; all reasons are told."""
        replies = [
            AIMessage("x", usage_metadata=USAGE, response_metadata={"finish_reason": reason})
            for reason in ("stop", "length")
        ]
        attributes = attributes_of(traced, Reporter(replies=replies))
        assert attributes["gen_ai.usage.input_tokens"] == 10
        assert attributes["gen_ai.response.finish_reasons"] == ("stop", "length")

    def test_an_answer_has_the_id_that_its_provider_gave_it(self, traced: Traced) -> None:
        """An id that LangChain made up is none."""
        for own, metadata, told in (
            ("msg_1", {}, "msg_1"),
            (None, {"id": "resp_1"}, "resp_1"),
            (None, {}, None),
        ):
            traced.collector.clear()
            model = Reporter(replies=[AIMessage("x", id=own, response_metadata=metadata)])
            assert attributes_of(traced, model).get("gen_ai.response.id") == told


class TestCache:
    """Answers from LangChain's cache."""

    @pytest.mark.parametrize("call", [INVOKE, AINVOKE], ids=str)
    def test_an_answer_from_the_cache_is_marked_and_costs_nothing(
        self, traced: Traced, call: Call
    ) -> None:
        """A repeated answer is told as such, and its tokens are not counted again."""
        cache = InMemoryCache()
        model = StreamingReporter(cache=cache, replies=[AIMessage("x", usage_metadata=USAGE)])
        for _ in range(2):
            call.run(model, "hello", traced.config())
        first, again = traced.spans
        assert first.attributes["gen_ai.usage.input_tokens"] == 10
        assert "nodespan.cached" not in first.attributes
        assert again.attributes["nodespan.cached"] is True
        assert usage(dict(again.attributes)) == {}

    @pytest.mark.parametrize("call", GRAPH_CALLS, ids=str)
    def test_in_a_graph(self, traced: Traced, call: Call) -> None:
        """However a graph is called, a repeated answer is marked, and one that is replayed too."""
        reply = AIMessage("so it is", usage_metadata=USAGE)
        model = StreamingReporter(cache=InMemoryCache(), replies=[reply])
        graph = StateGraph(State)
        graph.add_node("talk", lambda state: {"messages": [model.invoke(state["messages"])]})
        graph.set_entry_point("talk")
        question: Any = {"messages": [HumanMessage("hello", id="1")]}
        for _ in range(2):
            call.run(graph.compile(), question, traced.config())
        told = [span.attributes for span in traced.spans if span.name.startswith("chat")]
        assert [each.get("nodespan.cached") for each in told] == [None, True]
        assert [each.get("gen_ai.usage.input_tokens") for each in told] == [10, None]

    def test_what_costs_nothing_is_not_cached(self, traced: Traced) -> None:
        """A provider may say that an answer cost nothing: it has used its tokens all the same."""
        reply = AIMessage("x", usage_metadata={**USAGE, "total_cost": 0.0})
        attributes = attributes_of(traced, Reporter(replies=[reply]))
        assert "nodespan.cached" not in attributes
        assert attributes["gen_ai.usage.input_tokens"] == 10


class TestCompletionModels:
    """Models that complete a text."""

    @pytest.mark.parametrize("call", [INVOKE, AINVOKE, STREAM], ids=str)
    def test_span(self, traced: Traced, call: Call) -> None:
        """A completion model has a span as a chat model has, of its own operation."""
        attributes = attributes_of(traced, Completer(params={"model_name": "c1", "n": 2}), call)
        assert traced.tree == ["text_completion c1"]
        assert attributes["gen_ai.operation.name"] == "text_completion"
        assert attributes["gen_ai.provider.name"] == "completing"
        assert attributes["gen_ai.response.model"] == "c1"
        assert identifying(attributes) == {"model_name": "c1", "n": 2}

    def test_without_a_name(self, traced: Traced) -> None:
        """A completion model without a name is told by its class."""
        attributes_of(traced, Completer())
        assert traced.tree == ["text_completion Completer"]

    def test_a_batch_has_a_span_a_prompt(self, traced: Traced) -> None:
        """Prompts that are sent together have a span each, and share no usage."""

        class Batcher(Completer):
            def _generate(self, prompts: list[str], *_: Any, **__: Any) -> LLMResult:
                told = {"token_usage": {"prompt_tokens": 5, "completion_tokens": 6}}
                generations = [[Generation(text=prompt)] for prompt in prompts]
                return LLMResult(generations=generations, llm_output=told)

        Batcher().generate(["a", "b"], callbacks=traced.config().get("callbacks"))
        counts = [span.attributes.get("gen_ai.usage.input_tokens") for span in traced.spans]
        assert counts == [5, None]


class TestRetrieval:
    """Retrievers and embeddings, as far as LangChain reports them."""

    def test_a_retriever(self, traced: Traced) -> None:
        """A retriever has a span, sync and async, by its name."""

        class Library(BaseRetriever):
            def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
                return [Document(query)]

        Library().invoke("x", traced.config())
        asyncio.run(Library().ainvoke("x", traced.config()))
        assert traced.tree == ["retrieval Library", "retrieval Library"]
        assert traced.spans[0].kind == "client"
        assert traced.spans[0].attributes["gen_ai.operation.name"] == "retrieval"

    def test_a_vector_store(self, traced: Traced) -> None:
        """A vector store's retriever tells which store and whose embeddings it uses."""
        store = InMemoryVectorStore(DeterministicFakeEmbedding(size=3))
        store.add_texts(["cats", "dogs"])
        store.as_retriever().invoke("cat", traced.config())
        (span,) = traced.spans
        assert span.attributes["langchain.vector_store"] == "InMemoryVectorStore"
        assert span.attributes["langchain.embeddings"] == "DeterministicFakeEmbedding"

    def test_embeddings_are_not_reported(self, traced: Traced) -> None:
        """LangChain calls nobody back of embeddings: there is nothing to make a span of."""
        DeterministicFakeEmbedding(size=3).embed_query("cat")
        assert traced.spans == []


class TestTools:
    """Tools."""

    def test_a_tool(self, traced: Traced) -> None:
        """A tool has its name, its type, its description and the id of the call."""

        @tool
        def weather(city: str) -> str:
            """Tell the weather."""
            return f"rain in {city}"

        call: Any = {"type": "tool_call", "id": "call-1", "name": "weather", "args": {"city": "B"}}
        weather.invoke(call, traced.config())
        (span,) = traced.spans
        assert span.name == "execute_tool weather"
        assert span.attributes == {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.description": "Tell the weather.",
            "gen_ai.tool.call.id": "call-1",
        }


class TestMetadata:
    """What people say of their calls."""

    def test_it_is_not_exported(self, traced: Traced) -> None:
        """Metadata stay where they are, but for the thread."""
        config = traced.config(metadata={"user": "bob", "thread_id": "t1"})
        Nameless().invoke("x", config)
        (span,) = traced.spans
        assert "bob" not in str(span)
        assert span.attributes["gen_ai.conversation.id"] == "t1"


JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
DETAILS = st.dictionaries(
    st.sampled_from(
        [
            *("model", "model_name", "id", "finish_reason", "token_usage", "usage"),
            *("input_tokens", "output_tokens", "total_cost", "input_token_details"),
        ]
    ),
    JUNK | st.dictionaries(st.sampled_from(["prompt_tokens", "cache_read", "reasoning"]), JUNK),
)


def choice(message: Any, info: Any) -> ChatGeneration:
    """Return a choice that nothing has validated."""
    return ChatGeneration.model_construct(message=message, generation_info=info)


MESSAGES = st.builds(
    lambda usage, metadata, own: AIMessage.model_construct(
        content="x", usage_metadata=usage, response_metadata=metadata, id=own
    ),
    JUNK | DETAILS,
    JUNK | DETAILS,
    JUNK,
)
RESULTS = st.builds(
    lambda generations, output: LLMResult.model_construct(
        generations=generations, llm_output=output
    ),
    JUNK | st.lists(JUNK | st.lists(st.builds(choice, JUNK | MESSAGES, JUNK | DETAILS))),
    JUNK | DETAILS,
)


@given(RESULTS, st.sampled_from([RELEASED, NEWEST]))
@pytest.mark.slow
def test_a_result_of_any_shape(result: LLMResult, edition: Any) -> None:
    """Whatever shape a model's result has, reading it raises nothing, and types hold."""
    start = Start(None, "run", (), {})
    for name, value in response_attributes(result, edition, start).items():
        expected = int if "usage" in name else tuple if "reasons" in name else str | bool
        assert isinstance(value, expected)
        assert "\ud800" not in str(value)


def test_a_message_of_any_length_is_not_read(traced: Traced) -> None:
    """Ten megabytes of prompt are nowhere on the span."""
    Nameless().invoke([HumanMessage("x" * 10_000_000)], traced.config())
    (span,) = traced.spans
    assert len(str(span)) < 3_000

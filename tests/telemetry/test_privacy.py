"""What people wrote and models said is nowhere unless it was asked for; credentials are never."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from langchain_core.messages import HumanMessage

from nodespan.telemetry.testing import capture_spans
from support import everything
from support.conventions import schema
from support.everything import CONTENT, CREDENTIALS, OTHERS
from support.reporters import Nameless
from support.signals import record_signals
from support.strangers import AEVENTS_V3, AINVOKE, ASTREAM, EVENTS_V2, EVENTS_V3, INVOKE, STREAM

if TYPE_CHECKING:
    from support.signals import Signals
    from support.strangers import Call

pytestmark = [
    # LangChain says so of each of its v3 streams.
    pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning"),
]

CALLS = (INVOKE, AINVOKE, STREAM, ASTREAM, EVENTS_V2)
MODEL_STREAMS = (EVENTS_V3, AEVENTS_V3)
VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def run_everything(call: Call, signals: Signals) -> None:
    """Have the application do everything, called like this."""
    for scenario in everything.scenarios(call):
        scenario.run(call, everything.config_of(signals.config))


def found_in(text: str, planted: dict[str, str]) -> set[str]:
    """Return the names of what is planted and stands in a text."""
    return {name for name, word in planted.items() if word in text}


@pytest.mark.parametrize("way_in", ["handler", "instrument"])
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_nothing_is_told_unless_it_was_asked_for(
    call: Call, way_in: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With content off, none of the planted words is in any signal, or in a log line."""
    with caplog.at_level(logging.DEBUG), record_signals(way_in) as captured:
        run_everything(call, captured)
    ours = [record for record in caplog.records if record.name.startswith("nodespan")]
    assert ours
    assert captured.log_records
    assert captured.metrics
    told = captured.sent() + "".join(str(vars(record)) for record in ours)
    assert found_in(told, CONTENT) == set()
    assert found_in(told, OTHERS) == set()
    assert found_in(told, CREDENTIALS) == set()
    assert "planted" not in told


def test_content_that_is_to_go_to_events_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the official variable asks for content on events, events have it, and no span has."""
    monkeypatch.setenv(VARIABLE, "EVENT_ONLY")
    with record_signals() as captured:
        run_everything(INVOKE, captured)
    assert "planted" not in str(captured.spans)
    told = captured.sent()
    assert {"prompt", "system", "answer", "thought"} <= found_in(told, CONTENT)
    assert found_in(told, OTHERS) == set()
    assert found_in(told, CREDENTIALS) == set()


@pytest.mark.parametrize(
    ("call", "way_in"),
    [*((call, "handler") for call in CALLS), (INVOKE, "instrument"), (ASTREAM, "instrument")],
    ids=str,
)
def test_all_is_told_where_it_was_asked_for(call: Call, way_in: str) -> None:
    """With content on, all planted words are on spans, but for credentials and the like."""
    with record_signals(way_in, capture_content="SPAN_ONLY") as captured:
        run_everything(call, captured)
    told = captured.sent()
    assert found_in(told, CONTENT) == CONTENT.keys()
    assert found_in(told, OTHERS) == set()
    assert found_in(told, CREDENTIALS) == set()


@pytest.mark.parametrize("call", MODEL_STREAMS, ids=str)
@pytest.mark.parametrize("mode", ["NO_CONTENT", "SPAN_AND_EVENT"])
def test_streams_of_events(call: Call, mode: str) -> None:
    """Streams of the newer protocol keep to the same rules."""
    with record_signals(capture_content=mode) as captured:
        config = everything.config_of(captured.config)
        for scenario in everything.scenarios(call):
            if scenario.name in ("agent", "picture", "workflow", "failing node"):
                scenario.run(call, config)
    told = captured.sent()
    assert ("planted-answer" in told) == (mode == "SPAN_AND_EVENT")
    assert ("planted" in told) == (mode == "SPAN_AND_EVENT")
    assert found_in(told, CREDENTIALS) == set()


class TestForm:
    """How content stands on spans."""

    @pytest.mark.parametrize(
        ("call", "limit"), [(INVOKE, 100_000), (ASTREAM, 2_000), (INVOKE, 300)], ids=str
    )
    def test_it_is_valid_by_the_conventions_schemas(self, call: Call, limit: int) -> None:
        """What has a schema is valid by it, at any size; and each kind of content is there."""
        with record_signals(capture_content="SPAN_ONLY", max_content_characters=limit) as captured:
            run_everything(call, captured)
        schemas = {
            "gen_ai.input.messages": "input-messages",
            "gen_ai.output.messages": "output-messages",
            "gen_ai.system_instructions": "system-instructions",
            "gen_ai.tool.definitions": "tool-definitions",
            "gen_ai.retrieval.documents": "retrieval-documents",
        }
        seen = set()
        for span in captured.spans:
            for name in schemas.keys() & span.attributes.keys():
                value = str(span.attributes[name])
                Draft202012Validator(schema(schemas[name])).validate(json.loads(value))
                assert len(value) <= limit
                seen.add(name)
        assert seen == schemas.keys()

    def test_of_a_model(self) -> None:
        """A model's span has its instructions, its input, its output and its tools."""
        with record_signals(capture_content="SPAN_ONLY") as captured:
            run_everything(INVOKE, captured)
        chats = [span for span in captured.spans if span.name == "chat speaker-1"]
        told = {key: json.loads(str(value)) for key, value in chats[1].attributes.items()
                if key in ("gen_ai.input.messages", "gen_ai.output.messages")}  # fmt: skip
        assert [message["role"] for message in told["gen_ai.input.messages"]] == [
            *("user", "assistant", "tool"),
        ]
        assert told["gen_ai.output.messages"] == [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": CONTENT["thought"]},
                    {"type": "text", "content": CONTENT["answer"]},
                ],
                "finish_reason": "stop",
            }
        ]

    def test_of_a_tool(self) -> None:
        """A tool's arguments are JSON, its result is what it said."""
        with record_signals(capture_content="SPAN_ONLY") as captured:
            everything.weather.invoke(everything.CALL, {"callbacks": [captured.handler]})
        (span,) = captured.spans
        arguments = json.loads(str(span.attributes["gen_ai.tool.call.arguments"]))
        assert arguments == {"city": CONTENT["tool-argument"]}
        assert str(span.attributes["gen_ai.tool.call.result"]).startswith(CONTENT["tool-result"])
        assert span.attributes["nodespan.input.dropped"] == 1

    def test_of_a_state(self) -> None:
        """A state that is no conversation is told as JSON, with its type."""
        with record_signals(capture_content="SPAN_ONLY") as captured:
            config = everything.config_of({"callbacks": [captured.handler]})
            graph = everything.SYNC[3]
            assert graph.name == "workflow"
            graph.run(INVOKE, config)
        root = next(span for span in captured.spans if span.name == "invoke_workflow writer")
        assert json.loads(str(root.attributes["input.value"])) == {"topic": CONTENT["state"]}
        assert root.attributes["input.mime_type"] == "application/json"
        assert root.attributes["nodespan.input.dropped"] == 1

    def test_of_a_subgraph(self) -> None:
        """A graph within a graph is told what it was given, as any."""
        with record_signals(capture_content="SPAN_ONLY") as captured:
            everything.SYNC[3].run(INVOKE, everything.config_of(captured.config))
        inner = next(span for span in captured.spans if span.name == "invoke_workflow LangGraph")
        given = json.loads(str(inner.attributes["input.value"]))
        assert given["topic"] == CONTENT["state"]
        output = json.loads(str(inner.attributes["output.value"]))
        assert output["notes"][-1] == CONTENT["subgraph-state"]

    def test_of_an_exception(self) -> None:
        """An exception's message is content; its type and its frames are not."""
        with record_signals(capture_content="SPAN_ONLY") as captured:
            everything.SYNC[5].run(INVOKE, {"callbacks": [captured.handler]})
        span = next(span for span in captured.spans if span.name == "chat speaker-1")
        (event,) = (event for event in span.events if event.name == "exception")
        assert event.attributes["exception.message"] == CONTENT["exception"]
        assert event.attributes["exception.type"] == "ValueError"
        assert everything.OTHERS["cause"] not in str(event.attributes["exception.stacktrace"])


class TestRedaction:
    """A user's redaction, in a whole application."""

    def test_what_it_takes_out_is_nowhere(self) -> None:
        """No content passes but by the redaction: what it replaces is on no span."""
        seen: set[str] = set()

        def redact(name: str, content: Any) -> Any:
            seen.add(name)
            return json.loads(json.dumps(content).replace("planted", "removed"))

        with record_signals(capture_content="SPAN_ONLY", redact=redact) as captured:
            run_everything(INVOKE, captured)
        told = captured.sent()
        assert "planted" not in told
        assert "removed-answer" in told
        assert {"gen_ai.input.messages", "gen_ai.tool.call.result", "input.value"} <= seen
        assert {"exception.message", "langgraph.interrupt.values"} <= seen

    def test_one_that_raises(self) -> None:
        """A redaction that raises costs the content, and nothing else."""

        def redact(_name: str, _content: Any) -> Any:
            raise RuntimeError(CONTENT["exception"])

        with record_signals() as plain:
            run_everything(ASTREAM, plain)
        with capture_spans(capture_content="SPAN_AND_EVENT", redact=redact) as captured:
            for scenario in everything.scenarios(ASTREAM):
                scenario.run(ASTREAM, everything.config_of({"callbacks": [captured.handler]}))
        assert captured.tree == plain.tree
        assert "planted" not in str(captured.spans)
        assert captured.handler.diagnostics.counts.keys() == {"content could not be recorded"}


class TestMetadata:
    """What people say of their calls."""

    def test_only_what_was_asked_for(self) -> None:
        """Of metadata those keys are told that were asked for, and never a credential."""
        keys = ["user", "tier", "Authorization"]
        with record_signals(metadata_keys=keys) as captured:
            metadata = {"user": "bob", "Authorization": "planted", "other": "planted", "tier": 3}
            config: Any = {"callbacks": [captured.handler], "metadata": metadata}
            Nameless().invoke([HumanMessage("x")], config)
        (span,) = captured.spans
        told = {key: value for key, value in span.attributes.items() if "metadata" in key}
        assert told == {"langchain.metadata.user": "bob", "langchain.metadata.tier": 3}
        assert "planted" not in captured.sent()


def test_a_call_that_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled call tells nothing of what it was about."""
    monkeypatch.delenv(VARIABLE, raising=False)

    class Slow(Nameless):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            await asyncio.sleep(9)

    async def cancel(config: Any) -> None:
        running = asyncio.create_task(Slow().ainvoke(CONTENT["prompt"], config))
        await asyncio.sleep(0.01)
        running.cancel(CONTENT["exception"])
        await asyncio.gather(running, return_exceptions=True)

    with record_signals() as captured:
        asyncio.run(cancel({"callbacks": [captured.handler]}))
    assert captured.tree == ["chat Slow [cancelled]"]
    assert "planted" not in captured.sent()

"""LangChain's messages as the conventions' own, whatever they hold: valid by the JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from nodespan.telemetry._content import messages as parts
from nodespan.telemetry._content.blocks import block_part
from nodespan.telemetry._content.door import CaptureContent, ContentDoor
from nodespan.telemetry._semconv import names as semconv
from nodespan.telemetry._translation import payload as _payload
from support.conventions import schema
from support.values import TEXTS

PNG = "iVBORw0KGgo="


def validator(name: str) -> Draft202012Validator:
    """Return the validator of one of the conventions' schemas."""
    return Draft202012Validator(schema(name))


INPUT = validator("input-messages")
OUTPUT = validator("output-messages")
INSTRUCTIONS = validator("system-instructions")
DOCUMENTS = validator("retrieval-documents")
TOOLS = validator("tool-definitions")


def recorded(content: object, limit: int = 100_000, name: str = "gen_ai.input.messages") -> Any:
    """Return content as it stands on a span."""
    door = ContentDoor(CaptureContent.SPAN_ONLY, max_characters=limit)
    passed = door.on_span(name, lambda: content)
    assert passed is not None
    return json.loads(passed.text)


def message(*messages: BaseMessage) -> Any:
    """Return one message as it stands on a span."""
    (found,) = recorded(parts.conversation(messages))
    return found


def blob(modality: str, size: int, mime_type: str | None = None) -> dict[str, Any]:
    """Return the part of inline data: measured, not copied."""
    told = {"type": "blob", "modality": modality, "content": "", "size": size}
    return told | ({"mime_type": mime_type} if mime_type else {})


TEXT = {"type": "text", "content": "hi"}


@pytest.mark.parametrize(
    ("given", "role"),
    [
        (HumanMessage("hi"), "user"),
        (AIMessage("hi"), "assistant"),
        (AIMessageChunk("hi"), "assistant"),
        (SystemMessage("hi"), "system"),
        (ChatMessage("hi", role="critic"), "critic"),
    ],
)
def test_roles(given: BaseMessage, role: str) -> None:
    """Each kind of message has its role."""
    assert message(given) == {"role": role, "parts": [TEXT]}


def test_a_named_message() -> None:
    """The name of who speaks is told."""
    assert message(HumanMessage("hi", name="Bob"))["name"] == "Bob"


def test_a_tool_answers() -> None:
    """A tool's message is the answer to a call; a function's too, by its name."""
    answer = {"type": "tool_call_response", "id": "7", "response": "rain"}
    assert message(ToolMessage("rain", tool_call_id="7")) == {"role": "tool", "parts": [answer]}
    old = message(FunctionMessage("rain", name="weather"))
    assert old["parts"] == [answer | {"id": "weather"}]


def test_a_tool_answers_with_an_image() -> None:
    """An image in a tool's answer is measured too."""
    content = [{"type": "text", "text": "hi"}, {"type": "image", "base64": PNG}]
    (answer,) = message(ToolMessage(content, tool_call_id="7"))["parts"]  # type: ignore[arg-type]
    assert answer["response"] == [TEXT, blob("image", 8)]


def test_a_model_calls_tools() -> None:
    """Tool calls follow the text, those with arguments that cannot be parsed as they are."""
    given = AIMessage(
        "hi",
        tool_calls=[tool_call(name="weather", args={"city": "Bonn"}, id="1")],
        invalid_tool_calls=[invalid_tool_call(name="weather", args='{"ci', id="2", error="?")],
    )
    assert message(given)["parts"] == [
        TEXT,
        {"type": "tool_call", "id": "1", "name": "weather", "arguments": {"city": "Bonn"}},
        {"type": "tool_call", "id": "2", "name": "weather", "arguments": '{"ci'},
    ]


def test_a_model_calls_a_tool_in_its_content_too() -> None:
    """A call that stands in the content and among the calls is told once."""
    given = AIMessage(
        [{"type": "tool_use", "id": "1", "name": "weather", "input": {}}],
        tool_calls=[tool_call(name="weather", args={}, id="1")],
    )
    assert [part["type"] for part in message(given)["parts"]] == ["tool_call"]


def test_a_model_calls_a_function() -> None:
    """The function call of older providers is a tool call."""
    extra = {"function_call": {"name": "weather", "arguments": "{}"}}
    (call,) = message(AIMessage("", additional_kwargs=extra))["parts"]
    assert call == {"type": "tool_call", "id": None, "name": "weather", "arguments": "{}"}


def test_a_model_thinks() -> None:
    """Reasoning is told, in the content or beside it."""
    thought = {"type": "reasoning", "content": "hm"}
    for thinker in (
        AIMessage("", additional_kwargs={"reasoning_content": "hm"}),
        AIMessage([{"type": "reasoning", "reasoning": "hm"}]),
        AIMessage([{"type": "thinking", "thinking": "hm", "signature": "s"}]),
        AIMessage([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]),
    ):
        assert message(thinker)["parts"] == [thought]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("hi", TEXT),
        ({"type": "text", "text": "hi"}, TEXT),
        ({"type": "output_text", "text": "hi"}, TEXT),
        ({"type": "refusal", "refusal": "hi"}, TEXT),
        ({"type": "text-plain", "text": "hi", "mime_type": "text/plain"}, TEXT),
        ({"type": "document", "source": {"type": "text", "data": "hi"}}, TEXT),
        (
            {"type": "image", "base64": PNG, "mime_type": "image/png", "id": "lc_1"},
            blob("image", 8, "image/png"),
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            blob("image", 8, "image/png"),
        ),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}, None),
        (
            {
                "type": "image",
                "source": {"type": "base64", "data": PNG, "media_type": "image/png"},
            },
            blob("image", 8, "image/png"),
        ),
        ({"type": "input_audio", "input_audio": {"data": PNG}}, blob("audio", 8)),
        ({"type": "video", "base64": PNG, "mime_type": "video/mp4"}, None),
        (
            {"type": "file", "base64": PNG, "mime_type": "application/pdf"},
            blob("document", 8, "application/pdf"),
        ),
        ({"type": "file", "file": {"file_data": PNG, "filename": "a.pdf"}}, blob("document", 8)),
        ({"type": "media", "data": b"12345", "mime_type": "audio/wav"}, None),
        (
            {"type": "image_url", "image_url": "https://host/a.png"},
            {"type": "uri", "modality": "image", "uri": "https://host/a.png"},
        ),
        (
            {"type": "image", "source_type": "url", "url": "https://host/a.png"},
            {"type": "uri", "modality": "image", "uri": "https://host/a.png"},
        ),
        (
            {"type": "file", "file_id": "file-1"},
            {"type": "file", "modality": "document", "file_id": "file-1"},
        ),
        (
            {"type": "image", "source_type": "id", "id": "file-1"},
            {"type": "file", "modality": "image", "file_id": "file-1"},
        ),
        (
            {"type": "server_tool_call", "id": "1", "name": "search", "args": {"q": "x"}},
            {
                "type": "server_tool_call",
                "id": "1",
                "name": "search",
                "server_tool_call": {"type": "search", "arguments": {"q": "x"}},
            },
        ),
        (
            {"type": "server_tool_result", "tool_call_id": "1", "status": "success", "output": 3},
            {
                "type": "server_tool_call_response",
                "id": "1",
                "server_tool_call_response": {"type": "success", "output": 3},
            },
        ),
        ({"type": "chart", "points": [1], "data": "x" * 50}, None),
        ({"no": "type"}, {"no": "type", "type": "unknown"}),
        (7, {"type": "unknown"}),
    ],
)
def test_content_blocks(block: Any, part: dict[str, Any] | None) -> None:
    """Blocks of LangChain's and of providers become parts; inline data is measured."""
    found = block_part(block)
    if part is not None:
        assert found == part
    assert PNG not in str(found)
    assert "x" * 50 not in str(found)
    INPUT.validate([{"role": "user", "parts": [found]}])


def test_ten_megabytes_of_image_are_not_copied() -> None:
    """Of a large image the size is told, and its data is nowhere."""
    data = "A" * 10_000_000
    text = json.dumps(message(HumanMessage([{"type": "image", "base64": data}])))
    assert '"size": 7500000' in text
    assert len(text) < 200


JUNK = (
    st.none()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=9)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.sampled_from(["url", "type", "text", "data"]), st.text(max_size=9))
)
TYPES = [
    *("text", "image", "image_url", "file", "reasoning", "thinking", "tool_use", "document", "x"),
    *("server_tool_call", "server_tool_result", "input_audio", "refusal", "non_standard"),
]
FIELDS = [
    *("text", "image_url", "source", "base64", "data", "url", "file_id", "name", "reasoning"),
    *("summary", "args", "output", "status", "mime_type", "id", "refusal", "tool_call_id"),
]
BLOCKS = st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=4).flatmap(
    lambda block: st.sampled_from([*TYPES, 7, None]).map(lambda kind: {**block, "type": kind})
)
MESSAGES = st.builds(
    lambda kind, content: kind.model_construct(content=content, **EXTRA.get(kind, {})),
    st.sampled_from([HumanMessage, AIMessage, SystemMessage, ToolMessage, ChatMessage]),
    TEXTS | st.lists(BLOCKS | JUNK, max_size=4),
)
EXTRA: dict[type[BaseMessage], dict[str, Any]] = {
    ToolMessage: {"tool_call_id": "7"},
    ChatMessage: {"role": "critic"},
    AIMessage: {
        "tool_calls": [{"name": None, "args": {"a": [1]}, "id": None}],
        "additional_kwargs": {"reasoning_content": "hm"},
    },
}


@given(st.lists(MESSAGES, max_size=6), st.integers(100, 3_000))
def test_any_conversation_is_valid(messages: list[BaseMessage], limit: int) -> None:
    """Whatever messages hold, and wherever they are cut, the schema takes what is recorded."""
    INPUT.validate(recorded(parts.after_instructions(messages), limit))
    INSTRUCTIONS.validate(
        recorded(parts.system_instructions(messages), limit, "gen_ai.system_instructions")
    )


@given(MESSAGES, st.none() | TEXTS, st.integers(100, 3_000))
def test_any_answer_is_valid(answer: BaseMessage, reason: str | None, limit: int) -> None:
    """Whatever a model answers, the schema takes it."""
    said = [parts.output_message(answer, reason)]
    OUTPUT.validate(recorded(said, limit, "gen_ai.output.messages"))


@given(st.lists(st.dictionaries(TEXTS | st.just("score"), JUNK, max_size=3), max_size=5))
def test_any_document_is_valid(found: list[dict[str, Any]]) -> None:
    """Whatever a retriever finds, the schema takes it."""
    documents = [Document.model_construct(page_content="x", metadata=each) for each in found]
    DOCUMENTS.validate(recorded(parts.documents(documents), 500, "gen_ai.retrieval.documents"))


def test_documents_have_the_score_that_they_were_given() -> None:
    """A retriever's score counts; without one it is the rank's, and says so."""
    found = [
        Document("a", id="1", metadata={"relevance_score": 0.5}),
        Document("b", metadata={"source": "b.txt"}),
    ]
    assert recorded(parts.documents(found), name="gen_ai.retrieval.documents") == [
        {"id": "1", "score": 0.5, "content": "a", "metadata": {"relevance_score": 0.5}},
        {
            "id": "2",
            "score": 0.5,
            "scored_by": "rank",
            "content": "b",
            "metadata": {"source": "b.txt"},
        },
    ]


TOOL_FIELDS = ["type", "name", "function", "description", "parameters", "input_schema"]


@given(st.lists(st.dictionaries(st.sampled_from(TOOL_FIELDS), JUNK) | JUNK, max_size=4))
def test_any_tools_are_valid(tools: list[Any]) -> None:
    """Whatever a model is told of tools, the schema takes it."""
    TOOLS.validate(recorded(parts.tool_definitions(tools), name="gen_ai.tool.definitions"))


def test_tools_are_told_in_full() -> None:
    """A tool is told with its description and its parameters; a provider's own by its type."""

    @tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    given = [convert_to_openai_tool(weather), {"type": "web_search", "max_uses": 3}]
    ours, theirs = recorded(parts.tool_definitions(given), name="gen_ai.tool.definitions")
    assert (ours["type"], ours["name"]) == ("function", "weather")
    assert ours["description"] == "Tell the weather."
    assert ours["parameters"]["properties"]["city"]["type"] == "string"
    assert theirs == {"type": "web_search", "name": "web_search", "max_uses": 3}


def test_instructions_are_told_apart_from_the_conversation() -> None:
    """System messages at the beginning are instructions; later ones stay in their place."""
    messages = [SystemMessage("be"), SystemMessage("brief"), HumanMessage("hi"), SystemMessage("!")]
    assert [part["content"] for part in parts.system_instructions(messages)] == ["be", "brief"]
    roles = [each["role"] for each in recorded(parts.after_instructions(messages))]
    assert roles == ["user", "system"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, "stop"),
        ("STOP", "stop"),
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_call"),
        ("tool_calls", "tool_call"),
        ("SAFETY", "content_filter"),
        ("something else", "something else"),
    ],
)
def test_finish_reasons(told: str | None, reason: str) -> None:
    """Why a model stopped is told in the conventions' words, where they have one."""
    assert parts.output_message(AIMessage("hi"), told)["finish_reason"] == reason


def test_a_graph_tells_why_its_last_answer_ended() -> None:
    """The finish reason of a graph's output is its last message's own, where that tells one."""
    cut = AIMessage("Once upon a", response_metadata={"finish_reason": "length"})
    odd = AIMessage("Once upon a", response_metadata={"finish_reason": 7})
    for message, reason in ((cut, "length"), (odd, "stop"), (AIMessage("Meow!"), "stop")):
        told = _payload.graph_output({"messages": [message]})[semconv.OUTPUT_MESSAGES]
        assert told[0]["finish_reason"] == reason  # type: ignore[index]  # a list of messages


def test_a_node_tells_all_that_it_adds_and_a_graph_its_answer() -> None:
    """A graph ends with its whole conversation, of which the answer is the last message."""
    messages = [HumanMessage("Hello"), AIMessage("first"), AIMessage("second")]
    node, graph = (
        recorded(tell({"messages": messages})[semconv.OUTPUT_MESSAGES])
        for tell in (_payload.state_output, _payload.graph_output)
    )
    assert len(node) == 3
    assert graph == node[-1:]

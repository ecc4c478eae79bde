"""What providers' packages write is told in whatever shape: every text, and media measured."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.outputs import Generation, LLMResult
from langchain_core.tools import tool
from pydantic import BaseModel

from nodespan.telemetry.testing import capture_spans
from support.conventions import schema
from support.reporters import Nameless, Reporter
from support.signals import record_signals

_BYTES = bytes(range(256)) * 288
DATA = base64.b64encode(_BYTES).decode()
SIZE = len(_BYTES)
TEXT = {"type": "text", "content": "so it is"}
THOUGHT = {"type": "reasoning", "content": "hm"}


def blob(modality: str, mime_type: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the part of inline data: measured, not copied."""
    part = {"type": "blob", "modality": modality, "content": "", "size": SIZE, **more}
    return part | ({"mime_type": mime_type} if mime_type else {})


def answered(message: AIMessage) -> list[dict[str, Any]]:
    """Return the parts of an answer as they are on its span."""
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        Reporter(replies=[message]).invoke("hello", {"callbacks": [captured.handler]})
    (span,) = captured.spans
    text = str(span.attributes["gen_ai.output.messages"])
    assert DATA[:2_000] not in text
    (told,) = json.loads(text)
    parts: list[dict[str, Any]] = told["parts"]
    return parts


def call(name: str, call_id: str | None, **told: Any) -> dict[str, Any]:
    """Return a call that a provider has answered itself."""
    return {
        "type": "server_tool_call",
        "id": call_id,
        "name": name,
        "server_tool_call": {"type": name, **told},
    }


def response(call_id: str | None, status: str, output: Any) -> dict[str, Any]:
    """Return a provider's own answer to such a call."""
    return {
        "type": "server_tool_call_response",
        "id": call_id,
        "server_tool_call_response": {"type": status, "output": output},
    }


BLOCKS = {
    "OpenAI's image": (
        {
            "type": "image_generation_call",
            "id": "ig_1",
            "result": DATA,
            "output_format": "png",
            "revised_prompt": "a cat",
            "size": "1024x1024",
        },
        blob("image", "image/png", revised_prompt="a cat"),
    ),
    "Google's image": (
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{DATA}"}},
        blob("image", "image/jpeg"),
    ),
    "Google's own inline data": (
        {"inline_data": {"mime_type": "image/webp", "data": _BYTES}},
        blob("image", "image/webp"),
    ),
    "Google's file": (
        {"type": "file_data", "file_uri": "gs://b/a.pdf", "mime_type": "application/pdf"},
        {
            "type": "uri",
            "modality": "document",
            "uri": "gs://b/a.pdf",
            "mime_type": "application/pdf",
        },
    ),
    "Google's media": (
        {"type": "media", "mime_type": "video/mp4", "data": DATA},
        blob("video", "video/mp4"),
    ),
    "Bedrock's image": (
        {"image": {"format": "png", "source": {"bytes": _BYTES}}},
        blob("image", "image/png"),
    ),
    "Bedrock's document": (
        {"type": "document", "document": {"format": "pdf", "source": {"bytes": _BYTES}}},
        blob("document", "application/pdf"),
    ),
    "Bedrock's video in a bucket": (
        {
            "type": "video",
            "source": {
                "type": "s3Location",
                "media_type": "video/mp4",
                "data": {"uri": "s3://b/a.mp4"},
            },
        },
        {"type": "uri", "modality": "video", "uri": "s3://b/a.mp4", "mime_type": "video/mp4"},
    ),
    "a sound with its format": (
        {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
        blob("audio", "audio/wav"),
    ),
    "LangChain's sound": (
        {"type": "audio", "base64": DATA, "mime_type": "audio/mpeg"},
        blob("audio", "audio/mpeg"),
    ),
    "a block that LangChain has wrapped": (
        {"type": "non_standard", "value": {"type": "image_generation_call", "result": DATA}},
        blob("image"),
    ),
    "a block that nobody knows": (
        {"type": "hologram", "layers": [{"pixels": DATA}], "caption": "a cat"},
        {
            "type": "hologram",
            "layers": [{"pixels": f"<{len(DATA)} characters>"}],
            "caption": "a cat",
        },
    ),
    "a refusal": ({"type": "refusal", "refusal": "so it is"}, TEXT),
    "Bedrock's guard": (
        {"type": "guard_content", "guard_content": {"type": "text", "text": "so it is"}},
        TEXT,
    ),
    "OpenAI's sources": (
        {"type": "text", "text": "so it is", "annotations": [{"url": "https://a.example"}]},
        {**TEXT, "citations": [{"url": "https://a.example"}]},
    ),
    "Anthropic's sources": (
        {"type": "text", "text": "so it is", "citations": [{"cited_text": "it is"}]},
        {**TEXT, "citations": [{"cited_text": "it is"}]},
    ),
    "Bedrock's thought": (
        {"type": "reasoning_content", "reasoning_content": {"text": "hm", "signature": "s"}},
        THOUGHT,
    ),
    "Bedrock's own thought": ({"reasoningContent": {"reasoningText": {"text": "hm"}}}, THOUGHT),
    "Mistral's thought": (
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        THOUGHT,
    ),
    "OpenAI's thought": (
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        THOUGHT,
    ),
    "a hidden thought": (
        {"type": "redacted_thinking", "data": "abcd"},
        {"type": "reasoning", "content": "", "size": 4},
    ),
    "OpenAI's search": (
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "q"}},
        call("web_search", "ws_1", status="completed", action={"query": "q"}),
    ),
    "OpenAI's interpreter": (
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "code": "1",
            "outputs": [{"type": "image", "url": f"data:image/png;base64,{DATA}"}],
        },
        call("code_interpreter", "ci_1", code="1", outputs=[blob("image", "image/png")]),
    ),
    "Anthropic's search": (
        {"type": "server_tool_use", "id": "st_1", "name": "web_search", "input": {"query": "q"}},
        call("web_search", "st_1", arguments={"query": "q"}),
    ),
    "Anthropic's search in a stream": (
        {
            "type": "server_tool_use",
            "id": "st_1",
            "name": "web_search",
            "input": {},
            "partial_json": '{"query": "q"}',
        },
        call("web_search", "st_1", arguments='{"query": "q"}'),
    ),
    "Anthropic's result": (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "st_1",
            "content": [{"type": "web_search_result", "url": "https://a.example", "title": "A"}],
        },
        response(
            "st_1",
            "unknown",
            [{"type": "web_search_result", "url": "https://a.example", "title": "A"}],
        ),
    ),
    "Bedrock's failed result": (
        {
            "type": "server_tool_result",
            "tool_use_id": "st_1",
            "is_error": True,
            "content": [{"type": "text", "text": "so it is"}],
        },
        response("st_1", "error", [TEXT]),
    ),
    "Google's code": (
        {"type": "executable_code", "executable_code": "1", "language": "PYTHON", "id": "c"},
        call("code_execution", "c", arguments={"code": "1", "language": "PYTHON"}),
    ),
    "Google's result of code": (
        {"type": "code_execution_result", "code_execution_result": "1", "outcome": 1},
        response(None, "unknown", "1"),
    ),
}


@pytest.mark.parametrize(("block", "part"), BLOCKS.values(), ids=list(BLOCKS))
def test_blocks(block: Any, part: dict[str, Any]) -> None:
    """Each provider's block is told in an answer, and alike where it is given to a model."""
    assert answered(AIMessage([block])) == [part]
    with record_signals(capture_content="SPAN_AND_EVENT") as signals:
        given = ToolMessage([block], tool_call_id="1")
        Nameless().invoke([HumanMessage([block]), given], signals.config)
        sent = signals.sent()
    (span,) = signals.spans
    user, answer = json.loads(str(span.attributes["gen_ai.input.messages"]))
    assert user["parts"] == [part]
    assert answer["parts"][0]["response"] == [part]
    assert DATA[:2_000] not in sent


class Weather(BaseModel):
    """What a model was asked for."""

    sky: str


BESIDE = {
    "a refusal": ({"refusal": "so it is"}, [TEXT]),
    "OpenAI's sound": (
        {"audio": {"id": "a_1", "data": DATA, "transcript": "so it is"}},
        [blob("audio"), TEXT],
    ),
    "Google's sound": (
        {"audio": b"RIFF" + _BYTES[4:]},
        [blob("audio", "audio/wav")],
    ),
    "a thought": ({"reasoning_content": "hm"}, [THOUGHT]),
    "a thought of other servers": ({"reasoning": "hm"}, [THOUGHT]),
    "a thought in details": (
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        [THOUGHT],
    ),
    "a thought told twice": ({"reasoning_content": "hm", "reasoning": "hm"}, [THOUGHT]),
    "OpenAI's older thought": (
        {"reasoning": {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}},
        [THOUGHT],
    ),
    "Bedrock's older thought": ({"thinking": {"text": "hm", "signature": "s"}}, [THOUGHT]),
    "OpenAI's tools": (
        {"tool_outputs": [{"type": "image_generation_call", "result": DATA}]},
        [blob("image")],
    ),
    "Groq's tools": (
        {"executed_tools": [{"type": "python", "arguments": "{}", "output": "1"}]},
        [call("python", None, arguments="{}"), response(None, "unknown", "1")],
    ),
    "xAI's sources": (
        {"citations": ["https://a.example"]},
        [{"type": "citations", "citations": ["https://a.example"]}],
    ),
    "a parsed value": (
        {"parsed": Weather(sky="grey")},
        [{"type": "parsed", "content": {"sky": "grey"}}],
    ),
}


@pytest.mark.parametrize(("extra", "told"), BESIDE.values(), ids=list(BESIDE))
def test_what_stands_beside_the_content(extra: Any, told: list[dict[str, Any]]) -> None:
    """An answer whose content is empty is not empty where its package puts it elsewhere."""
    assert answered(AIMessage("", additional_kwargs=extra)) == told


@pytest.mark.parametrize(
    "metadata",
    [
        {"stop_reason": "refusal", "stop_details": {"explanation": "so it is"}},
        {"finish_reason": "SAFETY", "finish_message": "so it is"},
    ],
)
def test_why_a_provider_refused(metadata: dict[str, Any]) -> None:
    """Anthropic's and Google's packages tell it of the response."""
    assert answered(AIMessage("", response_metadata=metadata)) == [TEXT]


def test_a_parsed_value_repeats_the_text() -> None:
    """It is told where there is no text alone; a thought is told once too."""
    extra = {"parsed": {"sky": "grey"}, "reasoning_content": "hm"}
    thought = {"type": "thinking", "thinking": "hm"}
    text = {"type": "text", "text": "so it is"}
    assert answered(AIMessage([thought, text], additional_kwargs=extra)) == [THOUGHT, TEXT]


def test_a_thought_of_a_completion_model() -> None:
    """Ollama's package has it in what it tells of the generation."""
    from nodespan.telemetry._translation.payload import model_output  # noqa: PLC0415 - for this one

    choice = Generation(text="so it is", generation_info={"reasoning_content": "hm"})
    (told,) = model_output(LLMResult(generations=[[choice]])).values()
    assert told[0]["parts"] == [THOUGHT, TEXT]  # type: ignore[index]  # a list


def result_of(returned: Any, call_id: str | None = None, **settings: Any) -> Any:
    """Return the result of a tool that returns this, as it is on its span."""

    @tool(**settings)
    def paint() -> Any:
        """Paint."""
        return returned

    given = {"type": "tool_call", "id": call_id, "name": "paint", "args": {}} if call_id else {}
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        paint.invoke(given, {"callbacks": [captured.handler]})
    (span,) = captured.spans
    text = str(span.attributes["gen_ai.tool.call.result"])
    assert DATA[:2_000] not in text
    return json.loads(text) if text[0] in "[{" else text


IMAGE = {"type": "image", "base64": DATA, "mime_type": "image/png"}
PAINTED = blob("image", "image/png")


@pytest.mark.parametrize("call_id", [None, "1"])
def test_a_tool_paints(call_id: str | None) -> None:
    """Its image is measured, whether a model or the application has called it."""
    text = {"type": "text", "text": "so it is"}
    assert result_of([text, IMAGE], call_id) == [TEXT, PAINTED]


def test_a_tool_answers_in_any_shape() -> None:
    """One block, an image deep within, plain base64, bytes, an MCP server's block, plain lists."""
    assert result_of(IMAGE) == PAINTED
    assert result_of({"pictures": [IMAGE]}) == {"pictures": [PAINTED]}
    assert result_of(DATA) == f"<{len(DATA)} characters>"
    assert result_of(_BYTES) == f"<{SIZE} bytes>"
    assert result_of([{"type": "image", "data": DATA, "mimeType": "image/png"}]) == [PAINTED]
    assert result_of(["a", "b"]) == ["a", "b"]
    assert result_of({"type": "file", "url": "https://a.example", "note": "n"})["uri"]
    in_json = json.dumps({"image": DATA, "caption": "a cat"})
    assert result_of(in_json) == {"image": f"<{len(DATA)} characters>", "caption": "a cat"}


def test_what_a_tool_makes_beside_its_answer() -> None:
    """It is for the application alone, and not told."""
    assert (
        result_of(("so it is", [IMAGE]), "1", response_format="content_and_artifact") == "so it is"
    )


def test_a_message_that_takes_one_away() -> None:
    """It says which."""
    with capture_spans(capture_content="SPAN_ONLY") as captured:
        Nameless().invoke([RemoveMessage(id="7")], {"callbacks": [captured.handler]})
    (message,) = json.loads(str(captured.spans[0].attributes["gen_ai.input.messages"]))
    assert message == {"role": "remove", "parts": [{"type": "remove", "id": "7"}]}


def test_parts_are_the_conventions() -> None:
    """Each of them is valid by the schema."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - for this one

    told = [part for _, part in BLOCKS.values()]
    told += [part for _, parts in BESIDE.values() for part in parts]
    Draft202012Validator(schema("input-messages")).validate([{"role": "user", "parts": told}])

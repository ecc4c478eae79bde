"""Whatever comes over the wire is read as something, and never as a secret."""

from __future__ import annotations

import json
from functools import reduce
from operator import add
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from pydantic import SecretStr

from nodespan.model import BadRequestError, ModelError, OpenAICompatibleChatModel
from nodespan.model._openai.chunks import ChunkReader
from nodespan.model._openai.errors import ServerAnswer, hide
from nodespan.model._openai.request import Completion, Limits
from nodespan.model._openai.wire import parse_chunk

_KEY = "sk-planted-0123456789"
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(
    ["error", "message", "code", "type", "detail", "n_ctx", "choices", "usage"]
)
_bodies = st.text() | st.recursive(
    _json, lambda inner: st.dictionaries(_names, inner, min_size=1), max_leaves=12
).map(json.dumps)
_texts = st.text(min_size=1, max_size=6)


def _answer(status: int) -> ServerAnswer:
    headers = {"x-request-id": f"id {_KEY}", "retry-after": "soon", "location": f"/{_KEY}"}
    return ServerAnswer("http://127.0.0.1/v1", "tiny", status, headers, [_KEY])


@given(status=st.integers(100, 599), body=_bodies, place=st.integers(0, 40))
def test_any_refusal_has_its_error(status: int, body: str, place: int) -> None:
    """No body is too odd, and none brings the key in."""
    body = body[:place] + _KEY + body[place:]
    for error in (_answer(status).refusal(body), _answer(status).reported(body)):
        assert isinstance(error, ModelError)
        assert _KEY not in f"{error}{vars(error)}"
        assert len(str(error)) < 500
        assert len(error.body or "") <= 500


_ESCAPED_KEY = "sk-planted/0123+45=6789"


def _json_escaped(key: str) -> str:
    return json.dumps(key).replace("/", "\\/")[1:-1]


def _unicode_escaped(key: str) -> str:
    return "".join(x if x.isalnum() else f"\\u{ord(x):04X}" for x in key)


@pytest.mark.parametrize(
    "escaped",
    [
        _json_escaped(_ESCAPED_KEY),
        _json_escaped(_json_escaped(_ESCAPED_KEY)),
        _unicode_escaped(_ESCAPED_KEY),
        _unicode_escaped(_ESCAPED_KEY).lower(),
        _json_escaped(_unicode_escaped(_ESCAPED_KEY)),
        quote(_ESCAPED_KEY, safe=""),
        quote(_ESCAPED_KEY, safe="").lower(),
        quote(quote(_ESCAPED_KEY, safe=""), safe=""),
        _ESCAPED_KEY.replace("/", "%2f"),
    ],
)
def test_an_escaped_key_is_a_key(escaped: str) -> None:
    """Escaped for JSON or for an address, once or twice, it is in no error either."""
    said = f"no {escaped}, no"
    assert hide(said, [f"Bearer {_ESCAPED_KEY}", _ESCAPED_KEY]) == "no **********, no"
    headers = {"x-request-id": said, "location": f"/{'x' * 190}/{escaped}"}
    answer = ServerAnswer("http://127.0.0.1/v1", "tiny", 302, headers, [_ESCAPED_KEY])
    for body in (said, f'{{"error": {{"message": "{said}"}}}}', json.dumps({"detail": [said]})):
        error = answer.refusal(body)
        assert "planted" not in f"{error}{vars(error)}"


@given(said=_texts, places=st.sets(st.integers(0, 20)))
def test_what_is_like_a_key_stays(said: str, places: set[int]) -> None:
    """Nothing but the key is taken out of what a server says."""
    key = "".join("x" if place in places else x for place, x in enumerate(_ESCAPED_KEY))
    if key != _ESCAPED_KEY:
        assert hide(f"{said} {key}", [_ESCAPED_KEY]) == f"{said} {key}"


@pytest.mark.slow
def test_a_body_of_nothing_but_escapes_takes_no_time() -> None:
    """The search for keys is linear, whatever a server sends."""
    for unit in ("\\", "%25", "\\u002", "%"):
        text = unit * (65_536 // len(unit))
        assert hide(text, ["/planted/", "%planted", "\\" * 40 + "/planted"]) == text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("[" * 60_000 + '"\\ud83d"', "nested"),
        ('{"choices": "\\ud83d', "JSON"),
        ('{"id": "\\ud83d", "choices": 1}', "list"),
    ],
)
def test_half_a_character_in_what_is_no_chunk(data: str, said: str) -> None:
    """What is wrong with it is said as for any other, without the data."""
    with pytest.raises(ValueError, match=said) as caught:
        parse_chunk(data)
    assert "ud83d" not in str(caught.value)


@pytest.mark.parametrize("body", ["[" * 60_000, '{"error":' * 10_000, "9" * 60_000, "\ud800"])
def test_a_hostile_body_has_its_error(body: str) -> None:
    """Depth and length do no harm."""
    assert isinstance(_answer(400).refusal(body), BadRequestError)


@given(data=_bodies)
def test_any_event_is_a_chunk_or_an_error(data: str) -> None:
    """Either it can be read, piece by piece, or the error says what is wrong with it."""
    try:
        pieces = list(ChunkReader().read(parse_chunk(data)))
    except ValueError as error:
        told = bool(str(error))
    else:
        told = all(isinstance(piece, (str, AIMessageChunk)) for piece in pieces)
    assert told


def _event(delta: dict[str, Any]) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta}]})


def _read(events: list[str]) -> AIMessageChunk:
    reader = ChunkReader()
    pieces = [piece for event in events for piece in reader.read(parse_chunk(event))]
    chunks = [AIMessageChunk(content=p) if isinstance(p, str) else p for p in pieces]
    return reduce(add, chunks)


@given(
    parts=st.lists(
        st.tuples(st.sampled_from(["content", "reasoning", "reasoning_content"]), _texts),
        min_size=1,
    )
)
def test_text_and_reasoning_add_up(parts: list[tuple[str, str]]) -> None:
    """However they follow each other, none is lost, and each is told for what it is."""
    total = _read([_event({kind: text}) for kind, text in parts])
    assert total.text == "".join(text for kind, text in parts if kind == "content")
    blocks = total.content_blocks
    reasoning = "".join(str(b["reasoning"]) for b in blocks if b["type"] == "reasoning")
    assert reasoning == "".join(text for kind, text in parts if kind != "content")


@given(text=st.text(min_size=1), data=st.data())
def test_text_cut_inside_its_characters_adds_up(text: str, data: st.DataObject) -> None:
    """Wherever it is cut, between the halves of a character or not."""
    units = text.encode("utf-16-le")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(units) // 2), max_size=4)))
    edges = zip([0, *cuts], [*cuts, len(units) // 2], strict=True)
    parts = [units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass") for a, b in edges]
    assert _read([_event({"content": part}) for part in parts]).text == text


@given(
    arguments=st.lists(st.dictionaries(_texts, st.integers() | _texts), min_size=1, max_size=4),
    data=st.data(),
)
def test_tool_calls_add_up(arguments: list[dict[str, Any]], data: st.DataObject) -> None:
    """However the arguments are cut, and their parts mixed, the calls are the same."""
    queues = []
    for index, args in enumerate(arguments):
        text = json.dumps(args)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        first = {"index": index, "id": f"id-{index}", "function": {"name": "f", "arguments": ""}}
        rest = [{"index": index, "function": {"arguments": part}} for part in parts]
        queues.append([first, *rest])
    events = []
    while queues:
        queue = data.draw(st.sampled_from(queues))
        events.append(_event({"tool_calls": [queue.pop(0)]}))
        queues = [queue for queue in queues if queue]
    calls = {call["id"]: call["args"] for call in _read(events).tool_calls}
    assert calls == {f"id-{index}": args for index, args in enumerate(arguments)}


@given(reports=st.lists(st.tuples(*[st.integers(0, 99)] * 3), min_size=1, max_size=5))
def test_the_last_report_of_usage_holds(reports: list[tuple[int, int, int]]) -> None:
    """Whatever was reported before it."""
    usage = [
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        for prompt, completion, cached in reports
    ]
    told = _read([json.dumps({"usage": one}) for one in usage]).usage_metadata
    prompt, completion, cached = reports[-1]
    assert told is not None
    assert (told["input_tokens"], told["output_tokens"]) == (prompt, completion)
    assert told["input_token_details"] == {"cache_read": cached}


def test_what_is_secret_in_headers_is_known() -> None:
    """The values, and the credential in them, the longest first."""
    headers = {"Authorization": SecretStr("Bearer abcdef"), "X-Flag": SecretStr("on")}
    completion = Completion("http://a", "m", b"", headers, Limits(None, None, None, None))
    assert completion.secrets == ["Bearer abcdef", "abcdef"]


def test_the_bound_on_connections_is_the_models_own() -> None:
    """A call cannot change it."""
    model = OpenAICompatibleChatModel(base_url="http://127.0.0.1:9/v1", model_name="tiny")
    with pytest.raises(BadRequestError, match="max_connections"):
        model.invoke("Hi", max_connections=7)

"""The key goes to the server, and nowhere else; the trace goes there as well."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumps
from langchain_core.runnables import ConfigurableField
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr, ValidationError

from nodespan.model import (
    AuthenticationError,
    MissingExtraError,
    ModelError,
    OpenAICompatibleChatModel,
)
from nodespan.model._openai.request import is_overheard
from nodespan.telemetry import OpenTelemetryCallbackHandler
from support.hostile import HostileServer, chunk, refuses, says, sends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.hostile import Reply, Wire

_KEY = "sk-planted-0123456789"
_GATEWAY = "gw-planted-9876543210"


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A server that answers well, unless a test tells it otherwise."""
    with HostileServer([says("Hello")]) as server:
        yield server


@pytest.fixture
def model(server: HostileServer) -> OpenAICompatibleChatModel:
    """A model with a key, and with another one for a gateway."""
    return OpenAICompatibleChatModel(
        base_url=server.url,
        model_name="tiny",
        api_key=SecretStr(_KEY),
        headers={"X-Gateway-Key": _GATEWAY},
        max_retries=0,
    )


def _has_secret(text: str) -> bool:
    return "planted" in text


def test_the_key_goes_to_the_server(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """As a bearer token; additional headers go there too."""
    model.invoke("Hi")
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {_KEY}"
    assert request.headers["x-gateway-key"] == _GATEWAY


def test_without_a_key_none_is_sent(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may not want one."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    OpenAICompatibleChatModel(base_url=server.url, model_name="tiny").invoke("Hi")
    assert "authorization" not in server.requests[0].headers


def test_the_key_may_come_from_the_environment(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none is given; when a pickled model is loaded, only if it came from there before."""
    monkeypatch.setenv("OPENAI_API_KEY", _KEY)
    model = OpenAICompatibleChatModel(base_url=server.url, model_name="tiny")
    model.invoke("Hi")
    given = OpenAICompatibleChatModel(base_url=server.url, model_name="tiny", api_key="mine-mine")
    given.invoke("Hi")
    pickle.loads(pickle.dumps(model)).invoke("Hi")  # noqa: S301  # we pickled it ourselves
    with pytest.raises(AuthenticationError, match="give api_key again"):
        pickle.loads(pickle.dumps(given)).invoke("Hi")  # noqa: S301  # as above
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == [f"Bearer {_KEY}", "Bearer mine-mine", f"Bearer {_KEY}"]


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "a call": lambda model, key: model.invoke("Hi", api_key=key),
    "a stream": lambda model, key: list(model.stream("Hi", api_key=key)),
    "an async call": lambda model, key: asyncio.run(model.ainvoke("Hi", api_key=key)),
    "a batch": lambda model, key: model.batch(["Hi"], api_key=key),
    "bound": lambda model, key: model.bind(api_key=key).invoke("Hi"),
    "bound with a config": lambda model, key: (
        model.bind(api_key=key).with_config(tags=["x"]).invoke("Hi")
    ),
    "with retries": lambda model, key: model.bind(api_key=key).with_retry().invoke("Hi"),
    "tools": lambda model, key: model.bind_tools([], api_key=key).invoke("Hi"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize(("key", "sent"), [(None, _KEY), ("other-key", "other-key"), ("", None)])
def test_no_key_for_a_call_is_the_models_own(
    server: HostileServer,
    model: OpenAICompatibleChatModel,
    way: Callable[[Any, Any], Any],
    key: str | None,
    sent: str | None,
) -> None:
    """`None` is what is not given; an empty text sends no key."""
    way(model, key)
    (request,) = server.requests
    assert request.headers.get("authorization") == (f"Bearer {sent}" if sent else None)
    assert request.headers["x-gateway-key"] == _GATEWAY


@pytest.mark.parametrize(("key", "sent"), [(None, _KEY), ("other-key", "other-key")])
def test_no_key_of_a_config_is_the_models_own(
    server: HostileServer, model: OpenAICompatibleChatModel, key: str | None, sent: str
) -> None:
    """So it is where a config may give one."""
    field = ConfigurableField(id="key")
    configurable: Any = model.configurable_fields(api_key=field)
    configurable.with_config(configurable={"key": key}).invoke("Hi")
    configurable.invoke("Hi", {"configurable": {"key": key}})
    assert [each.headers["authorization"] for each in server.requests] == [f"Bearer {sent}"] * 2


def test_no_headers_for_a_call_are_the_models_own(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """They are secrets like the key; an empty mapping sends none."""
    model.invoke("Hi", headers=None)
    model.invoke("Hi", headers={})
    first, second = server.requests
    assert first.headers["x-gateway-key"] == _GATEWAY
    assert "x-gateway-key" not in second.headers


def test_no_key_for_a_call_does_not_hide_that_it_was_lost(model: OpenAICompatibleChatModel) -> None:
    """A model that was pickled asks for its key again, before anything is sent."""
    loaded = pickle.loads(pickle.dumps(model))  # noqa: S301  # we pickled it ourselves
    with pytest.raises(AuthenticationError, match="give api_key"):
        loaded.invoke("Hi", api_key=None, headers={})


def test_a_key_of_the_environment_is_not_overheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not sent unencrypted to another machine, unless it is given for that one."""
    monkeypatch.setenv("OPENAI_API_KEY", _KEY)
    elsewhere, key = "http://gpu.example:8000/v1", SecretStr(_KEY)
    implied = OpenAICompatibleChatModel(base_url=elsewhere, model_name="tiny")
    given = OpenAICompatibleChatModel(base_url=elsewhere, model_name="tiny", api_key=key)
    assert "Authorization" not in implied._secret_headers
    assert "Authorization" in given._secret_headers


@pytest.mark.parametrize(
    ("url", "overheard"),
    [
        ("https://example.com/v1", False),
        ("http://127.0.0.1:1/v1", False),
        ("http://127.9.9.9/v1", False),
        ("http://[::1]:1/v1", False),
        ("http://localhost:1/v1", False),
        ("http://example.com/v1", True),
        ("http://10.0.0.1/v1", True),
        ("http://localhost.example.com/v1", True),
    ],
)
def test_who_may_overhear(url: str, overheard: bool) -> None:
    """What is unencrypted and leaves this machine can be overheard."""
    assert is_overheard(url) is overheard


def test_the_key_is_in_no_text_of_the_model(model: OpenAICompatibleChatModel) -> None:
    """Not in what is printed, serialized, pickled, or told to callbacks."""
    for text in (
        repr(model),
        str(model),
        dumps(model),
        json.dumps(model._identifying_params),
        json.dumps(model._get_ls_params()),
        repr(pickle.dumps(model)),
        repr(pickle.dumps(model.bind(stop=["x"]))),
        model._get_llm_string(),
    ):
        assert not _has_secret(text)


def _echoes(status: int) -> Reply:
    said = f"Bad key {_KEY}, {_GATEWAY}; got 'Bearer {_KEY}' and Basic cGxhbnRlZDpwbGFudGVk"
    return refuses(status, {"error": {"message": said}}, X_Request_Id=f"id-{_KEY}")


async def _says_it_in_another_protocol(wire: Wire) -> None:
    await wire.send(f"{_KEY} {_GATEWAY}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "reply",
    [
        _echoes(400),
        _echoes(401),
        _echoes(429),
        _echoes(500),
        sends(chunk("a"), {"error": {"message": f"no {_KEY}, no {_GATEWAY}"}}),
        sends(f"no chunk {_KEY} {_GATEWAY}"),
        _says_it_in_another_protocol,
    ],
)
def test_the_key_is_in_no_error(
    server: HostileServer,
    model: OpenAICompatibleChatModel,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
) -> None:
    """Whatever the server repeats; nor in a log, down to the HTTP library's own."""
    caplog.set_level(logging.DEBUG)
    server.replies = [reply]
    with pytest.raises(ModelError) as caught:
        model.invoke("Hi", max_retries=1)
    error = caught.value
    told = [error, error.body, error.request_id, *error.args, vars(error)]
    assert not _has_secret(repr(told))
    assert not _has_secret("".join(traceback.format_exception(error)))
    assert not _has_secret(repr(pickle.dumps(error)))
    # What the head of an answer holds is the HTTP library's to log, for those who debug it.
    logged = [record.getMessage() for record in caplog.records]
    assert logged
    assert not _has_secret("".join(x for x in logged if "receive_response_headers" not in x))


def test_the_key_is_in_no_span(server: HostileServer, model: OpenAICompatibleChatModel) -> None:
    """Neither of a run that succeeds nor of one that fails, with everything recorded."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    config: Any = {"callbacks": [OpenTelemetryCallbackHandler(tracer_provider=provider)]}
    server.replies = [says("Hello"), _echoes(401)]
    model.invoke("Hi", config)
    with pytest.raises(AuthenticationError):
        model.invoke("Hi", config)
    spans = exporter.get_finished_spans()
    assert len(spans) == 2
    assert not _has_secret("".join(span.to_json() for span in spans))


@pytest.mark.parametrize(
    "parameters",
    [
        {"api_key": f"{_KEY}\n"},
        {"api_key": f"{_KEY}é"},
        {"api_key": f" {_KEY}"},
        {"api_key": 7, "max_tokens": _KEY},
        {"headers": {"X-Key": f"{_KEY}\r\nX-Evil: 1"}},
        {"headers": {"X Key": _KEY}},
        {"base_url": f"http://user:{_KEY}@127.0.0.1/v1"},
        {"base_url": f"http://127.0.0.1/v1?key={_KEY}"},
        {"base_url": f"{_KEY}"},
        {"base_url": f"http://127.0.0.1:{_KEY}/v1"},
        {"base_url": "ftp://127.0.0.1/v1"},
        {"base_url": "127.0.0.1:8000/v1"},
        {"model_name": ""},
        {"timeout": 0},
        {"chunk_timeout": -1},
        {"max_retries": -1},
        {"max_connections": 0},
        {"temperature": -1},
        {"tool_calling": "maybe"},
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any]) -> None:
    """When the model is made, by name, and without a secret that stands in a wrong place."""
    good: dict[str, Any] = {"base_url": "http://127.0.0.1/v1", "model_name": "tiny"}
    with pytest.raises(ValidationError, match=next(iter(parameters))) as caught:
        OpenAICompatibleChatModel(**good | parameters)
    assert not _has_secret(str(caught.value))
    assert not _has_secret("".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("package", ["httpx", "httpx_sse"])
def test_without_the_extra_the_error_says_how_to_get_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a package is not installed, the error names the extra."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*pip install 'nodespan\[http\]'"):
        OpenAICompatibleChatModel(base_url="http://127.0.0.1/v1", model_name="tiny")


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_the_server_can_continue_the_trace(
    server: HostileServer, model: OpenAICompatibleChatModel, mode: str
) -> None:
    """It gets the current span as parent, and no baggage; on every try anew."""
    server.replies = [refuses(503, "", Retry_After="0"), says("Hello")]
    tracer = TracerProvider().get_tracer("test")
    token = attach(baggage.set_baggage("user", "planted"))
    try:
        with tracer.start_as_current_span("outer") as span:
            if mode == "sync":
                model.invoke("Hi", max_retries=1)
            else:
                await model.ainvoke("Hi", max_retries=1)
    finally:
        detach(token)
    context = span.get_span_context()
    expected = f"00-{context.trace_id:032x}-{context.span_id:016x}"
    sent = [request.headers["traceparent"].rpartition("-")[0] for request in server.requests]
    assert sent == [expected] * 2
    assert not any("baggage" in request.headers for request in server.requests)


@pytest.mark.parametrize("mode", ["sync", "async", "stream"])
async def test_the_parent_is_the_span_of_the_call(
    server: HostileServer, model: OpenAICompatibleChatModel, mode: str
) -> None:
    """With our handler, the server's spans hang under the model's own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    config: Any = {"callbacks": [OpenTelemetryCallbackHandler(tracer_provider=provider)]}
    if mode == "sync":
        model.invoke("Hi", config)
    elif mode == "async":
        await model.ainvoke("Hi", config)
    else:
        list(model.stream("Hi", config))
    (span,) = exporter.get_finished_spans()
    assert span.name == "chat tiny"
    assert span.kind is trace.SpanKind.CLIENT
    _, trace_id, span_id, _ = server.requests[0].headers["traceparent"].split("-")
    assert (int(trace_id, 16), int(span_id, 16)) == (span.context.trace_id, span.context.span_id)


def test_without_a_trace_none_is_sent(
    server: HostileServer, model: OpenAICompatibleChatModel
) -> None:
    """There is nothing to continue."""
    model.invoke("Hi")
    assert "traceparent" not in server.requests[0].headers

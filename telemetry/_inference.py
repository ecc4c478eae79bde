"""A model call's request and response as span attributes (pure).

Source: the span `gen_ai.client.inference` of the GenAI conventions,
https://github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from . import _semconv as semconv
from ._attributes import AttributeValue, attribute_value, drop_none
from ._plain import is_credential_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import Generation, LLMResult

Attributes = dict[str, AttributeValue]

_MODEL_KEYS: Final = ("model", "model_name", "model_id", "deployment_name", "azure_deployment")
_BASE_URL_KEYS: Final = (
    "base_url",
    "openai_api_base",
    "api_base",
    "azure_endpoint",
    "endpoint_url",
)
_FINISH_KEYS: Final = ("finish_reason", "stop_reason", "finishReason", "done_reason")

# LangChain's provider names, where the conventions list the provider under another one.
_PROVIDERS: Final = {
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "google_anthropic_vertex": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
# Of these alone is it known that the parameter `n` asks for that many choices.
_KNOWN_PROVIDERS: Final = frozenset(
    {*_PROVIDERS.values(), "openai", "anthropic", "cohere", "deepseek", "groq", "perplexity"}
)

_REQUEST_FLOATS: Final = {
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
}
_REQUEST_INTEGERS: Final = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_new_tokens": semconv.REQUEST_MAX_TOKENS,
    "num_predict": semconv.REQUEST_MAX_TOKENS,
    "seed": semconv.REQUEST_SEED,
}

# Parameters of a call that are content or carry it; they are not what identifies a model.
_NOT_IDENTIFYING: Final = frozenset(
    {"_type", "stop", "messages", "prompt", "tools", "functions", "response_format"}
)


def model_name(
    serialized: Mapping[str, Any] | None,
    params: Mapping[str, Any],
    metadata: Mapping[str, Any],
    name: str | None,
) -> str:
    """Return the model that was asked for; a model without a name is told by its class."""
    candidates = (params.get("model"), metadata.get("ls_model_name"), *_named(params))
    for candidate in candidates:
        if isinstance(candidate, str) and candidate:
            return candidate
    return _class_name(serialized) or name or str(params.get("_type") or "model")


def provider_name(
    serialized: Mapping[str, Any] | None, params: Mapping[str, Any], metadata: Mapping[str, Any]
) -> str:
    """Return who provides the model; where nothing says so, the model's `_llm_type`."""
    told = str(metadata.get("ls_provider") or "")
    provider = _PROVIDERS.get(told, told)
    if provider in _KNOWN_PROVIDERS:
        return provider
    kind = str(params.get("_type") or "")
    # LangChain makes a provider of the class's name where the model names none.
    is_told = bool(told) and told != _made_up_provider(serialized)
    return provider if is_told else kind or provider or "langchain"


def request_attributes(
    provider: str,
    params: Mapping[str, Any],
    metadata: Mapping[str, Any],
    edition: semconv.Edition,
) -> Attributes:
    """Return the request's parameters, the identifying ones too.

    Args:
        provider: of the model.
        params: LangChain's `invocation_params`: identifying parameters and call arguments.
        metadata: the run's metadata, whose `ls_*` keys tell what the parameters do not.
        edition: of the conventions.
    """
    told = {
        "temperature": metadata.get("ls_temperature"),
        "max_tokens": metadata.get("ls_max_tokens"),
        "stop": metadata.get("ls_stop"),
    }
    asked = told | drop_none(params)
    return drop_none(
        {
            **_numbers(asked),
            semconv.REQUEST_TOP_K: _number(asked.get("top_k"), edition.top_k),
            semconv.REQUEST_STOP_SEQUENCES: _stop_sequences(asked.get("stop")),
            semconv.REQUEST_CHOICE_COUNT: _choice_count(asked, provider),
            **_server(asked),
            **_identifying(params),
        }
    )


def response_attributes(result: LLMResult, edition: semconv.Edition) -> Attributes:
    """Return what an answer says of itself: model, id, finish reasons, tokens.

    No usage reported gives no usage.
    """
    generations = [generation for choices in result.generations for generation in choices]
    details = [_details(generation) for generation in generations]
    output = result.llm_output or {}
    return drop_none(
        {
            semconv.RESPONSE_MODEL: _first(_MODEL_KEYS[1::-1], [*details, output]),
            semconv.RESPONSE_ID: _response_id(generations, details, output),
            semconv.RESPONSE_FINISH_REASONS: finish_reasons(result) or None,
            **_usage(generations, output, edition),
        }
    )


def finish_reasons(result: LLMResult) -> tuple[str, ...]:
    """Return why the model stopped, one reason a choice, as the provider says it."""
    found = (
        _first(_FINISH_KEYS, [_details(generation)])
        for choices in result.generations
        for generation in choices
    )
    return tuple(reason for reason in found if reason is not None)


def is_cached(result: LLMResult) -> bool:
    """Say whether an answer came from LangChain's cache, which marks it as free of charge."""
    messages = (_message(generation) for choices in result.generations for generation in choices)
    usages = [getattr(message, "usage_metadata", None) for message in messages]
    return any(usage and usage.get("total_cost") == 0 for usage in usages)


def _named(params: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(params.get(key) for key in _MODEL_KEYS)


def _class_name(serialized: Mapping[str, Any] | None) -> str | None:
    identity = (serialized or {}).get("id")
    return str(identity[-1]) if isinstance(identity, list | tuple) and identity else None


def _made_up_provider(serialized: Mapping[str, Any] | None) -> str:
    name = _class_name(serialized) or ""
    return (name.removeprefix("Chat") or name).removesuffix("Chat").lower()


def _numbers(asked: Mapping[str, Any]) -> Attributes:
    floats = {name: _number(asked.get(key), float) for key, name in _REQUEST_FLOATS.items()}
    integers = {
        name: _number(asked[key], int) for key, name in _REQUEST_INTEGERS.items() if key in asked
    }
    return drop_none(floats | integers)


def _number(value: Any, kind: type[int | float]) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    checked = attribute_value(kind(value)) if value == value else None  # noqa: PLR0124 - NaN
    return checked if isinstance(checked, int | float) else None


def _stop_sequences(stop: Any) -> tuple[str, ...] | None:
    if isinstance(stop, str):
        stop = [stop]
    if not isinstance(stop, list | tuple) or not stop:
        return None
    return tuple(str(attribute_value(text)) for text in stop)


def _choice_count(asked: Mapping[str, Any], provider: str) -> int | None:
    count = asked.get("n")
    is_count = isinstance(count, int) and provider in _KNOWN_PROVIDERS
    return count if is_count and count != 1 else None


def _server(asked: Mapping[str, Any]) -> Attributes:
    for key in _BASE_URL_KEYS:
        address = asked.get(key)
        if isinstance(address, str) and "://" in address:
            return _host_and_port(address)
    return {}


def _host_and_port(address: str) -> Attributes:
    try:
        parts = urlsplit(address)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return {}
    return drop_none({semconv.SERVER_ADDRESS: parts.hostname, semconv.SERVER_PORT: port})


def _identifying(params: Mapping[str, Any]) -> Attributes:
    return {
        f"{semconv.IDENTIFYING_PARAMS}.{key}": attribute_value(value)
        for key, value in params.items()
        if value is not None and key not in _NOT_IDENTIFYING and not is_credential_key(str(key))
    }


def _message(generation: Generation) -> BaseMessage | None:
    return getattr(generation, "message", None)


def _details(generation: Generation) -> dict[str, Any]:
    message = _message(generation)
    told = getattr(message, "response_metadata", None) or {}
    return {**(generation.generation_info or {}), **told}


def _first(keys: tuple[str, ...], sources: list[dict[str, Any]]) -> str | None:
    for source in sources:
        for key in keys:
            value = source.get(key)
            if isinstance(value, str) and value:
                return str(attribute_value(value))
    return None


def _response_id(
    generations: list[Generation], details: list[dict[str, Any]], output: dict[str, Any]
) -> str | None:
    message = _message(generations[0]) if generations else None
    own = getattr(message, "id", None)
    # LangChain makes up an id of its own for a message without one.
    if isinstance(own, str) and not own.startswith(("run-", "lc_")):
        return str(attribute_value(own))
    return _first(("id", "response_id"), [*details, output])


def _usage(
    generations: list[Generation], output: dict[str, Any], edition: semconv.Edition
) -> Attributes:
    messages = [_message(generation) for generation in generations]
    reported = [getattr(message, "usage_metadata", None) for message in messages]
    usage = next((usage for usage in reported if usage), None)
    return _usage_metadata(usage, edition) if usage else _token_usage(output)


def _usage_metadata(usage: Mapping[str, Any], edition: semconv.Edition) -> Attributes:
    inputs = usage.get("input_token_details") or {}
    outputs = usage.get("output_token_details") or {}
    return drop_none(
        {
            semconv.USAGE_INPUT_TOKENS: _number(usage.get("input_tokens"), int),
            semconv.USAGE_OUTPUT_TOKENS: _number(usage.get("output_tokens"), int),
            semconv.USAGE_CACHE_READ: _number(inputs.get("cache_read"), int),
            edition.usage_cache_write: _number(inputs.get("cache_creation"), int),
            semconv.USAGE_REASONING: _number(outputs.get("reasoning"), int),
        }
    )


def _token_usage(output: Mapping[str, Any]) -> Attributes:
    usage = output.get("token_usage") or output.get("usage") or {}
    if not isinstance(usage, dict):
        return {}
    told_in = usage.get("prompt_tokens", usage.get("input_tokens"))
    told_out = usage.get("completion_tokens", usage.get("output_tokens"))
    return drop_none(
        {
            semconv.USAGE_INPUT_TOKENS: _number(told_in, int),
            semconv.USAGE_OUTPUT_TOKENS: _number(told_out, int),
        }
    )

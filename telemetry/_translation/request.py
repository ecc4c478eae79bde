"""What a model is asked, and whom, as span attributes (pure).

Source: the span `gen_ai.client.inference` of the GenAI conventions,
https://github.com/open-telemetry/semantic-conventions-genai.
"""

from __future__ import annotations

from itertools import chain, compress, repeat
from operator import is_
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from .._semconv import names as semconv
from .._values.attributes import attribute_text, attribute_value, drop_none, short_name
from .._values.numbers import as_float, as_int
from .identifying import identifying_attributes, parameter_name
from .start import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._values.attributes import Attributes
    from .start import Start

_MODEL_KEYS: Final = ("model", "model_name")
_OTHER_MODEL_KEYS: Final = ("model_id", "deployment_name", "azure_deployment")
_BASE_URL_KEYS: Final = (
    "base_url",
    "openai_api_base",
    "api_base",
    "azure_endpoint",
    "endpoint_url",
)
# All that says which model it is, and where.
PARAMETERS_OF_MODEL: Final = (*_MODEL_KEYS, *_OTHER_MODEL_KEYS, *_BASE_URL_KEYS, "_type")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_IN_PROCESS_KEY: Final = "nodespan_in_process"
_MOST_KEPT: Final = 256
_MOST_PARAMETERS: Final = 64
_MOST_VALUES: Final = 128
_PLAIN_TYPES: Final = frozenset((str, int, float, bool, type(None)))
_METADATA_OF_REQUEST: Final = (
    *("ls_model_name", "ls_provider", _IN_PROCESS_KEY),
    *("ls_temperature", "ls_max_tokens", "ls_stop"),
)
# These are read though they are no identifying parameters.
_READ: Final = frozenset(("_type", "stop", "response_format"))
_MODEL_OF: Final = frozenset(PARAMETERS_OF_MODEL)
_MOST_PLANS: Final = 512

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

_FLOATS: Final = {
    semconv.REQUEST_TEMPERATURE: ("temperature",),
    semconv.REQUEST_TOP_P: ("top_p",),
    semconv.REQUEST_FREQUENCY_PENALTY: ("frequency_penalty",),
    semconv.REQUEST_PRESENCE_PENALTY: ("presence_penalty",),
}
_INTEGERS: Final = {
    semconv.REQUEST_MAX_TOKENS: (
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "max_new_tokens",
        "num_predict",
    ),
    semconv.REQUEST_SEED: ("seed",),
}

_OUTPUT_FORMATS: Final = ("response_format", "response_mime_type", "format")
_OUTPUT_TYPES: Final = {
    "text": "text",
    "text/plain": "text",
    "json": "json",
    "json_object": "json",
    "json_schema": "json",
    "application/json": "json",
    "image": "image",
    "audio": "speech",
}
STRUCTURED_OUTPUT: Final = "ls_structured_output_format"


def model_name(start: Start) -> str:
    """Return the model that was asked for; a model without a name is named by its class."""
    params = start.params
    for key in _MODEL_KEYS:
        name = params.get(key)
        if isinstance(name, str) and name:
            return attribute_text(name)
    candidates = (
        start.metadata.get("ls_model_name"),
        *map(params.get, _OTHER_MODEL_KEYS),
        start.class_name,
        start.name,
        params.get("_type"),
    )
    for name in candidates:
        if isinstance(name, str) and name:
            return attribute_text(name)
    return "model"


def provider_name(start: Start) -> str:
    """Return who provides the model; where nothing says so, the model's `_llm_type`."""
    reported = start.metadata.get("ls_provider")
    reported = reported if isinstance(reported, str) else ""
    provider = _PROVIDERS.get(reported, reported)
    if provider in _KNOWN_PROVIDERS:
        return provider
    kind = start.params.get("_type")
    # LangChain makes a provider of the class's name where the model names none.
    if (not reported or reported in _made_up_providers(start.class_name)) and isinstance(kind, str):
        provider = kind or provider
    return attribute_text(provider or "langchain")


def server_attributes(params: Mapping[str, Any]) -> Attributes:
    """Return where the model is served."""
    for key in _BASE_URL_KEYS:
        address = params.get(key)
        if isinstance(address, str) and "://" in address:
            return _host_and_port(address)
    return {}


def plan_of_request(operation: semconv.Operation, start: Start) -> Plan:
    """Return what the span of a request is from its start."""
    key = _key_of_request(operation, start)
    plan = _plans_of_requests.get(key) if key is not None else None
    if plan is None:
        plan = _new_plan_of_request(operation, start)
        if key is not None:
            if len(_plans_of_requests) >= _MOST_PLANS:
                _plans_of_requests.clear()
            _plans_of_requests[key] = plan
    return plan


def _key_of_request(operation: semconv.Operation, start: Start) -> tuple[object, ...] | None:
    """Return all that is told of a request; None where not all of that are short, plain values.

    Values are told from each other by their types, too: 1 and 1.0 and True are equal. What is
    content or a credential by its name is not looked at, and not kept.
    """
    params = start.params
    names = _telling(tuple(params)) if len(params) <= _MOST_PARAMETERS else None
    if names is None:
        return None
    values = (start.class_name, start.name, *map(params.get, names))
    values += tuple(map(start.metadata.get, _METADATA_OF_REQUEST))
    types = tuple(map(type, values))
    sizes: tuple[int, ...] = ()
    if list in types:
        values, sizes = _flattened(values)
        types = tuple(map(type, values))
    if not _PLAIN_TYPES.issuperset(types) or len(values) > _MOST_VALUES:
        return None
    texts = cast("Iterator[str]", compress(values, map(is_, types, repeat(str))))
    if max(map(len, texts), default=0) > _MOST_KEPT:
        return None
    has_format = start.options.get(STRUCTURED_OUTPUT) is not None
    return operation, names, values, types, sizes, has_format


def _flattened(values: tuple[object, ...]) -> tuple[tuple[object, ...], tuple[int, ...]]:
    """Return values with those of short lists in their place, and how many each list has.

    Stop strings come in lists.
    """
    lists = [_as_list(value) for value in values]
    sizes = tuple(
        len(each) if each is value else -1 for each, value in zip(lists, values, strict=True)
    )
    return tuple(chain.from_iterable(lists)), sizes


def _as_list(value: object) -> list[object]:
    return value if type(value) is list and len(value) <= _MOST_VALUES else [value]


def _telling(names: tuple[object, ...]) -> tuple[str, ...] | None:
    """Return the names of the parameters of which something is told; None where one is too long.

    Calls of a model have the same few parameters, time and again.
    """
    known = _telling_names.get(names)
    if known is None and all(type(each) is str and len(each) <= _MOST_KEPT for each in names):
        if len(_telling_names) >= _MOST_PLANS:
            _telling_names.clear()
        known = tuple(name for name in map(str, names) if _is_telling(name))
        _telling_names[names] = known
    return known


def _is_telling(name: str) -> bool:
    return parameter_name(name) is not None or name in _READ or name in _MODEL_OF


# What the spans of requests say that are alike in all that is told of them.
_plans_of_requests: Final[dict[tuple[object, ...], Plan]] = {}
_telling_names: Final[dict[tuple[object, ...], tuple[str, ...]]] = {}


def _new_plan_of_request(operation: semconv.Operation, start: Start) -> Plan:
    model = model_name(start)
    attributes: Attributes = {
        semconv.OPERATION_NAME: operation.value,
        semconv.REQUEST_MODEL: model,
        semconv.PROVIDER_NAME: provider_name(start),
        **server_attributes(start.params),
    }
    in_process = start.metadata.get(_IN_PROCESS_KEY) is True
    kind = SpanKind.INTERNAL if in_process else SpanKind.CLIENT
    return Plan(f"{operation} {short_name(model)}", kind, MappingProxyType(attributes))


def asked_of_request(plan: Plan, start: Start, edition: semconv.Edition) -> Attributes:
    """Return what is told of a request beside its place; it is kept with its plan."""
    provider = str(plan.attributes[semconv.PROVIDER_NAME])
    identifying = identifying_attributes(start.params)
    asked = identifying | request_attributes(provider, start, edition)
    plan.asked[edition.is_newest] = asked
    return asked


def request_attributes(provider: str, start: Start, edition: semconv.Edition) -> Attributes:
    """Return the parameters of a request that the conventions have names for.

    Args:
        provider: of the model.
        start: of its run, whose metadata has what the parameters lack.
        edition: of the conventions.
    """
    metadata = start.metadata
    reported = {
        "temperature": metadata.get("ls_temperature"),
        "max_tokens": metadata.get("ls_max_tokens"),
        "stop": metadata.get("ls_stop"),
    }
    asked = {**reported, **start.params}
    for name, value in reported.items():
        if asked[name] is None:
            asked[name] = value
    top_k = as_int if edition.top_k is int else as_float
    told: dict[str, Any] = {}
    for numbers, read in ((_FLOATS, as_float), (_INTEGERS, as_int)):
        for attribute, keys in numbers.items():
            for key in keys:
                if asked.get(key) is not None and (number := read(asked[key])) is not None:
                    told[attribute] = number
                    break
    told[semconv.REQUEST_TOP_K] = top_k(asked.get("top_k"))
    told[semconv.REQUEST_STOP_SEQUENCES] = _stop_sequences(asked.get("stop"))
    told[semconv.REQUEST_CHOICE_COUNT] = _choice_count(asked, provider)
    told[semconv.OUTPUT_TYPE] = _output_type(start)
    if edition.is_newest:
        told |= _newest(asked)
    return drop_none(told)


def _made_up_providers(class_name: str | None) -> tuple[str, ...]:
    name = class_name or ""
    chat = name.removeprefix("Chat") if name.startswith("Chat") else name.removesuffix("Chat")
    return chat.lower(), name.removesuffix("LLM").lower()


def _host_and_port(address: str) -> Attributes:
    try:
        parts = urlsplit(address)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return {}
    if not parts.hostname:
        return {}
    host = attribute_text(parts.hostname)
    return drop_none({semconv.SERVER_ADDRESS: host, semconv.SERVER_PORT: port})


def _stop_sequences(stop: object) -> tuple[str, ...] | None:
    if isinstance(stop, str):
        stop = [stop]
    if not isinstance(stop, list | tuple):
        return None
    return tuple(attribute_text(text) for text in stop if isinstance(text, str)) or None


def _choice_count(asked: Mapping[str, Any], provider: str) -> int | None:
    count = as_int(asked.get("n")) if provider in _KNOWN_PROVIDERS else None
    return None if count == 1 else count


def _output_type(start: Start) -> str | None:
    """Return which type of output was asked for, where a format was."""
    if start.options.get(STRUCTURED_OUTPUT) is not None:
        return "json"
    for key in _OUTPUT_FORMATS:
        output_format = start.params.get(key)
        kind = output_format.get("type") if isinstance(output_format, dict) else output_format
        if isinstance(kind, str) and kind in _OUTPUT_TYPES:
            return _OUTPUT_TYPES[kind]
        if output_format is not None and not isinstance(kind, str):
            return "json"  # a schema
    return _modality(start.params.get("modalities"))


def _modality(modalities: object) -> str | None:
    if not isinstance(modalities, list | tuple):
        return None
    types = [_OUTPUT_TYPES.get(str(kind).lower()) for kind in modalities if isinstance(kind, str)]
    return next((kind for kind in ("speech", "image", "text") if kind in types), None)


def _newest(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that the newest edition alone has names for."""
    reasoning = asked.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    values = {
        semconv.REQUEST_REASONING_LEVEL: asked.get("reasoning_effort") or effort,
        semconv.REQUEST_PREVIOUS_RESPONSE_ID: asked.get("previous_response_id"),
    }
    return {
        name: attribute_value(value) if isinstance(value, str) and value else None
        for name, value in values.items()
    }

"""The names of every attribute, event and operation that nodespan writes.

`gen_ai.*`, `error.*`, `exception.*` and `server.*` come from the OpenTelemetry
semantic conventions for generative AI, https://github.com/open-telemetry/semantic-conventions-genai.
Two editions are known: the last released one, which backends read today, and the newest.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
AGENT_NAME: Final = "gen_ai.agent.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
SESSION_ID: Final = "session.id"
LANGCHAIN_TAGS: Final = "langchain.tags"
USER_ID: Final = "user.id"
DATA_SOURCE_ID: Final = "gen_ai.data_source.id"

REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
OUTPUT_TYPE: Final = "gen_ai.output.type"

RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"

USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"

TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"

INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"

MEMORY_RECORD_ID: Final = "gen_ai.memory.record.id"
MEMORY_RECORD_COUNT: Final = "gen_ai.memory.record.count"
MEMORY_QUERY: Final = "gen_ai.memory.query.text"
MEMORY_RECORDS: Final = "gen_ai.memory.records"

EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - of a model
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105 - as above

ERROR_TYPE: Final = "error.type"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

OPENINFERENCE_SPAN_KIND: Final = "openinference.span.kind"
INPUT_VALUE: Final = "input.value"
INPUT_MIME_TYPE: Final = "input.mime_type"
OUTPUT_VALUE: Final = "output.value"
OUTPUT_MIME_TYPE: Final = "output.mime_type"
MIME_TYPES: Final = {INPUT_VALUE: INPUT_MIME_TYPE, OUTPUT_VALUE: OUTPUT_MIME_TYPE}

LANGGRAPH_NODE: Final = "langgraph.node"
LANGGRAPH_STEP: Final = "langgraph.step"
LANGGRAPH_CHECKPOINT_NS: Final = "langgraph.checkpoint_ns"
LANGGRAPH_CHECKPOINT_ID: Final = "langgraph.checkpoint_id"
LANGGRAPH_ATTEMPT: Final = "langgraph.attempt"
LANGGRAPH_GRAPH_ID: Final = "langgraph.graph.id"
LANGGRAPH_INTERRUPT_IDS: Final = "langgraph.interrupt.ids"
LANGGRAPH_INTERRUPT_VALUES: Final = "langgraph.interrupt.values"
LANGCHAIN_ATTEMPT: Final = "langchain.attempt"
IDENTIFYING_PARAMS: Final = "langchain.identifying_params"
RUN_NAME: Final = "langchain.run_name"
RUN_ID: Final = "langchain.run_id"
MORE_IDENTIFYING_PARAMS: Final = "langchain.more_identifying_params"
METADATA: Final = "langchain.metadata"
VECTOR_STORE: Final = "langchain.vector_store"
EMBEDDINGS: Final = "langchain.embeddings"

OUTCOME: Final = "nodespan.outcome"
RUN_KIND: Final = "nodespan.run.kind"
COST: Final = "nodespan.cost"
CURRENCY: Final = "nodespan.currency"
TROUBLE: Final = "nodespan.trouble"
RUN_DURATION: Final = "nodespan.run.duration"
TOTAL_INFERENCE_CALLS: Final = "nodespan.total.inference_calls"
TOTAL_TOOL_CALLS: Final = "nodespan.total.tool_calls"
TOTAL_INPUT_TOKENS: Final = "nodespan.total.input_tokens"
TOTAL_OUTPUT_TOKENS: Final = "nodespan.total.output_tokens"
TOTAL_STALLS: Final = "nodespan.total.stalls"
TOTAL_ERRORS: Final = "nodespan.total.errors"
TOTAL_COST: Final = "nodespan.total.cost"
CACHED: Final = "nodespan.cached"
USAGE_IS_ESTIMATED: Final = "nodespan.usage.is_estimated"
USAGE_CACHE_WRITE_1H: Final = "nodespan.usage.cache_write_1h.input_tokens"
HTTP_RESEND_REASONS: Final = "nodespan.http.resend_reasons"
USAGE_DROPPED: Final = "nodespan.usage.dropped"
IDENTIFYING_PARAMS_DROPPED: Final = "nodespan.identifying_params.dropped"
INPUT_DROPPED: Final = "nodespan.input.dropped"
OUTPUT_DROPPED: Final = "nodespan.output.dropped"
STREAM_CHUNKS: Final = "nodespan.stream.chunks"
STREAM_DURATION: Final = "nodespan.stream.duration"
STREAM_GAP_MEAN: Final = "nodespan.stream.gap.mean"
STREAM_GAP_P50: Final = "nodespan.stream.gap.p50"
STREAM_GAP_P95: Final = "nodespan.stream.gap.p95"
STREAM_GAP_MAX: Final = "nodespan.stream.gap.max"
STREAM_TOKENS_PER_SECOND: Final = "nodespan.stream.tokens_per_second"
STREAM_STALLS: Final = "nodespan.stream.stalls"
STALL_CHUNK: Final = "nodespan.stream.stall.chunk"
STALL_DURATION: Final = "nodespan.stream.stall.duration"
WINDOW_FIRST_CHUNK: Final = "nodespan.stream.window.first_chunk"
WINDOW_CHUNKS: Final = "nodespan.stream.window.chunks"
WINDOW_DURATION: Final = "nodespan.stream.window.duration"
WINDOW_GAP_MAX: Final = "nodespan.stream.window.gap.max"
WINDOW_TEXT: Final = "nodespan.stream.window.text"

EVENT_MODEL_START: Final = "on_chat_model_start"
EVENT_MODEL_STREAM: Final = "on_chat_model_stream"
EVENT_MODEL_END: Final = "on_chat_model_end"
EVENT_STALL: Final = "nodespan.stream.stall"
EVENT_INFERENCE_DETAILS: Final = "gen_ai.client.inference.operation.details"
EVENT_EVALUATION: Final = "gen_ai.evaluation.result"
EVENT_INTERRUPT: Final = "on_interrupt"
EVENT_RESUME: Final = "on_resume"

STABILITY_OPT_IN_VARIABLE: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
LATEST_EXPERIMENTAL: Final = "gen_ai_latest_experimental"


class Operation(StrEnum):
    """The values of `gen_ai.operation.name` that nodespan writes."""

    CHAT = "chat"
    TEXT_COMPLETION = "text_completion"
    EXECUTE_TOOL = "execute_tool"
    INVOKE_AGENT = "invoke_agent"
    INVOKE_WORKFLOW = "invoke_workflow"
    RETRIEVAL = "retrieval"


class Edition(NamedTuple):
    """What differs between editions of the conventions.

    Attributes:
        schema_url: of the edition.
        usage_cache_write: name of the attribute.
        top_k: type of `gen_ai.request.top_k`.
        is_newest: whether it knows usage by modality, reasoning levels and previous responses.
    """

    schema_url: str
    usage_cache_write: str
    top_k: type[int | float]
    is_newest: bool


RELEASED: Final = Edition(
    schema_url="https://opentelemetry.io/schemas/1.41.0",
    usage_cache_write="gen_ai.usage.cache_creation.input_tokens",
    top_k=float,
    is_newest=False,
)
NEWEST: Final = Edition(
    schema_url="https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev",
    usage_cache_write="gen_ai.usage.cache_write.input_tokens",
    top_k=int,
    is_newest=True,
)


def edition_from(environ: Mapping[str, str]) -> Edition:
    """Return the edition that `OTEL_SEMCONV_STABILITY_OPT_IN` asks for."""
    chosen = environ.get(STABILITY_OPT_IN_VARIABLE, "").split(",")
    return NEWEST if LATEST_EXPERIMENTAL in (name.strip() for name in chosen) else RELEASED

"""What nodespan writes under names of its own, where the conventions have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nodespan.telemetry._semconv import names as semconv
from nodespan.telemetry._translation.kinds import RunKind

EVERY_SPAN: Final = tuple(kind.value for kind in RunKind if kind is not RunKind.HIDDEN)
MODELS: Final = (RunKind.CHAT.value, RunKind.TEXT_COMPLETION.value)
CHAINS: Final = ("agent", "workflow", "node", "runnable")
# Of these, those that are roots; and agents.
ABOVE: Final = tuple(kind for kind in EVERY_SPAN if kind not in MODELS)
LOG_RECORDS: Final = "log records"
METRICS: Final = "metrics"
LINKS: Final = "links"


@dataclass(frozen=True, slots=True)
class OwnAttribute:
    """An attribute that the conventions have no name for.

    Attributes:
        name: of the attribute; `<key>` stands for whatever key.
        type: as the conventions write types: `string`, `int`, `double`, `boolean`, `string[]`.
        on: what may carry it: spans, by the kind of their run; events, by name; log records,
            metrics and links.
        meaning: of its value.
    """

    name: str
    type: str
    on: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """An event that the conventions have no name for.

    Attributes:
        name: of the event.
        on: the kinds of run whose spans may carry it.
        meaning: what has happened.
    """

    name: str
    on: tuple[str, ...]
    meaning: str


OWN_ATTRIBUTES: Final = (
    OwnAttribute(
        semconv.OUTCOME,
        "string",
        (*EVERY_SPAN, LOG_RECORDS, METRICS),
        "How a run ended that did not simply end: `error`, `interrupted`, `cancelled` or "
        "`abandoned`.",
    ),
    OwnAttribute(
        semconv.CACHED,
        "boolean",
        (*MODELS, "node", LOG_RECORDS),
        "True where a cache gave the answer, LangChain's of a model or LangGraph's of a node.",
    ),
    OwnAttribute(
        semconv.USAGE_IS_ESTIMATED,
        "boolean",
        (*MODELS, LOG_RECORDS),
        "True where the model does not count its tokens, and they, and the cost, are an estimate.",
    ),
    OwnAttribute(
        semconv.USAGE_CACHE_WRITE_1H,
        "int",
        (*MODELS, LOG_RECORDS),
        "Of the input tokens that were written to the provider's cache, those that stay an hour.",
    ),
    OwnAttribute(
        semconv.HTTP_RESEND_REASONS,
        "string[]",
        (*MODELS, LOG_RECORDS),
        "Why the model's HTTP requests were sent again, which `http.request.resend_count` counts: "
        "each a status, or the name of an error; the first 16.",
    ),
    OwnAttribute(
        semconv.USAGE_DROPPED,
        "int",
        (*MODELS, LOG_RECORDS),
        "How many counts of tokens were left out, which can be none: negative, absurd, no number.",
    ),
    OwnAttribute(
        semconv.COST, "double", (*MODELS, LOG_RECORDS), "What the call cost, by the price table."
    ),
    OwnAttribute(
        semconv.CURRENCY,
        "string",
        (*MODELS, LOG_RECORDS, METRICS),
        "Of the cost, by the price table: `USD` unless it says another.",
    ),
    OwnAttribute(
        semconv.TOTAL_INFERENCE_CALLS,
        "int",
        ABOVE,
        "Calls of models beneath a root or an agent; answers of a cache are none.",
    ),
    OwnAttribute(semconv.TOTAL_TOOL_CALLS, "int", ABOVE, "Calls of tools beneath it."),
    OwnAttribute(
        semconv.TOTAL_INPUT_TOKENS, "int", ABOVE, "Input tokens of all models beneath it."
    ),
    OwnAttribute(
        semconv.TOTAL_OUTPUT_TOKENS, "int", ABOVE, "Output tokens of all models beneath it."
    ),
    OwnAttribute(semconv.TOTAL_STALLS, "int", ABOVE, "Stalls of all streams beneath it."),
    OwnAttribute(
        semconv.TOTAL_ERRORS,
        "int",
        ABOVE,
        "Failures beneath it, each where it arose, those that were retried or answered too.",
    ),
    OwnAttribute(
        f"{semconv.TOTAL_COST}.<key>",
        "double",
        ABOVE,
        "What all models beneath it cost, by the price table, in the currency of the key.",
    ),
    OwnAttribute(
        f"{semconv.IDENTIFYING_PARAMS}.<key>",
        "any",
        (*MODELS, LOG_RECORDS),
        "One of the model's identifying parameters, or an argument of the call: up to 60 of them.",
    ),
    OwnAttribute(
        semconv.MORE_IDENTIFYING_PARAMS,
        "string",
        (*MODELS, LOG_RECORDS),
        "The identifying parameters beyond the 60th, as one JSON object.",
    ),
    OwnAttribute(
        semconv.IDENTIFYING_PARAMS_DROPPED,
        "int",
        (*MODELS, LOG_RECORDS),
        "How many characters, items and credentials of the identifying parameters were left out.",
    ),
    OwnAttribute(
        f"{semconv.METADATA}.<key>",
        "any",
        EVERY_SPAN,
        "What the call's metadata have under a key of `metadata_keys`.",
    ),
    OwnAttribute(
        semconv.INPUT_DROPPED,
        "int",
        EVERY_SPAN,
        "How many characters, items and credentials of the input's content were left out.",
    ),
    OwnAttribute(
        semconv.OUTPUT_DROPPED,
        "int",
        EVERY_SPAN,
        "How many characters, items and credentials of the output's content were left out.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_NODE,
        "string",
        (*EVERY_SPAN, LOG_RECORDS),
        "The node, or the one in which the run is; a graph that is called outside is in none.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_STEP,
        "int",
        EVERY_SPAN,
        "The step of the graph, from 0; the nodes of a `StateGraph` begin with 1.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_CHECKPOINT_NS,
        "string",
        EVERY_SPAN,
        "Which subgraph the run is in, and which of its tasks.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_GRAPH_ID,
        "string",
        ("agent", "workflow"),
        "Which graph ran, where a journal has its shape: the same for all of one shape.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_ATTEMPT, "int", ("node",), "Which attempt of a node it is, from 1."
    ),
    OwnAttribute(
        semconv.LANGCHAIN_ATTEMPT,
        "int",
        EVERY_SPAN,
        "Which attempt of `with_retry`, or which of `with_fallbacks`, it is, from 1.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_CHECKPOINT_ID,
        "string",
        (semconv.EVENT_INTERRUPT, semconv.EVENT_RESUME, LINKS),
        "The checkpoint at which a graph waits, or goes on.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_INTERRUPT_IDS,
        "string[]",
        (semconv.EVENT_INTERRUPT,),
        "What the answers are to be addressed to.",
    ),
    OwnAttribute(
        semconv.LANGGRAPH_INTERRUPT_VALUES,
        "string",
        (semconv.EVENT_INTERRUPT,),
        "What people are asked, as JSON; content.",
    ),
    OwnAttribute(semconv.VECTOR_STORE, "string", ("retriever",), "Class of the vector store."),
    OwnAttribute(semconv.EMBEDDINGS, "string", ("retriever",), "Class of its embeddings."),
    OwnAttribute(
        semconv.LANGCHAIN_TAGS,
        "string[]",
        EVERY_SPAN,
        "The tags of the run, where the setting `tags` asks for them.",
    ),
    OwnAttribute(
        semconv.RUN_NAME,
        "string",
        EVERY_SPAN,
        "The `run_name` that the call has given to the run, where what runs has another name.",
    ),
    OwnAttribute(semconv.RUN_ID, "string", (LOG_RECORDS,), "LangChain's id of the run."),
    OwnAttribute(
        semconv.RUN_DURATION, "double", (LOG_RECORDS,), "How long the run took, in seconds."
    ),
    OwnAttribute(
        semconv.RUN_KIND,
        "string",
        (METRICS,),
        f"What a run is: {', '.join(f'`{kind}`' for kind in EVERY_SPAN[:-1])} or "
        f"`{EVERY_SPAN[-1]}`.",
    ),
    OwnAttribute(semconv.TROUBLE, "string", (METRICS,), "What telemetry itself could not do."),
    OwnAttribute(
        semconv.STREAM_CHUNKS, "int", (*MODELS, LOG_RECORDS), "How many chunks a stream gave."
    ),
    OwnAttribute(
        semconv.STREAM_DURATION,
        "double",
        (*MODELS, LOG_RECORDS),
        "From its first chunk to its last, in seconds.",
    ),
    OwnAttribute(
        semconv.STREAM_GAP_MEAN,
        "double",
        (*MODELS, LOG_RECORDS),
        "Mean wait for a chunk after the first, in seconds.",
    ),
    OwnAttribute(
        semconv.STREAM_GAP_P50,
        "double",
        (*MODELS, LOG_RECORDS),
        "The wait that half of them do not exceed, within 5 %.",
    ),
    OwnAttribute(
        semconv.STREAM_GAP_P95,
        "double",
        (*MODELS, LOG_RECORDS),
        "The wait that 95 % of them do not exceed, within 5 %.",
    ),
    OwnAttribute(
        semconv.STREAM_GAP_MAX, "double", (*MODELS, LOG_RECORDS), "The longest wait, in seconds."
    ),
    OwnAttribute(
        semconv.STREAM_TOKENS_PER_SECOND,
        "double",
        (*MODELS, LOG_RECORDS),
        "Output tokens per second, from the first chunk to the last.",
    ),
    OwnAttribute(
        semconv.STREAM_STALLS,
        "int",
        (*MODELS, LOG_RECORDS),
        "How many waits were above the stall threshold.",
    ),
    OwnAttribute(
        semconv.WINDOW_FIRST_CHUNK,
        "int",
        (semconv.EVENT_MODEL_STREAM, LOG_RECORDS),
        "Index in the stream of the window's first chunk, from 0.",
    ),
    OwnAttribute(
        semconv.WINDOW_CHUNKS,
        "int",
        (semconv.EVENT_MODEL_STREAM, LOG_RECORDS),
        "How many chunks the window holds.",
    ),
    OwnAttribute(
        semconv.WINDOW_DURATION,
        "double",
        (semconv.EVENT_MODEL_STREAM, LOG_RECORDS),
        "From the window's first chunk to its last, in seconds.",
    ),
    OwnAttribute(
        semconv.WINDOW_GAP_MAX,
        "double",
        (semconv.EVENT_MODEL_STREAM, LOG_RECORDS),
        "The longest wait for one of its chunks, in seconds.",
    ),
    OwnAttribute(
        semconv.WINDOW_TEXT,
        "string",
        (semconv.EVENT_MODEL_STREAM,),
        "What the window's chunks said; content, and left out where redaction changes the stream.",
    ),
    OwnAttribute(
        semconv.STALL_CHUNK,
        "int",
        (semconv.EVENT_STALL,),
        "Index in the stream of the chunk that was waited for, from 0.",
    ),
    OwnAttribute(semconv.STALL_DURATION, "double", (semconv.EVENT_STALL,), "How long, in seconds."),
    OwnAttribute(
        semconv.OPENINFERENCE_SPAN_KIND,
        "string",
        ("workflow", "node", "runnable"),
        "`CHAIN`, for backends that read OpenInference's kinds.",
    ),
    OwnAttribute(
        semconv.INPUT_VALUE,
        "string",
        CHAINS,
        "The state or value that it was given, without its messages; content.",
    ),
    OwnAttribute(semconv.INPUT_MIME_TYPE, "string", CHAINS, "`application/json` or `text/plain`."),
    OwnAttribute(
        semconv.OUTPUT_VALUE,
        "string",
        CHAINS,
        "The change or value that it gave, without its messages; content.",
    ),
    OwnAttribute(semconv.OUTPUT_MIME_TYPE, "string", CHAINS, "`application/json` or `text/plain`."),
)

OWN_EVENTS: Final = (
    OwnEvent(semconv.EVENT_MODEL_START, MODELS, "A model has started."),
    OwnEvent(
        semconv.EVENT_MODEL_STREAM,
        MODELS,
        "A window of a stream: some of its chunks, one or many. There are at most 32.",
    ),
    OwnEvent(semconv.EVENT_STALL, MODELS, "A chunk was waited for above the threshold."),
    OwnEvent(semconv.EVENT_MODEL_END, MODELS, "A model has ended its answer."),
    OwnEvent(semconv.EVENT_INTERRUPT, ("agent", "workflow"), "A graph waits for a person."),
    OwnEvent(semconv.EVENT_RESUME, ("agent", "workflow"), "A graph goes on where it waited."),
)

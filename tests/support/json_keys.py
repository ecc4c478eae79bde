"""The keys of the command's JSON: each record, and what it has beside its fields."""

from __future__ import annotations

from typing import Final

from nodespan.telemetry.checkup import EndpointCheck, SettingInForce
from nodespan.telemetry.journal import (
    Activity,
    Backlog,
    EventOfSpan,
    JournalSpan,
    JournalStatus,
    LinkOfSpan,
    OpenRunRecord,
    TraceRecord,
)

from . import docstrings
from .name_tables import table

_DURATION: Final = {"duration": "how long it took, in seconds; null while it is running"}
_SPAN: Final = docstrings.read(JournalSpan).items["Attributes"]
_OF_CHAT: Final = (
    *("trace_id", "span_id", "parent_id", "name", "kind", "started_at", "ended_at", "outcome"),
    *("error", "status", "status_message", "attributes", "events", "links"),
)
_TRACE: Final = "a trace: a line of `traces`, `trace` of `trace --follow`"

# Of what, the record whose fields are keys, and keys beside them.
DOCUMENTS: Final[dict[str, tuple[type | None, dict[str, str]]]] = {
    "`chat`": (
        None,
        {
            "answer": "its text, as far as it came",
            "outcome": "`ok`, `error` or `cancelled`",
            "error": "its `type` and `message`; left out where there was none",
            "trace_id": "in 32 hexadecimal digits; null where no span was recorded",
            "spans": "by their start, as below; none with `--no-trace`",
        },
    ),
    "one of `spans` of `chat`; its events and links have the keys below": (
        None,
        {**{name: _SPAN[name] for name in _OF_CHAT}, **_DURATION},
    ),
    _TRACE: (TraceRecord, _DURATION),
    "`trace`: all keys of a trace, and": (
        None,
        {
            "span_list": "its spans, by their start, at most 10,000",
            "dropped_spans": "how many spans more there are",
        },
    ),
    "a span: one of `span_list`, `span` of `trace --follow`": (JournalSpan, _DURATION),
    "an event: one of `events` of a span": (
        EventOfSpan,
        {
            "name": "of the event",
            "at": "when it was, in ns since 1970",
            "attributes": "of the event",
        },
    ),
    "a link: one of `links` of a span": (
        LinkOfSpan,
        {
            "trace_id": "of the trace that it leads to",
            "span_id": "of the span that it leads to",
            "attributes": "of the link",
        },
    ),
    "a look: a line of `watch`": (
        None,
        {
            "at": "when it was, in ns since 1970",
            "journal": "path of the journal",
            "trouble": "why it could not be read; null where it could",
            "activity": "what goes on; null where it could not be read",
        },
    ),
    "`activity` of a look; its traces have the keys of a trace but `duration`": (Activity, {}),
    "an open run: one of `open_runs`": (OpenRunRecord, {}),
    "`doctor`; what tells of the journal is null where that cannot be read": (
        JournalStatus,
        {
            "services": "which have written into it, at most 20",
            "is_sound": "whether every page of the journal can be read",
            "trouble": "why the journal cannot be read, or written where programs are to do so; "
            "null where it can",
            "aside": "where the damaged journal lies that `--repair` has replaced; null where none "
            "was",
            "recovered": "how many of its spans are in the new one",
            "unreadable": "how many it had beside, open ones among them; null where nothing tells",
            "is_well": "whether nothing is wrong: the exit code is 0",
            "endpoints": "who takes what is sent, as below",
            "settings": "that are in force, as below",
        },
    ),
    "what is owed: one of `backlogs`": (Backlog, {}),
    "an endpoint: one of `endpoints`": (EndpointCheck, {}),
    "a setting: one of `settings`": (SettingInForce, {}),
}


def keys_of(document: str) -> dict[str, str]:
    """Return the keys of a document, each with what it means."""
    record, more = DOCUMENTS[document]
    told = docstrings.read(record).items.get("Attributes", {}) if record is not None else {}
    return {key: text.replace("None", "null") for key, text in {**told, **more}.items()}


def key_tables() -> str:
    """Return a table in Markdown for each kind of document."""
    return "\n\n".join(
        f"**{document[0].upper()}{document[1:]}**\n\n"
        + table(("key", "meaning"), ((f"`{key}`", text) for key, text in keys_of(document).items()))
        for document in DOCUMENTS
    )

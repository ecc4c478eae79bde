"""The state of the journal, in lines and as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .._terminal.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ....telemetry.journal import Backlog, JournalStatus


def status_document(status: JournalStatus, *, is_sound: bool) -> dict[str, Any]:
    """Return the state of a journal for programs: `JournalStatus`, and whether it is sound."""
    return {**asdict(status), "path": str(status.path), "is_sound": is_sound}


def status_lines(status: JournalStatus, *, is_sound: bool) -> Iterator[str]:
    """Give the state of a journal as lines for people."""
    yield f"journal   {plain(str(status.path))}"
    yield f"state     {'sound' if is_sound else 'damaged: nodespan doctor --repair recovers it'}"
    yield f"size      {status.bytes / 1_000_000:.1f} MB"
    yield f"holds     {status.traces:,} traces, {status.spans:,} spans, {status.open_spans:,} open"
    if status.oldest is not None:
        yield f"oldest    {_when(status.oldest)}"
    yield f"writers   {', '.join(map(str, status.writers)) or 'none now'}"
    yield f"dropped   {status.dropped:,} before an endpoint had them"
    yield f"lost      {status.lost:,} were open when their process died"
    yield f"refused   {status.refused:,} by an endpoint"
    for backlog in status.backlogs:
        yield f"owed      {_owed(backlog)}"


def _owed(backlog: Backlog) -> str:
    since = f", the oldest since {_when(backlog.oldest)}" if backlog.oldest is not None else ""
    return f"{backlog.spans:,} spans to {plain(backlog.url)}{since}"


def _when(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds / 1e9).astimezone():%Y-%m-%d %H:%M:%S}"

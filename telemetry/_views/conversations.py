"""Conversations: which there are, and one with what was said in each of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .._details.links import resumed_trace
from .._details.messages import messages
from .._details.values import ms
from .._reading.decoding import attributes_of
from .listing import KEYS, has_estimates, records

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

_MOST_RUNS: Final = 200
_MOST_MODELS: Final = 200
_MODELS: Final = "('chat', 'generate_content', 'text_completion')"


def conversations(connection: sqlite3.Connection, offset: int, limit: int) -> dict[str, Any]:
    """Return conversations, the newest first, each in a line."""
    ((total,),) = connection.execute(
        "SELECT count(DISTINCT conversation) FROM traces WHERE conversation IS NOT NULL"
    )
    rows = connection.execute(
        "SELECT conversation, count(*), min(started_at), max(started_at), "
        "max(ifnull(ended_at, started_at)), sum(input_tokens), sum(output_tokens), sum(cost), "
        "max(currency), ifnull(sum(open = 0 AND outcome IN ('error', 'lost')), 0), "
        "ifnull(sum(open > 0), 0), max(agent) FROM traces WHERE conversation IS NOT NULL "
        "GROUP BY conversation ORDER BY max(started_at) DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    found = [
        {
            "id": name,
            "runs": runs,
            "first_at": ms(first),
            "last_at": ms(max(last, ended)),
            "input_tokens": given,
            "output_tokens": made,
            "is_estimated": has_estimates(connection, "t.conversation = ?", (name,)),
            "cost": cost,
            "currency": currency,
            "errors": errors,
            "running": running,
            "agent": agent,
        }
        for (
            name, runs, first, last, ended, given, made, cost, currency, errors, running, agent,
        ) in rows
    ]  # fmt: skip
    return {"total": total, "conversations": found}


def conversation(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    """Return the runs of a conversation, the oldest first: of very many the newest."""
    ((total,),) = connection.execute("SELECT count(*) FROM traces WHERE conversation = ?", (name,))
    rows = connection.execute(
        "SELECT id FROM traces WHERE conversation = ? ORDER BY started_at DESC, id DESC LIMIT ?",
        (name, _MOST_RUNS),
    ).fetchall()
    numbers = [number for (number,) in reversed(rows)]
    runs: list[dict[str, Any]] = []
    for number, record in zip(numbers, records(connection, numbers), strict=True):
        trace = dict(zip(KEYS, record, strict=True))
        said = _said(connection, number)
        runs.append(
            {
                "trace": trace,
                "wait_before_ms": _wait(runs[-1]["trace"] if runs else None, trace),
                "resumes": resumed_trace(connection, number),
                "messages": said,
                "has_content": bool(said),
            }
        )
    return {"id": name, "dropped": total - len(runs), "runs": runs}


def _wait(before: dict[str, Any] | None, trace: dict[str, Any]) -> float | None:
    if before is None or before["ended_at"] is None:
        return None
    return max(float(trace["started_at"] - before["ended_at"]), 0.0)


def _said(connection: sqlite3.Connection, trace: int) -> list[dict[str, Any]]:
    """Return what was said in a run: what its first model call was asked last, and all answers."""
    said: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for found in _of_models(connection, trace):
        given = found["input"]
        if not said:
            said += _newest_question(given)
        else:
            # What came between two calls: the results of tools.
            said += [each for each in _after_answer(given) if each not in said]
        answers = found["output"][:1]
        said += answers
    return said or _of_root(connection, trace)


def _of_models(connection: sqlite3.Connection, trace: int) -> Iterator[dict[str, Any]]:
    rows = connection.execute(
        f"SELECT span FROM spans WHERE trace = ? AND operation IN {_MODELS} "  # noqa: S608 - ours
        "ORDER BY started_at, id LIMIT ?",
        (trace, _MOST_MODELS),
    )
    for (encoded,) in rows:
        found = messages(attributes_of(Span.FromString(encoded).attributes))
        if found is not None:
            yield found


def _of_root(connection: sqlite3.Connection, trace: int) -> list[dict[str, Any]]:
    row = connection.execute(
        "SELECT s.span FROM spans AS s JOIN traces AS t ON t.id = s.trace "
        "WHERE t.id = ? AND s.span_id = t.root_id",
        (trace,),
    ).fetchone()
    found = messages(attributes_of(Span.FromString(row[0]).attributes)) if row else None
    return [*_newest_question(found["input"]), *found["output"]] if found is not None else []


def _newest_question(given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what came after a model's last answer: what a person, or a tool, has said."""
    return [each for each in _after_answer(given) if each["role"] != "system"]


def _after_answer(given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    last = max((i for i, each in enumerate(given) if each["role"] == "assistant"), default=-1)
    return list(given[last + 1 :])

"""Keeps a journal within its bounds, and gives space back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from time import time_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from .._settings.journal import DEFAULT_MAX_BYTES, DEFAULT_MAX_DAYS
from .recording import count

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .store import Store

# So many traces go at once: other processes want to write too.
_AT_ONCE: Final = 200
_SPANS_AT_ONCE: Final = 200
# Below its bound by so much, or it would be cleared at each look.
_CLEARED_TO: Final = 0.9
_PAGES_AT_ONCE: Final = 2_000
_DAY: Final = 86_400 * 10**9
# In days: what SQLite can subtract from now.
_FOREVER: Final = 100_000.0

_FREE: Final = (
    "SELECT id FROM traces AS t WHERE open = 0 AND NOT EXISTS (SELECT 1 FROM spans "
    "WHERE trace = t.id AND destination IS NOT NULL AND refusal IS NULL) "
    "ORDER BY started_at LIMIT ?"
)
_CLOSED: Final = "SELECT id FROM traces WHERE open = 0 ORDER BY started_at LIMIT ?"
_OLD: Final = "SELECT id FROM traces WHERE started_at < ? AND open = 0 ORDER BY started_at LIMIT ?"


@dataclass(frozen=True, slots=True)
class Retention:
    """How much a journal keeps.

    Attributes:
        most_bytes: of its file.
        most_days: since a trace has started.
    """

    most_bytes: int = DEFAULT_MAX_BYTES
    most_days: float = DEFAULT_MAX_DAYS


class _Deleted(NamedTuple):
    deleted: int
    owed: int


def make_room(store: Store, retention: Retention) -> int:
    """Delete what is beyond the bounds: by age, then what is owed to nobody, then the oldest.

    Returns:
        How many spans and log records were deleted that an endpoint had not taken yet.

    Raises:
        sqlite3.Error: the journal cannot be written now.
    """
    oldest = time_ns() - int(min(retention.most_days, _FOREVER) * _DAY)
    dropped = _repeated(lambda: _delete_traces(store, _OLD, (oldest, _AT_ONCE)), lambda: True)
    if _bytes_used(store) > retention.most_bytes:
        most = int(retention.most_bytes * _CLEARED_TO)

        def is_needed() -> bool:
            """Say whether the file is too large still."""
            return _bytes_used(store) > most

        dropped += sum(
            _repeated(delete, is_needed)
            for delete in (
                lambda: _delete_traces(store, _FREE, (_AT_ONCE,), is_needed),
                lambda: _delete_traces(store, _CLOSED, (_AT_ONCE,), is_needed),
                lambda: _delete_oldest_spans(store),
                lambda: _delete_oldest_logs(store),
            )
        )
    _give_back(store)
    return dropped


def _repeated(delete: Callable[[], _Deleted], is_needed: Callable[[], bool]) -> int:
    """Delete for as long as that is needed and there is something; return how much was owed."""
    dropped = 0
    while is_needed():
        deleted, owed = delete()
        dropped += owed
        if not deleted:
            break
    return dropped


def _delete_traces(
    store: Store,
    query: str,
    arguments: tuple[int, ...],
    is_needed: Callable[[], bool] = lambda: True,
) -> _Deleted:
    with store.transaction() as connection:
        traces = connection.execute(query, arguments).fetchall()
        owed = deleted = 0
        for (trace,) in takewhile(lambda _: is_needed(), traces):
            owed += _owed(connection, "trace = ?", trace)
            connection.execute("DELETE FROM spans WHERE trace = ?", (trace,))
            connection.execute("DELETE FROM models WHERE trace = ?", (trace,))
            connection.execute("DELETE FROM traces WHERE id = ?", (trace,))
            deleted += 1
        count(connection, "dropped", owed)
        return _Deleted(deleted, owed)


def _delete_oldest_spans(store: Store) -> _Deleted:
    """Delete ended spans of traces that go on: a trace that never ends must not fill the disk."""
    with store.transaction() as connection:
        last = connection.execute(
            "SELECT id FROM spans WHERE ended_at IS NOT NULL ORDER BY id LIMIT 1 OFFSET ?",
            (_SPANS_AT_ONCE,),
        ).fetchone()
        until = last[0] if last is not None else _last_number(connection) + 1
        owed = _owed(connection, "id < ?", until)
        count(connection, "dropped", owed)
        gone = connection.execute(
            "DELETE FROM spans WHERE id < ? AND ended_at IS NOT NULL", (until,)
        )
        return _Deleted(gone.rowcount, owed)


def _delete_oldest_logs(store: Store) -> _Deleted:
    with store.transaction() as connection:
        gone = connection.execute(
            "DELETE FROM log_records WHERE id IN (SELECT id FROM log_records ORDER BY id LIMIT ?)",
            (_SPANS_AT_ONCE,),
        )
        count(connection, "dropped", gone.rowcount)
        return _Deleted(gone.rowcount, gone.rowcount)


def _owed(connection: sqlite3.Connection, where: str, argument: int) -> int:
    (owed,) = connection.execute(
        "SELECT count(*) FROM spans WHERE destination IS NOT NULL AND refusal IS NULL "  # noqa: S608 - ours
        f"AND ended_at IS NOT NULL AND {where}",
        (argument,),
    ).fetchone()
    return int(owed)


def _last_number(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute("SELECT max(id) FROM spans").fetchone()
    return int(last or 0)


def _bytes_used(store: Store) -> int:
    (pages,) = store.read("PRAGMA page_count")
    (size,) = store.read("PRAGMA page_size")
    return int((pages - _free_pages(store)) * size)


def _free_pages(store: Store) -> int:
    (free,) = store.read("PRAGMA freelist_count")
    return int(free)


def _give_back(store: Store) -> None:
    while (free := _free_pages(store)) > _PAGES_AT_ONCE:
        with store.transaction() as connection:
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        if _free_pages(store) >= free:
            return

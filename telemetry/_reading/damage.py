"""What tells that a journal is damaged, where SQLite finds nothing wrong with its pages."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from .._journal.file import damaged, telling_damage
from .._journal.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# What comes of a value that is not what it must be, wherever it is met.
_OF_VALUES: Final = (TypeError, ValueError, AttributeError, ArithmeticError, LookupError)
_KINDS: Final = {
    "INTEGER": "'integer'",
    "REAL": "'real', 'integer'",
    "TEXT": "'text'",
    "BLOB": "'blob'",
}
# Of spans: what has ended has an outcome.
_OF_SPANS: Final = ("length(run_id) <> 16", "(ended_at IS NOT NULL AND outcome IS NULL)")
_ENCODED: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("SELECT span FROM spans", (Span,)),
    ("SELECT resource, scope FROM origins", (ResourceSpans, ScopeSpans)),
)


class WrongValueError(TypeError):
    """A value of a row is not of the type that its column has."""


def typed(row: Iterable[Any], kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of a row, each of which is of its kind.

    Args:
        row: as SQLite gives it.
        kinds: a type for each of its values, or several.

    Raises:
        WrongValueError: one is not.
    """
    values = tuple(row)
    for value, kind in zip(values, kinds, strict=True):
        if not isinstance(value, kind):
            raise WrongValueError(f"{type(value).__name__} is not {kind}")
    return values


@contextmanager
def reading(path: Path, connection: sqlite3.Connection) -> Iterator[None]:
    """Have whoever reads a damaged journal told so, whatever the damage makes of what is read.

    Args:
        path: of the journal.
        connection: to it.

    Raises:
        JournalError: what is read is damaged.
    """
    with telling_damage(path):
        try:
            yield
        except WrongValueError as error:
            raise damaged(path) from error
        except _OF_VALUES as error:
            if not has_wrong_values(connection):
                raise
            raise damaged(path) from error


def has_wrong_values(connection: sqlite3.Connection) -> bool:
    """Say whether a row has a value of another type than its column; this reads every row."""
    try:
        found = [connection.execute(query).fetchone() for query in _queries().wrong]
    except sqlite3.OperationalError:  # a table is not there, or a text is none
        return True
    return any(row is not None for row in found)


def is_whole(connection: sqlite3.Connection) -> bool:
    """Say whether all of a journal can be read; this reads and decodes every span.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    ((verdict,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok" or has_wrong_values(connection):
        return False
    for query in _queries().texts:  # SQLite looks into a text no sooner than it gives it
        for _ in connection.execute(query):
            pass
    return _decodes(connection)


def _decodes(connection: sqlite3.Connection) -> bool:
    try:
        for query, kinds in _ENCODED:
            for row in connection.execute(query):
                for kind, encoded in zip(kinds, row, strict=True):
                    kind.FromString(encoded)
    except DecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Queries:
    """Queries of each table.

    Attributes:
        wrong: find a row with a wrong value.
        texts: give every text.
    """

    wrong: tuple[str, ...]
    texts: tuple[str, ...]


@cache
def _queries() -> _Queries:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        tables = fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        columns = {
            table: fresh.execute(f"PRAGMA table_info({table})").fetchall() for (table,) in tables
        }
    texts = {
        table: [name for _, name, kind, *_ in rows if kind == "TEXT"]
        for table, rows in columns.items()
    }
    return _Queries(
        tuple(
            f"SELECT 1 FROM {table} WHERE {' OR '.join(_wrong(table, rows))} LIMIT 1"  # noqa: S608 - ours
            for table, rows in columns.items()
        ),
        tuple(f"SELECT {', '.join(names)} FROM {table}" for table, names in texts.items() if names),  # noqa: S608 - ours
    )


def _wrong(table: str, columns: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for _, name, kind, must_be, _, is_key in columns:
        kinds = _KINDS[kind] if must_be or is_key else f"{_KINDS[kind]}, 'null'"
        yield f"typeof({name}) NOT IN ({kinds})"
    if table == "spans":
        yield from _OF_SPANS

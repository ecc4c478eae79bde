"""Writes the shapes of graphs, each once, into a table of their own.

The table comes with the first shape: journals of this version that have none are whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._context.graphs import GRAPHS

if TYPE_CHECKING:
    import sqlite3

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS graphs "
    "(id INTEGER PRIMARY KEY, graph_id TEXT NOT NULL UNIQUE, topology TEXT NOT NULL)"
)
_MOST_KEPT: Final = 1_000


def put_graphs(connection: sqlite3.Connection) -> None:
    """Write within a transaction the shapes that the journal does not have; it keeps the last."""
    connection.execute(_TABLE)
    connection.executemany(
        "INSERT OR IGNORE INTO graphs (graph_id, topology) VALUES (?, ?)", GRAPHS.shapes()
    )
    connection.execute(
        "DELETE FROM graphs WHERE id <= (SELECT max(id) - ? FROM graphs)", (_MOST_KEPT,)
    )

"""The tables of the journal, and the way from older ones.

A trace has a row that sums up its spans, so that lists read no span; a span's row has the span
in OTLP encoding, and beside it what lists and trees show. The blob comes last: SQLite reads what
stands before it without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

# "nspa", which tells the file from any other program's.
APPLICATION_ID: Final = 0x6E737061
VERSION: Final = 2

_TABLES: Final = """
CREATE TABLE owners (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL,
    heartbeat INTEGER NOT NULL,
    lost_at INTEGER
);
CREATE TABLE origins (
    id INTEGER PRIMARY KEY,
    resource BLOB NOT NULL,
    scope BLOB NOT NULL,
    UNIQUE (resource, scope)
);
CREATE TABLE destinations (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    forwarder INTEGER,
    heartbeat INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    trace_id BLOB NOT NULL UNIQUE,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    root_id BLOB,
    name TEXT,
    agent TEXT,
    conversation TEXT,
    outcome TEXT,
    error TEXT,
    spans INTEGER NOT NULL DEFAULT 0,
    open INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    stalls INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost REAL,
    currency TEXT,
    first_chunk_at INTEGER
);
CREATE INDEX traces_by_start ON traces (started_at);
CREATE INDEX traces_by_agent ON traces (agent, started_at);
CREATE INDEX traces_by_conversation ON traces (conversation, started_at);
CREATE INDEX traces_by_outcome ON traces (outcome, started_at);
CREATE INDEX traces_open ON traces (started_at) WHERE open > 0;
CREATE INDEX traces_stalled ON traces (started_at) WHERE stalls > 0;
CREATE TABLE models (
    model TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    trace INTEGER NOT NULL
);
CREATE UNIQUE INDEX models_by_trace ON models (trace, model);
CREATE INDEX models_by_start ON models (model, started_at);
CREATE TABLE spans (
    id INTEGER PRIMARY KEY,
    trace INTEGER NOT NULL,
    span_id BLOB NOT NULL,
    parent_id BLOB,
    run_id BLOB,
    name TEXT NOT NULL,
    operation TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    error TEXT,
    model TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost REAL,
    currency TEXT,
    first_chunk_at INTEGER,
    chunks INTEGER,
    last_chunk_at INTEGER,
    stalls INTEGER,
    owner INTEGER,
    origin INTEGER NOT NULL,
    destination INTEGER,
    refusal TEXT,
    span BLOB NOT NULL
);
CREATE UNIQUE INDEX spans_by_trace ON spans (trace, span_id);
CREATE INDEX spans_by_run ON spans (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX spans_open ON spans (owner) WHERE ended_at IS NULL;
CREATE INDEX spans_owed ON spans (destination, id, owner)
    WHERE destination IS NOT NULL AND ended_at IS NOT NULL AND refusal IS NULL;
CREATE INDEX spans_refused ON spans (owner) WHERE refusal IS NOT NULL;
CREATE TABLE log_records (
    id INTEGER PRIMARY KEY,
    owner INTEGER,
    origin INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    at INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX log_records_owed ON log_records (destination, id);
CREATE TABLE counts (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL
);
"""

# What was owed by URL alone stays where it is: nothing tells to whom it may be shown.
_DESTINATIONS_BY_KEY: Final = """
CREATE TABLE salts (salt BLOB NOT NULL);
INSERT INTO salts VALUES (randomblob(16));
ALTER TABLE destinations RENAME TO destinations_by_url;
CREATE TABLE destinations (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    key BLOB NOT NULL,
    forwarder INTEGER,
    heartbeat INTEGER NOT NULL DEFAULT 0,
    UNIQUE (url, key)
);
INSERT INTO destinations (id, url, key) SELECT id, url, x'' FROM destinations_by_url;
DROP TABLE destinations_by_url;
CREATE INDEX traces_by_agent_and_outcome ON traces (agent, outcome, started_at);
"""

# What brings a journal of the version before it to each version.
MIGRATIONS: Final = {1: _TABLES, 2: _DESTINATIONS_BY_KEY}


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a journal's tables; 0 where it has none."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Say whether a database has tables that are not a journal's."""
    # In this order: another process may make the journal between the two, tables and id at once.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return application != APPLICATION_ID and bool(application or tables)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a journal's tables to this version; all or nothing, whoever else does so too."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(version_of(connection) + 1, VERSION + 1):
            for statement in MIGRATIONS[version].split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise

"""Which service a trace is of: the one whose process has made its root, or else its first span."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from .decoding import attributes_of
from .filters import IS_ROOT
from .rows import TRACE_COLUMNS, trace_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .records import TraceRecord

_NAME: Final = "service.name"
# Every start of a program is an origin of its own.
_MOST_REMEMBERED: Final = 4_096
TRACE_AND_SERVICE: Final = (
    f"{TRACE_COLUMNS}, (SELECT service_of(o.resource) FROM spans AS r "  # noqa: S608 - ours
    f"JOIN origins AS o ON o.id = r.origin WHERE {IS_ROOT})"
)


def teach_services(connection: sqlite3.Connection) -> None:
    """Have a connection to a journal know which service a resource names."""
    connection.create_function("service_of", 1, _service_of, deterministic=True)


def trace_with_service(row: Sequence[Any]) -> TraceRecord:
    """Return a trace from its row of `TRACE_AND_SERVICE`."""
    return replace(trace_of(row[:-1]), service=row[-1])


@lru_cache(maxsize=_MOST_REMEMBERED)
def _service_of(resource: object) -> str | None:
    """Return the name of the service in a resource's encoding; None where there is none."""
    try:
        decoded = ResourceSpans.FromString(resource).resource  # type: ignore[arg-type]  # or it raises
        name = attributes_of(decoded.attributes).get(_NAME)
    except (DecodeError, TypeError):  # it is damaged, as whoever reads the span is told
        return None
    return name if isinstance(name, str) and name else None

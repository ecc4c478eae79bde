"""Reads the journal: what was recorded, what is running, what is still to be sent."""

from ._errors import (
    AmbiguousTraceError,
    JournalError,
    JournalMissingError,
    TraceNotFoundError,
)
from ._reading.activity import Activity
from ._reading.doctor import Repair, repair, trouble_of_place
from ._reading.reader import Journal
from ._reading.records import (
    Backlog,
    EventOfSpan,
    JournalSpan,
    JournalStatus,
    JournalTrace,
    LinkOfSpan,
    OpenRunRecord,
    Totals,
    TraceFilter,
    TraceRecord,
)
from ._reading.watching import JournalWatch
from ._settings.journal import VARIABLE, default_path, file_at, journal_path, path_in_use

__all__ = [
    "VARIABLE",
    "Activity",
    "AmbiguousTraceError",
    "Backlog",
    "EventOfSpan",
    "Journal",
    "JournalError",
    "JournalMissingError",
    "JournalSpan",
    "JournalStatus",
    "JournalTrace",
    "JournalWatch",
    "LinkOfSpan",
    "OpenRunRecord",
    "Repair",
    "Totals",
    "TraceFilter",
    "TraceNotFoundError",
    "TraceRecord",
    "default_path",
    "file_at",
    "journal_path",
    "path_in_use",
    "repair",
    "trouble_of_place",
]

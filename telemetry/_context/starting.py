"""The run whose span is being started, for span processors that want to know of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, NamedTuple, Protocol


class Progress(NamedTuple):
    """How far a stream has come; times in ns since 1970."""

    chunks: int
    first_chunk_at: int
    last_chunk_at: int


class StartingRun(Protocol):
    """A run of LangChain's, as far as others follow it while it is open."""

    @property
    def run_id(self) -> int:
        """The integer of LangChain's run id."""

    def enter_journal(self) -> None:
        """Say that its span is written into a journal."""

    def progress(self) -> Progress | None:
        """Return how far its stream has come; None where it has none, or before its first chunk."""


STARTING_RUN: Final[ContextVar[StartingRun | None]] = ContextVar(
    "nodespan-starting-run", default=None
)

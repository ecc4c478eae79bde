"""The run whose span is being started, for span processors that want to know of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, NamedTuple, Protocol


class Progress(NamedTuple):
    """How far a stream has come; times in ns since 1970.

    Attributes:
        chunks: how many have come.
        first_chunk_at: when the first came; None before it.
        last_chunk_at: when the last came; as above.
        text: the end of what they said, as far as others may see; None for none.
        stalls: how often a chunk was waited for too long, that of now among them.
    """

    chunks: int
    first_chunk_at: int | None
    last_chunk_at: int | None
    text: str | None = None
    stalls: int = 0


class StartingRun(Protocol):
    """A run of LangChain's, as far as others follow it while it is open."""

    @property
    def run_id(self) -> int:
        """The integer of LangChain's run id."""

    def enter_journal(self) -> None:
        """Say that its span is written into a journal."""

    def progress(self, known: int = 0, known_stalls: int = 0) -> Progress | None:
        """Return how far its stream has come; None where it has none, or has not begun.

        Args:
            known: how many chunks are known already: None where there are no more.
            known_stalls: as above; of which there may be more while no chunk comes.
        """


STARTING_RUN: Final[ContextVar[StartingRun | None]] = ContextVar(
    "nodespan-starting-run", default=None
)

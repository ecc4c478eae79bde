"""Variables that are a slip for one of ours: nobody reads them, and the setting is not set."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Final

from .._diagnostics import warn
from .._process import process_wide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What `nodespan.graph` reads.
_OF_GRAPH: Final = ("NODESPAN_MODEL", "NODESPAN_MODEL_NAME", "NODESPAN_UI_TOKEN")
_PREFIX: Final = "NODESPAN_"
# How like one of ours a name is that is meant to be it; behind our prefix it may be less so.
_CLOSE: Final = 0.9
_CLOSE_BEHIND_PREFIX: Final = 0.7
_FIRST_LETTERS: Final = ("NOD", "OTEL_INSTRUMENTATION_GEN")
_MOST_WARNINGS: Final = 10


class _Look:
    """Whether this process has looked for slips."""

    def __init__(self) -> None:
        self.is_done = False


def slip(name: str) -> str | None:
    """Say that a variable is a slip for one of ours; others may be somebody else's."""
    if not name.upper().startswith(_FIRST_LETTERS) or name in (known := known_variables()):
        return None
    meant = _meant(name.upper(), known)
    return f"{name} is no variable of nodespan's; {meant} is" if meant is not None else None


def known_variables() -> tuple[str, ...]:
    """Return the variables that nodespan reads and OpenTelemetry does not."""
    # Imported late: few programs have any that may be a slip.
    from .config import TelemetryConfig  # noqa: PLC0415
    from .record import settings_of  # noqa: PLC0415
    from .variables import EMIT_EVENT_VARIABLE  # noqa: PLC0415

    settings = settings_of(TelemetryConfig).values()
    ours = (each.variable.name for each in settings if each.variable is not None)
    return (*ours, EMIT_EVENT_VARIABLE, *_OF_GRAPH)


def warn_of_slips(environ: Mapping[str, str] | None = None) -> None:
    """Log a line for each variable that is a slip for one of ours, once a process.

    Args:
        environ: the variables; by default this process's.
    """
    look = process_wide(_Look)
    if not look.is_done:
        look.is_done = True
        for text in islice(_slips(os.environ if environ is None else environ), _MOST_WARNINGS):
            warn(f"nodespan telemetry: {text}")


def _slips(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(environ.items()):
        if value.strip() and (text := slip(name)) is not None:
            yield text


def _meant(name: str, known: tuple[str, ...]) -> str | None:
    # Imported late, as above.
    from difflib import get_close_matches  # noqa: PLC0415

    found = get_close_matches(name, known, n=1, cutoff=_CLOSE)
    if not found and name.startswith(_PREFIX):
        ends = _variables_by_end(known)
        close = get_close_matches(
            name.removeprefix(_PREFIX), ends, n=1, cutoff=_CLOSE_BEHIND_PREFIX
        )
        found = [ends[each] for each in close]
    return found[0] if found else None


def _variables_by_end(known: tuple[str, ...]) -> dict[str, str]:
    """Return variables by what may stand behind our prefix: their ends, and settings' names."""
    # Imported late, as above.
    from .config import TelemetryConfig  # noqa: PLC0415
    from .record import settings_of  # noqa: PLC0415
    from .variables import READ_BY_SDK  # noqa: PLC0415

    by_end = {name.upper(): variables[-1] for name, variables in READ_BY_SDK.items()}
    for name, setting in settings_of(TelemetryConfig).items():
        if setting.variable is not None:
            by_end[name.upper()] = setting.variable.name
    return by_end | {each.removeprefix(_PREFIX): each for each in known if _PREFIX in each}

"""Who writes into a journal, and whether it still lives.

A process id is used again; with the time at which its process started, it is not. A process that
has put another program in its place by `exec` has both still, but another stack, whose place Linux
chooses anew each time. Where the process cannot be seen, in another container or on another
machine, only its heartbeat tells.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import SubprocessError, run
from time import time_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_PROC: Final = Path("/proc")
# A process that cannot be seen, and has not been heard of for so long, is taken for dead.
_SILENCE: Final = 600 * 10**9
_ZOMBIE: Final = ("Z", "X")
# What Linux tells of the stack of a process that one may not look into.
_HIDDEN: Final = "0"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process.

    Attributes:
        namespace: in which the process id holds: a machine since its start, or a container.
        pid: its process id.
        started: when it started, in the words of its operating system; on Linux, and where its
            stack begins, after a blank.
    """

    namespace: str
    pid: int
    started: str

    @classmethod
    def here(cls) -> Owner:
        """Return this process."""
        return _here(os.getpid())

    def is_dead(self, heartbeat: int) -> bool:
        """Say whether the process lives no longer.

        Args:
            heartbeat: when it was heard of last, in ns since 1970.
        """
        if self.namespace != _namespace():
            return time_ns() - heartbeat > _SILENCE
        started = _started(self.pid)
        return started is None or not _may_be_one(self.started, started)

    def register(self, connection: sqlite3.Connection) -> int:
        """Take the process down as one that writes, and return its number in the journal."""
        added = connection.execute(
            "INSERT INTO owners (namespace, pid, started, heartbeat) VALUES (?, ?, ?, ?)",
            (self.namespace, self.pid, self.started, time_ns()),
        )
        return int(added.lastrowid or 0)


def _may_be_one(started: str, other: str) -> bool:
    """Say whether two processes of one id may be one; what is not known of either tells nothing."""
    if sys.platform != "linux":
        return not (started and other) or started == other
    pairs = zip(started.split(), other.split(), strict=False)
    return all(here == there or _HIDDEN in (here, there) for here, there in pairs)


def dead_owners(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return the numbers and last heartbeats of those that live no longer, as the journal tells."""
    rows = connection.execute(
        "SELECT id, namespace, pid, started, heartbeat FROM owners WHERE lost_at IS NULL"
    ).fetchall()
    return [(row[0], row[4]) for row in rows if Owner(*row[1:4]).is_dead(row[4])]


def _started(pid: int) -> str | None:
    """Return when a process started; None where there is none, "" where nothing tells."""
    if sys.platform == "win32":
        return _started_on_windows(pid)
    if (_PROC / "self" / "stat").exists():
        return _started_on_linux(pid)
    try:
        answer = run(  # noqa: S603 - a number
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        ).stdout.strip()
    except (OSError, SubprocessError):
        return ""
    state, _, started = answer.partition(" ")
    return started.strip() if answer and not state.startswith(_ZOMBIE) else None


def _started_on_linux(pid: int) -> str | None:
    try:
        # The name, in parentheses, may hold anything.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError:
        return ""
    state, started, stack = fields[0], fields[19], fields[25]
    return None if state in _ZOMBIE else f"{started} {stack}"


if sys.platform == "win32":  # pragma: no cover - another system's
    import ctypes

    def _started_on_windows(pid: int) -> str | None:
        limited, access_denied, still_active = 0x1000, 5, 259
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = kernel.OpenProcess(limited, False, pid)  # noqa: FBT003 - Windows' signature
        if not handle:
            return "" if ctypes.get_last_error() == access_denied else None
        try:
            times = [ctypes.c_uint64() for _ in range(4)]
            process = ctypes.c_void_p(handle)
            code = ctypes.c_uint32()
            kernel.GetExitCodeProcess(process, ctypes.byref(code))
            if code.value != still_active:
                return None
            kernel.GetProcessTimes(process, *map(ctypes.byref, times))
            return str(times[0].value)
        finally:
            kernel.CloseHandle(ctypes.c_void_p(handle))


@cache
def _here(pid: int) -> Owner:
    return Owner(_namespace(), pid, _started(pid) or "")


@cache
def _namespace() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - a text
    except OSError:
        # Imported late: Linux does without it.
        import platform  # noqa: PLC0415

        return platform.node()

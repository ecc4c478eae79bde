"""Whether a journal can lie at a place: the file system, and what is there already.

SQLite's write-ahead log needs memory that processes share: over a network it loses data.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = frozenset(
    [
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.ceph",
        "fuse.davfs2",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    ]
)
# What the kernel shows as files: none can be made there, whatever its folders' modes say.
_SHOWN_ALONE: Final = frozenset(["debugfs", "proc", "securityfs", "sysfs", "tracefs"])
HEADER: Final = b"SQLite format 3\0"
# What a journal's pages are full of, whatever has become of its first one. Texts have them too.
_MARKS: Final = (b"telemetry.sdk.", b"gen_ai.", b"nodespan")
_FEWEST_PAGES: Final = 2
LOOKED_AT: Final = 1 << 20
_PAGE: Final = 4096
# What a page of a tree begins with, and how many bytes stand before its cells.
_TREE_PAGES: Final = (0x02, 0x05, 0x0A, 0x0D)
_HEAD: Final = 8


def network_filesystem(path: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that a path lies on; None where it does not.

    Args:
        path: of a file that need not exist.
        mounts: of this process, as Linux tells them; by default what it tells now.

    Source: https://www.sqlite.org/wal.html
    """
    if str(path).startswith("\\\\"):
        return "a network share"
    kind = _filesystem(os.path.realpath(path), _mounts() if mounts is None else mounts)
    return kind if kind in _NETWORK else None


def takes_files(folder: Path, mounts: str | None = None) -> bool:
    """Say whether files can be made on the file system of a folder, as far as its type tells.

    Args:
        folder: that is there.
        mounts: as of `network_filesystem`.
    """
    found = _filesystem(os.path.realpath(folder), _mounts() if mounts is None else mounts)
    return found not in _SHOWN_ALONE


def _mounts() -> str:
    try:
        return _MOUNTS.read_text(errors="replace")
    except OSError:
        return ""


def looks_foreign(start: bytes) -> bool:
    """Say whether a file is no database, and nothing tells that it ever was one.

    Args:
        start: its first `LOOKED_AT` bytes; none where there is no file.
    """
    if not start or start.startswith(HEADER):
        return False
    pages = [start[at : at + _PAGE] for at in range(_PAGE, len(start) - _PAGE + 1, _PAGE)]
    found = sum(map(_is_of_a_tree, pages))
    is_marked = any(mark in start for mark in _MARKS)
    return found < _FEWEST_PAGES or not (is_marked or found > len(pages) // 2)


def _is_of_a_tree(page: bytes) -> bool:
    """Say whether a page is one of a database's trees: cells, a gap, and what the cells lead to.

    Source: https://www.sqlite.org/fileformat2.html#b_tree_pages
    """
    cells, content = int.from_bytes(page[3:5]), int.from_bytes(page[5:7])
    return page[0] in _TREE_PAGES and _HEAD + 2 * cells <= content <= _PAGE


def _filesystem(path: str, mounts: str) -> str | None:
    longest, found = -1, None
    for line in mounts.splitlines():
        mount, dash, source = line.partition(" - ")
        fields = mount.split(" ")
        if not dash or len(fields) < 5:  # noqa: PLR2004 - the fifth is the mount point
            continue
        point = fields[4]
        if "\\" in point:
            point = point.encode().decode("unicode_escape", errors="replace")
        is_above = path == point or path.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= longest:
            longest, found = len(point), source.split(" ")[0]
    return found

"""Whom spans are owed to: an endpoint, as one with these credentials sees it.

Two tenants of one backend have one URL: what tells them apart is a secret, and stands in the
journal as a hash alone, which differs from journal to journal.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

# Some milliseconds, once a process: a short secret shall not be found by trying.
_ITERATIONS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom spans are owed to.

    Attributes:
        url: of the endpoint, without what may be a secret.
        identity: all that tells whose the spans are there, secrets too.
    """

    url: str
    identity: str = field(default="", repr=False)

    def number(self, connection: sqlite3.Connection) -> int:
        """Return its number in a journal, within a transaction; it gets one where it has none."""
        (salt,) = connection.execute("SELECT salt FROM salts").fetchone()
        named = (self.url, _hashed(self.identity, salt))
        connection.execute("INSERT OR IGNORE INTO destinations (url, key) VALUES (?, ?)", named)
        query = "SELECT id FROM destinations WHERE url = ? AND key = ?"
        (number,) = connection.execute(query, named).fetchone()
        return int(number)


@lru_cache(maxsize=16)
def _hashed(identity: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", identity.encode(), salt, _ITERATIONS, 16)

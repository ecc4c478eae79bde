"""What `nodespan ui` prints is an address that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    Nodespan = Callable[..., Any]


@pytest.mark.parametrize("token", ["kZ3+/x7Qm1w9==rTvB2n", "a token & more of #it?"])
def test_a_token_comes_through_the_address(
    nodespan: Nodespan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str
) -> None:
    """Whatever characters it has: a `+` would be a space, and `#` the end."""

    def serve(
        listening: socket.socket, _path: object, *, token: str, begun: Callable[[], None]
    ) -> None:
        del token
        listening.close()
        begun()

    monkeypatch.setattr("nodespan.telemetry.viewer.serve_viewer", serve)
    journal = str(tmp_path / "journal.db")
    result = nodespan("ui", "--port", "0", "--no-open", "--token", token, "--journal", journal)
    assert (result.code, result.err) == (0, "")
    address = urlsplit(result.out.splitlines()[0].removeprefix("viewer    "))
    assert parse_qs(address.query) == {"token": [token]}

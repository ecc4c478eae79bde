"""Who may ask the viewer, and what keeps a browser strict with its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from nodespan.telemetry.viewer import viewer_app

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES = ("/", "/static/index.html", "/api/about", "/api/traces", "/api/live", "/nowhere")
TOKEN = "a token that is long enough"  # noqa: S105 - of these tests alone


@pytest.mark.parametrize("address", ADDRESSES[:4])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4319", "127.0.0.1:1", "127.0.0.1.evil.example:4319", ""]
)
def test_a_foreign_host_is_refused(viewer: TestClient, address: str, host: str) -> None:
    """A name that another site lets point to this machine gets nothing, not even the page."""
    answer = viewer.get(address, headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1:4319", "localhost:4319", "LOCALHOST:4319"])
def test_this_machine_has_three_names(viewer: TestClient, host: str) -> None:
    """Its own address and name are answered."""
    assert viewer.get("/api/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:1", "null", "https://127.0.0.1:4319"]
)
@pytest.mark.parametrize("address", ["/api/about", "/v1/traces"])
def test_a_foreign_origin_is_refused(viewer: TestClient, origin: str, address: str) -> None:
    """A page of another site can neither read nor send anything."""
    assert viewer.get(address, headers={"Origin": origin}).status_code == 403
    assert viewer.post(address, headers={"Origin": origin}).status_code == 403


def test_a_link_from_elsewhere_opens_the_page_alone() -> None:
    """What another site asks for is refused, but for a person's click on a link to the page."""
    app = viewer_app(4319)
    with TestClient(app, base_url="http://127.0.0.1:4319") as viewer:
        asked = {"Sec-Fetch-Site": "cross-site"}
        assert viewer.get("/api/about", headers=asked).status_code == 403
        link = {**asked, "Sec-Fetch-Mode": "navigate"}
        assert viewer.get("/traces/last", headers=link).status_code == 200
        assert viewer.get("/api/about", headers=link).status_code == 403


@pytest.mark.parametrize("address", [*ADDRESSES[:4], "/nowhere", "/api/nowhere", "/v1/nowhere"])
def test_every_answer_keeps_the_browser_strict(viewer: TestClient, address: str) -> None:
    """No script but the page's own, nothing guessed, nothing kept, no frame around it."""
    headers = viewer.get(address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "nothing.js", ""])
def test_only_the_pages_files_are_served(viewer: TestClient, path: str) -> None:
    """No way leads out of the page's folder."""
    assert viewer.get(f"/static/{path}").status_code == 404


def test_other_addresses_need_the_token(tmp_path: Path) -> None:
    """With a token nobody reads anything without it; a browser shows it once, and keeps it."""
    app = viewer_app(4319, tmp_path / "journal.db", token=TOKEN)
    with TestClient(app, base_url="http://192.0.2.1:4319", follow_redirects=False) as viewer:
        assert viewer.get("/").status_code == 401
        assert viewer.get("/api/about").json()["error"]["code"] == "unauthorized"
        assert viewer.get("/?token=another").status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert viewer.get("/api/about", headers=bearer).status_code == 200
        receiver = viewer.get("/api/about", headers=bearer).json()["receiver"]
        assert receiver == "http://192.0.2.1:4319/v1/traces", "others cannot reach it there"
        signed_in = viewer.get("/", params={"token": TOKEN})
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
        cookie = signed_in.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert viewer.get("/api/about").status_code == 200
        assert viewer.get("/api/about", headers={"Origin": "http://a.example"}).status_code == 403

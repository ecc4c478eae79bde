"""Who may ask: this machine's browser, on our own page, or who has the token.

A page of another site must not read what is here, by a name that it lets point to this machine
(its `Host` is another), by a request across sites (its `Origin` is another), or in a frame.
"""

from __future__ import annotations

from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from .answers import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "nodespan"
LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OWN_SITES: Final = ("same-origin", "none")
# A link from elsewhere may open the page, which is none of what is in the journal.
_NOT_FOR_LINKS: Final = ("/api/", "/v1/")


class Guard:
    """Refuses who may not ask, and puts on every answer what keeps a browser strict.

    Args:
        app: answers the others.
        port: that the server listens on.
        token: that whoever asks must have; None where only this machine can ask.
    """

    def __init__(self, app: ASGIApp, port: int, token: str | None) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in LOCAL_NAMES}
        if port == 80:  # noqa: PLR2004 - HTTP's own, which browsers leave out
            self._hosts |= set(LOCAL_NAMES)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answered = self._refused(scope, headers) or self._to_sign_in(scope, headers)
        app = answered if answered is not None else self._app
        await app(scope, receive, _strict(send))

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "").lower()
        if self._token is None and host not in self._hosts:
            message = f"this server does not answer for the host {host[:200]!r}"
            return refusal(403, "forbidden", message)
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{host}":
            return refusal(403, "forbidden", f"the origin {origin[:200]!r} is another site")
        site = headers.get("sec-fetch-site", "none")
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        is_page = is_link and not scope["path"].startswith(_NOT_FOR_LINKS)
        if site not in _OWN_SITES and not is_page:
            return refusal(403, "forbidden", "another site asks")
        return None

    def _to_sign_in(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what is answered to who has not shown the token yet."""
        if self._token is None or _matches(_shown_token(headers), self._token):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.get("token", [""])[0]
        if scope["method"] == "GET" and _matches(given, self._token):
            # The token leaves the address: it would stand in the browser's history.
            signed_in = Response(status_code=303, headers={"Location": "/"})
            signed_in.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
            return signed_in
        message = "open the address that `nodespan ui` printed: it has the token"
        return refusal(401, "unauthorized", message)


def _shown_token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie is not None else ""


def _matches(given: str, token: str) -> bool:
    return compare_digest(given.encode(), token.encode())


def _strict(send: Send) -> Send:
    async def sending(message: Message) -> None:
        """Send a message, with the headers on that which starts the answer."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending

"""Guard in front of the server: no request passes that has not shown the token, whatever it asks for.

Also here: the page that asks for the token; that the token leaves the address; web sockets of pages from elsewhere;
that a page makes the browser fetch nothing from other servers.

Streamlit runs a page's script only once its web socket is open, so a script cannot protect what the server answers by
itself: media and downloads, uploads, metrics, static files. This middleware stands before all of them.
"""

from __future__ import annotations

import html
from urllib.parse import parse_qsl, quote, urlencode

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ui.access import REMEMBERED_SECONDS, Access, access

_FIELD = "token"
_FORM = "application/x-www-form-urlencoded"
_LARGEST_FORM = 4096
_WHAT_TO_DO = "This dashboard asks for its token: open the address that it printed when it started, or enter the token."
_WRONG = "That is not the token of this dashboard: it is printed when the dashboard starts."
# Of this dashboard's own: it fetches nothing, and runs nothing.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Deep GWAS Dashboard</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1rem }}
h1 {{ font-size: 1.4rem }}
input, button {{ font: inherit; padding: .4rem .7rem }}
</style>
</head>
<body>
<h1>Deep GWAS Dashboard</h1>
<p>{sentence}</p>
<form method="post">
<label>Token <input name="{field}" type="password" autocomplete="off" autofocus required></label>
<button>Open</button>
</form>
</body>
</html>
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}

# Of the dashboard's pages: whatever a library or a text from outside asks for, the browser asks no other server.
# Streamlit's own scripts are what needs the rest.
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob: ws: wss:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'"
)


class Guard:
    """ASGI middleware that lets requests pass by ``ui.access``.

    Args:
        app: what the requests are for.
        policy: who may use it; by default what the environment says when the first request comes.
    """

    def __init__(self, app: ASGIApp, policy: Access | None = None) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        policy = access() if self._policy is None else self._policy
        request = HTTPConnection(scope)
        refusal: ASGIApp | None
        if scope["type"] == "websocket":
            may_pass = policy.admits(request.cookies, request.headers) and not _is_from_elsewhere(request)
            refusal = None if may_pass else WebSocketClose(1008, "the token of the dashboard was not shown")
        else:
            refusal = await _refusal(Request(scope, receive), policy)
            send = _with_policy(send) if refusal is None else send
        await (self._app if refusal is None else refusal)(scope, receive, send)


async def _refusal(request: Request, policy: Access) -> Response | None:
    """Return the answer to a request that may not pass as it is, or None if it may."""
    if not policy.is_asked_for or _is_health(request):
        return None
    is_admitted = policy.admits(request.cookies, request.headers)
    shown = ""
    if request.method in ("GET", "HEAD"):
        shown = request.query_params.get(_FIELD, "")
        if is_admitted and _FIELD not in request.query_params:
            return None
    elif request.method == "POST" and request.headers.get("Content-Type", "").startswith(_FORM):
        # Of a browser that is known by now, too: it may have asked in two tabs.
        shown = await _typed(request)
    elif is_admitted:
        return None
    if is_admitted or (shown and policy.is_token(shown)):
        return _without_slash(request) or _without_token(request, policy)
    sentence = _WRONG if shown else _WHAT_TO_DO
    if "text/html" in request.headers.get("Accept", ""):
        return HTMLResponse(_PAGE.format(sentence=html.escape(sentence), field=_FIELD), 403, _HEADERS)
    return PlainTextResponse(f"{sentence}\n", 403, {"Cache-Control": "no-store"})


def _without_slash(request: Request) -> Response | None:
    """Send a browser that asks for a page as if it were a folder to the page; None if it does not.

    A cookie set there would be one of that folder, and so not be shown to the rest of the dashboard.
    """
    path = str(request.scope["path"])
    if not path.endswith("/") or path.strip("/") == _base():
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    # With what was typed into the form, too.
    return RedirectResponse(f"../{quote(path.rstrip('/').rsplit('/', 1)[-1])}{query}", 307, _HEADERS)


def _without_token(request: Request, policy: Access) -> Response:
    """Send a browser to the same address without the token, and have it remembered."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name != _FIELD]
    # Relative, as a proxy may have taken the beginning of the path off.
    last = quote(str(request.scope["path"]).rsplit("/", 1)[-1])
    target = f"./{last}" + (f"?{urlencode(query)}" if query else "")
    answer = RedirectResponse(target, 303, _HEADERS)
    answer.set_cookie(
        policy.cookie_name,
        policy.new_cookie(),
        max_age=REMEMBERED_SECONDS,
        # The folder of the address, by itself: what the dashboard's base is behind a proxy is not known here.
        path=None,
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


def _with_policy(send: Send) -> Send:
    """Return a way to send an answer that says, of a page, what its browser may fetch."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("Content-Type", "").startswith("text/html"):
                headers["Content-Security-Policy"] = _POLICY
                headers["Referrer-Policy"] = "same-origin"
        await send(message)

    return sent


async def _typed(request: Request) -> str:
    """Return the token that was typed into the form, or nothing."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _LARGEST_FORM:
            return ""
    return dict(parse_qsl(content.decode("latin-1"))).get(_FIELD, "").strip()


def _is_health(request: Request) -> bool:
    """Return whether a probe asks if the server lives, which is no secret."""
    base = _base()
    return bool(request.scope["path"] == f"{'/' + base if base else ''}/_stcore/health")


def _base() -> str:
    """Return the path that all addresses of the dashboard begin with, without slashes around it."""
    return str(st.get_option("server.baseUrlPath") or "").strip("/")


def _is_from_elsewhere(request: HTTPConnection) -> bool:
    """Return whether a page of another address asks for a web socket with the cookies of this one.

    Streamlit lets pages of every port of this machine do so.
    """
    origin = request.headers.get("Origin")
    is_same = origin is None or origin.partition("://")[2] == request.headers.get("Host")
    return (
        not is_same
        and bool(st.get_option("server.enableCORS"))
        and origin not in st.get_option("server.corsAllowedOrigins")
    )

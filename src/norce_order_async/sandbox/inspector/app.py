"""The ASGI application of the inspector, with the addresses of its pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from importlib.resources import files
from typing import TypeAlias

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from norce_order_async.sandbox.control import Control
from norce_order_async.sandbox.inspector.access import Access, is_own_origin, with_headers
from norce_order_async.sandbox.inspector.callbacks import callbacks, send_again
from norce_order_async.sandbox.inspector.context import Inspected
from norce_order_async.sandbox.inspector.events import events
from norce_order_async.sandbox.inspector.faults import faults, play
from norce_order_async.sandbox.inspector.orders import one_order, orders
from norce_order_async.sandbox.inspector.requests import one_request, requests
from norce_order_async.sandbox.inspector.rules import rules
from norce_order_async.sandbox.inspector.state import change, download, state
from norce_order_async.sandbox.inspector.traffic import Traffic

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_Page: TypeAlias = Callable[[Inspected, Request], Awaitable[Response]]

_PAGES: Mapping[str, _Page] = {
    "/": requests,
    "/requests/{number:int}": one_request,
    "/orders": orders,
    "/orders/{order_id}": one_order,
    "/callbacks": callbacks,
    "/rules": rules,
    "/faults": faults,
    "/state": state,
    "/state/sandbox.sqlite": download,
    "/events": events,
}

_FORMS: Mapping[str, _Page] = {
    "/callbacks": send_again,
    "/faults": play,
    "/state/{what}": change,
}


class Inspector:
    """The pages as an ASGI application, below one path of the sandbox."""

    def __init__(self, control: Control, traffic: Traffic, path: str) -> None:
        self._path = path
        self._access = Access(path)
        self._inspected = Inspected(control, traffic, path, control.faults.plan)
        self._router = Router(
            [
                *(Route(path + at, partial(page, self._inspected), methods=["GET"]) for at, page in _PAGES.items()),
                *(Route(path + at, partial(form, self._inspected), methods=["POST"]) for at, form in _FORMS.items()),
            ],
            redirect_slashes=False,
            default=self._nothing_here,
        )

    def new_link(self) -> str:
        """The path and query of a link that lets one browser in, once."""
        return self._access.new_link()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        answer = await self._answer_without_visitor(scope)
        await (self._router if answer is None else answer)(scope, receive, with_headers(send))

    async def _answer_without_visitor(self, scope: Scope) -> Response | None:
        """The answer to a request for which no cookie is needed or that is refused; None if a page should answer."""
        path, headers = scope["path"].removeprefix(self._path), Headers(scope=scope)
        if path.startswith("/static/"):
            return _static(path.removeprefix("/static/"))
        if path == "/enter" and scope["method"] == "GET":
            return self._enter(Request(scope).query_params.get("key", ""))
        if not self._access.is_visitor(headers):
            return self._inspected.page("closed.html", {"used": False}, status=403)
        if scope["method"] not in ("GET", "HEAD") and not is_own_origin(scope, headers):
            return PlainTextResponse("This form came from a page of another site. Nothing was done.", 403)
        return None

    def _enter(self, key: str) -> Response:
        cookie = self._access.cookie_for(key)
        if cookie is None:
            return self._inspected.page("closed.html", {"used": True}, status=403)
        # A page that loads the next one, and not a redirect: browsers treat a redirect as coming from the page with the
        # link, and then leave out the cookie that was just set.
        answer = self._inspected.page("entered.html", {})
        answer.headers["set-cookie"] = cookie
        return answer

    async def _nothing_here(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._inspected.page("missing.html", {"what": "page"}, status=404)(scope, receive, send)


@cache
def _files() -> Mapping[str, tuple[bytes, str]]:
    """The files that pages load, with their media types. No other files are served."""
    folder = files("norce_order_async.sandbox.inspector").joinpath("static")
    found = ((file, _KINDS.get(file.name[file.name.rfind(".") :])) for file in folder.iterdir())
    return {file.name: (file.read_bytes(), kind) for file, kind in found if kind is not None}


def _static(name: str) -> Response:
    found = _files().get(name)
    if found is None:
        return PlainTextResponse("There is nothing here.", 404)
    content, kind = found
    return Response(content, media_type=kind, headers={"cache-control": "private, max-age=300"})

"""The caller of the service, and the visitor of the inspector."""

from __future__ import annotations

import html
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from norce_order_async.sandbox import Sandbox
from tests.support.plain import NO_TLS

API = "/api/v0/checkout"


class Caller:
    """Calls the service over a socket, as a program would. It accepts any answer."""

    def __init__(self, sandbox: Sandbox, **headers: str) -> None:
        known = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        sent = [(name.encode(), value.encode("latin-1")) for name, value in {**known, **headers}.items()]
        self._client = httpx.Client(base_url=sandbox.base_url + API, headers=sent, verify=NO_TLS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self._client.request(method, path, json=body, **options)

    def raw(self, method: str, path: str, content: bytes) -> httpx.Response:
        return self._client.request(method, path, content=content)

    def order(self, **body: Any) -> str:
        """The id of a new order."""
        answer = self.send("POST", "/orders", body)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["id"]
        return made


def origin(sandbox: Sandbox) -> str:
    parts = urlsplit(sandbox.base_url)
    return f"{parts.scheme}://{parts.netloc}"


@contextmanager
def entered(sandbox: Sandbox) -> Generator[httpx.Client]:
    """A kind of browser that was let in. Paths begin at the inspector's."""
    headers = {"origin": origin(sandbox)}
    with httpx.Client(base_url=f"{origin(sandbox)}/__inspect", headers=headers, verify=NO_TLS) as client:
        assert client.get(sandbox.inspector_link()).status_code == 200
        yield client


def text_of(page: str) -> str:
    """The text of a page, without its tags."""
    body = re.sub(r'<span class="j-\w+">([^<]*)</span>', r"\1", page.replace("<wbr>", "").partition("<main")[2])
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body.partition(">")[2])).split())

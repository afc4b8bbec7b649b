"""The pages about one task each: their code runs from top to bottom, on an order as the page says."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Awaitable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("orders", "payments", "transitions", "finding", "callbacks", "raw")
PRICE = {"includingVat": 125.0, "excludingVat": 100.0}

pytestmark = pytest.mark.anyio


class _Provider(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def capture_url() -> Iterator[str]:
    """Where a provider takes captures."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/capture"
        server.shutdown()
        thread.join()


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and code of each block of a page."""
    return re.findall(
        r"^```(\w*)\n(.*?)^```$", DOCS.joinpath(f"{page}.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES)
async def test_its_code_runs(page: str, capture_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block after the one before it, in one namespace; there is nothing on the page that is not run."""
    found = blocks(page)
    assert found
    assert {language for language, _ in found} == {"python"}
    async with (
        Sandbox() as sandbox,
        NorceOrderClient(base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se") as norce,
    ):
        cart = {"reference": "basket-1", "items": [{"sku": "T001", "quantity": 1, "total": PRICE}]}
        order = await norce.orders.create(
            culture="sv-SE", currency="SEK", country="SE", cart=cart, reference="erp-1" if page == "finding" else None
        )
        if page == "finding":
            await order.payments.create({"amount": 125.0})
        await order.refresh()
        namespace: dict[str, Any] = {"norce": norce, "order": order, "capture_url": capture_url}
        for _, code in found:
            ran: Awaitable[None] | None = eval(
                compile(code, f"{page}.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace
            )
            if inspect.isawaitable(ran):
                await ran
    capsys.readouterr()


def test_the_published_edges_are_those_of_the_table() -> None:
    """In words as in data."""
    from norce_order_async.orders.lifecycle import EDGES

    text = " ".join(DOCS.joinpath("transitions.md").read_text("utf-8").split())
    (told,) = re.findall(r"Published are (.*?)[.] ", text)
    assert set(re.findall(r"(\w+) → (\w+)", told)) == {
        (origin, target) for origin, edges in EDGES.items() for target, sure in edges.items() if sure == "published"
    }

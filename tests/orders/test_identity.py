"""An answer must be about the thing that was asked for; otherwise it belongs to another call. An id from the service is
data."""

from __future__ import annotations

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pytest

from norce_order_async import CallOptions, InvalidRequestError, NorceOrderClient, OutcomeUnknownError, UnavailableError
from tests.support.engine import answer
from tests.support.pipeline import stand
from tests.support.servers import serving
from tests.support.wires import WIRES, engine_of, loop_of

pytestmark = pytest.mark.anyio


class _Service(BaseHTTPRequestHandler):
    """A server that answers each request with the first id of its list, over kept-alive connections."""

    protocol_version = "HTTP/1.1"
    ids: ClassVar[list[str | None]] = []
    came_over: ClassVar[list[int]] = []
    """The port of the connection, for each request."""

    def do_GET(self) -> None:
        self.came_over.append(self.client_address[1])
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        del body
        said: dict[str, Any] = {"state": {"currentStatus": "checkout"}, "amount": 5.0}
        if (found := self.ids.pop(0)) is not None:
            said["id"] = found
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Generator[str]:
    with serving(_Service) as address:
        yield address


@pytest.fixture(params=WIRES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return loop_of(request)


@pytest.fixture
def norce(address: str, request: pytest.FixtureRequest) -> NorceOrderClient:
    _Service.ids.clear()
    _Service.came_over.clear()
    return NorceOrderClient(
        base_url=address,
        token="t",
        merchant="acme",
        channel="se",
        engine=engine_of(request),
        options=CallOptions(base_delay=0.0),
    )


async def test_the_answer_of_another_order_is_rejected(norce: NorceOrderClient) -> None:
    """If the answer has another order's id, the connection is closed and the read is repeated."""
    _Service.ids += ["oOther", "oMine"]
    async with norce:
        order = await norce.orders.get("oMine")
        assert order.data.id == "oMine"
    first, second = _Service.came_over
    assert first != second


async def test_a_read_that_gets_only_other_orders_is_unavailable(norce: NorceOrderClient) -> None:
    """If every answer is about another order, the read fails and the handle keeps its record."""
    _Service.ids += ["oMine", "oOther", "oOther", "oOther"]
    async with norce:
        order = await norce.orders.get("oMine")
        with pytest.raises(UnavailableError, match="with another order_id: it is the answer to another request"):
            await order.refresh()
        assert order.data.id == "oMine"


async def test_an_answer_without_an_id_is_accepted(norce: NorceOrderClient) -> None:
    """An answer without an id is accepted, because the description does not promise one."""
    _Service.ids += [None]
    async with norce:
        assert (await norce.orders.get("oMine")).status == "checkout"


async def test_payments_and_shippings_too(norce: NorceOrderClient) -> None:
    """Reads of parts are repeated too. A write that gets only wrong answers has an unknown outcome."""
    async with norce:
        order = norce.orders("oMine")
        _Service.ids += ["pOther", "pMine", "sOther", "sMine"]
        assert (await order.payments.get("pMine")).id == "pMine"
        assert (await order.shippings.get("sMine")).id == "sMine"
        _Service.ids += ["pOther"] * 3
        with pytest.raises(OutcomeUnknownError, match="with another payment_id"):
            await order.payments.put("pMine", {"amount": 5})


ODD = ["a/b", "..", ".", "a\\b", " ", "a b", "a\nb", "a\x00b", "\x7f", "ü/", "a%2Fb", "/", "?", "#"]


@pytest.mark.parametrize("odd", ODD)
async def test_a_creation_with_an_unusual_id_happened(odd: str) -> None:
    """The order exists, with the id as given. Lists show it, and a call that can't address it raises."""
    service = stand(
        lambda request: answer(201, {"id": odd}) if request.method == "POST" else answer(200, {"data": [{"id": odd}]})
    )
    order = await service.client.orders.create(culture="sv-SE", currency="SEK", country="SE")
    assert order.id == odd
    page = await service.client.orders.list()
    assert [found.id for found in page.orders] == [odd]
    if any(character in odd for character in "/\\\n\x00\x7f") or odd in (".", "..", " "):
        with pytest.raises(InvalidRequestError, match="order_id must not"):
            await order.refresh()
        with pytest.raises(InvalidRequestError, match="order_id must not"):
            await service.client.orders(odd).refresh()


async def test_a_part_with_an_unusual_id_was_created_too() -> None:
    """A new part's id is returned as it came."""
    service = stand([answer(201, {"id": "a/b"})])
    assert await service.client.orders("o1").payments.create({"amount": 5}) == "a/b"

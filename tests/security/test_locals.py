"""What tools that show the locals of a traceback would show: neither a token, nor a secret, nor a body."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from norce_order_async import (
    CallOptions,
    ClientCredentials,
    ConfigurationError,
    InvalidRequestError,
    NorceError,
    NorceOrderClient,
    TokenError,
)
from norce_order_async.errors import CallError
from norce_order_async.models import CartDict, PaymentDict
from tests.engines.conftest import ENGINES
from tests.engines.faultserver import FaultServer, closed_port
from tests.support.engine import answer
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio

TESTS = Path(__file__).parents[1]

TOKEN = "t0ken-that-nobody-may-see"
SECRET = "s3cret-that-nobody-may-see"
MARKER = "marker-in-the-body"
PAYMENT: PaymentDict = {"type": "other", "name": MARKER, "amount": 1, "attributes": {"note": MARKER}}
CART: CartDict = {"items": [{"sku": "T1", "name": MARKER, "quantity": 1}], "attributes": {"note": MARKER}}


def chain(error: BaseException | None) -> list[BaseException]:
    """An error and everything behind it, whether or not it would be printed."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def shown(way: TracebackType | None) -> list[tuple[str, str, str]]:
    """Function, name and text of every local of a traceback, but for those of the tests."""
    return [
        (frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name, name, repr(value))
        for frame, _ in traceback.walk_tb(way)
        if not Path(frame.f_code.co_filename).is_relative_to(TESTS)
        for name, value in frame.f_locals.items()
    ]


def assert_shows_nothing(error: BaseException, called: str = "") -> None:
    """No frame behind the error holds a token, a secret, the bytes of a body or words of it.

    The frame of the method that was called holds what it was given.
    """
    seen = 0
    for one in chain(error):
        assert TOKEN not in str(one)
        assert MARKER not in str(one)
        for function, name, text in shown(one.__traceback__):
            seen += 1
            assert TOKEN not in text, (function, name)
            assert SECRET not in text, (function, name)
            if function != called:
                assert MARKER not in text, (function, name)
    assert seen or not chain(error)[0].__traceback__


CALLS: dict[str, tuple[str, Callable[[NorceOrderClient], Awaitable[object]]]] = {
    "orders.get": ("", lambda norce: norce.orders.get("o1")),
    "orders.create": ("OrderCollection.create", lambda norce: norce.orders.create({"cart": CART}, check_total=False)),
    "cart.put": ("CartPart.put", lambda norce: norce.orders("o1").cart.put(CART, check_total=False)),
    "payments.create": ("RemovableEntries.create", lambda norce: norce.orders("o1").payments.create(PAYMENT)),
    "payments.put": ("RemovableEntries.put", lambda norce: norce.orders("o1").payments.put("p1", PAYMENT)),
    "attributes.update": (
        "AttributesPart.update",
        lambda norce: norce.orders("o1").attributes.update({"note": MARKER}),
    ),
    "customer.set_billing": (
        "CustomerPart.set_billing",
        lambda norce: norce.orders("o1").customer.set_billing({"givenName": MARKER}),
    ),
    "payments.add_transaction": (
        "PaymentsPart.add_transaction",
        lambda norce: norce.orders("o1").payments.add_transaction("p1", {"event": "capture", "errorDetail": MARKER}),
    ),
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Plays by the first part of the path."""
    with FaultServer() as server:
        yield server


every_call = pytest.mark.parametrize("call", CALLS)


@every_call
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_after_an_answer(call: str, status: int) -> None:
    """Of every class that an answer is raised as."""
    called, ask = CALLS[call]
    said = f"not {MARKER}" if called else "no"
    at = stand(lambda _: answer(status, {"code": "no", "message": said}), token=TOKEN)
    with pytest.raises(NorceError) as caught:
        await ask(at.client)
    assert isinstance(caught.value, CallError)
    assert_shows_nothing(caught.value, called)


@every_call
@pytest.mark.parametrize("play", ["close", "reset", "garbage", "half-body", "half-body-reset", "refuse"])
@pytest.mark.parametrize("engine", ENGINES)
async def test_after_a_lost_answer(
    call: str, play: str, engine: str, anyio_backend_name: str, server: FaultServer
) -> None:
    """On both engines and loops, and whatever lies behind the error."""
    if anyio_backend_name not in ENGINES[engine][1]:
        pytest.skip(f"{engine} does not run on {anyio_backend_name}")
    called, ask = CALLS[call]
    with closed_port() as closed:
        address = closed if play == "refuse" else f"{server.url}/{play}"
    async with NorceOrderClient(
        base_url=address,
        merchant="m",
        channel="c",
        token=TOKEN,
        engine=ENGINES[engine][0](),
        options=CallOptions(max_attempts=1, settling_pause=0, repeat_order_creation=False),
    ) as norce:
        with pytest.raises(NorceError) as caught:
            await ask(norce)
    assert_shows_nothing(caught.value, called)


@pytest.mark.parametrize("bad", [float("nan"), object(), "\ud800"])
@pytest.mark.parametrize("encoded_by", ["fast", "standard"])
async def test_after_a_body_that_cannot_be_sent(bad: Any, encoded_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was encoded of it stays behind. The checks before that hold what they check."""
    if encoded_by == "standard":
        monkeypatch.setattr("norce_order_async._json.orjson", None)
    at = stand([], token=TOKEN)
    with pytest.raises(InvalidRequestError) as caught:
        await at.client.orders("o1").attributes.update({"note": MARKER, "bad": bad})
    for one in chain(caught.value):
        assert TOKEN not in str(one)
        for function, name, text in shown(one.__traceback__):
            assert TOKEN not in text, (function, name)
            assert "b'" not in text, (function, name)


async def sync_token() -> str:
    """Not a token that a header takes."""
    return f"{TOKEN} {TOKEN}"


class Provider:
    """One of the caller's own."""

    async def token(self) -> str:
        """Not one that a header takes, either."""
        return f"{TOKEN} {TOKEN}"

    async def refused(self, token: str) -> bool:
        """Never asked."""
        return bool(token)


async def test_after_a_token_that_is_none() -> None:
    """From a function, from one that is not async, from a provider of the caller's, and given outright."""
    plain: Any = lambda: TOKEN  # noqa: E731
    for source in (sync_token, plain, Provider()):
        at = stand([], token=source)
        with pytest.raises(TokenError) as caught:
            await at.client.orders.get("o1")
        assert_shows_nothing(caught.value)
    with pytest.raises(ConfigurationError) as refused:
        NorceOrderClient(base_url="https://a.example", merchant="m", channel="c", token=f"{TOKEN} {TOKEN}")
    found = {function for function, _, text in shown(refused.value.__traceback__) if TOKEN in text}
    assert found <= {"NorceOrderClient.__init__"}


@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_after_an_identity_service_that_refuses(status: int) -> None:
    """Neither the secret nor the token that came."""
    account = ClientCredentials(
        client_id="id", client_secret=SECRET, scope="prod", token_url="https://identity.example/token"
    )
    at = stand(lambda _: answer(status, {"access_token": f"{TOKEN} {TOKEN}", "error": SECRET}), token=account)
    with pytest.raises(TokenError) as caught:
        await at.client.orders.get("o1")
    assert_shows_nothing(caught.value)


async def test_the_walk_finds_what_there_is() -> None:
    """The test would see a token, and sees the dict where it may be."""
    called, ask = CALLS["payments.create"]
    at = stand(lambda _: answer(400, {"code": "no", "message": "no"}), token=TOKEN)
    with pytest.raises(NorceError) as caught:
        await ask(at.client)
    found = [function for function, _, text in shown(caught.value.__traceback__) if MARKER in text]
    assert found == [called]
    assert any(name == "tried" for _, name, _ in shown(caught.value.__traceback__))

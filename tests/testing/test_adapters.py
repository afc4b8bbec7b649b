"""The fixture for adapters, in the process and over a socket, on both loops."""

from __future__ import annotations

import pytest

from tests.testing.support import run

pytest_plugins = ["pytester"]

PROGRAM = '''
import pytest
from norce_order_async import BadRequestError
from norce_order_async.adapter import deny

pytestmark = pytest.mark.anyio
SECRET = "nobody-can-guess-this"
loops = []


def make_adapter(norce):
    adapter = norce.adapter("erp", public_url=PUBLIC_URL, secret=SECRET, bearer=BEARER)

    @adapter.hook("/reference")
    async def name(call):
        order = await call.order()
        if order.reference == call.proposed.reference or call.proposed.reference == "bad":
            return deny("no-name")
        call.draft.attributes["named"] = call.proposed.reference

    return adapter


@pytest.fixture
def norce_sandbox_options():
    return {"callback_token": BEARER}


async def test_it(norce_adapter, norce_order, norce_sandbox):
    adapter = norce_adapter(make_adapter)
    assert len((await adapter.ensure(norce_order)).add) == 1
    await norce_order.set_reference("our-1")
    await norce_order.refresh()
    assert norce_order.attributes["named"] == "our-1"
    with pytest.raises(BadRequestError):
        await norce_order.set_reference("bad")
    assert adapter.counts["hook"] == 2
    (hook,) = norce_order.hooks
    assert hook.invoke.startswith(EXPECTED)


async def test_another(norce_adapter, norce_sandbox):
    """Of its own: nothing of the first is left."""
    assert norce_adapter(make_adapter).counts["hook"] == 0


def test_what_makes_no_adapter_is_refused(norce_adapter):
    with pytest.raises(TypeError, match="must return an Adapter"):
        norce_adapter(lambda norce: norce)
    with pytest.raises(TypeError, match="takes a function"):
        norce_adapter("module:adapter")
'''


@pytest.mark.parametrize(
    ("options", "public_url", "expected"),
    [
        ([], "https://erp.example.com/norce", "https://erp.example.com/norce/"),
        ([], None, "asgi://adapter/"),
        (["--norce-socket"], "https://erp.example.com/norce", "http://127.0.0.1:"),
        (["--norce-socket"], None, "http://127.0.0.1:"),
    ],
)
@pytest.mark.parametrize("bearer", [None, "of-the-callbacks"])
@pytest.mark.in_turn("bearer")
def test_an_adapter_is_called(
    pytester: pytest.Pytester, options: list[str], public_url: str | None, expected: str, bearer: str | None
) -> None:
    told = f"PUBLIC_URL = {public_url!r}\nEXPECTED = {expected!r}\nBEARER = {bearer!r}\n"
    pytester.makepyfile(told + PROGRAM)
    # anyio runs a test once on each loop: asyncio, asyncio with uvloop where it is installed, and trio.
    result = run(pytester, "-W", "error", *options)
    outcomes = result.parseoutcomes()
    assert outcomes.keys() == {"passed"}, result.stdout.str()
    assert outcomes["passed"] >= 5

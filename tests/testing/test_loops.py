"""The fixtures under every plugin that brings an event loop, within the process and over a socket."""

from __future__ import annotations

import pytest

from tests.testing.support import run

pytest_plugins = ["pytester"]

STORY = """\
import pytest
from norce_order_async import BadRequestError
from norce_order_async.testing import Reply

pytestmark = {mark}


async def test_an_order_is_completed(norce_client, norce_order, norce_sandbox):
    assert (norce_order.status, norce_order.stale, len(norce_order.payments)) == ("checkout", False, 0)
    assert len(norce_sandbox.requests) == 0
    await norce_order.payments.create({{"amount": norce_order.outstanding}})
    await norce_order.transition_to("completed")
    again = await norce_client.orders.get(norce_order.id)
    assert (again.status, again.outstanding) == ("completed", 0)


@pytest.mark.norce_faults("lost-answers", seed=7)
async def test_answers_are_lost(norce_order, norce_sandbox, norce_faults):
    for number in range(6):
        await norce_order.payments.create({{"amount": 25.0, "reference": f"gift-card-{{number}}"}})
    assert {{played.operation for played in norce_faults}} == {{"CreateOrderPayment"}}
    assert len(norce_sandbox.effects.of(norce_order.id, "CreateOrderPayment")) == 6


async def test_the_service_calls_back(norce_order, norce_sandbox, norce_callbacks):
    veto = norce_callbacks.answer("/veto", Reply(403), Reply(200))
    await norce_order.hooks.create({{"adapterId": "crm", "subscribeTo": "/reference", "invoke": veto}})
    told = norce_callbacks.url + "/told?by=norce"
    await norce_order.notifications.create({{"adapterId": "crm", "scope": "/reference", "invoke": told}})
    with pytest.raises(BadRequestError):
        await norce_order.set_reference("erp-1")
    await norce_order.set_reference("erp-1")
    await norce_sandbox.deliver_due()
    assert [call.json["reference"] for call in norce_callbacks.at("/veto")] == ["erp-1", "erp-1"]
    (call,) = norce_callbacks.at("/told")
    assert (call.query, call.headers["x-channel"]) == ("by=norce", "se")


async def test_a_client_may_be_closed(norce_client):
    async with norce_client as norce:
        assert await norce.orders.count() == 0
"""

TRANSPORTS = {"in process": "", "over a socket": "norce_socket = true"}


@pytest.mark.parametrize("ini", TRANSPORTS.values(), ids=TRANSPORTS)
def test_under_anyio_s_plugin(pytester: pytest.Pytester, ini: str) -> None:
    """The fixtures work on asyncio and on trio."""
    pytester.makepyfile(STORY.format(mark="pytest.mark.anyio"))
    run(pytester, ini=ini).assert_outcomes(passed=8)


@pytest.mark.parametrize("ini", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("mode", ["strict", "auto"])
# The way the plugin finds its tests does not affect how a client reaches the service.
@pytest.mark.in_turn("ini")
def test_under_pytest_asyncio(pytester: pytest.Pytester, mode: str, ini: str) -> None:
    """The fixtures work in both modes of the plugin."""
    pytester.makepyfile(STORY.format(mark="pytest.mark.asyncio" if mode == "strict" else "[]"))
    asyncio = f"asyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"
    run(pytester, plugins=("asyncio",), ini=asyncio + ini).assert_outcomes(passed=4)


def test_under_one_loop_for_a_whole_module(pytester: pytest.Pytester) -> None:
    """The tests share a loop, and each has its own client all the same."""
    pytester.makepyfile(STORY.format(mark='pytest.mark.asyncio(loop_scope="module")'))
    ini = "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = module\nnorce_socket = true\n"
    run(pytester, plugins=("asyncio",), ini=ini).assert_outcomes(passed=4)


def test_a_fixture_of_the_user_s_on_the_loop(pytester: pytest.Pytester) -> None:
    """A user's async fixtures may use ours."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        async def paid(norce_order):
            await norce_order.payments.create({"amount": float(norce_order.outstanding)})
            yield norce_order
            await norce_order.delete()

        @pytest.mark.anyio
        async def test_it(paid, norce_client):
            await paid.refresh()
            assert paid.outstanding == 0
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_a_call_left_in_flight(pytester: pytest.Pytester) -> None:
    """A test and its loop may end while a send waits for its answer."""
    pytester.makepyfile(
        """
        import anyio
        import pytest

        pytestmark = [pytest.mark.anyio, pytest.mark.norce_faults({"rules": [{"fault": {"delay": 3600}}]})]

        @pytest.mark.parametrize("socket", [pytest.param(True, marks=pytest.mark.norce_socket), False])
        async def test_it(norce_client, norce_faults, socket):
            async with anyio.create_task_group() as group:
                group.start_soon(norce_client.orders.count)
                while not len(norce_faults):
                    await anyio.sleep(0.01)
                group.cancel_scope.cancel()

        def test_the_next(norce_client):
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=5)

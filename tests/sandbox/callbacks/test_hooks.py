"""The sandbox calls hooks before a change is committed. They can deny it and change it."""

import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from anyio.to_thread import run_sync

from norce_order_async.sandbox import Sandbox
from tests.sandbox.support import API, CART, SHIPPING, Api, rule
from tests.support.plain import NO_TLS
from tests.support.servers import closed_port

from .receiver import OK, Got, Receiver, Reply, receiving

pytestmark = pytest.mark.anyio

REPLACE_REFERENCE = [{"op": "add", "path": "/reference", "value": "from the hook"}]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def hook(api: Api, order: str, invoke: str, subscribe_to: str = "/reference", **members: Any) -> str:
    """Register a hook. Returns its id."""
    body = {"adapterId": "erp", "subscribeTo": subscribe_to, "invoke": invoke, **members}
    await api.ok("POST", f"{order}/hooks", body)
    return str((await api.ok("GET", order))["hooks"][-1]["id"])


async def set_reference(api: Api, order: str, value: str = "r1", **options: Any) -> httpx.Response:
    return await api.send("PUT", f"{order}/reference", value, **options)


async def denied(response: httpx.Response) -> str:
    assert (response.status_code, response.json()["code"]) == (400, "order-validation")
    return str(response.json()["message"])


@rule("hook-before-commit", "callback-headers")
async def test_a_hook_sees_the_proposal_before_it_is_committed(api: Api, receiver: Receiver) -> None:
    order = await api.order(cart=CART)
    await hook(api, order, receiver.url + "/hook")
    before = await api.ok("GET", order)
    await api.ok("PUT", f"{order}/reference", "r1")
    (got,) = receiver.got
    assert got.order == {**before, "reference": "r1", "lastModified": got.order["lastModified"]}
    assert got.headers["content-type"] == "application/json"
    assert (got.headers["x-merchant"], got.headers["x-channel"]) == ("acme", "se")
    assert "authorization" not in got.headers
    assert (await api.ok("GET", order))["reference"] == "r1"


@rule("hook-before-commit")
async def test_a_hook_is_called_for_its_part_only_and_only_when_it_changes(api: Api, receiver: Receiver) -> None:
    order = await api.order(cart=CART)
    await hook(api, order, receiver.url, "/cart/attributes")
    await set_reference(api, order)
    await api.ok("PUT", f"{order}/cart", CART)
    assert receiver.got == []
    await api.ok("PUT", f"{order}/cart", {**CART, "attributes": {"gift": True}})
    assert len(receiver.got) == 1


@rule("same-status")
async def test_the_same_status_again_calls_no_hook(api: Api, receiver: Receiver) -> None:
    order = await api.payable()
    await hook(api, order, receiver.url + "/hook", "/state")
    await api.ok("POST", f"{order}/notifications", {"scope": "/state", "invoke": receiver.url + "/notification"})
    await api.status(order, "checkout")
    await api.sandbox.deliver_due()
    assert receiver.paths == []
    await api.status(order, "processing")
    await api.sandbox.deliver_due()
    assert receiver.paths == ["/hook", "/notification"]


@rule("hook-denial", "hook-before-commit")
@pytest.mark.parametrize("status", [302, 307, 400, 404, 418, 500])
async def test_any_other_answer_denies_and_nothing_is_changed(
    api: Api, sandbox: Sandbox, receiver: Receiver, status: int
) -> None:
    order = await api.order()
    identifier = await hook(api, order, receiver.url)
    before, effects = (await api.send("GET", order)).content, len(sandbox.effects)
    receiver.answer = lambda _: (status, [{"op": "add", "path": "/reference", "value": "secret"}])
    message = await denied(await set_reference(api, order))
    assert message == f"The hook {identifier} of adapter erp denied the change: it answered {status}."
    assert ((await api.send("GET", order)).content, len(sandbox.effects)) == (before, effects)
    assert receiver.paths == ["/"]  # a redirect was not followed


@rule("hook-denial")
async def test_no_connection_denies(api: Api) -> None:
    order = await api.order()
    with closed_port() as url:
        await hook(api, order, f"{url}/")
        assert "could not be reached" in await denied(await set_reference(api, order))


@rule("hook-denial", "hook-timeout")
async def test_no_answer_in_time_denies(receiver: Receiver) -> None:
    api = Api(Sandbox(hook_timeout=0.1))
    order = await api.order()
    await hook(api, order, receiver.url)
    done = threading.Event()

    def late(_got: Got) -> Reply:
        done.wait(60)
        return OK

    receiver.answer = late
    assert "did not answer within 0.1 s" in await denied(await set_reference(api, order))
    done.set()
    await api.close()


@rule("callers-only-loopback")
@pytest.mark.parametrize("address", ["http://10.0.0.1/", "http://localhost@example.com/", "nonsense", "http://["])
async def test_a_hook_elsewhere_is_not_called(api: Api, address: str) -> None:
    order = await api.order()
    await hook(api, order, address)
    assert "address" in (text := await denied(await set_reference(api, order))) or "may not be called" in text


@rule("hook-answer")
@pytest.mark.parametrize("answer", [(200, None), (204, None), (200, []), (201, b" ")])
async def test_an_empty_answer_approves(api: Api, receiver: Receiver, answer: Reply) -> None:
    order = await api.order()
    await hook(api, order, receiver.url)
    receiver.answer = lambda _: answer
    assert (await set_reference(api, order)).status_code == 200


@rule("hook-answer")
@pytest.mark.parametrize("body", [{}, {"op": "add"}, "fine", b"fine", b"[", 5])
async def test_an_answer_that_is_neither_empty_nor_a_list_denies(api: Api, receiver: Receiver, body: Any) -> None:
    order = await api.order()
    await hook(api, order, receiver.url)
    receiver.answer = lambda _: (200, body)
    assert "neither empty nor a list" in await denied(await set_reference(api, order))


@rule("hook-own-adapter")
async def test_an_adapters_own_hooks_are_left_out(api: Api, receiver: Receiver) -> None:
    order = await api.order()
    await hook(api, order, receiver.url + "/erp")
    await hook(api, order, receiver.url + "/psp", adapterId="psp")
    await set_reference(api, order, headers={"x-adapterid": "erp"})
    assert receiver.paths == ["/psp"]


@rule("hook-order", "hook-order-last")
async def test_hooks_are_called_by_part_and_then_by_target(api: Api, receiver: Receiver) -> None:
    order = await api.order(cart=CART)
    for name, part, target in [
        ("/5", "/payments", None),
        ("/4", "/payments", "/attributes"),
        ("/3", "/payments", "/cart"),
        ("/2", "/payments", "/state"),
    ]:
        await hook(api, order, receiver.url + name, part, **({} if target is None else {"target": target}))
    await api.ok("POST", f"{order}/payments", {"amount": 1})
    assert receiver.paths == ["/2", "/3", "/4", "/5"]


@rule("hook-order", "hook-order-last", "hook-patch")
async def test_changes_of_a_patch_call_their_hooks_in_the_order_of_the_parts(api: Api, receiver: Receiver) -> None:
    order = await api.order()
    parts = ["attributes", "reference", "payments", "shippings", "cart", "customer", "consents"]
    for part in parts:
        await hook(api, order, f"{receiver.url}/{part}", f"/{part}")
    everything = [
        {"op": "add", "path": "/attributes", "value": {"a": 1}},
        {"op": "add", "path": "/payments/-", "value": {"amount": 12.5}},
        {"op": "add", "path": "/shippings/-", "value": SHIPPING},
        {"op": "add", "path": "/cart", "value": CART},
        {"op": "add", "path": "/customer", "value": {"type": "Person"}},
        {"op": "add", "path": "/consents/-", "value": {"id": "terms"}},
    ]
    receiver.routes["/reference"] = lambda got: (200, [] if "attributes" in got.order else everything)
    await api.ok("PUT", f"{order}/reference", "r1")
    # The hook of the reference comes first, because nothing else has changed yet. The hook of the attributes follows in
    # the same round.
    assert receiver.paths == ["/reference", "/attributes", *reversed([f"/{p}" for p in parts[2:]])]
    got = await api.ok("GET", order)
    assert got["total"] == {"includingVat": 20, "excludingVat": 16}
    assert got["customer"] == {"type": "person"}
    (payment,), (shipping,), (item,) = got["payments"], got["shippings"], got["cart"]["items"]
    assert (payment["state"], payment["orderId"], payment["merchant"]) == ("intent", got["id"], "acme")
    assert (len(payment["id"]), len(shipping["id"]), len(item["id"])) == (27, 27, 28)
    assert got["consents"] == [{"id": "terms", "checked": False}]


@rule("hook-patch")
async def test_a_put_answers_with_the_hooks_changes(api: Api, receiver: Receiver) -> None:
    order = await api.payable()
    (payment,) = await api.ok("GET", f"{order}/payments")
    await hook(api, order, receiver.url, "/payments", target="/payments")
    receiver.answer = lambda _: (200, [{"op": "replace", "path": "/payments/0/amount", "value": 99}])
    answered = await api.ok("PUT", f"{order}/payments/{payment['id']}", {"amount": 5})
    assert answered["amount"] == 99
    assert answered == (await api.ok("GET", f"{order}/payments"))[0]
    assert answered["id"] == payment["id"]


WRONG_PATCHES: list[tuple[str | None, list[Any], str]] = [
    ("/attributes", REPLACE_REFERENCE, "is not under /attributes"),
    ("/attributes", [{"op": "add", "path": "/attributesX", "value": 1}], "is not under"),
    ("/attributes", [{"op": "move", "path": "/attributes/a", "from": "/reference"}], "is not under"),
    (None, [{"op": "replace", "path": "/id", "value": "o"}], "is not under /state or"),
    (None, [{"op": "replace", "path": "", "value": {}}], "is not under"),
    (None, [{"op": "remove", "path": "/hooks/0"}], "is not under"),
    (None, ["x"], "operation 0 is not an object"),
    (None, [{"op": "add"}], "operation 0 is not an object"),
    (None, [{"op": "paint", "path": "/cart"}], "operation 0 is not an object"),
    (None, [*REPLACE_REFERENCE, {"op": "replace", "path": "/attributes/a", "value": 1}], "operation 1 (replace"),
    (None, [{"op": "test", "path": "/reference", "value": "other"}], "operation 0 (test /reference) can't be applied"),
    (None, [{"op": "add", "path": "/reference"}], "can't be applied"),
    (None, [{"op": "add", "path": "/reference", "value": 5}], "$.reference: must be a string"),
    (None, [{"op": "add", "path": "/cart", "value": {"items": [{"quantity": "x"}]}}], "$.cart.items[0].quantity"),
    (None, [{"op": "add", "path": "/payments", "value": 5}], "$.payments: must be a list"),
    (None, [{"op": "add", "path": "/payments", "value": [5]}], "$.payments[0]: must be an object"),
    (None, [{"op": "add", "path": "/shippings/-", "value": {}}], "$.shippings[0].total: is required"),
    (None, [{"op": "remove", "path": "/payments/0"}], "can't be taken out"),
    (None, [{"op": "remove", "path": "/state"}], "$.state: must be an object"),
    (None, [{"op": "replace", "path": "/state/currentStatus", "value": "declined"}], "can't go from checkout"),
    (None, [{"op": "replace", "path": "/state/currentStatus", "value": "completed"}], "can't enter completed"),
]


@rule("hook-patch-limits")
@pytest.mark.parametrize(("target", "patch", "complaint"), WRONG_PATCHES)
async def test_a_wrong_patch_or_one_out_of_bounds_denies(
    api: Api, receiver: Receiver, target: str | None, patch: list[Any], complaint: str
) -> None:
    order = await api.order()
    await api.ok("POST", f"{order}/payments", {"amount": 12.5})
    await hook(api, order, receiver.url, **({} if target is None else {"target": target}))
    before = (await api.send("GET", order)).content
    receiver.answer = lambda _: (200, patch)
    assert complaint in await denied(await set_reference(api, order))
    assert (await api.send("GET", order)).content == before


@rule("hook-patch-limits")
async def test_a_patch_of_a_locked_part_denies(api: Api, receiver: Receiver) -> None:
    order = await api.order_in("processing")
    await hook(api, order, receiver.url)
    receiver.answer = lambda _: (200, [{"op": "add", "path": "/cart/attributes", "value": {}}])
    assert "can't be changed while its status is processing" in await denied(await set_reference(api, order))


@rule("hook-patch-limits")
async def test_a_patch_may_complete_what_the_new_status_demands(api: Api, receiver: Receiver) -> None:
    order = await api.payable()
    await hook(api, order, receiver.url, "/state")
    receiver.answer = lambda got: (200, [{"op": "replace", "path": "/payments/0/amount", "value": 3}])
    assert "can't enter processing" in await denied(await api.status(order, "processing"))
    receiver.answer = lambda got: (200, [{"op": "add", "path": "/payments/0/reference", "value": "psp"}])
    assert (await api.status(order, "processing")).status_code == 200
    got = await api.ok("GET", order)
    assert got["payments"][0]["reference"] == "psp"
    assert [entry["status"] for entry in got["state"]["transitions"]] == ["processing"]


@rule("hook-patch-limits")
async def test_a_patch_may_lead_to_another_status(api: Api, receiver: Receiver) -> None:
    order = await api.payable()
    await hook(api, order, receiver.url, "/state")
    receiver.answer = lambda _: (200, [{"op": "replace", "path": "/state/currentStatus", "value": "Accepted"}])
    await api.status(order, "processing")
    state = (await api.ok("GET", order))["state"]
    assert state["currentStatus"] == "accepted"
    assert [entry["status"] for entry in state["transitions"]] == ["accepted"]
    assert len(receiver.got) == 2  # the hook is called again about its own change


@rule("hook-patch-limits")
async def test_a_patched_cart_reference_must_be_free(api: Api, receiver: Receiver) -> None:
    await api.order(cart=CART)
    order = await api.order()
    await hook(api, order, receiver.url)
    receiver.answer = lambda _: (200, [{"op": "add", "path": "/cart", "value": {"reference": CART["reference"]}}])
    assert "Another order has this cart reference" in await denied(await set_reference(api, order))


@rule("hook-rounds")
async def test_hooks_that_never_agree_are_cut_off(api: Api, receiver: Receiver) -> None:
    order = await api.order()
    await hook(api, order, receiver.url)
    receiver.answer = lambda _: (200, [{"op": "replace", "path": "/reference", "value": f"x{len(receiver.got)}"}])
    before = (await api.send("GET", order)).content
    assert "after 10 rounds" in await denied(await set_reference(api, order))
    assert len(receiver.got) == 10
    assert (await api.send("GET", order)).content == before


@rule("callback-registration")
@pytest.mark.parametrize("members", [{"invoke": None}, {"subscribeTo": None}, {"subscribeTo": "reference"}])
async def test_an_incomplete_hook_is_never_called(api: Api, receiver: Receiver, members: Any) -> None:
    order = await api.order()
    body = {"subscribeTo": "/reference", "invoke": receiver.url, **members}
    await api.ok("POST", f"{order}/hooks", {name: value for name, value in body.items() if value is not None})
    assert (await set_reference(api, order)).status_code == 200
    assert receiver.got == []


def over_a_socket(sandbox: Sandbox, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
    return httpx.request(method, sandbox.base_url + API + path, json=body, headers=headers, timeout=None, verify=NO_TLS)


@rule("hook-meanwhile")
def test_a_hook_may_read_and_change_the_order_of_its_call(receiver: Receiver) -> None:
    with Sandbox() as sandbox:
        order = "/orders/" + over_a_socket(sandbox, "POST", "/orders", {"cart": CART}).json()["id"]
        over_a_socket(sandbox, "POST", f"{order}/payments", {"amount": 12.5})
        hook = {"adapterId": "psp", "subscribeTo": "/state", "invoke": receiver.url}
        over_a_socket(sandbox, "POST", f"{order}/hooks", hook)
        seen: list[str] = []

        def calls_back(_got: Got) -> Reply:
            current = over_a_socket(sandbox, "GET", order).json()
            seen.append(current["state"]["currentStatus"])
            payment = current["payments"][0]["id"]
            body = {"amount": 12.5, "reference": "psp-1"}
            assert over_a_socket(sandbox, "PUT", f"{order}/payments/{payment}", body).status_code == 200
            return OK

        receiver.answer = calls_back
        assert over_a_socket(sandbox, "PUT", f"{order}/state", {"currentStatus": "processing"}).status_code == 200
        got = over_a_socket(sandbox, "GET", order).json()
        assert seen == ["checkout"]
        assert (got["state"]["currentStatus"], got["payments"][0]["reference"]) == ("processing", "psp-1")
        # The demands of the new status are checked once more, because the hook's own change may break them.
        over_a_socket(sandbox, "PUT", f"{order}/state", {"currentStatus": "checkout"})

        def spoils_it(_got: Got) -> Reply:
            over_a_socket(sandbox, "POST", f"{order}/payments", {"amount": 1})
            return OK

        receiver.answer = spoils_it
        denied = over_a_socket(sandbox, "PUT", f"{order}/state", {"currentStatus": "processing"})
        assert (denied.status_code, denied.json()["code"]) == (400, "order-validation")


@rule("hook-meanwhile")
async def test_other_calls_continue_and_none_is_lost(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    order, other = await api.order(), await api.order()
    await hook(api, order, receiver.url, "/payments")
    held = threading.Event()
    asked = threading.Event()

    def hold(_got: Got) -> Reply:
        asked.set()
        held.wait(5)
        return OK

    receiver.answer = hold
    async with anyio.create_task_group() as tasks:
        for amount in (1, 2, 3):
            tasks.start_soon(api.ok, "POST", f"{order}/payments", {"amount": amount})
        await run_sync(asked.wait, 5)
        await api.ok("PUT", f"{order}/reference", "meanwhile")
        await api.ok("PUT", f"{other}/reference", "meanwhile")
        held.set()
    got = await api.ok("GET", order)
    assert sorted(payment["amount"] for payment in got["payments"]) == [1, 2, 3]
    assert got["reference"] == "meanwhile"
    assert len(sandbox.effects.of(operation="CreateOrderPayment")) == 3
    # One of the calls was made with all three payments.
    assert max(len(call.order["payments"]) for call in receiver.got) == 3


@rule("hook-meanwhile")
async def test_a_part_that_never_settles_is_given_up(api: Api, receiver: Receiver) -> None:
    order = await api.order()
    await hook(api, order, receiver.url)
    restless = iter(range(100))

    async def change() -> None:
        await api.ok("PUT", f"{order}/reference", f"x{next(restless)}", headers={"x-adapterid": "erp"})

    async with BlockingPortal() as portal:
        receiver.answer = lambda _: (portal.call(change), OK)[1]
        assert "kept changing the same part" in await denied(await set_reference(api, order))
        await portal.stop()
    assert len(receiver.got) == 5


@rule("hook-meanwhile")
async def test_an_order_deleted_meanwhile_is_gone(api: Api, receiver: Receiver) -> None:
    order = await api.order()
    await hook(api, order, receiver.url)
    async with BlockingPortal() as portal:
        receiver.answer = lambda _: (portal.call(api.ok, "DELETE", order), OK)[1]
        assert await api.refused("PUT", f"{order}/reference", "r1") == (404, "order-not-found")
        await portal.stop()


@rule("callback-bearer")
async def test_a_callback_token_is_sent_as_a_bearer(receiver: Receiver) -> None:
    api = Api(Sandbox(callback_token="for-receivers"))
    order = await api.order()
    await hook(api, order, receiver.url)
    await set_reference(api, order)
    assert receiver.got[0].headers["authorization"] == "Bearer for-receivers"
    await api.close()


@rule("callback-bearer")
@pytest.mark.parametrize("token", ["", " ", "a\nb", "é"])
def test_a_callback_token_that_can_not_be_a_header_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="callback_token"):
        Sandbox(callback_token=token)


@rule("hook-patch-size")
async def test_a_patch_that_copies_the_order_into_itself_is_refused_before_it_grows(
    api: Api, receiver: Receiver
) -> None:
    """Twenty copies make a gigabyte from a kilobyte. The sandbox computes the size that a patch adds before it
    carries it out."""
    order = await api.order(cart=CART)
    begun = {"op": "add", "path": "/attributes", "value": {"a": "x" * 1300}}
    copies = [{"op": "copy", "from": "/attributes", "path": f"/attributes/{at}"} for at in range(20)]
    receiver.answer = lambda _: (200, [begun, *copies])
    await hook(api, order, receiver.url)
    tracemalloc.start()
    try:
        said = await denied(await set_reference(api, order))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "(copy /attributes/11) makes the order more than 4194304 bytes larger" in said
    assert most < 100_000_000
    assert "reference" not in await api.ok("GET", order)


@rule("hook-patch-size")
async def test_a_patch_of_very_many_operations_is_refused(api: Api, receiver: Receiver) -> None:
    """A patch of 101 operations is refused, and one of 100 is carried out."""
    order = await api.order(cart=CART)
    answers = iter([101, 100])
    receiver.answer = lambda _: (200, REPLACE_REFERENCE * next(answers, 0))
    await hook(api, order, receiver.url)
    assert "101 operations, more than 100" in await denied(await set_reference(api, order))
    await api.ok("PUT", f"{order}/reference", "r1")
    assert (await api.ok("GET", order))["reference"] == "from the hook"

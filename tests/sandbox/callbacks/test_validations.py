"""The sandbox calls registered validations together, and combines their findings."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from norce_order_async.sandbox import Sandbox
from tests.sandbox.support import Api, rule

from .receiver import OK, Got, Receiver, Reply, receiving

pytestmark = pytest.mark.anyio

STOCK = {"adapterId": "stock", "code": "sold-out", "message": "The last one went."}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def validated(api: Api, order: str) -> tuple[int, Any]:
    response = await api.send("POST", f"{order}/validate")
    return response.status_code, response.json()


async def validation(api: Api, order: str, url: str, adapter: str = "stock") -> None:
    await api.ok("POST", f"{order}/validations", {"adapterId": adapter, "url": url})


@rule("validations", "validation-body", "callback-headers")
async def test_a_validation_gets_no_body(api: Api, receiver: Receiver) -> None:
    order = await api.payable()
    await validation(api, order, receiver.url + "/{order_id}")
    assert await validated(api, order) == (200, [])
    (got,) = receiver.got
    assert (got.path, got.content) == (f"/{order.removeprefix('/orders/')}", b"")
    assert (got.headers["x-merchant"], got.headers["x-channel"]) == ("acme", "se")


@rule("validations")
@pytest.mark.parametrize("body", [[STOCK], {"errors": [STOCK]}, [{**STOCK, "adapterId": 5, "extra": 1}]])
async def test_a_list_adds_its_entries_to_the_services_own(api: Api, receiver: Receiver, body: Any) -> None:
    order = await api.order()
    await validation(api, order, receiver.url)
    receiver.answer = lambda _: (400, body)
    status, entries = await validated(api, order)
    assert (status, [entry["code"] for entry in entries]) == (400, ["cart-empty", "sold-out"])
    assert entries[1] == STOCK


@rule("validations")
async def test_all_are_called_at_once_and_answered_in_their_order(api: Api, receiver: Receiver) -> None:
    order = await api.payable()
    together = threading.Barrier(3)

    def wait_for_the_others(got: Got) -> Reply:
        together.wait(5)
        return 400, [{"code": got.path}]

    receiver.answer = wait_for_the_others
    for name in ("/a", "/b", "/c"):
        await validation(api, order, receiver.url + name, adapter=name)
    status, entries = await validated(api, order)
    assert (status, entries) == (400, [{"adapterId": name, "code": name} for name in ("/a", "/b", "/c")])


@rule("validation-timeout")
async def test_a_late_one_is_skipped(receiver: Receiver) -> None:
    done = threading.Event()
    receiver.routes["/late"] = lambda _: (done.wait(60), (400, [STOCK]))[1]
    receiver.routes["/prompt"] = lambda _: (400, [{"code": "prompt"}])
    prompt = (400, [{"adapterId": "stock", "code": "prompt"}])
    bound = 0.1
    while True:
        api = Api(Sandbox(validation_timeout=bound))
        order = await api.payable()
        await validation(api, order, receiver.url + "/late")
        await validation(api, order, receiver.url + "/prompt")
        # On a slow machine the prompt validation may be late too, and is then skipped too.
        if (found := await validated(api, order)) != (200, []):
            break
        bound *= 4
        await api.close()
    assert found == prompt
    done.set()
    await api.close()


@rule("validation-other")
@pytest.mark.parametrize(
    "reply", [(400, None), (400, b"no"), (400, []), (400, {}), (401, [STOCK]), (302, []), (500, [])]
)
async def test_any_other_answer_is_an_entry_of_its_own(api: Api, receiver: Receiver, reply: Reply) -> None:
    order = await api.payable()
    await validation(api, order, receiver.url)
    receiver.answer = lambda _: reply
    status, (entry,) = await validated(api, order)
    assert (status, entry["adapterId"], entry["code"]) == (400, "stock", "order-unknown-validation-error")
    assert f"answered {reply[0]}" in entry["message"]
    assert len(receiver.got) == 1


@rule("validation-other")
@pytest.mark.parametrize("reply", [OK, (204, None), (201, [STOCK])])
async def test_any_success_passes(api: Api, receiver: Receiver, reply: Reply) -> None:
    order = await api.payable()
    await validation(api, order, receiver.url)
    receiver.answer = lambda _: reply
    assert await validated(api, order) == (200, [])


@rule("validation-other", "callers-only-loopback", "placeholder-unknown")
@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://10.0.0.1/", "may not be called"),
        ("{config.nowhere}/", "placeholder {config.nowhere}"),
        ("http://127.0.0.1:1/", "could not be reached"),
    ],
)
async def test_a_failed_call_is_an_entry(api: Api, url: str, complaint: str) -> None:
    order = await api.payable()
    await validation(api, order, url)
    status, (entry,) = await validated(api, order)
    assert (status, entry["code"]) == (400, "order-unknown-validation-error")
    assert complaint in entry["message"]


@rule("callback-registration")
async def test_one_without_an_address_is_never_called(api: Api) -> None:
    order = await api.payable()
    await api.ok("POST", f"{order}/validations", {"adapterId": "stock"})
    assert await validated(api, order) == (200, [])

"""The sandbox calls applications in this process like those behind a socket, and treats their answers alike."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeAlias

import anyio
import pytest

from norce_order_async.sandbox import ManualClock, Sandbox
from tests.sandbox.support import CART, Api, rule
from tests.support.asgi import serving_app

pytestmark = pytest.mark.anyio

Message: TypeAlias = MutableMapping[str, Any]

HOST = "erp.example"


class Seen:
    """An application that answers as `do` says, and records the requests that it got."""

    def __init__(self, status: int = 200, body: bytes = b"") -> None:
        self.status, self.body = status, body
        self.scopes: list[Message] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.scopes.append(scope)
        self.bodies.append(body)
        await self.do(receive, send)

    async def do(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


class Failing(Seen):
    async def do(self, receive: Any, send: Any) -> None:
        raise RuntimeError("the handler's own words")


class Silent(Seen):
    async def do(self, receive: Any, send: Any) -> None:
        return


class Cut(Seen):
    async def do(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"[", "more_body": True})
        raise RuntimeError


class TooLong(Seen):
    async def do(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for left in reversed(range(64)):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": left > 0})


class Backwards(Seen):
    async def do(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b""})


class InParts(Seen):
    async def do(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'[{"op": "add", "path": "/refe', "more_body": True})
        await send({"type": "http.response.body", "body": b'rence", "value": "patched"}]'})


@pytest.fixture(params=["in process", "over a socket"])
def over(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sandbox(clock: ManualClock) -> Iterator[Sandbox]:
    sandbox = Sandbox(seed=7, clock=clock, callback_token="of the callbacks")
    yield sandbox
    sandbox.close()


@pytest.fixture
async def reach(sandbox: Sandbox, over: str) -> AsyncIterator[Any]:
    """Returns the address of an application."""
    with contextlib.ExitStack() as servers:

        def reached(app: Any) -> str:
            if over == "over a socket":
                return servers.enter_context(serving_app(app, lifespan=False))
            sandbox.register_app(HOST, app)
            return f"https://{HOST}"

        yield reached


async def hooked(api: Api, address: str) -> tuple[int, Any]:
    """Change the reference of an order that has a hook at this address. Returns the status, and the error's message
    or the order."""
    order = await api.order(cart=CART)
    await api.ok("POST", f"{order}/hooks", {"adapterId": "erp", "subscribeTo": "/reference", "invoke": address})
    response = await api.send("PUT", f"{order}/reference", "r1")
    return response.status_code, response.json()["message"] if response.content else await api.ok("GET", order)


@rule("hook-before-commit", "callback-headers")
async def test_the_same_request_comes(api: Api, reach: Any) -> None:
    app = Seen()
    status, order = await hooked(api, reach(app) + "/hooks/%C3%A5/{order_id}?q=%20a")
    assert (status, order["reference"]) == (200, "r1")
    (scope,) = app.scopes
    assert scope["path"] == f"/hooks/å/{order['id']}"
    assert scope["raw_path"] == f"/hooks/%C3%A5/{order['id']}".encode()
    assert (scope["query_string"], scope["root_path"], scope["method"]) == (b"q=%20a", "", "POST")
    headers = dict(scope["headers"])
    assert len(headers) == len(scope["headers"])
    assert headers.keys() == {
        *(b"host", b"accept-encoding", b"x-merchant", b"x-channel", b"content-type", b"authorization"),
        b"content-length",
    }
    assert headers[b"x-merchant"] == b"acme"
    assert headers[b"authorization"] == b"Bearer of the callbacks"
    assert headers[b"content-length"] == str(len(app.bodies[0])).encode()
    assert b'"reference"' in app.bodies[0]


@rule("hook-denial", "hook-answer")
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (partial(Seen, 204), None),
        (partial(Seen, 200, b"[]"), None),
        (InParts, None),
        (partial(Seen, 302), "it answered 302"),
        (partial(Seen, 400, b'{"code": "sold-out"}'), "it answered 400"),
        (partial(Seen, 200, b"what"), "neither empty nor a list"),
        (Failing, "it answered 500"),
        (Silent, "it answered 500"),
        (Backwards, "it answered 500"),
        (Cut, "gave no answer that could be read"),
        (TooLong, "gave no answer that could be read"),
    ],
)
async def test_the_same_answers_are_accepted(
    api: Api, reach: Any, make: Callable[[], Seen], expected: str | None
) -> None:
    status, told = await hooked(api, reach(make()))
    if expected is None:
        assert (status, told["reference"]) == (200, "patched" if make is InParts else "r1")
    else:
        assert status == 400
        assert expected in told


@rule("notification-retries")
async def test_the_same_attempts_are_made_and_recorded(api: Api, clock: ManualClock, reach: Any) -> None:
    app = Seen(503)
    order = await api.order(cart=CART)
    await api.ok("POST", f"{order}/notifications", {"scope": "/reference", "invoke": reach(app) + "/{order_id}"})
    await api.ok("PUT", f"{order}/reference", "r1")
    (delivery,) = api.sandbox.deliveries
    for status in (503, 500, 204):
        app.status = status
        await api.sandbox.deliver_due()
        clock.advance(5)
    await api.sandbox.deliver_due()
    assert [attempt.status for attempt in delivery.attempts] == [503, 500, 204]
    assert [attempt.problem for attempt in delivery.attempts] == ["it answered 503", "it answered 500", None]
    assert (delivery.state, len(app.scopes)) == ("delivered", 3)


@rule("validations")
async def test_validations_of_several_applications_are_called_together(api: Api) -> None:
    both = anyio.Event()

    class Waiting(Seen):
        async def do(self, receive: Any, send: Any) -> None:
            if len(self.scopes) == 2:
                both.set()
            with anyio.fail_after(30):
                await both.wait()
            await super().do(receive, send)

    app = Waiting()
    order = await api.payable()
    for host in ("one.example", "two.example"):
        api.sandbox.register_app(host, app)
        await api.ok("POST", f"{order}/validations", {"adapterId": host, "url": f"http://{host}/"})
    assert await api.ok("POST", f"{order}/validate") == []
    assert {scope["server"] for scope in app.scopes} == {("one.example", 80), ("two.example", 80)}
    assert app.bodies == [b"", b""]


@pytest.mark.every_loop
async def test_an_application_that_is_too_late_is_cancelled_and_gets_a_disconnect(sandbox: Sandbox) -> None:
    api = Api(Sandbox(hook_timeout=0.1))
    ended: list[str] = []

    class Watching(Seen):
        async def do(self, receive: Any, send: Any) -> None:
            try:
                assert (await receive())["type"] == "http.disconnect"
                ended.append("told")
            finally:
                ended.append("over")

    api.sandbox.register_app(HOST, Watching())
    status, told = await hooked(api, f"http://{HOST}/")
    assert (status, "did not answer within 0.1 s" in told) == (400, True)
    assert ended[-1] == "over"
    await api.close()


async def test_work_after_its_answer_is_waited_for(api: Api) -> None:
    done: list[bool] = []

    class Background(Seen):
        async def do(self, receive: Any, send: Any) -> None:
            await super().do(receive, send)
            assert (await receive())["type"] == "http.disconnect"
            await anyio.sleep(0.01)
            done.append(True)

    api.sandbox.register_app(HOST, Background())
    status, _ = await hooked(api, f"http://{HOST}/")
    assert (status, done) == (200, [True])


async def test_nothing_of_the_callers_context_reaches_it(api: Api) -> None:
    span: ContextVar[str] = ContextVar("span", default="none")
    met: list[str] = []

    class Asking(Seen):
        async def do(self, receive: Any, send: Any) -> None:
            met.append(span.get())
            await super().do(receive, send)

    api.sandbox.register_app(HOST, Asking())
    span.set("the caller's")
    assert (await hooked(api, f"http://{HOST}/"))[0] == 200
    assert met == ["none"]


async def test_the_reason_of_its_failure_is_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.sandbox.register_app(HOST, Failing())
    with caplog.at_level(logging.ERROR, "norce_order_async.sandbox"):
        await hooked(api, f"http://{HOST}/")
    assert "the handler's own words" in caplog.text


@pytest.mark.parametrize(
    ("scheme", "told", "port"), [("asgi", "http", 80), ("http", "http", 80), ("https", "https", 443)]
)
async def test_its_addresses_may_have_the_scheme_asgi(api: Api, scheme: str, told: str, port: int) -> None:
    app = Seen()
    api.sandbox.register_app("erp", app)
    assert (await hooked(api, f"{scheme}://erp/hook"))[0] == 200
    assert [(scope["scheme"], scope["server"], scope["path"]) for scope in app.scopes] == [
        (told, ("erp", port), "/hook")
    ]


@rule("callers-only-loopback")
@pytest.mark.parametrize(
    "address", [f"ftp://{HOST}/", f"http://other.{HOST}/", f"http://{HOST}@elsewhere.example/", "asgi://127.0.0.1/"]
)
async def test_other_addresses_do_not_lead_to_it(api: Api, address: str) -> None:
    app = Seen()
    api.sandbox.register_app(HOST, app)
    status, told = await hooked(api, address)
    assert (status, "may not be called from here" in told) == (400, True)
    assert app.scopes == []


async def test_applications_may_be_given_when_it_is_made_and_later_ones_count() -> None:
    first, second = Seen(), Seen()
    api = Api(Sandbox(apps={"ERP.example": first}))
    assert (await hooked(api, f"http://{HOST}:8080/"))[0] == 200
    api.sandbox.register_app(HOST, second)
    api.sandbox.reset()
    assert (await hooked(api, f"http://{HOST}/"))[0] == 200
    assert (len(first.scopes), len(second.scopes)) == (1, 1)
    await api.close()


async def test_a_served_sandbox_calls_it_too() -> None:
    import httpx

    app = Seen(418)
    async with Sandbox(apps={HOST: app}) as sandbox, httpx.AsyncClient() as client:
        headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
        orders = sandbox.base_url + "/api/v0/checkout/orders"
        made = await client.post(orders, headers=headers, json={"cart": CART})
        order = f"{orders}/{made.json()['id']}"
        hook = {"adapterId": "erp", "subscribeTo": "/reference", "invoke": f"http://{HOST}/"}
        assert (await client.post(f"{order}/hooks", headers=headers, json=hook)).is_success
        assert (await client.put(f"{order}/reference", headers=headers, json="r1")).status_code == 400
    assert len(app.scopes) == 1


@pytest.mark.parametrize(
    ("host", "app", "error"),
    [
        ("http://erp.example", Seen(), ValueError),
        ("erp.example/orders", Seen(), ValueError),
        ("", Seen(), ValueError),
        (5, Seen(), TypeError),
        ("erp.example", "module:app", TypeError),
    ],
)
def test_an_invalid_host_or_application_is_refused(host: Any, app: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"host must|app must"):
        Sandbox().register_app(host, app)
    with pytest.raises(error, match=r"each host of apps must|each of apps must"):
        Sandbox(apps={host: app})

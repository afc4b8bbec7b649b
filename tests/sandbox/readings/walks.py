"""Random walks over the whole API in this process. The same steps can be sent under other readings and compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeAlias

import anyio
import httpx

from norce_order_async._json import is_list, is_mapping
from norce_order_async.sandbox import IN_PROCESS_URL, ManualClock, Readings, Sandbox
from norce_order_async.sandbox.rules import READINGS
from tests.sandbox.callbacks.receiver import Got, Receiver, Reply
from tests.sandbox.support import API

Step: TypeAlias = tuple[str, Mapping[str, Any]]
"""A kind of step and its arguments. A number stands for an order or a part of one that exists by then."""

STATUSES = ("checkout", "processing", "accepted", "completed", "declined", "removed")
_MOMENTS = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:04.000000Z", "2026-01-01T00:00:03+00:00")
_FAULTS: tuple[Any, ...] = (
    "lose-answer",
    {"reset": {"when": "before"}},
    {"reset": {"when": "after"}},
    {"lost-then-late": 1},
    {"take-in": {"apply_after": 1}},
    {"take-in": {"apply_after": 1, "dropped": True}},
    {"answer": {"status": 503, "retry_after": 1}},
    {"answer": {"status": 503}},
    {"answer": {"status": 429, "retry_after": 1}},
    {"answer": {"status": 500, "after_effect": True}},
    {"answer": {"status": 502}},
    {"cut-body": 0.5},
)


def random_readings(drawn: Random) -> Readings:
    """Random readings. Each rule has a chance of one half of being set."""
    return Readings({rule: drawn.choice(list(readings)) for rule, readings in READINGS.items() if drawn.random() < 0.5})


def random_walk(drawn: Random, length: int = 25) -> list[Step]:
    """Random steps, most of which make sense."""
    steps = [_create(drawn)]
    kinds = (
        _create,
        _create,
        _read,
        _list,
        _list,
        _status,
        _status,
        _status,
        _part,
        _part,
        _part,
        _callback,
        _time,
        _whole,
    )
    while len(steps) < length:
        if drawn.random() < 0.1:
            steps.append(("together", {"steps": [drawn.choice(kinds[:11])(drawn) for _ in range(drawn.randint(2, 3))]}))
        else:
            steps.append(drawn.choice(kinds)(drawn))
    return steps


def _price(drawn: Random) -> dict[str, float]:
    amount = drawn.choice([0, 10, 10, 10, 10, 2.345])
    return {"includingVat": amount, "excludingVat": drawn.choice([amount, 0])}


def _item(drawn: Random) -> dict[str, Any]:
    item: dict[str, Any] = {"sku": "T", "quantity": 1, "total": _price(drawn)}
    if drawn.random() < 0.3:
        item["type"] = drawn.choice(["Physical", "physical", "digital"])
    if drawn.random() < 0.1:
        item["logistics"] = {"shippingDate": drawn.choice([*_MOMENTS, "2026-01-01T00:00:00", "soon", None])}
    if drawn.random() < 0.1:
        item["items"] = [{"sku": "U", "quantity": 2}]
    if drawn.random() < 0.03:
        item["unit"] = None
    return item


def _cart(drawn: Random) -> dict[str, Any]:
    cart: dict[str, Any] = {"items": [_item(drawn) for _ in range(drawn.randint(0, 2))]}
    if drawn.random() < 0.5:
        cart["total"] = _price(drawn)
    if drawn.random() < 0.5:
        cart["reference"] = drawn.choice(["c1", "c2"])
    if drawn.random() < 0.2:
        cart["attributes"] = {"amount": 0.125, "colour": None}
    if drawn.random() < 0.1:
        cart["colour"] = "red"
    return cart


def _address(drawn: Random) -> dict[str, Any]:
    return {
        "type": drawn.choice(["Person", "person", "organization"]),
        "address": {"country": "SE", "firstName": drawn.choice(["Åsa", "X"])},
    }


def _payment(drawn: Random) -> dict[str, Any]:
    payment: dict[str, Any] = {"amount": drawn.choice([10, 10, 10, 20, 0, 2.345])}
    if drawn.random() < 0.5:
        payment["state"] = drawn.choice(["Intent", "removed", "confirmed", "REMOVED"])
    if drawn.random() < 0.3:
        payment["type"] = drawn.choice(["prepaid", "Prepaid", "default"])
    if drawn.random() < 0.2:
        payment["upsell"] = {"expiration": drawn.choice([*_MOMENTS, "2026-01-01T00:00:00"])}
    return payment


def _hooks(drawn: Random) -> dict[str, Any]:
    return {
        "subscribeTo": drawn.choice(["/cart", "/state", "/reference", "/payments", "/attributes", "/customer"]),
        "invoke": drawn.choice(["ok", "deny", "deny-empty", "patch-cart", "patch-state", "patch-reference", "nowhere"]),
        "version": drawn.choice(["v0", "v1"]),
    }


def _create(drawn: Random) -> Step:
    body: dict[str, Any] = {}
    if drawn.random() < 0.8:
        body["cart"] = _cart(drawn)
    if drawn.random() < 0.3:
        body["customer"] = {"type": drawn.choice(["Person", "person"])}
    if drawn.random() < 0.2:
        body["consents"] = [{"type": "terms", "required": True, "checked": drawn.random() < 0.5}]
    if drawn.random() < 0.2:
        body["hooks"] = [_hooks(drawn)]
    if drawn.random() < 0.2:
        body["notifications"] = [{"scope": "/cart", "invoke": drawn.choice(["ok", "fail"])}]
    if drawn.random() < 0.2:
        body["validations"] = [{"url": drawn.choice(["ok", "invalid"])}]
    if drawn.random() < 0.2:
        body["attributes"] = {"a": drawn.choice([1, None, {"b": None}])}
    if drawn.random() < 0.1:
        body["culture"] = drawn.choice(["sv-SE", "xx"])
    return "send", {"method": "POST", "path": "/orders", "body": body}


def _send(drawn: Random, method: str, path: str, body: Any = ...) -> Step:
    said: dict[str, Any] = {"method": method, "path": path, "order": drawn.randint(0, 2), "part": drawn.randint(0, 2)}
    if body is not ...:
        said["body"] = body
    if drawn.random() < 0.1:
        said["channel"] = "no"
    if drawn.random() < 0.05:
        said["token"] = "wrong"
    return "send", said


def _read(drawn: Random) -> Step:
    path = drawn.choice(["", "", "", "/payments", "/shippings", "/payments/{payment}", "/shippings/{shipping}"])
    if drawn.random() < 0.1:
        return _send(drawn, "GET", drawn.choice(["/orders/oNOTHERE", "/nothing", "/orders/"]))
    return _send(drawn, "GET", "/orders/{order}" + path)


def _list(drawn: Random) -> Step:
    query = [
        ("limit", drawn.choice([1, 2, 50, 51, 100, 101, 0])),
        ("offset", drawn.choice([0, 1, 10_001])),
        ("date_from", drawn.choice(_MOMENTS)),
        ("date_to", drawn.choice(_MOMENTS)),
        ("cart_reference", "c1"),
        ("status", drawn.choice(STATUSES)),
        ("search", "x"),
    ]
    text = "&".join(f"{name}={str(value).replace('+', '%2B')}" for name, value in query if drawn.random() < 0.25)
    return _send(drawn, "GET", f"/orders?{text}")


def _status(drawn: Random) -> Step:
    if drawn.random() < 0.15:
        return _send(drawn, "DELETE", "/orders/{order}")
    status = drawn.choice([*STATUSES, "processing", "checkout", "Processing", "nothing"])
    return _send(drawn, "PUT", "/orders/{order}/state", {"currentStatus": status})


def _part(drawn: Random) -> Step:
    order = "/orders/{order}"
    calls: list[tuple[str, str, Any]] = [
        ("PUT", "/cart", _cart(drawn)),
        ("PUT", "/cart", _cart(drawn)),
        ("POST", "/payments", _payment(drawn)),
        ("PUT", "/payments/{payment}", _payment(drawn)),
        ("POST", "/payments/{payment}/transactions", {"event": drawn.choice(["open", "Open", "x"]), "amount": 1.5}),
        ("GET", "/payments/{payment}/transactions", ...),
        ("POST", "/shippings", {"total": _price(drawn), "vatRate": 0.25}),
        (
            "PUT",
            "/shippings/{shipping}",
            {"total": _price(drawn), "vatRate": 0.25, "state": drawn.choice(["intent", "Removed"])},
        ),
        ("PUT", "/customer/billing", _address(drawn)),
        ("PUT", "/customer/shipping", _address(drawn)),
        ("PUT", "/reference", drawn.choice(["r", "s"])),
        ("PATCH", "/attributes", {"a": drawn.choice([None, 1, {"b": None}]), "b": drawn.choice([None, 0.125])}),
        ("POST", "/consents", {"type": "news", "required": drawn.random() < 0.5}),
        ("POST", "/validate", ...),
        ("POST", "/validate", ...),
    ]
    method, path, body = drawn.choice(calls)
    return _send(drawn, method, order + path, body)


def _callback(drawn: Random) -> Step:
    notification = {
        "scope": drawn.choice(["/cart", "/state", "/reference"]),
        "invoke": drawn.choice(["ok", "fail"]),
        "delay": drawn.choice([0, 1500]),
    }
    validation = {"url": drawn.choice(["ok", "invalid", "fail"])}
    of_each: list[tuple[str, Any]] = [
        ("hooks", _hooks(drawn)),
        ("notifications", notification),
        ("validations", validation),
    ]
    kind, body = drawn.choice(of_each)
    return _send(drawn, "POST", "/orders/{order}/" + kind, body)


def _time(drawn: Random) -> Step:
    return drawn.choice([("advance", {"seconds": drawn.choice([0.5, 1, 2, 3, 10, 400])}), ("deliver", {})])


def _whole(drawn: Random) -> Step:
    return drawn.choice(
        [
            ("snapshot", {}),
            ("restore", {}),
            ("restore", {}),
            ("elsewhere", {}),
            ("reset", {}) if drawn.random() < 0.3 else ("seed", {}),
            _faults(drawn),
            _faults(drawn),
            ("faults", {"plan": None}),
        ]
    )


def _faults(drawn: Random) -> Step:
    fault = drawn.choice(_FAULTS)
    rule: dict[str, Any] = {"every": drawn.randint(1, 3), "fault": fault}
    if "take-in" in fault:
        rule["operations"] = ["UpdateCheckoutOrderState", "UpdateCheckoutOrderCart"]
    return "faults", {"plan": {"rules": [rule]}}


_REPLIES: Mapping[str, Reply] = {
    "ok": (200, None),
    "fail": (500, None),
    "deny": (418, {"why": "no"}),
    "deny-empty": (403, None),
    "invalid": (400, [{"code": "x", "message": "no"}]),
    "patch-cart": (200, [{"op": "add", "path": "/cart", "value": {"items": [], "reference": "c1"}}]),
    "patch-state": (200, [{"op": "replace", "path": "/state/currentStatus", "value": "removed"}]),
    "patch-reference": (200, [{"op": "add", "path": "/reference", "value": "patched"}]),
}
"""Replies by the path of the receiver's address."""


def _answering(reply: Reply) -> Callable[[Got], Reply]:
    return lambda _: reply


class Walker:
    """Takes steps, and records what a program could have seen."""

    def __init__(self, readings: Readings, receiver: Receiver) -> None:
        self.readings = readings
        self.receiver = receiver
        self.clock = ManualClock()
        self.seen: list[object] = []
        self.answers: list[tuple[str, str, httpx.Response, tuple[str, ...]]] = []
        """The method, the path, the answer, and the faults that the request met."""
        self.touched: set[str] = set()
        self._taken: bytes | None = None
        self._seeded = 0
        self.sandbox = self._made()
        receiver.got.clear()
        receiver.routes.update({f"/{name}": _answering(reply) for name, reply in _REPLIES.items()})

    def _made(self) -> Sandbox:
        # Long timeouts, so that no call is late on a slow machine. Other tests show the timeouts of the readings.
        return Sandbox(
            readings=self.readings, clock=self.clock, seed=7, token="t", hook_timeout=60, validation_timeout=60
        )

    async def walk(self, steps: list[Step]) -> None:
        for kind, said in steps:
            await self._step(kind, said)
        self.clock.advance(5)
        await self.sandbox.deliver_due()
        self.seen.append(list(self.sandbox.effects))
        got = [(one.path, one.headers.get("authorization"), one.content) for one in self.receiver.got]
        # Several may be in flight at the same time, so their order is not compared.
        self.seen.append(sorted(got, key=repr))
        self.touched |= self.sandbox.touched
        self.sandbox.close()

    async def _step(self, kind: str, said: Mapping[str, Any]) -> None:
        sandbox = self.sandbox
        match kind:
            case "send":
                self.seen.append(await self._sent(said))
            case "together":
                answers: dict[int, object] = {}

                async def one(number: int, step: Mapping[str, Any]) -> None:
                    answers[number] = await self._sent(step)

                async with anyio.create_task_group() as tasks:
                    for number, (_, step) in enumerate(said["steps"]):
                        tasks.start_soon(one, number, step)
                self.seen.append(sorted(answers.items()))
            case "advance":
                self.clock.advance(said["seconds"])
            case "deliver":
                await sandbox.deliver_due()
            case "snapshot":
                self._taken = sandbox.snapshot()
            case "restore" if self._taken is not None:
                sandbox.restore(self._taken)
            case "elsewhere":
                taken = sandbox.snapshot()
                self.seen.append(list(sandbox.effects))
                self.touched |= sandbox.touched
                sandbox.close()
                self.sandbox = self._made()
                self.sandbox.restore(taken)
            case "reset":
                sandbox.reset()
                self._seeded = 0
            case "seed":
                self._seeded += 1
                sandbox.seed_orders(3, merchant="acme", seed=sandbox.clock.now().microsecond + len(self.seen) + 1000)
            case "faults" if said["plan"] is None:
                sandbox.faults.stop()
            case "faults":
                sandbox.faults.play(said["plan"])
            case _:
                pass

    def _ids(self, operation: str, order: str | None = None) -> list[str]:
        return list(dict.fromkeys(
            one.subject for one in self.sandbox.effects.of(operation=operation) if order in (None, one.order_id)
        ))  # fmt: skip

    def _addressed(self, said: Mapping[str, Any]) -> str:
        path: str = said["path"]
        for name, operation in (
            ("order", "CreateCheckoutOrder"), ("payment", "CreateOrderPayment"), ("shipping", "CreateOrderShipping"),
        ):  # fmt: skip
            if f"{{{name}}}" in path:
                order = None if name == "order" else path.split("/")[2]
                there = self._ids(operation, order)
                number: int = said["order" if name == "order" else "part"]
                path = path.replace(f"{{{name}}}", there[-1 - number % len(there)] if there else "none")
        return path

    def _body(self, body: Any) -> Any:
        """Put the address of the receiver where a callback has its name."""
        if is_mapping(body):
            return {
                name: f"{self.receiver.url}/{value}" if name in ("invoke", "url") else self._body(value)
                for name, value in body.items()
            }
        return [self._body(one) for one in body] if is_list(body) else body

    async def _sent(self, said: Mapping[str, Any]) -> object:
        path = self._addressed(said)
        headers = {
            "authorization": f"Bearer {said.get('token', 't')}",
            "x-merchant": "acme",
            "x-channel": said.get("channel", "se"),
            "content-type": "application/json",
        }
        content = json.dumps(self._body(said["body"])).encode() if "body" in said else b""
        transport = httpx.ASGITransport(self.sandbox.app)
        async with httpx.AsyncClient(transport=transport, base_url=IN_PROCESS_URL + API) as client:
            before = len(self.sandbox.faults)
            try:
                response = await client.request(said["method"], path, headers=headers, content=content)
            except httpx.HTTPError as error:
                return path, type(error).__name__
        played = tuple(str(one) for one in self.sandbox.faults[before:])
        self.answers.append((said["method"], path, response, played))
        shown = {name: value for name, value in response.headers.items() if name != "date"}
        return path, response.status_code, shown, response.content

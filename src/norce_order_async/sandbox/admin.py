"""The sandbox's own endpoints, under a prefix that the real service does not have.

====  ============  =====================================================================
POST  `reset`       removes all orders and empties the logs
POST  `seed`        `{"orders": 1000}` adds orders; `merchant` and `seed` are optional
GET   `snapshot`    the whole state as bytes
POST  `restore`     sets the state back to the snapshot in the body
GET   `clock`       `{"now": ...}`
POST  `clock`       `{"seconds": 3600}` moves the clock ahead
GET   `requests`    the received requests; `?operation=` for those of one operation
GET   `log`         the ended requests, one line each; `?after=` for those after a number
GET   `effects`     the changes that took effect; `?operation=` and `?order=`
GET   `deliveries`  the notifications with their attempts; `?order=` for those of one order
POST  `deliveries`  `{"id": ...}` sends a notification again, unchanged
GET   `faults`      the faults played
POST  `faults`      `{"plan": "chaos"}`, a plan as data, or `{"plan": null}` for none
POST  `inspector`   `{"link": ...}`: the path of a new link to the inspector, if it is on
====  ============  =====================================================================

They require the token, because the log of requests holds bodies that clients sent. They are not part of the service, so
they appear in no log and meet no faults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qsl

import anyio.to_thread

from norce_order_async.sandbox import json_text
from norce_order_async.sandbox.callbacks.notifications import Delivery
from norce_order_async.sandbox.control import Control
from norce_order_async.sandbox.faults import NO_PLAN, FaultPlanError, plan_from_data, plan_of
from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.records import ReceivedRequest, check_operation
from norce_order_async.sandbox.seeding import SeedingError
from norce_order_async.sandbox.service.admission import authorize
from norce_order_async.sandbox.service.calls import DONE, ServiceAnswer, answer
from norce_order_async.sandbox.service.clock import written
from norce_order_async.sandbox.service.refusals import Refusal, bad_request
from norce_order_async.sandbox.storage.sqlite import DatabaseFileError

PREFIX = "/__sandbox/"
MERCHANT = "demo"
"""The merchant of seeded orders, unless another is given."""

_SNAPSHOT_BOUND = 1024 * 1024 * 1024
_FARTHEST = 100 * 366 * 86400.0

_Endpoint: TypeAlias = Callable[[ReceivedRequest], Awaitable[ServiceAnswer]]


class Admin:
    """Answers requests about the sandbox itself."""

    max_body = _SNAPSHOT_BOUND

    def __init__(self, control: Control, tokens: Collection[str], new_link: Callable[[], str] | None = None) -> None:
        self._control = control
        self._tokens = tokens
        self._endpoints: Mapping[str, Mapping[str, _Endpoint]] = {
            "reset": {"POST": self._reset},
            "seed": {"POST": self._seed},
            "snapshot": {"GET": self._snapshot},
            "restore": {"POST": self._restore},
            "clock": {"GET": self._clock, "POST": self._move_clock},
            "requests": {"GET": self._requests},
            "log": {"GET": self._log},
            "effects": {"GET": self._effects},
            "deliveries": {"GET": self._deliveries, "POST": self._deliver_again},
            "faults": {"GET": self._played, "POST": self._play},
        }
        if new_link is not None:
            self._endpoints = {**self._endpoints, "inspector": {"POST": partial(_link, new_link)}}

    async def answer(self, request: ReceivedRequest, authorization: str | None) -> ServiceAnswer:
        """Answer a request; raises `Refusal` if it is rejected."""
        authorize(authorization, self._tokens)
        methods = self._endpoints.get(request.path.removeprefix(PREFIX))
        if methods is None:
            raise Refusal(404, "not-found", f"The endpoints here are {', '.join(self._endpoints)}.")
        if request.method not in methods:
            raise Refusal(405, "method-not-allowed", f"Only {' and '.join(methods)} is possible here.")
        return await methods[request.method](request)

    async def _reset(self, _request: ReceivedRequest) -> ServiceAnswer:
        self._control.reset()
        return DONE

    async def _seed(self, request: ReceivedRequest) -> ServiceAnswer:
        body = _body(request)
        count = _member(body, "orders", int)
        seed = _member(body, "seed", int) if "seed" in body else None
        merchant = _member(body, "merchant", str) if "merchant" in body else MERCHANT
        act = partial(self._control.seed_orders, count, merchant=merchant, seed=seed)
        try:
            await anyio.to_thread.run_sync(act)
        except SeedingError as error:
            raise bad_request(str(error)) from None
        return DONE

    async def _snapshot(self, _request: ReceivedRequest) -> ServiceAnswer:
        taken = await anyio.to_thread.run_sync(self._control.snapshot)
        return ServiceAnswer(body=taken, headers={"content-type": "application/octet-stream"})

    async def _restore(self, request: ReceivedRequest) -> ServiceAnswer:
        try:
            await anyio.to_thread.run_sync(self._control.restore, request.body)
        except DatabaseFileError as error:
            raise bad_request(str(error)) from None
        return DONE

    async def _clock(self, _request: ReceivedRequest) -> ServiceAnswer:
        return answer({"now": written(self._control.world.clock.now())})

    async def _move_clock(self, request: ReceivedRequest) -> ServiceAnswer:
        seconds = _member(_body(request), "seconds", float)
        if not 0 <= seconds <= _FARTHEST:
            raise bad_request(f"seconds must be between 0 and {_FARTHEST:.0f}: the clock only moves ahead.")
        try:
            self._control.advance(seconds)
        except TypeError as error:
            raise Refusal(409, "conflict", str(error)) from None
        except ValueError as error:
            raise bad_request(str(error)) from None
        return await self._clock(request)

    async def _requests(self, request: ReceivedRequest) -> ServiceAnswer:
        operation = _operation(request)
        return answer(
            [_shown(one) for one in self._control.requests if operation is None or one.operation == operation]
        )

    async def _log(self, request: ReceivedRequest) -> ServiceAnswer:
        after = _query(request).get("after", "0")
        if not (after.isascii() and after.isdecimal()):
            raise bad_request("after must be a number of the log.")
        last, ended = self._control.ended.after(int(after))
        return answer({"last": last, "requests": [{**dataclasses.asdict(one), "at": written(one.at)} for one in ended]})

    async def _effects(self, request: ReceivedRequest) -> ServiceAnswer:
        query = _query(request)
        effects = self._control.world.store.effects(query.get("order"), _operation(request))
        return answer([dataclasses.asdict(effect) for effect in effects])

    async def _deliveries(self, request: ReceivedRequest) -> ServiceAnswer:
        order = _query(request).get("order")
        kept = self._control.world.deliveries
        return answer([_delivery(one) for one in (kept if order is None else kept.of(order))])

    async def _deliver_again(self, request: ReceivedRequest) -> ServiceAnswer:
        try:
            self._control.send_again(_member(_body(request), "id", str))
        except LookupError as error:
            raise Refusal(404, "delivery-not-found", str(error)) from None
        except ValueError as error:
            raise bad_request(str(error)) from None
        return DONE

    async def _played(self, _request: ReceivedRequest) -> ServiceAnswer:
        return answer([dataclasses.asdict(played) for played in self._control.faults])

    async def _play(self, request: ReceivedRequest) -> ServiceAnswer:
        body = _body(request)
        try:
            match body:
                case {"plan": None}:
                    plan = NO_PLAN
                case {"plan": str(name)}:
                    # Callers can name ready-made plans, but only the user who starts the sandbox can name files.
                    plan = plan_of(name, files=False)
                case _:
                    plan = plan_from_data(body)
        except FaultPlanError as error:
            raise bad_request(str(error)) from None
        self._control.faults.play(plan)
        return DONE


async def _link(new_link: Callable[[], str], _request: ReceivedRequest) -> ServiceAnswer:
    return answer({"link": new_link()})


def _shown(request: ReceivedRequest) -> Json:
    """A request as JSON; a body that is not text is replaced by its length."""
    try:
        body = request.body.decode("utf-8")
    except UnicodeDecodeError:
        body = f"({len(request.body)} bytes)"
    return {**dataclasses.asdict(request), "body": body, "rules": sorted(request.rules)}


def _delivery(one: Delivery) -> Json:
    return {
        "id": one.id,
        "createdAt": one.created_at,
        "orderId": one.order_id,
        "notificationId": one.notification.get("id"),
        "adapterId": one.notification.get("adapterId"),
        "state": one.state,
        "nextAt": None if one.next_at is None else written(one.next_at),
        "attempts": [dataclasses.asdict(attempt) for attempt in one.attempts],
    }


def _query(request: ReceivedRequest) -> dict[str, str]:
    return dict(parse_qsl(request.query))


def _operation(request: ReceivedRequest) -> str | None:
    """The operation in the query, if there is one."""
    operation = _query(request).get("operation")
    if operation is not None:
        try:
            check_operation(operation)
        except ValueError as error:
            raise bad_request(str(error)) from None
    return operation


def _body(request: ReceivedRequest) -> Json:
    try:
        value: Any = json_text.read(request.body)
    except json_text.NotJsonError:
        raise bad_request("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise bad_request("The body must be an object.")
    return cast("Json", value)


def _member(body: Json, name: str, kind: type) -> Any:
    value = body.get(name)
    known = isinstance(value, int | float if kind is float else kind) and not isinstance(value, bool)
    if not known:
        what = {int: "a whole number", float: "a number", str: "a text"}[kind]
        raise bad_request(f"{name}: must be {what}.")
    return value

"""Engines between a calibration and a truthful service that lie, forget, repeat and delay."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, TypeAlias

from norce_order_async._json import is_list, is_mapping
from norce_order_async.engines.base import Engine, WireRequest, WireResponse

Json: TypeAlias = Any
Lie: TypeAlias = Callable[["Liar", WireRequest, Callable[[], Awaitable[WireResponse]]], Awaitable[WireResponse]]


class Liar:
    """An engine whose answers are lies, each with a chance.

    Args:
        engine: what really sends.
        lie: the kind of lie.
        chance: the chance that an answer is a lie.
        drawn: draws the chances.
        wait: lets the service's time pass.
    """

    name = "liar"

    def __init__(
        self, engine: Engine, lie: Lie, chance: float, drawn: Random, wait: Callable[[float], Awaitable[None]]
    ) -> None:
        self.engine = engine
        self.lie = lie
        self.chance = chance
        self.drawn = drawn
        self.wait = wait
        self.earlier: dict[str, WireResponse] = {}
        self.told = 0

    async def send(self, request: WireRequest) -> WireResponse:
        async def truth() -> WireResponse:
            return await self.engine.send(request)

        # The first request checks whether the service answers at all. A lie would keep the calibration from beginning.
        self.told += 1
        if self.told == 1 or self.drawn.random() >= self.chance:
            answer = await truth()
        else:
            answer = await self.lie(self, request, truth)
        if request.method == "GET":
            self.earlier.setdefault(request.url.partition("?")[0], answer)
        return answer

    async def aclose(self) -> None:
        await self.engine.aclose()


def _answering(**what: Any) -> Lie:
    """The request is carried out, but the answer is this one."""

    async def lie(_: Liar, __: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
        return dataclasses.replace(await truth(), **what)

    return lie


def _not_done(status: int, body: bytes = b"") -> Lie:
    """A change is not carried out, but the answer is this one."""

    async def lie(_: Liar, request: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
        return await truth() if request.method == "GET" else WireResponse(status, {}, body)

    return lie


def _only(choose: Callable[[WireRequest], bool], lie: Lie) -> Lie:
    async def chosen(liar: Liar, request: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
        return await (lie(liar, request, truth) if choose(request) else truth())

    return chosen


def _changing(change: Callable[[Json, Random], Json]) -> Lie:
    """The body of an answer is changed."""

    async def lie(liar: Liar, _: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
        answer = await truth()
        try:
            data = json.loads(answer.body)
        except ValueError:
            return answer
        return dataclasses.replace(answer, body=json.dumps(change(data, liar.drawn)).encode())

    return lie


def _everywhere(change: Callable[[str, Json, Random], Json]) -> Callable[[Json, Random], Json]:
    """A change of each member of an answer."""

    def changed(data: Json, drawn: Random) -> Json:
        if is_mapping(data):
            return {name: change(name, changed(value, drawn), drawn) for name, value in data.items()}
        return [changed(one, drawn) for one in data] if is_list(data) else data

    return changed


def _forgetting(data: Json, drawn: Random) -> Json:
    if is_mapping(data):
        return {name: _forgetting(value, drawn) for name, value in data.items() if drawn.random() > 0.2}
    return [_forgetting(one, drawn) for one in data if drawn.random() > 0.2] if is_list(data) else data


def _with(data: Json, **members: Json) -> Json:
    return {**data, **members} if is_mapping(data) else data


def _time(_: str, value: Json, __: Random) -> Json:
    return re.sub(r"^(\d{4}-.*\.\d{6})Z$", r"\g<1>0Z", value) if isinstance(value, str) else value


def _no_zone(_: str, value: Json, __: Random) -> Json:
    return re.sub(r"^(\d{4}-.*\.\d{6})Z$", r"\1", value) if isinstance(value, str) else value


def _word(name: str, value: Json, _: Random) -> Json:
    return value[:1].upper() + value[1:] if name in ("type", "currentStatus", "status") and value else value


def _total(name: str, value: Json, drawn: Random) -> Json:
    if name == "total" and is_mapping(value):
        amount = drawn.choice([0, 12.5, 7])
        return {"includingVat": amount, "excludingVat": amount}
    return value


def _no_total(name: str, value: Json, _: Random) -> Json:
    return {"includingVat": 0, "excludingVat": 0} if name == "total" and is_mapping(value) else value


def _figures(name: str, value: Json, drawn: Random) -> Json:
    return drawn.choice([1, 50, 51, 100, value]) if name in ("size", "totalSize", "limit") else value


def _nulls(data: Json, _: Random) -> Json:
    return _with(data, norce=None)


def _no_callbacks(data: Json, _: Random) -> Json:
    return _with(data, hooks=[], validations=[], notifications=[])


def _list_without(data: Json, drawn: Random) -> Json:
    if is_mapping(data) and is_list(data.get("data")):
        kept = [one for one in data["data"] if drawn.random() > 0.5]
        return {**data, "data": kept}
    return data


def _removed(data: Json, drawn: Random) -> Json:
    status = drawn.choice(["removed", "checkout", "processing"])
    return (
        _with(data, state={**data["state"], "currentStatus": status})
        if is_mapping(data) and is_mapping(data.get("state"))
        else data
    )


def _longer_history(data: Json, _: Random) -> Json:
    if is_mapping(data) and is_mapping(data.get("state")):
        entries = [*data["state"]["transitions"], {"status": "checkout"}]
        return {**data, "state": {**data["state"], "transitions": entries}}
    return data


def _shown_nulls(data: Json, _: Random) -> Json:
    if is_mapping(data) and is_mapping(data.get("attributes")):
        return {**data, "attributes": {**data["attributes"], "first": None}}
    return data


def _cart_forgotten(data: Json, _: Random) -> Json:
    if is_mapping(data) and is_mapping(data.get("cart")):
        cart = {name: value for name, value in data["cart"].items() if name not in ("reference", "attributes")}
        return {**data, "cart": cart}
    return data


async def _stale(liar: Liar, request: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
    answer = await truth()
    return liar.earlier.get(request.url.partition("?")[0], answer) if request.method == "GET" else answer


async def _twice(_: Liar, request: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
    if request.method != "GET":
        await truth()
    return await truth()


async def _late(liar: Liar, _: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
    answer = await truth()
    await liar.wait(liar.drawn.choice([0.5, 2.0, 4.0]))
    return answer


async def _any(liar: Liar, request: WireRequest, truth: Callable[[], Awaitable[WireResponse]]) -> WireResponse:
    kinds = [lie for name, lie in LIES.items() if name != "any"]
    return await liar.drawn.choice(kinds)(liar, request, truth)


ERROR = b'{"code":"order-bad-request","message":"no"}'
PROBLEM = b'{"type":"x","title":"Bad Request","status":400,"traceId":"x"}'


def _changes(request: WireRequest) -> bool:
    return request.method != "GET"


def _to(path: str, *methods: str) -> Callable[[WireRequest], bool]:
    return lambda request: request.url.partition("?")[0].endswith(path) and request.method in (methods or ("PUT",))


LIES: Mapping[str, Lie] = {
    "empty": _answering(body=b""),
    "empty-200": _answering(status=200, body=b""),
    "object-200": _answering(status=200, body=b"{}"),
    "list-200": _answering(status=200, body=b"[]"),
    "not-found": _answering(status=404, body=ERROR),
    "refused-and-done": _only(_changes, _answering(status=400, body=ERROR)),
    "refused": _not_done(400, ERROR),
    "conflict": _not_done(409, ERROR),
    "forbidden": _answering(status=403, body=ERROR),
    "taken-in": _only(_changes, _answering(status=202, body=b"")),
    "taken-in-and-dropped": _not_done(202),
    "dropped": _not_done(200),
    "gone": _not_done(204),
    "another-error": _only(_changes, _answering(status=400, body=PROBLEM)),
    "stale": _stale,
    "twice": _twice,
    "late": _late,
    "forgetting": _changing(_forgetting),
    "nulls": _changing(_nulls),
    "sevenths": _changing(_everywhere(_time)),
    "no-zone": _changing(_everywhere(_no_zone)),
    "words": _changing(_everywhere(_word)),
    "totals": _changing(_everywhere(_total)),
    "no-totals": _changing(_everywhere(_no_total)),
    "figures": _changing(_everywhere(_figures)),
    "no-callbacks": _changing(_no_callbacks),
    "short-lists": _changing(_list_without),
    "statuses": _changing(_removed),
    "histories": _changing(_longer_history),
    "attributes": _changing(_shown_nulls),
    "carts": _changing(_cart_forgotten),
    "carts-refused": _only(_to("/cart"), _not_done(400, ERROR)),
    "carts-refused-and-done": _only(_to("/cart"), _answering(status=400, body=ERROR)),
    "carts-dropped": _only(_to("/cart"), _not_done(200)),
    "status-refused": _only(_to("/state"), _not_done(400, ERROR)),
    "status-taken-in": _only(_to("/state"), _answering(status=202)),
    "status-dropped": _only(_to("/state"), _not_done(200)),
    "creations-refused": _only(_to("/orders", "POST"), _not_done(409, ERROR)),
    "deletions-refused": _only(lambda request: request.method == "DELETE", _not_done(409, ERROR)),
    "attributes-refused": _only(_to("/attributes", "PATCH"), _not_done(400, ERROR)),
    "valid": _only(_to("/validate", "POST"), _answering(status=200)),
    "any": _any,
}
"""Lies by name. The first ones are about every answer, the later ones about answers of one operation."""

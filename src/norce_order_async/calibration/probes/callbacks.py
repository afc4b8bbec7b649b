"""Probes of hooks, validations and notifications. They need --public-url."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from norce_order_async._json import mapping_or_empty
from norce_order_async.calibration.bench import Bench, TestOrder, item, price
from norce_order_async.calibration.probes.base import CouldNotTell, Follows, Neither, Probe, Verdict, alike
from norce_order_async.calibration.receiver import Receiver
from norce_order_async.calibration.wire import ORDER, Exchange, NoEvidenceError

_ADAPTER: Final = "norce_calibrate"
_DENIAL: Final = {"calibrate": "denied on purpose"}
_NEAR: Final = 0.25
"""Relative difference up to which a measured time counts as a time-out."""
_SLACK: Final = 1.0
"""Seconds that the network may take."""
_MEASURED: Final = 3
"""Measurements of a time, in turns with a control."""
_FIRST_RETRIES: Final = 40.0
"""Seconds within which a service that retries three times has done so."""
_BETWEEN: Final = 2.0
"""Seconds between two changes with notifications."""
_LATE_RETRY: Final = 420.0
"""Seconds within which a service that retries ten times in an hour has made its first retry."""


def _receiver(bench: Bench) -> Receiver:
    if bench.receiver is None:
        raise NoEvidenceError("there is no --public-url")
    return bench.receiver


async def _registered(bench: Bench, order: TestOrder, path: str, body: Mapping[str, Any]) -> None:
    answer = await bench.wire.write("POST", f"{ORDER}/{path}", order.id, body)
    if not answer.succeeded:
        raise NoEvidenceError(f"registering a callback is answered {answer.status}")


async def _hooked(bench: Bench) -> TestOrder:
    """An order whose cart has a hook."""

    async def make() -> TestOrder:
        order = await bench.create()
        url = _receiver(bench).url("hook")
        hook = {"adapterId": _ADAPTER, "subscribeTo": "/cart", "invoke": url, "version": "v0"}
        await _registered(bench, order, "hooks", hook)
        return order

    return await bench.shared("hooked", make)


async def _change_cart(bench: Bench, order: TestOrder, amount: float) -> Exchange:
    cart = {"reference": order.made.marker, "items": [item(amount)], "total": price(amount)}
    return await bench.wire.write("PUT", ORDER + "/cart", order.id, cart)


# ------------------------------------------------------------------------------------------------ callback-bearer


async def callback_bearer(bench: Bench) -> Verdict:
    """A hook is called, and its Authorization header compared with the token of this run."""
    receiver, order = _receiver(bench), await _hooked(bench)
    receiver.answer("hook", 200)
    answer = await _change_cart(bench, order, 1.0)
    calls = receiver.calls("hook")
    if not calls:
        return CouldNotTell("the service did not call the hook at --public-url")
    headers = {call.authorization for call in calls}
    if headers == {None}:
        return Follows("none-unless-set", [answer])
    own = bench.wire.authorised()["authorization"]
    if all(header is not None and _digest(header) == _digest(own) for header in headers):
        return Follows("callers-token", [answer])
    return Neither("callbacks carry an Authorization that is not the caller's", [answer])


def _digest(authorization: str) -> bytes:
    return hashlib.sha256(authorization.rpartition(" ")[2].encode()).digest()


# ---------------------------------------------------------------------------------------------------- hook-denial


async def hook_denial(bench: Bench) -> Verdict:
    """A hook that denies with a body of its own, twice."""
    receiver, order = _receiver(bench), await _hooked(bench)
    receiver.answer("hook", 200)
    control = await _change_cart(bench, order, 2.0)
    if not control.succeeded or not receiver.calls("hook"):
        return CouldNotTell("a hook that approves is not called, or its change is refused")
    receiver.answer("hook", 400, _DENIAL)
    before = len(receiver.calls("hook"))
    first, second = await _change_cart(bench, order, 3.0), await _change_cart(bench, order, 3.0)
    receiver.answer("hook", 200)
    shown_by = [control, first, second]
    if len(receiver.calls("hook")) < before + 2 or not alike(first, second):
        return CouldNotTell("a hook was not called for every change")
    if first.status == 409:
        return Follows("conflict", shown_by)
    if first.status == 400 and first.mapping.get("calibrate") == _DENIAL["calibrate"]:
        return Follows("hook-body", shown_by)
    if first.status == 400 and first.mapping.get("code") == "order-validation":
        return Follows("order-validation", shown_by)
    return Neither(f"a hook that denies is answered {first.status} in another form", shown_by)


# --------------------------------------------------------------------------------------------------- time-outs


def _near(took: float, seconds: float) -> bool:
    return seconds * (1 - _NEAR) <= took <= seconds * (1 + _NEAR) + _SLACK


async def hook_timeout(bench: Bench) -> Verdict:
    """A hook that does not answer: how long the change takes to be refused, several times."""
    receiver, order = _receiver(bench), await _hooked(bench)

    async def ask() -> Exchange:
        return await _change_cart(bench, order, 4.0 + len(receiver.calls("hook")))

    return await _timeout(receiver, "hook", ask, {"10-s": 10.0, "2-s": 2.0}, denies=True)


async def validation_timeout(bench: Bench) -> Verdict:
    """A validation that does not answer: how long validating takes, several times."""
    receiver = _receiver(bench)

    async def make() -> TestOrder:
        order = await bench.create()
        await _registered(bench, order, "validations", {"adapterId": _ADAPTER, "url": receiver.url("validation")})
        return order

    order = await bench.shared("validated", make)

    async def ask() -> Exchange:
        return await bench.wire.validate(order.id)

    return await _timeout(receiver, "validation", ask, {"5-s": 5.0, "1-s": 1.0}, denies=False)


async def _timeout(
    receiver: Receiver,
    name: str,
    ask: Callable[[], Awaitable[Exchange]],
    readings: Mapping[str, float],
    *,
    denies: bool,
) -> Verdict:
    """The time-out, if every held call took that long and every answered call took no time."""
    answers: list[Exchange] = []
    for _ in range(_MEASURED):
        receiver.answer(name, 200)
        control = await ask()
        if control.took > _SLACK or not control.succeeded:
            why = "a callback that is answered at once is slow already, or the request that calls it is refused"
            return CouldNotTell(why, may_ask_again=True)
        receiver.hold(name)
        before = len(receiver.calls(name))
        answers.append(await ask())
        receiver.answer(name, 200)
        if len(receiver.calls(name)) == before:
            return CouldNotTell("the service did not call the address at --public-url")
    took = [answer.took for answer in answers]
    if not alike(*answers) or max(took) - min(took) > _SLACK + _NEAR * min(took):
        why = "callbacks that do not answer are given up after different times"
        return CouldNotTell(why, may_ask_again=True)
    if denies and answers[0].succeeded:
        return Neither(f"a hook that did not answer was waited for {took[0]:.1f} s, and did not deny", answers)
    for reading, seconds in readings.items():
        if all(_near(each, seconds) for each in took):
            return Follows(reading, answers)
    return Neither(f"a callback that does not answer is given up after {took[0]:.1f} s", answers)


# ------------------------------------------------------------------------------------------------- notifications


async def _notified(bench: Bench, name: str) -> TestOrder:
    async def make() -> TestOrder:
        order = await bench.create()
        body = {
            "adapterId": _ADAPTER,
            "reference": f"calibrate-{name}",
            "scope": "/cart",
            "invoke": _receiver(bench).url(name),
            "version": "v0",
        }
        await _registered(bench, order, "notifications", body)
        return order

    return await bench.shared(name, make)


async def _arrivals(bench: Bench, name: str, seconds: float, enough: int) -> int:
    """The number of calls that came, when there are ``enough`` or the time is over."""
    until = bench.wire.clock.monotonic() + seconds
    while len(_receiver(bench).calls(name)) < enough and bench.wire.clock.monotonic() < until:
        await bench.wire.clock.sleep(1.0)
    return len(_receiver(bench).calls(name))


async def notification_order(bench: Bench) -> Verdict:
    """Three changes are notified. They are some seconds apart, because notifications that are in flight at the same
    time may overtake each other, which shows nothing about the service."""
    order = await _notified(bench, "ordered")
    shown_by: list[Exchange] = []
    for amount in (1.0, 2.0, 3.0):
        shown_by.append(await _change_cart(bench, order, amount))
        await bench.wire.clock.sleep(_BETWEEN)
    if not all(each.succeeded for each in shown_by):
        return CouldNotTell("a cart with a notification can't be changed")
    await _arrivals(bench, "ordered", 20.0, 3)
    # A second delivery may come some seconds later.
    await bench.wire.clock.sleep(10.0)
    came = [_amount(call.data) for call in _receiver(bench).calls("ordered")]
    if len(came) < 3 or None in came:
        return CouldNotTell("the service did not send every notification to --public-url")
    if came == [1.0, 2.0, 3.0]:
        return Follows("in-order", shown_by)
    if len(came) >= 6 and {came.count(amount) for amount in (1.0, 2.0, 3.0)} == {2}:
        return Follows("any-order-twice", shown_by)
    return Neither("notifications come out of order, or some of them twice", shown_by)


def _amount(order: Any) -> float | None:
    cart = mapping_or_empty(mapping_or_empty(order).get("cart"))
    amount = mapping_or_empty(cart.get("total")).get("includingVat")
    return float(amount) if isinstance(amount, int | float) else None


async def notification_retries(bench: Bench) -> Verdict:
    """A notification that is answered 500 every time: how often it comes. Waits 7 minutes for a second time."""
    receiver, order = _receiver(bench), await _notified(bench, "failing")
    receiver.answer("failing", 500)
    change = await _change_cart(bench, order, 1.0)
    if not change.succeeded:
        return CouldNotTell("a cart with a notification can't be changed")
    if not await _arrivals(bench, "failing", 20.0, 1):
        return CouldNotTell("the service did not send a notification to --public-url")
    first = receiver.calls("failing")[0].at
    count = await _arrivals(bench, "failing", _FIRST_RETRIES, 4)
    if count == 4:
        await bench.wire.clock.sleep(20.0)
        count = len(receiver.calls("failing"))
        if count == 4:
            return Follows("3-times", [change])
        return Neither(f"a notification that fails was sent {count} times within a minute", [change])
    if count > 1:
        return Neither(f"a notification that fails was sent {count} times within {_FIRST_RETRIES:g} s", [change])
    if await _arrivals(bench, "failing", _LATE_RETRY - _FIRST_RETRIES, 2) == 1:
        return Follows("none", [change])
    waited = receiver.calls("failing")[1].at - first
    if _near(waited, 360.0):
        return Follows("10-in-an-hour", [change])
    return Neither(f"a notification that fails is sent again after {waited:.0f} s", [change])


PROBES = (
    Probe(
        "callback-bearer",
        "Has a hook called, and checks whether the call carries the token.",
        {"none-unless-set": "no Authorization", "callers-token": "the token of this run"},
        callback_bearer,
        needs="public-url",
    ),
    Probe(
        "hook-denial",
        "Has a hook deny a change, twice.",
        {
            "order-validation": "400 `order-validation`",
            "hook-body": "400 with the hook's own body",
            "conflict": "409",
        },
        hook_denial,
        needs="public-url",
    ),
    Probe(
        "hook-timeout",
        "Has a hook not answer, three times, and measures when the change is refused.",
        {"10-s": "about 10 s", "2-s": "about 2 s"},
        hook_timeout,
        needs="public-url",
    ),
    Probe(
        "validation-timeout",
        "Has a validation not answer, three times, and measures when validating is answered.",
        {"5-s": "about 5 s", "1-s": "about 1 s"},
        validation_timeout,
        needs="public-url",
    ),
    Probe(
        "notification-order",
        "Changes a cart three times, with 2 s between, each of which is notified.",
        {"in-order": "three notifications in the order of the changes", "any-order-twice": "each of them twice"},
        notification_order,
        needs="public-url",
    ),
    Probe(
        "notification-retries",
        "Answers a notification with 500 and counts how often it comes, for up to 7 minutes.",
        {"3-times": "four times within a minute", "none": "once", "10-in-an-hour": "again after about 6 minutes"},
        notification_retries,
        needs="public-url",
    ),
)

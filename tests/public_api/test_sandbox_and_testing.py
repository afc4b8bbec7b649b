"""No foreign exception leaves the local order service and the test helpers, whatever a caller passes.

The sandbox is independent of the client, so its errors are its own classes. An argument of another type or beyond its
limits raises one of them, or a TypeError or ValueError that names the argument. A key that is missing raises a
LookupError. An exception of a library, or one that Python raises somewhere below, is foreign.

Logs are sequences and readings are a mapping, so a subscript of theirs fails like that of a list or a dict.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import linecache
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import norce_order_async.sandbox
import norce_order_async.testing
from norce_order_async.sandbox import (
    Delay,
    Delivery,
    FaultPlan,
    FaultRule,
    ManualClock,
    Readings,
    ReceivedRequest,
    Sandbox,
    SystemClock,
    Window,
    serve,
)
from norce_order_async.sandbox.faults.kinds import KINDS
from norce_order_async.testing import CallbackCall, CallbackReceiver, Reply

from .test_every_call import HOSTILE, OwnError

CLASSES: dict[str, type] = {
    name: kind
    for module in (norce_order_async.sandbox, norce_order_async.testing)
    for name in module.__all__
    if isinstance(kind := getattr(module, name), type)
}
RECORDS: list[type] = [Window, *(form for kind in KINDS.values() for form in kind.forms)]
"""The parts of a plan's rules."""
OWN = tuple(kind for kind in CLASSES.values() if issubclass(kind, Exception))
EXPECTED: tuple[type[Exception], ...] = (*OWN, OwnError)


@cache
def made() -> dict[str, Any]:
    """Make the hostile values once for all tests, because some are large. A generator would be used up, so there is
    none."""
    return {what: make() for what, make in HOSTILE.items() if what != "generator"}


class Standing(NamedTuple):
    sandbox: Sandbox
    receiver: CallbackReceiver


WALKED: dict[str, Callable[[Standing], object]] = {
    "CallbackReceiver": lambda standing: standing.receiver,
    "Deliveries": lambda standing: standing.sandbox.deliveries,
    "Effects": lambda standing: standing.sandbox.effects,
    "FaultPlan": lambda _: FaultPlan(),
    "FaultRule": lambda _: FaultRule(Delay(0)),
    "Faults": lambda standing: standing.sandbox.faults,
    "ManualClock": lambda _: ManualClock(),
    "Readings": lambda _: Readings(),
    "Reply": lambda _: Reply(),
    "RequestLog": lambda standing: standing.sandbox.requests,
    "Sandbox": lambda standing: standing.sandbox,
    "SystemClock": lambda _: SystemClock(),
}
"""Classes whose constructor and methods get wrong values here, each with a way to get an object."""

_WRITTEN_BY_CALLERS = "a protocol: callers write such clocks, and nothing is made of it"
_PART_OF_A_RULE = "made of wrong arguments in a test of its own; the sandbox alone calls its methods"
_RECORD = "a record: made by the package, read by callers, and checked nowhere"
NOT_WALKED: dict[str, str] = {
    **{kind.__name__: "an exception: made by the package, caught by callers" for kind in OWN},
    **dict.fromkeys((kind.__name__ for kind in RECORDS), _PART_OF_A_RULE),
    "CallbackCall": _RECORD,
    "ConnectAdapter": "made by a fixture; tests/testing/test_adapters.py gives it wrong values",
    "Delivery": _RECORD,
    "DeliveryAttempt": _RECORD,
    "Effect": _RECORD,
    "MovableClock": _WRITTEN_BY_CALLERS,
    "PlayedFault": _RECORD,
    "Reading": _RECORD,
    "ReceivedRequest": _RECORD,
    "Rule": _RECORD,
    "ServiceClock": _WRITTEN_BY_CALLERS,
}


async def _app(scope: object, receive: object, send: object) -> None:
    """Answer nothing, as an adapter."""


FITTING: dict[str, Any] = {
    "answers": Reply(),
    "app": _app,
    "clock": ManualClock(),
    "count": 1,
    "delivery": Delivery("d1", "", "o1", {}, {}),
    "delivery_id": "d1",
    "fault": Delay(0),
    "host": "erp.example",
    "keep": 1,
    "now": datetime(2026, 1, 1, tzinfo=UTC),
    "number": 1,
    "operation": "GetCheckoutOrder",
    "order_id": "o1",
    "others": {},
    "path": "/x",
    "reads": True,
    "request": ReceivedRequest("GET", "/", "", {}, b""),
    "rule": "cart-total",
    "seconds": 1.0,
    "taken": b"",
    "token": "t",
}
"""Further arguments that a call needs besides the one wrong value, by the name of the parameter."""


def hostile() -> Iterator[tuple[str, Any]]:
    yield from made().items()
    yield "generator", HOSTILE["generator"]()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make files in a temporary folder, whatever is taken for a name."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def standing() -> Iterator[Standing]:
    """Share one sandbox and one receiver among all tests, because a refused call changes nothing. The sandbox is not
    started, because its state is the same."""
    with ExitStack() as stack:
        sandbox, receiver = Sandbox(), CallbackReceiver()
        stack.callback(sandbox.close)
        stack.callback(receiver.close)
        # Waiting must end at once.
        sandbox.faults.hurry = True
        yield Standing(sandbox, receiver)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def foreign(call: Callable[[], object], name: str = "", runner: asyncio.Runner | None = None) -> str:
    """Return the exception of a call that should not have come out; empty if there is none."""
    try:
        given = call()
        if inspect.iscoroutine(given):
            assert runner is not None
            runner.run(given)
        repr(given)
        if isinstance(given, Sandbox):
            given.close()
        elif isinstance(given, AbstractContextManager):
            with given:
                pass
    except EXPECTED as error:
        str(error)
    except Exception as error:
        way = error.__traceback__
        assert way is not None
        while way.tb_next is not None:
            way = way.tb_next
        file, kind = way.tb_frame.f_code.co_filename, type(error).__name__
        place = f"{kind} at {file.rpartition('/')[2]}:{way.tb_lineno}"
        line = linecache.getline(file, way.tb_lineno).strip()
        if "/norce_order_async/" not in file or not line.startswith(f"raise {kind}("):
            return place
        if not isinstance(error, LookupError) and name not in str(error):
            return f"{place} does not name {name}"
    return ""


def public_methods(kind: type) -> Iterator[str]:
    """Yield the names of the methods and operators that the package itself wrote for a class."""
    for name in dir(kind):
        method = inspect.unwrap(getattr(kind, name))
        ours = inspect.isroutine(method) and (getattr(method, "__module__", None) or "").startswith("norce_order_async")
        if ours and (not name.startswith("_") or name == "__or__"):
            yield name


def with_one(function: Callable[..., Any], name: str, value: object) -> Callable[[], object]:
    """Return the call with this one argument, and the others that it needs."""
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    for each, about in inspect.signature(function).parameters.items():
        if each == name:
            one = value
        elif about.default is about.empty:
            one = FITTING[each]
        else:
            continue
        if about.kind is about.KEYWORD_ONLY or about.default is not about.empty:
            named[each] = one
        else:
            arguments.append(one)
    return partial(function, *arguments, **named)


def walked(function: Callable[..., Any], runner: asyncio.Runner | None = None) -> list[str]:
    return [
        f"{name} of {what}: {problem}"
        for name in inspect.signature(function).parameters
        for what, value in hostile()
        if (problem := foreign(with_one(function, name, value), name, runner))
    ]


def test_each_public_class_is_covered_or_has_a_reason() -> None:
    assert {*WALKED, *NOT_WALKED} == {*CLASSES}
    assert not {*WALKED} & {*NOT_WALKED}


@pytest.mark.parametrize("name", WALKED)
def test_constructing_with_wrong_arguments(name: str) -> None:
    assert not walked(CLASSES[name])


@pytest.mark.parametrize("name", WALKED)
def test_wrong_arguments_of_methods(name: str, standing: Standing, runner: asyncio.Runner) -> None:
    one = WALKED[name](standing)
    assert type(one) is CLASSES[name]
    found = {method: walked(getattr(one, method), runner) for method in public_methods(CLASSES[name])}
    assert not {method: problems for method, problems in found.items() if problems}


def test_serving_something_else(standing: Standing) -> None:
    """`on_start` ends the service if nothing is refused, so that no test waits for a signal."""

    def ends(_sandbox: Sandbox) -> None:
        raise OwnError

    given = {"sandbox": standing.sandbox, "on_start": ends, "signals": ()}
    found = {
        (name, what): problem
        for name in given
        for what, value in hostile()
        if (name, what) != ("on_start", "None") and (problem := foreign(partial(serve, **{**given, name: value}), name))
    }
    assert not found


def outcome(subscript: Callable[[], object]) -> object:
    try:
        return subscript()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("name", ["requests", "effects", "deliveries", "faults"])
def test_a_log_is_subscripted_as_a_list_is(name: str, standing: Standing) -> None:
    log = getattr(standing.sandbox, name)
    for _, given in hostile():
        assert outcome(partial(log.__getitem__, given)) == outcome(partial([*log].__getitem__, given))


def test_readings_are_subscripted_as_a_dict_is() -> None:
    readings = Readings()
    for _, given in hostile():
        assert outcome(partial(readings.__getitem__, given)) == outcome(partial(dict(readings).__getitem__, given))


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_constructing_a_part_of_a_rule_with_wrong_arguments(kind: type) -> None:
    needed = {"length": 1, "seconds": 1, "low": 1, "high": 1, "median": 1, "status": 503, "per_second": 1, "limit": 1}
    found = {
        (name, what): problem
        for name in inspect.signature(kind).parameters
        for what, value in hostile()
        if (problem := foreign(partial(kind, **{**of_kind(kind, needed), name: value}), name))
    }
    assert not found


def of_kind(kind: type, needed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: needed[name] for name in inspect.signature(kind).parameters if name in needed}


def plans_with(value: object) -> Iterator[object]:
    """Yield plans as data, with this value in each place."""
    yield {"rules": value}
    yield {"rules": [value]}
    yield {"rules": [], "seed": value}
    for kind in KINDS:
        yield {"rules": [{"fault": {kind: value}}]}
    for field in dataclasses.fields(FaultRule):
        yield {"rules": [{"fault": "reset", field.name: value}]}
    yield {"rules": [{"fault": {"limit-concurrency": {"limit": 1, "schedule": value}}}]}


def test_plans_of_wrong_data(standing: Standing) -> None:
    """A wrong value in any place of a plan is refused with an error that names the plan."""
    faults = standing.sandbox.faults
    found = {
        (what, number): problem
        for what, value in hostile()
        for number, plan in enumerate(plans_with(value))
        if (problem := foreign(partial(faults.play, plan), "plan"))  # type: ignore[arg-type]
    }
    assert not found


NONSENSE: dict[str, object] = {
    "nothing": None,
    "a number": 5,
    "no offset": datetime(2026, 1, 1),
    "the first year": datetime.min.replace(tzinfo=UTC),
    "the last year": datetime.max.replace(tzinfo=UTC),
}


@pytest.mark.parametrize("told", NONSENSE.values(), ids=NONSENSE)
def test_a_clock_of_the_callers_without_a_time(told: Any) -> None:
    """The clock is refused when the sandbox is made, and not when it is first read."""

    class Clock:
        def now(self) -> Any:
            return told

    with pytest.raises((TypeError, ValueError), match=r"clock\.now\(\)"):
        Sandbox(clock=Clock())


@pytest.mark.parametrize("clock", [ManualClock, SystemClock])
def test_a_clock_stays_within_the_years_that_can_be_written(clock: Callable[[], ManualClock | SystemClock]) -> None:
    """The clock can't be moved too far, however often it is moved. A refused move leaves it where it is."""
    moved = clock()
    moved.advance(80_000_000_000.0)
    before = moved.now().year
    for _ in range(3):
        while moved.now().year < 8000:
            moved.advance(30_000_000_000.0)
        with pytest.raises(ValueError, match="seconds"):
            moved.advance(80_000_000_000.0)
    assert before < moved.now().year < 9000
    sandbox = Sandbox(clock=moved)
    sandbox.seed_orders(1)
    sandbox.close()


@pytest.mark.parametrize("body", [b"", b"x", b"\xff", b"[" * 100_000, b"9" * 10_000], ids=len)
def test_a_call_whose_body_is_not_json(body: bytes) -> None:
    call = CallbackCall("/hook", "", {}, body)
    with pytest.raises(ValueError, match="body of the call to /hook is not JSON") as caught:
        _ = call.json
    assert type(caught.value) is ValueError

"""No foreign exception leaves the public API, whatever a caller passes and whatever a service answers.

A value that can't be right, of whatever type, raises an error of this package. Only a call that does not fit the
signature raises Python's own ``TypeError``, and an exception that the caller's own code raises comes back unchanged.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from norce_order_async import NorceError
from norce_order_async.bulk import actions
from tests.support.engine import Step, answer
from tests.support.pipeline import stand

from .every_call import A_RUN, ORDER, Call, Given, fitting, led_through, public_calls

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make files in a temporary folder, whatever is taken for a name."""
    monkeypatch.chdir(tmp_path)


class OwnError(Exception):
    """An error that the caller's own code raises."""


class Hostile:
    """An object that can't be shown, compared or hashed."""

    def __str__(self) -> str:
        raise OwnError

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise OwnError

    def __hash__(self) -> int:
        raise OwnError


class OfNobody:
    """A class that can't be instantiated."""

    def __init__(self, *given: Any, **named: Any) -> None:
        raise OwnError


def of_nobody(*given: Any, **named: Any) -> None:
    """Accept any arguments and raise."""
    raise OwnError


def recursive() -> dict[str, Any]:
    value: dict[str, Any] = {"id": "x"}
    value["cart"] = value
    return value


def deep() -> Any:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


def deep_object() -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(5_000):
        value = {"cart": value, "a": [value]}
    return value


HOSTILE: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "bool": lambda: True,
    "int": lambda: 5,
    "negative": lambda: -1,
    "huge": lambda: 10**400,
    "huge digits": lambda: 10**5000,
    "float": lambda: 1.5,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("-inf"),
    "empty": lambda: "",
    "blank": lambda: " ",
    "text": lambda: "x",
    "surrogate": lambda: "a\ud800",
    "control": lambda: "a\x00\n\x1b[31m",
    "long": lambda: "x" * 100_000,
    "bytes": lambda: b"\xff",
    "list": lambda: [5],
    "texts": lambda: ["a\ud800", ""],
    "nones": lambda: [None],
    "dict": lambda: {"a": 1},
    "odd keys": lambda: {5: b"x", None: {"\ud800": object()}},
    "odd values": lambda: {"id": 5, "cart": "x", "a\ud800": float("nan"), "amount": 1e308, "items": 10**400},
    "recursive": recursive,
    "deep": deep,
    "deep object": deep_object,
    "object": object,
    "hostile": Hostile,
    "hostile inside": lambda: {"id": Hostile(), "a": [Hostile()]},
    "class": lambda: OfNobody,
    "function": lambda: of_nobody,
    "generator": lambda: (one for one in (1, "\ud800")),
}


@asynccontextmanager
async def standing(folder: Path, script: Callable[[Any], Step]) -> AsyncGenerator[Given]:
    good = [True]
    service = stand(lambda request: answer(200, ORDER) if good[0] else script(request))
    order = await service.client.orders.get("o1")
    good[0] = False
    journal = folder / "job.journal"
    yield Given(service.client, order, folder, journal)
    await service.client.aclose()


async def drive(call: Call, given: Given, arguments: list[Any], named: dict[str, Any]) -> BaseException | None:
    """Make the call and use its result, and return the exception that should not have come out."""
    try:
        with anyio.fail_after(20):
            if call.name == "job.run":
                async with given.client.bulk() as job:
                    await led_through(job.run(*arguments, **named))
            elif arguments and arguments[0] is A_RUN:
                async with given.client.bulk() as job:
                    await led_through(call.function(given)(job.run(["o1"], actions.remove())))
            else:
                await led_through(call.function(given)(*arguments, **named))
    except (NorceError, OwnError) as error:
        str(error)
        repr(error)
    except Exception as error:
        return error
    return None


def arguments_of(
    call: Call, given: Given, *, instead: str | None = None, value: Any = None
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that the call needs, with one of them replaced."""
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in call.parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.name == instead:
            one = value
        elif parameter.default is parameter.empty:
            one = fitting(call, parameter, given)
        else:
            continue
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL):
            if parameter.default is not parameter.empty:
                named[parameter.name] = one
            else:
                arguments.append(one)
        else:
            named[parameter.name] = one
    return arguments, named


def told(call: Call, what: str, error: BaseException) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = "" if at is None else f" at {at.tb_frame.f_code.co_filename.rpartition('/src/')[2]}:{at.tb_lineno}"
    return f"{call.name} with {what}: {type(error).__name__}{where}"


async def test_every_call_can_be_made(tmp_path: Path) -> None:
    """Each call can be made with the arguments of every_call.py. A call that can't be made here could not be tested
    below."""
    async with standing(tmp_path, lambda _: answer(200, ORDER)) as given:
        for call in public_calls(given):
            arguments, named = arguments_of(call, given)
            assert await drive(call, given, arguments, named) is None, call.name


async def wrong(tmp_path: Path, part: int, of: int) -> list[str]:
    found: list[str] = []
    number = 0
    async with standing(tmp_path, lambda _: answer(200, ORDER)) as given:
        for call in public_calls(given):
            for parameter in call.parameters:
                for name, make in HOSTILE.items():
                    number += 1
                    if number % of != part % of:
                        continue
                    if parameter.kind is parameter.VAR_KEYWORD:
                        continue
                    arguments, named = arguments_of(call, given, instead=parameter.name, value=make())
                    error = await drive(call, given, arguments, named)
                    if error is not None:
                        found.append(told(call, f"{parameter.name}={name}", error))
    return found


async def test_hostile_arguments(tmp_path: Path) -> None:
    """One argument of each call at a time is hostile. A part of all cases is tried, with at least one value for each
    argument."""
    found = await wrong(tmp_path, 0, 17)
    assert not found, f"{len(found)} of them: " + "; ".join(found)


@pytest.mark.soak
async def test_all_hostile_arguments(tmp_path: Path) -> None:
    found = await wrong(tmp_path, 0, 1)
    assert not found, f"{len(found)} of them: " + "; ".join(found)


def with_member(name: str, value: object) -> bytes:
    return json.dumps({**ORDER, name: value}).encode()


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "number": b"5",
    "text": b'"o1"',
    "list": b"[]",
    "list of odd ones": b'[null, 5, "x", [], {"id": 5}, {"id": "x"}]',
    "object": b"{}",
    "deep list": b"[" * 100_000,
    "deep object": b'{"cart":' * 50_000 + b"1" + b"}" * 50_000,
    "huge whole number": b'{"id": "o1", "version": ' + b"9" * 5000 + b"}",
    "huge amount": b'{"id": "o1", "total": {"includingVat": 1e308, "excludingVat": ' + b"9" * 400 + b"}}",
    "bad UTF-8": b'{"id": "\xff"}',
    "UTF-16": '{"id": "o1"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"id": "o1"}',
    "half a surrogate pair": b'{"id": "\\ud800", "state": {"currentStatus": "\\ud800"}}',
    "NaN": b'{"id": "o1", "total": {"includingVat": NaN, "excludingVat": -Infinity}}',
    "page of odd ones": b'{"data": [null, 5, {"id": null}, {"id": []}], "pagination": 5}',
    "page that is none": b'{"data": {"id": "o1"}, "pagination": {"size": "x", "totalSize": -1}}',
    "members doubled": b'{"id": "o1", "id": "o2"}',
    "errors of odd kinds": b'{"errors": [5, null, {"errors": {"a": 5}}], "type": 5, "title": [], "code": {}}',
    "HTML": b"<html>",
    **{f"{name} is {value!r}": with_member(name, value) for name in ORDER for value in (None, 5, "x", [5], {"a": 5})},
    "odd transitions": with_member("state", {"currentStatus": "checkout", "transitions": [5, {"timeStamp": "y"}, {}]}),
    "dates beyond all": with_member("created", "99999-01-01T00:00:00Z"),
    "odd payments": with_member("payments", [{"amount": "x"}, {"id": 5, "amount": 1e308}, {"amount": True}, 5]),
}
HEADERS: list[dict[str, str]] = [
    {},
    {"retry-after": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"},
    {"retry-after": "inf"},
    {"retry-after": "-5"},
    {"retry-after": "9" * 400},
    {"retry-after": "\u0661"},
    {"retry-after-ms": "1e400", "location": "/\ud800"},
    {"content-type": "\x00", "location": "/" * 1000},
]
STATUSES = [200, 201, 202, 204, 299, 301, 400, 401, 404, 409, 422, 425, 429, 500, 503, 599]


async def odd_answers(tmp_path: Path, part: int, of: int) -> list[str]:
    found: list[str] = []
    number = 0
    now = Step()
    async with standing(tmp_path, lambda _: now) as given:
        for call in public_calls(given):
            if call.name.partition(".")[0] not in ("client", "order", "iteration", "job"):
                continue
            if call.name in ("client.aclose", "client.from_env"):
                continue
            for what, body in BODIES.items():
                for status in STATUSES:
                    number += 1
                    if number % of != part % of:
                        continue
                    if call.name == "job.run" and status in (425, 429, 503):
                        continue  # a job waits as long as the service asks it to
                    now = Step(status, body, HEADERS[number // of % len(HEADERS)])
                    arguments, named = arguments_of(call, given)
                    error = await drive(call, given, arguments, named) or look(given)
                    if error is not None:
                        found.append(told(call, f"{status} {what}", error))
    return found


def look(given: Given) -> BaseException | None:
    """Read everything of an order, whatever it was last read as, and return the exception that should not have come
    out."""
    owners: list[object] = [given.order, given.order.cart, given.order.customer, given.order.payments]
    for owner in owners:
        for name, member in inspect.getmembers(type(owner)):
            if isinstance(member, property) and not name.startswith("_"):
                try:
                    repr(getattr(owner, name))
                except NorceError as error:
                    str(error)
                except Exception as error:
                    return error
    return None


async def test_hostile_answers(tmp_path: Path) -> None:
    """A part of all cases is tried with every call."""
    found = await odd_answers(tmp_path, 0, 97)
    assert not found, f"{len(found)} of them: " + "; ".join(found)


@pytest.mark.soak
async def test_all_hostile_answers(tmp_path: Path) -> None:
    found = await odd_answers(tmp_path, 0, 3)
    assert not found, f"{len(found)} of them: " + "; ".join(found)

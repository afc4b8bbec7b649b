"""No foreign exception leaves the local order service and the receiver for tests, whatever they are given.

The sandbox stands apart from the client, so its errors are its own classes. An argument of another type or beyond its
bounds is a TypeError or a ValueError raised by it, a key that is not there a LookupError, each of which names what is
wrong. An exception of a library's, or one that Python raises somewhere below, is foreign.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import norce_order_async.sandbox
from norce_order_async.sandbox import Sandbox
from norce_order_async.testing import CallbackReceiver, Reply

from .test_every_call import HOSTILE, OwnError

OWN: tuple[type[Exception], ...] = tuple(
    kind
    for kind in vars(norce_order_async.sandbox).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__.startswith("norce_order_async")
)
EXPECTED: tuple[type[Exception], ...] = (*OWN, OwnError)
PLAIN = (TypeError, ValueError, LookupError)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is taken for the name of a file lies here."""
    monkeypatch.chdir(tmp_path)


def foreign(call: Callable[[], object]) -> str:
    """What came out of a call that should not have; empty if all is well."""
    try:
        repr(call())
    except EXPECTED as error:
        str(error)
    except Exception as error:
        way = error.__traceback__
        assert way is not None
        while way.tb_next is not None:
            way = way.tb_next
        file = way.tb_frame.f_code.co_filename
        line = linecache.getline(file, way.tb_lineno).strip()
        raised_here = line.startswith("raise ") and "/norce_order_async/" in file
        if not (type(error) in PLAIN and raised_here):
            return f"{type(error).__name__} at {file.rpartition('/')[2]}:{way.tb_lineno}"
    return ""


def made(**given: Any) -> None:
    sandbox = Sandbox(**given)
    repr(sandbox)
    sandbox.close()


CONSTRUCTOR = [name for name in inspect.signature(Sandbox).parameters if name != "admin"]
FITTING: dict[str, Any] = {"delivery_id": "d1", "count": 1, "seconds": 1.0, "taken": b"", "merchant": "m", "seed": 1}
"""What the methods of a sandbox take, by the name of the parameter."""


@pytest.mark.parametrize("name", CONSTRUCTOR)
def test_a_sandbox_of_wrong_arguments(name: str) -> None:
    found = {what: problem for what, make in HOSTILE.items() if (problem := foreign(partial(made, **{name: make()})))}
    assert not found


def methods() -> Iterator[tuple[str, list[str]]]:
    """Every public method that takes something, and what."""
    for name, method in inspect.getmembers(Sandbox, inspect.isfunction):
        parameters = [each for each in inspect.signature(method).parameters if each != "self"]
        if parameters and not name.startswith("_"):
            yield name, parameters


METHODS = [(name, parameter) for name, parameters in methods() for parameter in parameters]


@pytest.mark.parametrize(("name", "parameter"), METHODS)
def test_a_sandbox_that_is_asked_for_what_cannot_be(name: str, parameter: str) -> None:
    """Not started: its state is the same."""
    needed = {
        each: FITTING[each]
        for each, about in inspect.signature(getattr(Sandbox, name)).parameters.items()
        if each != "self" and about.default is about.empty
    }
    found: dict[str, str] = {}
    sandbox = Sandbox()
    for what, make in HOSTILE.items():
        given = {**needed, parameter: make()}
        if problem := foreign(lambda given=given: getattr(sandbox, name)(**given)):  # type: ignore[misc]
            found[what] = problem
    sandbox.close()
    assert not found


def test_a_receiver_that_is_given_wrong_answers() -> None:
    receiver = CallbackReceiver()
    calls: dict[str, Callable[[Any], object]] = {
        "path": lambda value: receiver.answer(value, Reply()),
        "answers": lambda value: receiver.answer("/x", value),
        "at": receiver.at,
    }
    found = {
        (name, what): problem
        for name, call in calls.items()
        for what, make in HOSTILE.items()
        if (problem := foreign(partial(call, make())))
    }
    receiver.close()
    assert not found

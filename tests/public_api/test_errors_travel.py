"""Every exception of ours can be pickled and copied with all its attributes.

The classes are found by walking the packages, so one that is added later is tested too.
"""

from __future__ import annotations

import concurrent.futures
import copy
import importlib
import inspect
import json
import multiprocessing
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest

import norce_order_api
import norce_order_async
from norce_order_async import models
from norce_order_async.errors import Attempt, NorceError

ATTEMPTS = (
    Attempt(1, "rejected", 429, None, "429", 0.25, "repeat after 1 s", 495.0),
    Attempt(2, "unknown", None, "read", "ReadTimeout (read)", 20.0, "give up: not-repeatable", 495.0),
)
VALUES: dict[str, Any] = {
    "adapter_id": "erp",
    "advice": "read it back",
    "attempts": ATTEMPTS,
    "awaited": "a status",
    "code": "order-conflict",
    "complaint": "must be a string",
    "content": b"<html>",
    "correlation_id": "c-1",
    "current": "checkout",
    "gave_up": "attempts",
    "maybe_changed": True,
    "message": "Förnamn Efternamn",
    "operation": "UpdateOrderState",
    "order_id": "o1",
    "path": "$.type",
    "phase": "read",
    "problem": {"code": "order-conflict", "list": [1, {"two": 2.5}]},
    "problems": (("erp", "stock"), (None, None)),
    "reason": "ReadTimeout",
    "request": {"cart": {"reference": "c-1"}},
    "retry_after": 2.5,
    "seconds": 3.0,
    "status": 409,
    "status_code": 520,
    "target": "completed",
    "what": "refused with 409",
}
"""The arguments of the exceptions, by name; for all others their own name."""


def modules() -> Iterator[ModuleType]:
    for package in (norce_order_async, norce_order_api):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # A hook of PyInstaller is not a module of the package.
            if found.name.rpartition(".")[2] != "__main__" and "-" not in found.name:
                yield importlib.import_module(found.name)


def ours() -> list[type[BaseException]]:
    """Return every exception class that our packages define, by qualified name."""
    found: set[type[BaseException]] = set()
    for module in modules():
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, BaseException) and kind.__module__ == module.__name__:
                found.add(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


def sample(kind: type[BaseException]) -> BaseException:
    """Make an error of this class with a value for everything that it accepts."""
    written = [vars(one)["__init__"] for one in kind.__mro__ if "__init__" in vars(one)]
    if not inspect.isfunction(written[0]):
        return kind("a text")
    given: list[Any] = []
    named: dict[str, Any] = {}
    for number, init in enumerate(written):
        parameters = list(inspect.signature(init).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = VALUES.get(parameter.name, parameter.name)
            elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and number == 0:
                given.append(VALUES.get(parameter.name, parameter.name))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return kind(*given, **named)


def told(error: BaseException) -> tuple[Any, ...]:
    """Return everything that must survive, in a form that can be compared."""
    return type(error), error.args, str(error), repr(error), vars(error)


CLASSES = ours()


def pickled(protocol: int, error: Any) -> Any:
    """Pickle an error and load it again."""
    return pickle.loads(pickle.dumps(error, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle{protocol}": partial(pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def raise_sample(index: int) -> None:
    """Raise the sample in the other process."""
    raise sample(CLASSES[index])


def test_the_walk_finds_the_errors() -> None:
    names = {f"{kind.__module__}.{kind.__name__}" for kind in CLASSES}
    assert len(names) > 30
    assert {
        "norce_order_async.errors.NotFoundError",
        "norce_order_async.bulk.journal.errors.JournalError",
        "norce_order_async.engines.base.MaybeSentError",
        "norce_order_async.sandbox.service.refusals.Refusal",
        "norce_order_api.errors.UnexpectedStatus",
    } <= names


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
# All ways use the same data of an error's class to make it again.
@pytest.mark.in_turn("way")
def test_it_comes_back_as_it_was(kind: type[BaseException], way: str) -> None:
    error = sample(kind)
    error.add_note("order 7 of the night's run")
    back = WAYS[way](error)
    assert back is not error
    assert told(back) == told(error)


@pytest.mark.parametrize("way", WAYS)
def test_attributes_that_were_set_later_survive(way: str) -> None:
    """Models survive too, because a refused change has the proposed model."""
    error: Any = sample(norce_order_async.ChangeRefusedError)
    error.proposed = models.Cart.from_dict({"reference": "r-1", "items": [{"sku": "MUG", "ours": {"kept": 1}}]})
    error.seen_by = ["us"]
    back = WAYS[way](error)
    assert (back.proposed, back.seen_by) == (error.proposed, ["us"])
    assert back.proposed.to_dict() == error.proposed.to_dict()


@pytest.mark.parametrize("way", WAYS)
def test_a_class_of_the_users_survives_too(way: str) -> None:
    error = ShopError("no mugs", shelf=4)
    back = WAYS[way](error)
    assert (type(back), back.shelf, str(back)) == (ShopError, 4, "no mugs on shelf 4")


class ShopError(NorceError):
    """An error as a program might derive it, whose arguments are not those in ``args``."""

    def __init__(self, what: str, *, shelf: int) -> None:
        super().__init__(f"{what} on shelf {shelf}")
        self.shelf = shelf


def test_a_copy_is_a_copy() -> None:
    error: Any = sample(norce_order_async.BadRequestError)
    error.problem = {"list": [1]}
    shallow, deep = copy.copy(error), copy.deepcopy(error)
    error.problem["list"].append(2)
    error.code = "changed"
    assert (shallow.problem, shallow.code) == ({"list": [1, 2]}, "order-conflict")
    assert (deep.problem, deep.code) == ({"list": [1]}, "order-conflict")


def test_they_come_out_of_a_pool_of_processes() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results = [pool.apply_async(raise_sample, (index,)) for index in range(len(CLASSES))]
        for kind, result in zip(CLASSES, results, strict=True):
            with pytest.raises(kind) as caught:
                result.get(timeout=120)
            assert told(caught.value) == told(sample(kind)), kind


def test_they_come_out_of_an_executor_of_processes() -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        futures = [executor.submit(raise_sample, index) for index in range(len(CLASSES))]
        for kind, future in zip(CLASSES, futures, strict=True):
            with pytest.raises(kind) as caught:
                future.result(timeout=120)
            assert told(caught.value) == told(sample(kind)), kind


def test_the_samples_hold_something_in_everything() -> None:
    error = sample(norce_order_async.TransitionRefusedError)
    assert not [name for name, value in vars(error).items() if value in (None, "", ())]
    assert json.dumps(VALUES["problem"]) == json.dumps(pickle.loads(pickle.dumps(error)).problem)

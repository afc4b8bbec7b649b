"""Every public call of the package, found by inspection, and arguments that it accepts.

A call that is added to the package is found here too. Its arguments are looked up by the name of the parameter. The id
of an entry is that of the order's list, and any other text is some text. Any other unknown parameter fails the test, so
that a new call is never left out.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, cast, is_typeddict

from norce_order_async import NorceOrderClient, Order, OrderFilter
from norce_order_async.bulk import PostgresJournal, Recipe, actions
from norce_order_async.models import Item, Payment, Price

MODULES: tuple[str, ...] = (
    "norce_order_async",
    "norce_order_async.bulk",
    "norce_order_async.bulk.actions.builtin",
    "norce_order_async.money",
)
"""The modules that a caller imports from."""

AWAY = "postgresql://app@localhost:1/jobs"
"""A database that can't be reached."""
RECIPE = Recipe(base_url="https://orders.example", merchant="acme", channel="se")

A_RUN = "a run of a job, which is there only inside of it"
"""Stands for a job, which the caller of this function begins."""

GIVEN_AND_NOT_MADE = frozenset(
    {
        "Answer",
        "Attempt",
        "AttemptInfo",
        "CallEvent",
        "CallInfo",
        "Drift",
        "DriftRecord",
        "Ensured",
        "ItemOutcome",
        "HtmlReport",
        "ItemResult",
        "Job",
        "JournalReport",
        "Money",
        "Order",
        "OrderCollection",
        "OrderPage",
        "Scope",
        "Sample",
        "ShardReport",
        "StatusPeriod",
        "Summary",
        "Transitioned",
        "ValidationProblem",
        "ValidationReport",
        "WireRequest",
        "WireResponse",
    }
)
"""Classes that only the package makes, so their constructors are not calls of the caller's."""

PRICE = {"includingVat": 125.0, "excludingVat": 100.0}
CART = {"reference": "c1", "items": [{"sku": "T1", "quantity": 1, "total": PRICE}], "total": PRICE}
ADDRESS = {"firstName": "A", "country": "SE"}
ORDER: dict[str, Any] = {
    "id": "o1",
    "reference": "r1",
    "state": {
        "currentStatus": "checkout",
        "transitions": [{"status": "checkout", "timeStamp": "2026-01-01T00:00:00Z"}],
    },
    "created": "2026-01-01T00:00:00Z",
    "cart": CART,
    "total": PRICE,
    "customer": {"billing": ADDRESS, "shipping": ADDRESS},
    "payments": [{"id": "p1", "reference": "x", "amount": 1.0, "state": {"currentStatus": "intent"}}],
    "shippings": [{"id": "s1", "reference": "x"}],
    "consents": [{"id": "newsletter"}],
    "attributes": {"a": 1},
}


@dataclass(frozen=True)
class Given:
    """The objects behind a call: a client over some service, a folder, and a journal in it."""

    client: NorceOrderClient
    order: Order
    """Read already."""
    folder: Path
    journal: Path


@dataclass(frozen=True)
class Call:
    """One public call."""

    name: str
    owner: Callable[[Given], Any]
    """Makes the object of a call; a module or a class for a function."""
    attribute: str
    parameters: tuple[inspect.Parameter, ...]

    def function(self, given: Given) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self.owner(given), self.attribute)
        return found


def public_calls(example: Given) -> list[Call]:
    """Return all public calls: functions, constructors, and the methods of everything that they lead to."""
    found: dict[str, Call] = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in _names_of(module):
            member = getattr(module, name)
            if inspect.isclass(member) and issubclass(member, BaseException):
                continue
            if not callable(member) or getattr(member, "__module__", "").partition(".")[0] != "norce_order_async":
                continue
            if inspect.isclass(member) and (inspect.isabstract(member) or getattr(member, "_is_protocol", False)):
                continue
            if name in GIVEN_AND_NOT_MADE or is_typeddict(member):
                continue
            _add(found, f"{module_name}.{name}", partial(_always, module), name, member)
    owners: list[tuple[str, Callable[[Given], Any]]] = [("client", lambda given: given.client)]
    seen: set[type] = set()
    while owners:
        path, owner = owners.pop(0)
        instance = owner(example)
        kind = cast("type[object]", type(instance))
        if kind in seen:
            continue
        seen.add(kind)
        for name, member in inspect.getmembers(kind):
            if name.startswith("_") and name != "__call__":
                continue
            if isinstance(member, property):
                value = getattr(instance, name)
                if _is_ours(value):
                    owners.append((f"{path}.{name}", partial(_below, owner, name)))
            elif inspect.isroutine(member) and _is_ours_by_module(member):
                _add(found, f"{path}.{name}", owner, name, getattr(instance, name))
        owners += _led_to(path, owner, instance)
    return list(found.values())


def _always(module: ModuleType, _: Given) -> Any:
    return module


def _below(owner: Callable[[Given], Any], name: str, given: Given) -> Any:
    return getattr(owner(given), name)


def _led_to(path: str, owner: Callable[[Given], Any], instance: Any) -> Iterator[tuple[str, Callable[[Given], Any]]]:
    """Yield the objects with calls of their own that calls return."""
    kind = type(instance).__name__
    if kind == "NorceOrderClient":
        yield "scope", lambda given: given.client.scoped(channel="no")
        yield "job", lambda given: given.client.bulk(load=None)
        yield "filter", lambda _: OrderFilter(status="checkout")
    if kind == "OrderCollection":
        yield "order", lambda given: given.order
        yield "iteration", lambda given: given.client.orders.iterate()


def _names_of(module: ModuleType) -> list[str]:
    declared = getattr(module, "__all__", None)
    if declared is not None:
        return list(declared)
    return [
        name
        for name, member in vars(module).items()
        if not name.startswith("_") and getattr(member, "__module__", "") == module.__name__
    ]


def _add(found: dict[str, Call], label: str, owner: Callable[[Given], Any], attribute: str, member: Any) -> None:
    parameters = tuple(_spelled_out(member))
    found[label] = Call(label, owner, attribute, parameters)


def _spelled_out(member: Any) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a call, with each key of a typed dict of keywords as one of them."""
    for parameter in inspect.signature(member).parameters.values():
        unpacked = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        if unpacked is None:
            yield parameter
            continue
        keywords = getattr(importlib.import_module(inspect.unwrap(member).__module__), unpacked[1])
        for name in keywords.__annotations__:
            yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)


def _is_ours(value: object) -> bool:
    module = type(value).__module__
    return module.startswith(("norce_order_async.orders", "norce_order_async.bulk.job"))


def _is_ours_by_module(member: Any) -> bool:
    return getattr(inspect.unwrap(member), "__module__", "").startswith("norce_order_async")


def _edit(model: Any) -> None:
    del model


async def _act(order: Any) -> None:
    await order.refresh()


def fitting(call: Call, parameter: inspect.Parameter, given: Given) -> Any:
    """Return a value that the call accepts for a parameter.

    Raises:

      LookupError: no value is known for it.
    """
    table = _values(given)
    owner = call.name.split(".")[-2]
    for name in (f"{call.attribute}({parameter.name})", f"{owner}.{parameter.name}", parameter.name):
        if name in table:
            return table[name]
    entry = f"{parameter.name.removesuffix('_id')}s.entry_id"
    if entry in table:
        return table[entry]
    if parameter.annotation in (str, "str"):
        return "some text"
    raise LookupError(f"no value is known for {parameter.name} of {call.name}: add it to every_call.py")


def _values(given: Given) -> Mapping[str, Any]:
    return {
        "order_id": "o1",
        "payment_id": "p1",
        "action_id": "a1",
        "consent_id": "newsletter",
        "payments.entry_id": "p1",
        "shippings.entry_id": "s1",
        "hooks.entry_id": "h1",
        "notifications.entry_id": "n1",
        "validations.entry_id": "v1",
        "consents.entry_id": "newsletter",
        "consent_ids": "newsletter",
        "cart_reference": "c1",
        "reference": "r1",
        "order": {"culture": "sv-SE", "currency": "SEK", "country": "SE", "cart": CART},
        "cart": CART,
        "payment": {"reference": "x", "amount": 1.0},
        "payments.entry": {"reference": "x", "amount": 1.0},
        "shippings.entry": {"reference": "x"},
        "hooks.entry": {
            "adapterId": "a1",
            "invoke": "https://a1.example/hook",
            "subscribeTo": "state",
            "target": "order",
        },
        "notifications.entry": {"adapterId": "a1", "invoke": "https://a1.example/note"},
        "validations.entry": {"adapterId": "a1", "url": "https://a1.example/check"},
        "consents.entry": {"id": "newsletter"},
        "consents": [{"id": "newsletter", "checked": True}],
        "checked": True,
        "address": ADDRESS,
        "edit": _edit,
        "changes": {"a": 1},
        "transaction": {"id": "t1"},
        "status": "processing",
        "target": "processing",
        "to": "processing",
        "until": "processing",
        "amount": Decimal("1.25"),
        "unit": 1,
        "quantity": 2,
        "vat_rate": Decimal("0.25"),
        "price": Price(including_vat=1.25, excluding_vat=1.0),
        "items": [Item(sku="T1", quantity=1)],
        "payments": [Payment(amount=1.0)],
        "token": "t",
        "secret": "a-secret-that-nobody-guesses",
        "recipe": RECIPE,
        "recipe_json": RECIPE.to_json(),
        "Recipe(token)": "env:NORCE_TOKEN",
        "base_url": "https://orders.example",
        "dsn": AWAY,
        "PostgresJournal(job)": "close",
        "journal_url": f"{AWAY}#close",
        "spread(journal)": PostgresJournal(AWAY, "close"),
        "list_shards(journal)": PostgresJournal(AWAY, "close"),
        "max_rate": 5.0,
        "shard": 1,
        "shards": 2,
        "text": "'=1",
        "job": given.client.bulk(),
        "run": A_RUN,
        "path": given.journal,
        "html_report(journal)": given.journal,
        "states": ["refused"],
        "out": given.folder / "orders.jsonl",
        "name": "mine",
        "function": _act,
        "source": ["o1", "o2"],
        "action": actions.remove(),
        "where": OrderFilter(status="checkout"),
        "merchant": "acme",
        "channel": "se",
        "client_id": "c",
        "client_secret": "s",
        "scope": "stage",
        "in_flight": 2,
        "primary": "t",
        "parameters": {"to": "removed"},
        "from_journal(name)": "transition",
        "including_vat": Decimal("1.25"),
        "excluding_vat": Decimal(1),
        "awaited": "completed",
        "timeout": 0.0,
        "names": "a",
        "actions": [{"id": "a1"}],
        "event": "paid",
        "date_from": datetime(2026, 1, 1, tzinfo=UTC),
    }


async def led_through(result: Any) -> None:
    """Use the result of a call: await it, iterate a little, enter it and show it."""
    if inspect.isawaitable(result):
        awaited: Awaitable[Any] = result
        result = await awaited
    if isinstance(result, NorceOrderClient):
        await result.aclose()
        return
    if hasattr(result, "__aenter__"):
        async with result:
            pass
    if hasattr(result, "__anext__"):
        for _ in range(3):
            try:
                await anext(result)
            except StopAsyncIteration:
                break
    if hasattr(result, "__next__"):
        list(islice(cast("Iterator[object]", result), 3))
    repr(result)
    str(result)

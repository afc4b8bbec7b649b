"""Registers an adapter on orders, so that the service calls it: plans and makes the changes that an order needs.

An entry of an order belongs to the adapter if it has its id and an address below its ``public_url``, with any secret.
Entries of other programs are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from norce_order_async.adapter.patches import same
from norce_order_async.adapter.routing import Kind, Route, Secrets
from norce_order_async.bulk.actions.base import Action, Row, Settlement
from norce_order_async.errors import NotFoundError

if TYPE_CHECKING:
    from norce_order_async.orders.order import Order
    from norce_order_async.orders.parts.entries import DeletableEntries

_MASK: Final = "..."
"""Stands for the secret where addresses are shown."""

_PLACEHOLDER: Final[Mapping[Kind, str]] = {
    "hook": "{order_id}",
    "validation": "{order_id}",
    "notification": "{order.id}",
}
"""The placeholder of the order's id in an address. The service replaces it when it calls."""

_KINDS: Final[tuple[Kind, ...]] = ("hook", "validation", "notification")


@dataclass(frozen=True, slots=True)
class Registered:
    """A hook, notification or validation that is registered on an order, or is to be.

    Example::

        plan = await adapter.plan(order)
        for registered in plan.add:
            print(registered.kind, registered.route, registered.address)
    """

    kind: Literal["hook", "validation", "notification"]
    address: str
    """The address, with ``...`` in place of the secret."""
    route: str
    """The handler, such as ``"/state"``; if the entry has no handler any more, the name in its address."""
    id: str | None = None
    """The service's id of a registered entry; None if it is not registered yet."""
    entry: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    """The entry as it is sent or was read. Its address holds the secret."""

    def __str__(self) -> str:
        return f"{self.kind} {self.route} at {self.address}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The entries that are added to an order, removed from it and kept.

    Example::

        plan = await adapter.plan(order)
        print(plan)
    """

    add: tuple[Registered, ...]
    remove: tuple[Registered, ...]
    keep: tuple[Registered, ...]

    @property
    def changes(self) -> int:
        """How many entries are added or removed."""
        return len(self.add) + len(self.remove)

    def __str__(self) -> str:
        lines = [f"+ {one}" for one in self.add] + [f"- {one}" for one in self.remove]
        return "\n".join(lines) or "nothing to do"


class Registrar:
    """Compares the entries of an order with those that an adapter registers."""

    __slots__ = ("_adapter_id", "_public_url", "_routes", "_secret", "_version")

    def __init__(
        self, adapter_id: str, public_url: str, secret: Secrets, version: str, routes: tuple[Route, ...]
    ) -> None:
        self._adapter_id = adapter_id
        self._public_url = public_url
        self._secret = secret
        self._version = version
        self._routes = routes

    @property
    def parameters(self) -> dict[str, Any]:
        """The entries that are registered, as JSON data without the secret."""
        return {
            "adapter": self._adapter_id,
            "entries": [
                {**self._entry(route), _address_member(route.kind): self._address(route, _MASK)}
                for route in self._routes
            ],
        }

    @property
    def name(self) -> str:
        """The name of the action in a journal."""
        return f"register {self._adapter_id}"

    def plan(self, order: Order) -> Plan:
        """Plan the changes of an order, from the version that was read last."""
        there = list(self._registered(order))
        add: list[Registered] = []
        keep: list[Registered] = []
        kept: set[int] = set()
        for route in self._routes:
            wanted = self._entry(route)
            alike = [
                index
                for index, one in enumerate(there)
                if one.kind == route.kind and index not in kept and _is_like(one.entry, wanted, order.id)
            ]
            if alike:
                kept.add(alike[0])
                keep.append(there[alike[0]])
            else:
                add.append(Registered(route.kind, self._address(route, _MASK), route.label, None, wanted))
        remove = [one for index, one in enumerate(there) if index not in kept]
        return Plan(tuple(add), tuple(remove), tuple(keep))

    def removal(self, order: Order) -> Plan:
        """Plan the removal of all entries of the adapter."""
        return Plan((), tuple(self._registered(order)), ())

    def _registered(self, order: Order) -> Iterable[Registered]:
        labels = {(route.kind, route.name): route.label for route in self._routes}
        for kind in _KINDS:
            for entry in _entries(order, kind):
                data: dict[str, Any] = entry.to_dict()
                address = data.get(_address_member(kind))
                if data.get("adapterId") != self._adapter_id or not isinstance(address, str):
                    continue
                if not address.startswith(f"{self._public_url}/"):
                    continue
                segments = address.removeprefix(f"{self._public_url}/").split("/")
                if len(segments) != 4 or segments[1] != kind:
                    continue
                name = segments[2]
                masked = f"{self._public_url}/{_MASK}/{kind}/{name}/{segments[3]}"
                label = labels.get((kind, name), name)
                yield Registered(kind, masked, label, entry.id, data)

    def _entry(self, route: Route) -> dict[str, Any]:
        """The body that registers a handler."""
        address = self._address(route, self._secret.newest)
        entry: dict[str, Any] = {"adapterId": self._adapter_id, _address_member(route.kind): address}
        match route.kind:
            case "hook":
                entry |= {"subscribeTo": route.pointer, "version": self._version}
                if route.target is not None:
                    entry["target"] = route.target
            case "notification":
                entry |= {"scope": route.pointer, "version": self._version}
                for name in ("schema", "delay", "reference", "description"):
                    if (value := getattr(route, name)) is not None:
                        entry[name] = value
            case "validation":
                pass
        return entry

    def _address(self, route: Route, secret: str) -> str:
        return f"{self._public_url}/{secret}/{route.kind}/{route.name}/{_PLACEHOLDER[route.kind]}"


def _address_member(kind: Kind) -> str:
    return "url" if kind == "validation" else "invoke"


def _entries(order: Order, kind: Kind) -> DeletableEntries[Any, Any]:
    match kind:
        case "hook":
            return order.hooks
        case "validation":
            return order.validations
        case "notification":
            return order.notifications


def _is_like(there: Mapping[str, Any], wanted: Mapping[str, Any], order_id: str) -> bool:
    """Whether an entry of an order is the wanted one. The service adds an id, and may fill in the order's id."""
    for name in ("invoke", "url", "subscribeTo", "target", "scope", "schema", "delay", "reference", "description"):
        one, other = there.get(name), wanted.get(name)
        if name in ("invoke", "url") and isinstance(one, str) and isinstance(other, str):
            one, other = (address.rpartition("/") for address in (one, other))
            if one[0] != other[0] or not (one[2].startswith("{") or one[2] == order_id):
                return False
        elif name == "delay":
            if (one or 0) != (other or 0):
                return False
        elif not same(one, other):
            return False
    return (there.get("version") or "v0") == (wanted.get("version") or "v0")


async def plan(registrar: Registrar, order: Order) -> Plan:
    """Read an order, and plan its changes."""
    await order.refresh()
    return registrar.plan(order)


async def ensure(registrar: Registrar, order: Order) -> Plan:
    """Make the changes that an order needs."""
    planned = await plan(registrar, order)
    # New entries are added before old ones are removed, so that every change meets one of them. An entry that is
    # replaced at its own address is removed first, because `ensure` could not tell the two apart.
    keys = [_key(one) for one in planned.add]
    first = [one for one in planned.remove if _key(one) in keys]
    await _remove(order, first)
    for one in planned.add:
        await _entries(order, one.kind).ensure(one.entry)
    await _remove(order, [one for one in planned.remove if one not in first])
    if planned.changes:
        await order.refresh()
    return planned


async def withdraw(registrar: Registrar, order: Order) -> Plan:
    """Remove all entries of the adapter from an order."""
    await order.refresh()
    planned = registrar.removal(order)
    await _remove(order, planned.remove)
    if planned.remove:
        await order.refresh()
    return planned


async def _remove(order: Order, entries: Iterable[Registered]) -> None:
    for one in entries:
        if one.id is None:
            continue
        with suppress(NotFoundError):  # another process has removed it
            await _entries(order, one.kind).delete(one.id)


def _key(one: Registered) -> tuple[Any, ...]:
    """The members by which the service distinguishes entries."""
    return (one.kind, *(one.entry.get(name) for name in ("invoke", "url", "subscribeTo", "target", "scope")))


class Registration(Action[Plan]):
    """Registers an adapter on each order of a job; :meth:`Adapter.registration` makes one.

    Example::

        async with norce.bulk() as job:
            async for outcome in job.run(order_ids, adapter.registration()):
                print(outcome.key, outcome.verdict)
    """

    def __init__(self, registrar: Registrar) -> None:
        self._registrar = registrar
        self.name = registrar.name
        self.parameters = registrar.parameters

    async def apply(self, order: Order, row: Row) -> Plan:
        """Register the adapter on one order."""
        del row
        return await ensure(self._registrar, order)

    async def settle(self, order: Order, row: Row) -> Settlement:
        """Read the order: ``"done"`` if everything is registered."""
        del row
        return "not done" if (await plan(self._registrar, order)).changes else "done"

    async def preview(self, order: Order, row: Row) -> str:
        """Count the entries that would be added and removed."""
        del row
        planned = await plan(self._registrar, order)
        return f"would add {len(planned.add)} and remove {len(planned.remove)}" if planned.changes else "is registered"

    def did_nothing(self, value: Plan) -> bool:
        """Whether everything was registered before."""
        return not value.changes

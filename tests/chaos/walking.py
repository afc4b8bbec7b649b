"""Makes calls to the counting service, and compares the results of their callers with the effects."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import anyio

from norce_order_async import (
    CallOptions,
    DuplicateOrderError,
    Fixed,
    NorceOrderClient,
    NotSentError,
    Order,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    TransitionSupersededError,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.outcome import ItemOutcome
from norce_order_async.engines.select import EngineName

from .counting import Effects
from .service import CHANNEL, CONTEXT, cart, payment

CALLERS = 20
AT_ONCE = CallOptions(
    base_delay=0.0,
    throttled_base_delay=0.0,
    settling_pause=0.0,
    # The count must not depend on the speed of the machine.
    connect_timeout=600.0,
    read_timeout=600.0,
    write_timeout=600.0,
    pool_timeout=600.0,
    deadline=3_600.0,
)
"""Options without waits, because the counting service derives the time from the requests."""

Word = Literal["done", "already done", "doubled", "unknown", "not sent", "refused"]


@dataclass(frozen=True, slots=True)
class Told:
    """The result of one call."""

    word: Word
    """``doubled`` says that there are two, or that there may be another."""
    ids: tuple[str, ...] = ()
    """The id of the existing thing."""
    created: bool = False
    """Whether the result says that this call created it."""


Reporter = dict[str, list[Told]]
"""The results of callers, by the key that the effects are counted under."""

Walk = Callable[[NorceOrderClient, Sequence[str], CallOptions], Awaitable[Reporter]]
"""Calls for a number of things, a few at a time."""


def client_for(base_url: str, engine: EngineName, **settings: Any) -> NorceOrderClient:
    """A client that waits for nothing, with a budget for more losses than usual."""
    return NorceOrderClient(
        base_url=base_url,
        token="counting",
        merchant="acme",
        channel=CHANNEL,
        engine=engine,
        options=AT_ONCE,
        retry_budget=1_000_000,
        **settings,
    )


def word_of(error: BaseException) -> Told:
    match error:
        case DuplicateOrderError():
            return Told("doubled", tuple(order.id for order in error.orders))
        case OutcomeUnknownError():
            return Told("unknown")
        case NotSentError() | RejectedError():
            return Told("not sent")
        case RefusedError() | TransitionSupersededError():
            return Told("refused")
        case _:
            raise error


async def _all(keys: Sequence[str], call: Callable[[str], Awaitable[Told]], *, at_once: int = 1) -> Reporter:
    """Make a call, or several at once, for each key. Twenty keys are worked on at a time."""
    told: Reporter = defaultdict(list)
    pending = iter(keys)

    async def one(key: str) -> None:
        try:
            came = await call(key)
        except Exception as error:
            came = word_of(error)
        told[key].append(came)

    async def work() -> None:
        for key in pending:
            async with anyio.create_task_group() as same:
                for _ in range(at_once):
                    same.start_soon(one, key)

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(work)
    return told


def _order(order: Order, *, created: bool) -> Told:
    return Told("done" if order.uniqueness_checked else "doubled", (order.id,), created)


async def _create(norce: NorceOrderClient, reference: str, options: CallOptions) -> Order:
    return await norce.orders.create(**CONTEXT, cart=cart(reference), options=options)


async def create_orders(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    async def call(reference: str) -> Told:
        return _order(await _create(norce, reference, options), created=True)

    return await _all(keys, call)


async def get_or_create_orders(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    """Make two calls for each cart reference at the same moment."""

    async def call(reference: str) -> Told:
        order, created = await norce.orders.get_or_create(
            **CONTEXT, cart=cart(), cart_reference=reference, options=options
        )
        return _order(order, created=created)

    return await _all(keys, call, at_once=2)


async def create_payments(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    async def call(order_id: str) -> Told:
        order = await norce.orders.get(order_id)
        return Told("done", (await order.payments.create(payment(order_id), options=options),), created=True)

    return await _all(keys, call)


async def ensure_payments(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    """Make two calls for each order at the same moment. Each calls again while the result is unknown."""

    async def call(order_id: str) -> Told:
        order = norce.orders(order_id)
        while True:
            try:
                ensured = await order.payments.ensure(payment(order_id), options=options)
            except OutcomeUnknownError:
                continue
            return Told("done", (str(ensured.value.id),), ensured.created)

    return await _all(keys, call, at_once=2)


async def change_statuses(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    async def call(order_id: str) -> Told:
        await norce.orders(order_id).transition_to("processing", options=options)
        return Told("done", ("processing",))

    return await _all(keys, call)


async def _job(
    norce: NorceOrderClient, keys: Sequence[str], options: CallOptions, action: Any, told: Callable[[Any], Told]
) -> Reporter:
    """Run a job, and translate its outcomes.

    Args:
        norce: the client.
        keys: the keys of its items.
        options: the options of its calls.
        action: what it does.
        told: translates the value of an item that is done; the value is None if a read found the effect.
    """

    def one(outcome: ItemOutcome[Any]) -> Told:
        match outcome.verdict:
            case "done":
                return told(outcome.value)
            case "not tried":
                return Told("not sent")
            case "already done" | "refused":
                return Told(outcome.verdict)
            case "unknown":
                return word_of(outcome.error) if isinstance(outcome.error, DuplicateOrderError) else Told("unknown")

    async with norce.bulk(load=Fixed(in_flight=CALLERS), options=options) as job:
        return {outcome.key: [one(outcome)] async for outcome in job.run(keys, action)}


async def create_orders_in_a_job(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    async def create(item: Order) -> Order:
        return await _create(norce, item.id, options)

    return await _job(norce, keys, options, create, lambda order: _order(order, created=True))


async def create_payments_in_a_job(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    async def pay(order: Order) -> str:
        await order.refresh()
        return await order.payments.create(payment(order.id))

    return await _job(norce, keys, options, pay, lambda payment_id: Told("done", (payment_id,), created=True))


async def change_statuses_in_a_job(norce: NorceOrderClient, keys: Sequence[str], options: CallOptions) -> Reporter:
    return await _job(norce, keys, options, actions.transition("processing"), lambda _: Told("done", ("processing",)))


@dataclass(frozen=True, slots=True)
class Calls:
    """A kind of call, and where its effects are counted."""

    name: str
    """The name in the documentation."""
    walk: Walk
    effects: Callable[[Effects], Mapping[str, Sequence[str]]]
    of_orders: bool
    """Whether it creates orders. Otherwise it changes existing ones."""


CALLS: Mapping[str, Calls] = {
    "create": Calls("`orders.create`", create_orders, lambda effects: effects.orders, of_orders=True),
    "get-or-create": Calls(
        "`get_or_create`, two at once", get_or_create_orders, lambda effects: effects.orders, of_orders=True
    ),
    "create-in-a-job": Calls(
        "`orders.create` in a job", create_orders_in_a_job, lambda effects: effects.orders, of_orders=True
    ),
    "pay": Calls("`payments.create`", create_payments, lambda effects: effects.payments, of_orders=False),
    "ensure": Calls(
        "`payments.ensure`, two at once", ensure_payments, lambda effects: effects.payments, of_orders=False
    ),
    "pay-in-a-job": Calls(
        "`payments.create` in a job", create_payments_in_a_job, lambda effects: effects.payments, of_orders=False
    ),
    "change": Calls("`transition_to`", change_statuses, lambda effects: effects.changes, of_orders=False),
    "change-in-a-job": Calls(
        "`transition` in a job", change_statuses_in_a_job, lambda effects: effects.changes, of_orders=False
    ),
}


@dataclass(slots=True)
class Count:
    """The outcomes of a number of calls. Each call has one of five."""

    asked: int = 0
    effects: int = 0
    doubled: int = 0
    """Things with two effects or more."""
    done: int = 0
    refused: int = 0
    unknown: int = 0
    not_sent: int = 0
    told_doubled: int = 0
    """Calls that reported two, or that there may be another."""
    false: int = 0
    """False reports."""

    def add(
        self, told: Mapping[str, Sequence[Told]], effects: Mapping[str, Sequence[str]], shown: Mapping[str, set[str]]
    ) -> None:
        """Compare what the callers were told with what is there.

        Args:
            told: what the callers were told.
            effects: what took effect.
            shown: ids of orders that look-ups returned; a caller for whom two were found must be told so.
        """
        self.effects += sum(map(len, effects.values()))
        self.doubled += sum(len(made) > 1 for made in effects.values())
        for key, tellings in told.items():
            made = effects.get(key, ())
            # Several callers get the same thing, and only one of them created it.
            self.false += max(0, sum(one.created for one in tellings) - 1)
            for one in tellings:
                self.asked += 1
                self.done += one.word in ("done", "already done")
                self.refused += one.word == "refused"
                self.unknown += one.word == "unknown"
                self.not_sent += one.word == "not sent"
                self.told_doubled += one.word == "doubled"
                self.false += not _is_true(one, made, shown.get(key, set()))
        # An effect that no call caused is as false as a missing one.
        self.false += sum(map(len, (effects[key] for key in effects.keys() - told.keys())))


def _is_true(one: Told, made: Sequence[str], shown: set[str]) -> bool:
    theirs = set(one.ids) <= set(made)
    match one.word:
        case "done":
            return bool(made) and theirs and len(shown) < 2
        case "doubled":
            return theirs and len(one.ids) <= len(made)
        case "unknown":
            return True
        case "already done":
            # No other caller exists that could have done it.
            return False
        case "not sent" | "refused":
            return not made


def as_json(told: Mapping[str, Sequence[Told]]) -> dict[str, list[dict[str, Any]]]:
    return {key: [dataclasses.asdict(one) for one in tellings] for key, tellings in told.items()}


def from_json(told: Mapping[str, list[dict[str, Any]]]) -> Reporter:
    return {
        key: [Told(cast("Word", one["word"]), tuple(one["ids"]), one["created"]) for one in tellings]
        for key, tellings in told.items()
    }

"""The three parts of the demo on one client. Amounts are in whole kronor, VAT is 25 %."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import Any
from uuid import uuid4

import anyio
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from norce_order_async import NorceError, NorceOrderClient, Order, OrderFilter, TransitionRefusedError, __version__
from norce_order_async.cli.demo.timeline import Recorder, Timeline, hanging
from norce_order_async.cli.failures import one_line
from norce_order_async.models import Address, Cart, Consent, Item, OrderStatus, Payment, Shipping
from norce_order_async.money import from_including, line, total_of
from norce_order_async.runtime.clock import Clock, SystemClock

Connect = Callable[..., NorceOrderClient]
"""Makes a client; takes further arguments of ``NorceOrderClient``."""

AT_ONCE = 25
READS_OF_EACH, READS_AT_ONCE = 4, 64
"""How often the burst reads each order of the batch, and how many reads are in flight."""
SKEW = 300.0
"""Seconds that the service's clock may be behind ours when its list is filtered by time."""
OTHERS = 500
"""Number of other orders in the service's list that the search for the batch may pass."""

CREATE = 'order = await norce.orders.create(culture="sv-SE", ..., cart=Cart(...))'
WHO = ("type", "givenName", "familyName", "city", "country")
PROBLEM = ("adapterId", "code", "message")


async def show(connect: Connect, console: Console, count: int, loop: str, *, local: bool) -> None:
    """Run the demo on the event loop ``loop``, with a batch of ``count`` orders.

    Raises:
        NorceError: A step failed.
        ClickException: An order of the batch failed.
    """
    clock = SystemClock()
    recorder = Recorder(clock)
    # Cart references must be new each time: on a real service the orders of earlier runs are still there.
    run = f"demo-{uuid4().hex[:10]}"
    async with connect(attempt_middleware=[recorder.record]) as norce:
        console.print(Text("norce-order demo", "bold"))
        service = "a local imitation of the Norce Checkout order service" if local else "Norce Checkout order service"
        _fact(console, "service", f"{service}, {norce.base_url}")
        _fact(console, "for", f"merchant {norce.merchant}, channel {norce.channel}")
        _fact(console, "client", f"norce-order-async {__version__}, {norce.engine} on {loop}")
        timeline = Timeline(console, recorder, norce.base_url)
        await walk(norce, timeline, run)
        await refusal(norce, timeline, run)
        timeline.chapter(
            f"{count} orders at once",
            f"Each is created, gets a shipping and a payment, and is completed; {min(AT_ONCE, count)} at a time.\n",
        )
        since, started = clock.wall() - SKEW, clock.monotonic()
        with _progress(console, count) as advance:
            ids, failures = await complete_many(norce, run, count, advance)
        seconds, times = clock.monotonic() - started, [exchange.seconds for exchange in recorder.take()]
        if failures:
            first = one_line(failures[0])
            raise click.ClickException(f"{len(failures)} of {count} orders failed; the first: {first}")
        listed = await listed_as_completed(norce, ids, since)
    console.print()
    _fact(console, "took", f"{seconds:.1f} s{', client and service in one process' if local else ''}")
    _fact(console, "rate", f"{count / seconds:,.0f} orders a second, {len(times) / seconds:,.0f} requests a second")
    _fact(
        console, "requests", f"{len(times):,}, median {median(times) * 1000:.0f} ms, slowest {max(times) * 1000:.0f} ms"
    )
    _fact(console, "read back", f"{len(listed)} of {count} are completed in the service's own list")
    if len(listed) < count:
        raise click.ClickException(f"the service lists only {len(listed)} of {count} orders as completed")
    if local:
        # Only the local service gets as much load as it can take.
        reads = count * READS_OF_EACH
        timeline.chapter(
            f"A burst of {reads:,} reads",
            f"Orders of this batch, {min(READS_AT_ONCE, reads)} in flight, as a busy program reads them.\n",
        )
        # Without the recorder of the earlier chapters.
        async with connect() as norce:
            seconds = await burst(norce, sorted(ids), clock)
        _fact(console, "took", f"{seconds:.1f} s, client and service in one process")
        _fact(console, "rate", f"{reads / seconds:,.0f} reads a second, measured in this run")
    console.print("\nNext: the first program in README.md.")
    if local:
        console.print("The command `norce-order sandbox` runs this local service for it.")


async def walk(norce: NorceOrderClient, timeline: Timeline, run: str) -> None:
    """Take one order from checkout to completed, step by step, as in the vendor's basic tutorial."""
    step = timeline.step
    timeline.chapter("One order, from checkout to completed", "→ is what was sent, ← what the service answered.")
    consents = [Consent(id="terms", text="I accept the terms of purchase", required=True, checked=False)]
    order = await step(
        "Create an order with a cart",
        CREATE,
        create_order(norce, f"{run}-walk", consents=consents),
        sent=("culture", "currency", "country", "cart.items.sku", "cart.total.includingVat", "consents.id"),
        received=("id",),
    )
    work: Any = order.customer.set_billing(_address())
    await step("Set the billing address", "await order.customer.set_billing(Address(...))", work, sent=WHO)
    work = order.customer.set_shipping(_address())
    await step("Set the shipping address", "await order.customer.set_shipping(Address(...))", work, sent=WHO)
    await step(
        "Add a shipping",
        "await order.shippings.create(Shipping(...))",
        order.shippings.create(_shipping()),
        sent=("name", "total.includingVat", "vatRate"),
        received=("id",),
    )
    await step(
        "Read the order: the service has added up cart and shipping",
        "await order.refresh()",
        order.refresh(),
        received=("state.currentStatus", "total.includingVat", "total.excludingVat"),
    )
    total = (order.total and order.total.including_vat) or TOTAL
    await step(
        "Add a payment of exactly that total",
        f"await order.payments.create(Payment(amount={total}, ...))",
        order.payments.create(_payment(total)),
        sent=("name", "type", "state", "amount", "currency"),
        received=("id",),
    )
    work = order.consents.check("terms")
    await step("Tick the required consent", 'await order.consents.check("terms")', work, sent=("id", "checked"))
    report = await step(
        "Validate: cart, payments and their sum",
        "report = await order.validate()",
        order.validate(),
        received=PROBLEM,
    )
    timeline.note(f"report.ok is {report.ok}")
    statuses: dict[OrderStatus, str] = {
        "processing": "The customer starts to pay",
        "accepted": "The payment is in place",
        "completed": "The order is final",
    }
    for status, title in statuses.items():
        work = order.transition_to(status)
        await step(title, f'await order.transition_to("{status}")', work, sent=("currentStatus",))
    work = order.refresh()
    await step("Read it once more", "await order.refresh()", work, received=("state.transitions.status",))


async def refusal(norce: NorceOrderClient, timeline: Timeline, run: str) -> None:
    """Try to complete an order without a payment: validation names the problem, and the error explains the refusal."""
    timeline.chapter("An order that can't be completed", "The same cart, but without a payment.")
    sent = ("cart.items.sku", "cart.total.includingVat")
    work: Any = create_order(norce, f"{run}-unpaid")
    order = await timeline.step(
        "Create an order with a cart, and stop there", CREATE, work, sent=sent, received=("id",)
    )
    report = await timeline.step(
        "Validate: a report to look at, not an exception",
        "report = await order.validate()",
        order.validate(),
        received=PROBLEM,
    )
    timeline.note(f"report.ok is {report.ok}, report.problems: {[problem.code for problem in report.problems]}")
    try:
        work = order.transition_to("completed")
        call = 'await order.transition_to("completed")'
        await timeline.step("Ask for completed all the same", call, work, sent=("currentStatus",), received=PROBLEM[1:])
    except TransitionRefusedError as error:
        timeline.note(f"raises TransitionRefusedError: {error}")
    else:
        timeline.note("This service let it pass.")


async def complete_many(
    norce: NorceOrderClient, run: str, count: int, advance: Callable[[], None], at_once: int = AT_ONCE
) -> tuple[set[str], list[NorceError]]:
    """Create and complete ``count`` orders; a failure does not stop the others. Returns the ids and the failures."""
    ids: set[str] = set()
    failures: list[NorceError] = []
    numbers = iter(range(1, count + 1))

    async def work() -> None:
        for number in numbers:
            try:
                order = await create_order(norce, f"{run}-{number}")
                await order.shippings.create(_shipping())
                await order.payments.create(_payment(TOTAL))
                await order.transition_to("completed")
                ids.add(order.id)
            except NorceError as error:
                failures.append(error)
            advance()

    async with anyio.create_task_group() as workers:
        for _ in range(min(at_once, count)):
            workers.start_soon(work)
    return ids, failures


async def burst(norce: NorceOrderClient, ids: list[str], clock: Clock) -> float:
    """Read each of the orders :data:`READS_OF_EACH` times; returns the seconds that it took.

    Raises:
        NorceError: A read failed.
    """
    rest = iter(ids * READS_OF_EACH)

    async def work() -> None:
        for order_id in rest:
            await norce.orders.get(order_id)

    # The first call opens a connection and imports what every later one needs.
    await norce.orders.get(ids[0])
    started = clock.monotonic()
    async with anyio.create_task_group() as workers:
        for _ in range(min(READS_AT_ONCE, len(ids) * READS_OF_EACH)):
            workers.start_soon(work)
    return clock.monotonic() - started


async def listed_as_completed(norce: NorceOrderClient, ids: set[str], since: float) -> set[str]:
    """The orders of ``ids`` that the service lists as completed, from ``since`` (seconds since 1970) on."""
    where = OrderFilter(status="completed", date_from=datetime.fromtimestamp(since, UTC))
    found: set[str] = set()
    async for order in norce.orders.iterate(where, limit=len(ids) + OTHERS):
        if order.id in ids and order.status == "completed":
            found.add(order.id)
        if len(found) == len(ids):
            break
    return found


async def create_order(norce: NorceOrderClient, reference: str, consents: list[Consent] | None = None) -> Order:
    """Create an order of two blankets and a mug: 748 kronor. Each order needs a cart reference of its own."""
    items = [_item("BLANKET-02", "Wool blanket", 2, 299.5), _item("MUG-01", "Coffee mug", 1, 149)]
    cart = Cart(reference=reference, items=items, total=total_of(items).price())
    return await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=cart, consents=consents or [])


TOTAL = 748 + 49
"""Cart and shipping together, VAT included."""


def _item(sku: str, name: str, quantity: int, price: float) -> Item:
    total = line(price, quantity, 0.25).price()
    unit = from_including(price, 0.25).price()
    return Item(sku=sku, name=name, quantity=quantity, unit="st", price=unit, total=total, vat_rate=0.25)


def _shipping() -> Shipping:
    price = from_including(49, 0.25).price()
    return Shipping(name="Parcel to a pick-up point", total=price, vat_rate=0.25, state="intent")


def _payment(amount: float) -> Payment:
    return Payment(name="Invoice", type_="default", state="intent", currency="SEK", amount=amount)


def _address() -> Address:
    return Address(type_="person", given_name="Ada", family_name="Exempel", city="Stockholm", country="SE")


def _fact(console: Console, name: str, value: str) -> None:
    hanging(console, f"    {name:<16}", Text(value))


@contextmanager
def _progress(console: Console, total: int) -> Generator[Callable[[], None]]:
    """Yields a function to call after each order. Shows a bar on a terminal, and four lines in a pipe."""
    if console.is_terminal and not console.is_dumb_terminal:
        columns = (TextColumn("   "), BarColumn(), MofNCompleteColumn(), TextColumn("orders"), TimeElapsedColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=total)
            yield lambda: bar.advance(task)
        return
    marks = {-(-total * quarter // 4) for quarter in (1, 2, 3, 4)}
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done in marks:
            console.print(f"    {done} of {total} orders")

    yield advance

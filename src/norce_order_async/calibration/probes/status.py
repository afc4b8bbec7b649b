"""Probes of the status and its demands, of deletion, and of the uniqueness of cart references."""

from __future__ import annotations

import anyio

from norce_order_async._json import list_or_empty, mapping_or_empty
from norce_order_async.calibration.bench import PAYMENTS, STATUS, Bench, TestOrder, status_of
from norce_order_async.calibration.probes.base import CouldNotTell, Follows, Neither, Probe, Verdict, alike
from norce_order_async.calibration.probes.bodies import scratch, unready
from norce_order_async.calibration.wire import ORDER, Exchange, NoEvidenceError, StopError

_TAKEN_IN = 4.0
"""Seconds after which a change that was answered 202 counts as made or dropped."""


def _history(read: Exchange) -> list[str]:
    entries = list_or_empty(mapping_or_empty(read.mapping.get("state")).get("transitions"))
    return [str(mapping_or_empty(entry).get("status")).lower() for entry in entries]


# -------------------------------------------------------------------------------------------------- state-answer


async def state_answer(bench: Bench) -> Verdict:
    """An order is moved to processing and back, twice; if the answer is 202, two changes are also sent at once."""
    order = await bench.create()
    shown_by: list[Exchange] = []
    outcomes: list[tuple[int, bool]] = []
    for status in ("processing", "checkout") * 2:
        answer = await bench.put_status(order, status)
        if not answer.succeeded:
            return CouldNotTell(f"a test order does not go to {status}: {answer.status}")
        read = await bench.read(order)
        shown_by = [*shown_by[-2:], answer, read]
        outcomes.append((answer.status, status_of(read) == status))
        await _until(bench, order, status)
    code, at_once = outcomes[0]
    if any(other[0] != code for other in outcomes) or (code == 200 and len(set(outcomes)) > 1):
        return CouldNotTell("changes of status are answered, or done, in several ways")
    if code == 200 and at_once:
        return Follows("200-when-done", shown_by)
    if code == 200:
        return Neither("a change of status is answered 200 before it is done", shown_by)
    if code != 202:
        return Neither(f"a change of status is answered {code}", shown_by)
    await bench.in_status(order, "processing")
    before = len(_history(await bench.read(order)))
    await bench.wire.rate.room(3)
    first, second = await bench.put_status(order, "checkout"), await bench.put_status(order, "removed")
    shown_by = [*shown_by[-2:], first, second]
    if second.refused:
        return CouldNotTell(f"of two changes of status at once, the second is refused with {second.status}")
    if first.status != 202 or second.status != 202 or second.began - first.began > 1.0:
        return CouldNotTell("two changes of status could not be asked for at once", may_ask_again=True)
    await bench.wire.clock.sleep(2 * _TAKEN_IN)
    read = await bench.read(order)
    shown_by.append(read)
    if "checkout" in _history(read)[before:]:
        return Follows("202-done-later", shown_by)
    if status_of(read) == "removed":
        return Follows("202-or-superseded", shown_by)
    return Neither("of two changes of status at once, none or another is carried out", shown_by)


async def _until(bench: Bench, order: TestOrder, status: str) -> None:
    for _ in range(8):
        if status_of(await bench.read(order)) == status:
            return
        await bench.wire.clock.sleep(1.0)
    bench.doubt(STATUS)
    raise NoEvidenceError(f"a test order did not become {status} within 8 s of a change that was taken")


# --------------------------------------------------------------------------------------------------- same-status


async def same_status(bench: Bench) -> Verdict:
    """An order in checkout is moved to checkout, several times."""
    order = await scratch(bench)
    came: set[str] = set()
    shown_by: list[Exchange] = []
    for _ in range(3):
        before = await bench.read(order)
        if status_of(before) != "checkout":
            return CouldNotTell("a test order is not in checkout")
        answer = await bench.put_status(order, "checkout")
        if not (answer.succeeded or answer.refused):
            return CouldNotTell(f"the same status is answered {answer.status}")
        if answer.status not in (200, 204):
            await bench.wire.clock.sleep(_TAKEN_IN)
        after = await bench.read(order)
        new = _history(after)[len(_history(before)) :]
        shown_by = [before, answer, after]
        if answer.refused and new:
            bench.doubt(STATUS)
            return CouldNotTell("the same status was refused, but has a new transition")
        came.add("refused" if answer.refused else "nothing" if not new else "again" if new == ["checkout"] else "other")
    if len(came) > 1:
        return CouldNotTell("the same status again has several effects")
    if (reading := came.pop()) == "other":
        return Neither("the same status again adds other entries to the order's transitions", shown_by)
    return Follows(reading, shown_by)


# --------------------------------------------------------------------------------------------------- transitions


async def transitions(bench: Bench) -> Verdict:
    """From checkout to removed, and from there to checkout: edges that involve no payment adapter."""
    order = await bench.create()
    answer, read = await bench.moved(order, "removed")
    shown_by = [answer, read]
    if answer.refused:
        again, read = await bench.moved(order, "removed")
        there, processing = await bench.moved(order, "processing")
        back, _ = await bench.moved(order, "checkout")
        if again.refused and status_of(processing) == "processing" and back.succeeded:
            return Follows("published", [*shown_by, again, there, back])
        return CouldNotTell("a test order goes neither to removed nor to processing and back")
    if status_of(read) != "removed":
        return CouldNotTell(f"a test order did not become removed: HTTP {answer.status}")
    back, read = await bench.moved(order, "checkout")
    shown_by += [back, read]
    if back.refused:
        again, read = await bench.moved(order, "checkout")
        if again.refused and status_of(read) == "removed":
            return Follows("table", [*shown_by, again])
        return CouldNotTell("moving a removed order to checkout is sometimes refused")
    if status_of(read) == "checkout":
        return Follows("unchecked", shown_by)
    return CouldNotTell(f"moving a removed order to checkout is answered {back.status}")


# ------------------------------------------------------------------------------------------------- entry-demands


async def entry_demands(bench: Bench) -> Verdict:
    """An order with an empty cart, and an order without anything to pay, are moved to processing."""
    order = await unready(bench)
    if status_of(await bench.read(order)) != "checkout":
        await bench.in_status(order, "checkout")
    answer, read = await bench.moved(order, "processing")
    if status_of(read) == "processing":
        await bench.in_status(order, "checkout")
        return Follows("not-demanded", [answer, read])
    again, _ = await bench.moved(order, "processing")
    if not answer.refused or not alike(answer, again):
        return CouldNotTell(f"a test order does not become processing: {answer.status}")
    ready = await bench.create()
    await bench.in_status(ready, "processing")
    shown_by = [answer, again]
    if not bench.allow_completing:
        await bench.in_status(ready, "checkout")
        return CouldNotTell(
            "entering processing demands what validate does (so not-demanded is ruled out); whether accepted does too "
            "takes --allow-completing"
        )
    payment = {"adapterId": "norce_calibrate", "name": "calibrate", "type": "default", "state": "intent", "amount": 5}
    paid, payment_id = await bench.pay(ready, payment)
    if not paid.succeeded:
        return CouldNotTell(f"a payment can't be added in processing: {paid.status}")
    answer, read = await bench.moved(ready, "accepted")
    shown_by += [answer, read]
    if status_of(read) == "accepted":
        return Follows("processing-only", shown_by)
    again, _ = await bench.moved(ready, "accepted")
    # Without the payment the service must accept it; otherwise it refuses it for another reason.
    removed = await bench.wire.write(
        "PUT", PAYMENTS + "/{payment_id}", ready.id, {**payment, "state": "removed"}, payment_id=payment_id
    )
    control, read = await bench.moved(ready, "accepted")
    if answer.refused and again.refused and removed.succeeded and status_of(read) == "accepted":
        return Follows("each-step", [*shown_by, again, control])
    return CouldNotTell(f"a test order that is ready does not become accepted: {control.status}")


# -------------------------------------------------------------------------------------------------- delete-order


async def delete_order(bench: Bench) -> Verdict:
    """An order is deleted in processing; if that is refused, in checkout."""
    order = await bench.create()
    await bench.in_status(order, "processing")
    answer, _ = await bench.delete(order.id, order.status)
    if answer.succeeded:
        return await _after_delete(bench, order, "any-status", [answer])
    again, _ = await bench.delete(order.id, order.status)
    if not (answer.refused and again.refused):
        return CouldNotTell(f"deleting an order in processing is answered {answer.status}")
    await bench.in_status(order, "checkout")
    last, _ = await bench.delete(order.id, order.status)
    if last.succeeded:
        return await _after_delete(bench, order, "checkout-only", [answer, again, last])
    return Neither("orders are not deleted in checkout either", [answer, again, last])


async def _after_delete(bench: Bench, order: TestOrder, reading: str, shown_by: list[Exchange]) -> Verdict:
    reads = [await bench.wire.read(ORDER, order.id) for _ in range(4)]
    shown_by = [*shown_by, reads[0]]
    if all(read.status == 404 for read in reads):
        return Follows(reading, shown_by)
    if all(read.status == 200 and status_of(read) == "removed" for read in reads) and reading == "any-status":
        return Follows("moves-to-removed", shown_by)
    if all(read.status == 200 and read.mapping.get("id") == order.id for read in reads):
        return Neither("a deleted order can still be read", shown_by)
    return CouldNotTell(f"reading a deleted order is answered {' and '.join(str(read.status) for read in reads)}")


# ------------------------------------------------------------------------------------------ cart-reference-unique


async def cart_reference_unique(bench: Bench) -> Verdict:
    """A second order with a cart reference is created, after the first and at the same time as another."""
    first = await bench.sample()
    second, made = await bench.attempt(first.made.marker)
    if made is not None:
        read = await bench.read(made)
        if mapping_or_empty(read.mapping.get("cart")).get("reference") != first.made.marker:
            return Neither("a second order for a cart reference is made with another reference", [second, read])
        return Follows("not-unique", [first.creation, second])
    again, made = await bench.attempt(first.made.marker)
    if made is not None or not (second.refused and again.refused):
        return CouldNotTell(f"a second order for a cart reference is answered {second.status} now and then")
    shown_by = [first.creation, second]
    for _ in range(2):
        outcomes = await _race(bench, f"{bench.run}-race-{len(bench.state.made)}")
        shown_by += [answer for answer, _ in outcomes]
        made_in_race = sum(order is not None for _, order in outcomes)
        if made_in_race == 2:
            return Follows("checked-on-arrival", shown_by)
        if made_in_race == 0:
            return CouldNotTell("of two orders at once for a cart reference, none was made")
    return Follows("at-commit", shown_by)


async def _race(bench: Bench, reference: str) -> list[tuple[Exchange, TestOrder | None]]:
    outcomes: list[tuple[Exchange, TestOrder | None]] = []
    failures: list[NoEvidenceError | StopError] = []

    async def one() -> None:
        try:
            outcomes.append(await bench.attempt(reference))
        except (NoEvidenceError, StopError) as error:
            failures.append(error)

    await bench.wire.rate.room(2)
    async with anyio.create_task_group() as group:
        group.start_soon(one)
        group.start_soon(one)
    if failures:
        raise failures[0]
    return outcomes


PROBES = (
    Probe(
        "state-answer",
        "Moves an order to processing and back, and reads it after each answer.",
        {
            "200-when-done": "200, and the order has the status",
            "202-done-later": "202, the status follows, and of two at once both do",
            "202-or-superseded": "202, the status follows, and of two at once only the later one does",
        },
        state_answer,
    ),
    Probe(
        "same-status",
        "Moves an order in checkout to checkout, several times.",
        {
            "nothing": "it is accepted and writes no transition",
            "refused": "it is refused each time",
            "again": "it is accepted and writes a transition",
        },
        same_status,
    ),
    Probe(
        "transitions",
        "Moves an order to removed, and from there to checkout.",
        {
            "table": "the first is done, the second refused, twice",
            "unchecked": "both are done",
            "published": "the first is refused, twice, and processing and back are done",
        },
        transitions,
    ),
    Probe(
        "entry-demands",
        "Moves an order with an empty cart to processing, and one that is ready; with --allow-completing, one whose "
        "payments do not add up on to accepted.",
        {
            "each-step": "processing and accepted are refused, twice each; accepted no more once the payments add up",
            "processing-only": "processing is refused, accepted is not",
            "not-demanded": "processing is not refused",
        },
        entry_demands,
    ),
    Probe(
        "delete-order",
        "Deletes an order in processing; if that is refused, brings it back to checkout and deletes it there.",
        {
            "any-status": "it is gone",
            "checkout-only": "in processing it is refused, twice; in checkout it is gone",
            "moves-to-removed": "it has the status removed",
        },
        delete_order,
    ),
    Probe(
        "cart-reference-unique",
        "Creates a second order for a cart reference, twice, and then two orders for a new one at the same moment.",
        {
            "at-commit": "the second is refused, and of two at once one is, in two rounds",
            "checked-on-arrival": "the second is refused, and of two at once none is",
            "not-unique": "the second is made",
        },
        cart_reference_unique,
    ),
)

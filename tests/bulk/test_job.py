"""A job from its source to its summary, on both event loops."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from norce_order_async import (
    ConfigurationError,
    Fixed,
    InvalidRequestError,
    ItemOutcome,
    NorceOrderClient,
    NotSentError,
    Order,
    OrderFilter,
    UnauthorizedError,
)
from norce_order_async.bulk import actions, read_journal
from norce_order_async.bulk.actions.builtin import Transition
from norce_order_async.sandbox import Sandbox

from .support import AT_ONCE, client_of, effects, names_in, new_orders

pytestmark = pytest.mark.anyio

FEW = Fixed(in_flight=5)
MISSING = "o-nobody-has"


async def all_of(run: AsyncIterator[ItemOutcome[Any]]) -> dict[str, ItemOutcome[Any]]:
    return {outcome.key: outcome async for outcome in run}


async def test_every_order_of_a_list_is_done(sandbox: Sandbox) -> None:
    """The outcomes hold typed results and the summary counts them. A refusal has a reason."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 12)
        async with norce.bulk(load=FEW) as job:
            outcomes = await all_of(job.run([*ids, MISSING], actions.transition("removed")))
        summary = job.summary
    assert {outcomes[key].verdict for key in ids} == {"done"}
    value = outcomes[ids[0]].value
    assert value is not None
    assert value.to == "removed"
    assert len(outcomes[ids[0]].attempts) == 1
    assert outcomes[MISSING].verdict == "refused"
    assert (summary.total, summary.done, summary.left, summary.complete) == (13, 12, 0, False)
    assert list(summary.refusals) == [outcomes[MISSING].reason]
    assert summary.rate > 0


async def test_an_order_with_the_status_is_already_done(sandbox: Sandbox) -> None:
    """The verdict is the same if the service refuses the status that an order has."""

    class Again(Transition):
        async def apply(self, order: Order, row: Any) -> Any:
            await order.refresh()
            return await super().apply(order, row)

    async with client_of(sandbox) as norce:
        (key,) = await new_orders(norce, 1)
        await norce.orders(key).remove()
        async with norce.bulk(load=FEW) as job:
            outcomes = await all_of(job.run([key], Again("removed")))
    assert outcomes[key].verdict == "already done"


async def ids_later(ids: list[str]) -> AsyncIterator[str]:
    for key in ids:
        await anyio.lowlevel.checkpoint()
        yield key


def nested_id(row: Any) -> str:
    return str(row["nested"]["id"])


@pytest.mark.parametrize("kind", ["iterator", "async", "handles", "rows", "function", "filter"])
async def test_sources(sandbox: Sandbox, kind: str) -> None:
    """A job accepts ids from an iterator, handles, rows with a column or a function for the id, and a filter."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)
        key: Any = nested_id if kind == "function" else "order_id"
        sources: dict[str, Any] = {
            "iterator": iter(ids),
            "async": ids_later(ids),
            "handles": [norce.orders(each) for each in ids],
            "rows": [{"order_id": each, "other": 1} for each in ids],
            "function": [{"nested": {"id": each}} for each in ids],
            "filter": OrderFilter(status="checkout"),
        }
        async with norce.bulk(load=FEW) as job:
            outcomes = await all_of(job.run(sources[kind], actions.validate(), key=key))
    assert set(outcomes) == set(ids)
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}


@pytest.mark.parametrize("source", ["o1", {"order_id": "o1"}, 7])
async def test_a_single_id_is_not_a_source(sandbox: Sandbox, source: Any) -> None:
    """A string as a source would be taken apart into letters."""
    async with client_of(sandbox) as norce, norce.bulk() as job:
        with pytest.raises(ConfigurationError, match="source must be"):
            await all_of(job.run(source, actions.validate()))


async def test_a_bad_entry_is_reported_by_its_place(sandbox: Sandbox) -> None:
    """Nothing is sent for it."""
    async with client_of(sandbox) as norce, norce.bulk() as job:
        with pytest.raises(InvalidRequestError, match="entry 1 of the source"):
            await all_of(job.run(["../etc"], actions.delete()))
    assert not effects(sandbox, "DeleteCheckoutOrder")


async def test_outcomes_in_the_order_of_the_source(sandbox: Sandbox) -> None:
    """Outcomes keep the order of the source although the service rejects some requests on the way."""
    sandbox.faults.play("rate-limited")
    async with client_of(sandbox, options=None) as norce:
        ids = await new_orders(norce, 30)
        async with norce.bulk(load=FEW, ordered=True) as job:
            found = [outcome.key async for outcome in job.run(ids, actions.validate())]
    assert found == ids


@pytest.mark.parametrize("journaled", [False, True])
async def test_in_order_when_the_first_one_goes_back(tmp_path: Path, journaled: bool) -> None:
    """The job does all orders that may be ahead of the first one before it tries that again, so they must not block
    it."""
    done: list[str] = []

    async def slow_to_start(order: Order) -> None:
        if order.id == "o0" and not full.is_set():
            await full.wait()
            raise NotSentError("no connection", operation="x", gave_up="attempts")
        done.append(order.id)
        if len(done) == ahead:
            full.set()

    ids = [f"o{number}" for number in range(60)]
    async with NorceOrderClient(base_url="http://127.0.0.1:9", merchant="a", channel="b", token="t") as norce:
        journal = tmp_path / "j" if journaled else None
        # There are two workers, or three with a journal. The window is four orders for each, including the first one.
        ahead, full = 4 * (3 if journaled else 2) - 1, anyio.Event()
        async with norce.bulk(journal, load=Fixed(in_flight=2), ordered=True) as job:
            found = [outcome.key async for outcome in job.run(ids, actions.plain("mine", slow_to_start))]
    assert found == ids


async def test_the_source_is_read_as_the_work_goes_on(sandbox: Sandbox) -> None:
    """A source without an end works. A caller that leaves the loop early stops the job."""
    read: list[int] = []

    def endless(key: str) -> Iterator[str]:
        while True:
            read.append(1)
            yield key

    async with client_of(sandbox) as norce:
        (key,) = await new_orders(norce, 1)
        async with norce.bulk(load=FEW, duplicates="allow") as job:
            seen = 0
            async for _ in job.run(endless(key), actions.validate()):
                seen += 1
                if seen == 10:
                    break
        assert job.summary.stopped == "left early"
        assert len(read) < 60
        await norce.orders.get(key)


async def failing_loop(norce: NorceOrderClient, ids: list[str]) -> None:
    async with norce.bulk(load=FEW) as job:
        async for _ in job.run(ids, actions.validate()):
            raise KeyError


@pytest.mark.every_loop
async def test_an_error_in_the_loop_ends_the_job(sandbox: Sandbox) -> None:
    """The caller gets the error as it was raised."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        with pytest.raises(KeyError):
            await failing_loop(norce, ids)
        await norce.orders.get(ids[0])


@pytest.mark.every_loop
async def test_a_cancelled_caller_leaves_at_once(sandbox: Sandbox) -> None:
    """The client works afterwards."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        with anyio.move_on_after(0.3) as scope:
            async with norce.bulk(load=FEW) as job:

                async def forever(order: Order) -> None:
                    await anyio.sleep_forever()

                await all_of(job.run(ids, forever))
        assert scope.cancelled_caught
        await norce.orders.get(ids[0])


async def test_a_service_that_is_away_costs_no_item(sandbox: Sandbox) -> None:
    """Every order is done once the service is back, and none is done twice."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 40)
        sandbox.faults.play("deploy")
        options_of_a_hurry = AT_ONCE
        async with norce.bulk(load=FEW, options=options_of_a_hurry) as job:
            outcomes = await all_of(job.run(ids, actions.remove()))
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    assert set(effects(sandbox).values()) == {1}


async def test_an_empty_budget_finishes_no_item() -> None:
    """While the service is down the job sends single probes, until the failure limit stops it. All items are left."""
    async with (
        NorceOrderClient(
            base_url="http://127.0.0.1:9", merchant="acme", channel="se", token="t", options=AT_ONCE
        ) as norce,
        norce.bulk(load=FEW, failure_limit=3, options=AT_ONCE) as job,
    ):
        outcomes = await all_of(job.run([f"o{n}" for n in range(20)], actions.remove()))
    assert {outcome.verdict for outcome in outcomes.values()} == {"not tried"}
    assert job.summary.failed_probes == 4
    assert job.summary.left == 20
    assert "more than the limit" in job.summary.stopped


@pytest.mark.parametrize("limit", [3, 0.1])
async def test_failures_beyond_the_limit_stop_it(sandbox: Sandbox, limit: float) -> None:
    """The limit is a count, or a share that applies after the first twenty."""
    async with client_of(sandbox) as norce, norce.bulk(load=Fixed(in_flight=2), failure_limit=limit) as job:
        outcomes = await all_of(job.run([f"o-missing-{n}" for n in range(200)], actions.remove()))
    assert len(outcomes) < 30
    assert job.summary.left is not None
    assert job.summary.left >= 170


async def test_a_token_that_is_refused_ends_it(sandbox: Sandbox) -> None:
    """The refusal is an error of the job and not the outcome of an order."""
    async with client_of(sandbox, token="wrong") as norce, norce.bulk(load=FEW) as job:
        with pytest.raises(UnauthorizedError):
            await all_of(job.run([f"o{n}" for n in range(50)], actions.remove()))
    assert not job.summary.verdicts["refused"]


async def test_lost_answers(sandbox: Sandbox) -> None:
    """Every order is changed once."""
    sandbox.faults.play("lost-answers")
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 30)
        async with norce.bulk(load=FEW) as job:
            outcomes = await all_of(job.run(ids, actions.remove()))
    assert {outcome.verdict for outcome in outcomes.values()} == {"done"}
    assert set(effects(sandbox).values()) == {1}


async def test_a_function_that_raises(sandbox: Sandbox) -> None:
    """The caller gets the error of the function."""

    async def broken(order: Order) -> None:
        raise ZeroDivisionError

    async with client_of(sandbox) as norce, norce.bulk(load=FEW) as job:
        with pytest.raises(ZeroDivisionError):
            await all_of(job.run(["o1", "o2"], broken))


async def test_a_dry_run_changes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The outcome of each order says what the job would do. No journal is made."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        await norce.orders(ids[1]).remove()
        before = len(sandbox.effects)
        async with norce.bulk(tmp_path / "j", dry_run=True) as job:
            outcomes = await all_of(job.run([*ids, MISSING], actions.transition("removed")))
    assert "from checkout to removed" in outcomes[ids[0]].note
    assert "already" in outcomes[ids[1]].note
    assert outcomes[MISSING].error is not None
    assert {outcome.verdict for outcome in outcomes.values()} == {"not tried"}
    assert len(sandbox.effects) == before
    assert names_in(tmp_path) == []


async def test_production_needs_permission() -> None:
    """The text names what would be changed. An action that only reads needs no permission."""
    async with NorceOrderClient(
        environment="production", slug="acme", merchant="acme", channel="se", token="t"
    ) as norce:
        async with norce.bulk() as job:
            with pytest.raises(ConfigurationError, match="2 orders of merchant acme, channel se in production"):
                job.run(["o1", "o2"], actions.remove())
            job.run([], actions.validate())
        async with norce.bulk(allow_production=True) as job:
            job.run([], actions.remove())


async def test_partitions_share_a_list(sandbox: Sandbox) -> None:
    """Every key is in exactly one of the partitions."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 12)
        parts: list[set[str]] = []
        for index in (1, 2, 3):
            async with norce.bulk(load=FEW, partition=(index, 3)) as job:
                parts.append(set(await all_of(job.run(ids, actions.validate()))))
    assert parts[0] | parts[1] | parts[2] == set(ids)
    assert sum(map(len, parts)) == len(ids)


@pytest.mark.parametrize(
    "wrong",
    [{"partition": (0, 2)}, {"partition": (3, 2)}, {"failure_limit": 1.5}, {"failure_limit": -1}, {"grace": -1}],
)
async def test_wrong_settings_are_refused(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    """The error comes when the job is made."""
    async with client_of(sandbox) as norce:
        with pytest.raises(ConfigurationError):
            norce.bulk(**wrong)


async def test_a_job_has_one_run(sandbox: Sandbox) -> None:
    """A job must be entered before it runs."""
    async with client_of(sandbox) as norce:
        with pytest.raises(ConfigurationError, match="async with"):
            norce.bulk().run([], actions.validate())
        async with norce.bulk() as job:
            job.run([], actions.validate())
            with pytest.raises(ConfigurationError, match="one run"):
                job.run([], actions.validate())


async def test_setting_references_and_attributes(sandbox: Sandbox) -> None:
    """The values come from columns of the source, or one value is set on all orders."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        rows = [{"order_id": key, "erp": f"erp-{n}", "note": n} for n, key in enumerate(ids)]
        async with norce.bulk(load=FEW) as job:
            await all_of(job.run(rows, actions.set_reference(column="erp")))
        async with norce.bulk(load=FEW) as job:
            await all_of(job.run(rows, actions.patch_attributes({"seen": True}, columns=("note",))))
        for number, key in enumerate(ids):
            order = await norce.orders.get(key)
            assert order.reference == f"erp-{number}"
            assert dict(order.attributes) == {"seen": True, "note": number}
        async with norce.bulk(load=FEW) as job:
            with pytest.raises(InvalidRequestError, match="no column 'erp'"):
                await all_of(job.run([{"order_id": ids[0]}], actions.set_reference(column="erp")))


async def test_deleting(sandbox: Sandbox) -> None:
    """Each order is deleted although answers are lost. A missing order is refused."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        sandbox.faults.play("lost-answers")
        async with norce.bulk(load=FEW) as job:
            outcomes = await all_of(job.run(ids, actions.delete()))
        sandbox.faults.stop()
        async with norce.bulk(load=FEW) as job:
            outcomes |= await all_of(job.run([MISSING], actions.delete()))
        assert (await norce.orders.list()).orders == []
    assert {outcomes[key].verdict for key in ids} == {"done"}
    assert outcomes[MISSING].verdict == "refused"


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
async def test_exporting(sandbox: Sandbox, tmp_path: Path, ending: str) -> None:
    """The file holds each order once, and no working file is left."""
    out = tmp_path / f"orders.{ending}"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 5)
        async with norce.bulk(load=FEW) as job:
            await all_of(job.run(ids, actions.export(out)))
    assert names_in(tmp_path) == [out.name]
    assert read_ids(out) == sorted(ids)


def read_ids(out: Path) -> list[str]:
    import csv

    if out.suffix == ".jsonl":
        return sorted(json.loads(line)["id"] for line in out.read_text().splitlines())
    if out.suffix == ".csv":
        with out.open(newline="") as file:
            return sorted(row["id"] for row in csv.DictReader(file))
    import importlib

    parquet: Any = importlib.import_module("pyarrow.parquet")
    return sorted(parquet.read_table(out)["id"].to_pylist())


async def test_orders_that_do_not_validate_are_left_as_they_are(sandbox: Sandbox, tmp_path: Path) -> None:
    """Their outcome is a refusal with a reason. The journal records that the action validates."""
    async with client_of(sandbox) as norce:
        unpaid, paid = await new_orders(norce, 2)
        await norce.orders(paid).payments.create_for_outstanding()
        action = actions.transition("completed", validate=True)
        async with norce.bulk(tmp_path / "j") as job:
            outcomes = {outcome.key: outcome async for outcome in job.run([unpaid, paid], action)}
    assert {key: outcome.verdict for key, outcome in outcomes.items()} == {unpaid: "refused", paid: "done"}
    assert outcomes[unpaid].reason == "does not validate"
    assert list(effects(sandbox)) == [paid]
    kept = read_journal(tmp_path / "j")
    assert actions.from_journal(kept.action, kept.parameters).parameters == {"to": "completed", "validate": True}

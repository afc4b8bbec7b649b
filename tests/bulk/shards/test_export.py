"""An export over shards has one part for each shard, a manifest that names the parts, and each order once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from norce_order_async import Action, ConfigurationError, JournalError, JournalMismatchError, OrderFilter
from norce_order_async.bulk import (
    PostgresJournal,
    actions,
    list_shards,
    plan_again,
    read_journal,
    read_results,
    run_shard,
)
from norce_order_async.bulk.actions.export import Export
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of

from .exports import (
    as_one_table,
    hidden_in,
    ids_in,
    lines_in,
    make,
    manifest,
    move,
    names_in,
    only_owner_may_read,
    parts_in,
    put,
    remove,
    written,
)
from .support import FEW, Place, orders

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow(group="postgres"),
    pytest.mark.timeout(600),
    # An export adds files to a job over shards. Threads write them, so the loop makes no difference.
    pytest.mark.in_turn("anyio_backend", over="module"),
]
SHARDS = 3


def into(folder: Path, format: Any = "jsonl", **more: Any) -> Export:
    return actions.export(folder, format=format, **more)


def with_orders(place: Place, format: str) -> list[int]:
    """The shards that have a part. In Parquet a shard without orders has one too."""
    return [one.number for one in place.shards() if any(one.counts.values()) or format == "parquet"]


def calls(sandbox: Sandbox) -> int:
    return len(sandbox.requests)


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
async def test_one_part_a_shard_and_a_manifest(
    place: Place, threads: ThreadPoolExecutor, folder: Path, format: str
) -> None:
    """The folder holds nothing else and can be read as one table. A second run reads and writes nothing."""
    ids = await orders(place.sandbox, 12)
    report = await place.spread(ids, into(folder, format), on=threads, shards=SHARDS)
    assert (report.manifest, report.left) == (folder / "_manifest.json", 0)
    assert ids_in(folder) == sorted(ids)
    said = manifest(folder)
    assert [part["shard"] for part in said["parts"]] == with_orders(place, format)
    assert names_in(folder) == [part["file"] for part in said["parts"]]
    assert hidden_in(folder) == [".norce-order-job"]
    assert (said["job"], said["format"]) == (place.journal.job, format)
    assert (said["columns"] or ["id"])[0] == "id"
    table = as_one_table(folder, format)
    assert sorted(table["id"].to_pylist()) == sorted(ids)
    assert only_owner_may_read(folder)
    called, before = calls(place.sandbox), written(folder)
    again = await place.spread(ids, into(folder, format), on=threads, shards=SHARDS)
    assert (again.manifest, calls(place.sandbox), written(folder)) == (report.manifest, called, before)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
@pytest.mark.parametrize("count", [2, 0])
async def test_shards_without_orders(
    place: Place, threads: ThreadPoolExecutor, folder: Path, format: str, count: int
) -> None:
    """Such a shard has no part in a text format. Programs that read a folder as one table refuse an empty file of
    JSON lines, and they take the types of columns from the first file of CSV."""
    ids = await orders(place.sandbox, count)
    report = await place.spread(ids, into(folder, format), on=threads, shards=16)
    assert (report.manifest, ids_in(folder)) == (folder / "_manifest.json", sorted(ids))
    assert [part["shard"] for part in manifest(folder)["parts"]] == with_orders(place, format)
    assert names_in(folder) == parts_in(folder)
    assert hidden_in(folder) == [".norce-order-job"]
    if ids:
        assert sorted(as_one_table(folder, format)["id"].to_pylist()) == sorted(ids)
    called, before = calls(place.sandbox), written(folder)
    await place.spread(ids, into(folder, format), on=threads, shards=16)
    assert (calls(place.sandbox), written(folder)) == (called, before)


async def test_parts_agree_on_their_types(place: Place, threads: ThreadPoolExecutor, folder: Path) -> None:
    """The types don't depend on the orders of a shard, even if it has none: the API description says what is a
    number."""
    fields = {"id": "id", "paid": "total.includingVat", "level": "attributes.level", "skus": "cart.items[*].sku"}
    ids = await orders(place.sandbox, 6)
    async with client_of(place.sandbox) as norce:
        for number, key in enumerate(ids):
            order = await norce.orders.get(key)
            await order.attributes.update({"level": number if number % 2 else f"level {number}"})
    await place.spread(ids, into(folder, "parquet", fields=fields), on=threads, shards=20)
    assert any(part["rows"] == 0 for part in manifest(folder)["parts"])
    table = as_one_table(folder, "parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string",
        "paid": "double",
        "level": "string",
        "skus": "string",
    }
    assert sorted(table["level"].to_pylist()) == sorted(["level 0", "1", "level 2", "3", "level 4", "5"])
    assert set(table["skus"].to_pylist()) == {'["T1"]'}


async def test_a_number_that_is_none(
    place: Place, threads: ThreadPoolExecutor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text can't be in a column that holds numbers in other parts. The export reports it instead of leaving it
    out."""
    ids = await orders(place.sandbox, 2)
    apply = Export.apply

    async def worded(self: Export, order: Any, row: Any) -> dict[str, Any]:
        return {**await apply(self, order, row), "total_including_vat": "much"}

    monkeypatch.setattr(Export, "apply", worded)
    with pytest.raises(ConfigurationError, match="an order has no number as total_including_vat"):
        await place.spread(ids, into(folder, "parquet"), on=threads, shards=1)


async def test_what_is_refused_before_anything_is_read(
    place: Place, threads: ThreadPoolExecutor, tmp_path: Path, folder: Path
) -> None:
    """Nothing is listed either."""
    called, everything = calls(place.sandbox), OrderFilter()

    async def refused(action: Any, match: str) -> None:
        with pytest.raises(ConfigurationError, match=match):
            await place.spread(everything, action, on=threads)

    await refused(actions.export(tmp_path / "orders.csv"), r"orders.csv names a file.*/orders' and 'csv'")
    file = tmp_path / "file"
    put(file, "mine")
    await refused(into(file), "file is a file, and a job that is split")
    await refused(into(tmp_path / "no" / "such"), "such can't be used: No such file")
    await refused(into(file / "below"), "below can't be used: Not a directory")
    make(folder)
    put(folder / "others.csv", "mine")
    await refused(into(folder, overwrite=True), "holds other files: name a folder that is new or empty")
    remove(folder / "others.csv")
    put(folder / "_manifest.json", '{"export": "another"}')
    await refused(into(folder), "holds an export already: name another folder, or give overwrite=True")
    await refused(OneFile(), "'one file' makes one file, and can't be spread")
    with pytest.raises(ConfigurationError, match="no format for orders: give it as 'jsonl', 'csv' or 'parquet'"):
        actions.export(folder)
    assert calls(place.sandbox) == called
    with pytest.raises(JournalError, match=r"there is no journal|is empty"):
        read_journal(place.journal)


class OneFile(Action[Any]):
    """An action that makes a file but is not an export."""

    name = "one file"
    parameters: Mapping[str, Any] = {}

    async def apply(self, order: Any, row: Any) -> Any:
        return order, row

    def output(self) -> Any:
        return actions.export("some.jsonl").output()


async def test_outcomes_are_not_handed_over(place: Place, threads: ThreadPoolExecutor, folder: Path) -> None:
    """The parts already hold them, so a job of one process can't continue the journal, whether in order or not."""
    ids = await orders(place.sandbox, 2)
    await place.spread(ids, into(folder), on=threads, shards=SHARDS)
    async with client_of(place.sandbox) as norce:
        for ordered in (False, True):
            with pytest.raises(JournalError, match="whose outcomes come in no order and are not handed over"):
                await norce.bulk(place.journal, ordered=ordered).__aenter__()


async def test_an_export_that_is_replaced(place: Place, threads: ThreadPoolExecutor, folder: Path) -> None:
    """Its parts stay until the new ones are there, and are removed then."""
    ids = await orders(place.sandbox, 8)
    await place.spread(ids, into(folder, "csv"), on=threads, shards=SHARDS)
    old = names_in(folder)
    other = PostgresJournal(place.journal.dsn, "another", lease=2.0)
    with pytest.raises(ConfigurationError, match="holds an export already"):
        await place.spread(ids[:4], into(folder), on=threads, shards=2, journal=other)
    await list_shards(place.recipe, ids[:4], into(folder, overwrite=True), journal=other, shards=2)
    assert (names_in(folder), manifest(folder)["job"]) == (old, place.journal.job)
    await place.spread(ids, into(folder, "csv"), on=threads, shards=SHARDS)
    await place.spread(ids[:4], into(folder), on=threads, shards=2, journal=other)
    assert (manifest(folder)["job"], ids_in(folder)) == ("another", sorted(ids[:4]))
    assert names_in(folder) == parts_in(folder)
    # Otherwise the report of the first job would name the manifest of the other.
    for overwrite in (False, True):
        with pytest.raises(ConfigurationError, match="orders holds the export of another job, which has replaced that"):
            await place.spread(ids, into(folder, "csv", overwrite=overwrite), on=threads, shards=SHARDS)
    move(folder / "_manifest.json", folder.with_name("moved"))
    await place.spread(ids, into(folder, "csv"), on=threads, shards=SHARDS)


async def test_workers_that_take_shards_by_themselves(place: Place, folder: Path) -> None:
    """A worker reads from the journal where and how to write. The worker that finishes the last shard writes the
    manifest. Cells stay raw."""
    async with client_of(place.sandbox) as norce:
        cart: Any = {"reference": "=1+1", "items": [{"sku": "T1", "quantity": 1}]}
        order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=cart, check_total=False)
    export = into(folder, "csv", fields={"id": "id", "reference": "cart.reference"}, raw_cells=True)
    await list_shards(place.recipe, [order.id], export, journal=place.journal, shards=2)
    url, recipe = place.journal.url, place.recipe.to_json()
    for shard in (1, 2):
        assert read_journal(place.journal).manifest is None
        await to_thread.run_sync(run_shard, recipe, url, shard)
    assert ids_in(folder) == [order.id]
    assert read_journal(place.journal).manifest == folder / "_manifest.json"
    assert f"{order.id},=1+1" in lines_in(folder)
    assert (await place.journal.work(place.recipe, load=FEW)).left == 0


@pytest.mark.parametrize("format", ["csv", "parquet"])
async def test_columns_keep_their_order(place: Place, threads: ThreadPoolExecutor, folder: Path, format: str) -> None:
    """Every part and the manifest have the order that was listed, whichever worker makes the part."""
    fields, reordered = {"b": "currency", "a": "country", "id": "id"}, {"id": "id", "a": "country", "b": "currency"}
    ids = await orders(place.sandbox, 8)
    await list_shards(place.recipe, ids, into(folder, format, fields=fields), journal=place.journal, shards=SHARDS)
    await to_thread.run_sync(run_shard, place.recipe.to_json(), place.journal.url, 1)
    await place.spread(ids, into(folder, format, fields=reordered), on=threads, shards=SHARDS)
    assert manifest(folder)["columns"] == list(fields)
    for part in manifest(folder)["parts"]:
        assert as_one_table(folder / part["file"], format).schema.names == list(fields)


async def test_a_folder_by_another_name(
    place: Place, threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative name counts from the working directory of the program that listed the job, because workers may run
    elsewhere."""
    ids = await orders(place.sandbox, 2)
    monkeypatch.chdir(tmp_path)
    report = await place.spread(ids, into(Path("orders")), on=threads, shards=SHARDS)
    assert (report.manifest, ids_in(tmp_path / "orders")) == (tmp_path / "orders" / "_manifest.json", sorted(ids))
    make(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(JournalMismatchError, match="it had other parameters"):
        await place.spread(ids, into(Path("orders")), on=threads, shards=SHARDS)


async def test_a_worker_that_sees_another_folder(place: Place, folder: Path) -> None:
    """The worker reads no order and reports it. A worker that sees the right folder continues the job."""
    ids = await orders(place.sandbox, 8)
    await list_shards(place.recipe, ids, into(folder), journal=place.journal, shards=SHARDS)
    called, right = calls(place.sandbox), folder.with_name("right")
    move(folder, right)
    with pytest.raises(ConfigurationError, match=r"is not the folder that job .* every worker must see"):
        await place.journal.work(place.recipe, load=FEW)
    make(folder)
    with pytest.raises(ConfigurationError, match="is not the folder that job"):
        await place.journal.work(place.recipe, load=FEW)
    assert (calls(place.sandbox), read_journal(place.journal).left) == (called, 8)
    remove(folder)
    move(right, folder)
    await place.journal.work(place.recipe, load=FEW)
    assert ids_in(folder) == sorted(ids)


async def test_orders_that_are_tried_again(place: Place, threads: ThreadPoolExecutor, folder: Path) -> None:
    """Their shard gets a new part with the orders of the old one, even if some are refused again, and the manifest
    names it. The lines of a shard stay while some of its orders may be tried again."""
    ids = await orders(place.sandbox, 8)
    one_is_refused = {"rules": [{"fault": {"answer": 404}, "operations": ["reads"], "first": 1}]}
    place.sandbox.faults.play(one_is_refused)
    report = await place.spread(ids, into(folder), on=threads, shards=SHARDS)
    (refused,) = [result.key for result in read_results(place.journal, ["refused"])]
    others = sorted({*ids} - {refused})
    assert (report.counts, ids_in(folder)) == ({"confirmed": 7, "refused": 1}, others)
    first, before = names_in(folder), written(folder)
    _, lines = hidden_in(folder)
    assert lines.endswith(".lines")
    of_others = {name for name in first if name.split("-")[1] != lines.split("-")[1]}
    place.sandbox.faults.play(one_is_refused)
    assert plan_again(place.journal, ["refused"]) == 1
    assert read_journal(place.journal).manifest is None
    report = await place.spread(ids, into(folder), on=threads, shards=SHARDS)
    assert (report.counts["refused"], report.manifest) == (1, folder / "_manifest.json")
    assert ({*names_in(folder)} & {*first}, ids_in(folder)) == (of_others, others)
    plan_again(place.journal, ["refused"])
    await place.spread(ids, into(folder), on=threads, shards=SHARDS)
    assert ids_in(folder) == sorted(ids)
    assert {*names_in(folder)} & {*first} == of_others
    assert {name: written(folder)[name] for name in of_others} == {name: before[name] for name in of_others}
    assert names_in(folder) == parts_in(folder)
    assert hidden_in(folder) == [".norce-order-job"]

"""Files that a job writes from orders: their fields, their rights, and formulas in spreadsheets."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import ConfigurationError, Fixed, NorceOrderClient, OrderFilter
from norce_order_async.bulk import actions, plan_again, read_journal, read_results
from norce_order_async.bulk.actions.cells import as_it_was, harmless
from norce_order_async.bulk.actions.export import ExportFile, found, parts_of
from norce_order_async.bulk.journal.errors import JournalError
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import PRICE, client_of, names_in, new_orders
from tests.bulk.test_job import all_of, read_ids

pytestmark = pytest.mark.anyio

FEW = Fixed(in_flight=5)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("total.includingVAT", "no field 'total.includingVAT': did you mean 'total.includingVat'?"),
        ("lastmodified", "did you mean 'lastModified'?"),
        ("cart.items.0.skuu", "did you mean 'cart.items.0.sku'?"),
        ("payments[*].amonut", "did you mean 'payments.*.amount'?"),
        ("payments.amount", r"payments is a list; say payments\[\*\] for all, payments.0 for one"),
        ("currency.code", "there is nothing below currency"),
        ("state.currentStatus.word", "there is nothing below state.currentStatus"),
        ("zzz", "no field 'zzz'$"),
        ("", "no field ''$"),
        ("cart.", "no field 'cart.'"),
    ],
)
def test_a_field_that_no_order_has_is_refused(path: str, told: str) -> None:
    """The error comes when the action is made, so before anything is sent."""
    with pytest.raises(ConfigurationError, match=told):
        actions.export("out.csv", fields={"x": path})


def test_the_known_fields() -> None:
    """A path may name one member of a list or all of them. Below free-form data it may name anything."""
    order = {
        "cart": {"items": [{"sku": "a"}, {"sku": "b"}], "attributes": {"0": {"deep": [1, 2]}}},
        "payments": [{"amount": 1.5}, {}],
        "customer": {"billing": {"streetAddress2": "c/o"}},
    }
    values = {path: found(order, parts_of(path)) for path in PATHS}
    assert values == PATHS


PATHS: dict[str, Any] = {
    "cart.items.0.sku": "a",
    "cart.items[1].sku": "b",
    "cart.items.2.sku": None,
    "cart.items[*].sku": ["a", "b"],
    "payments[*].amount": [1.5, None],
    "payments.0.amount": 1.5,
    "shippings[*].state": None,
    "cart.attributes.0.deep.1": 2,
    "cart.attributes.other": None,
    "customer.billing.streetAddress2": "c/o",
    "payments[*].upsell.transactions[*].state": [None, None],
}


async def test_members_of_lists(sandbox: Sandbox, tmp_path: Path) -> None:
    """A cell of a table holds a list as JSON."""
    out = tmp_path / "orders.csv"
    fields = {"id": "id", "first": "cart.items.0.sku", "all": "cart.items[*].sku"}
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 1)
        async with norce.bulk(load=FEW) as job:
            await all_of(job.run(ids, actions.export(out, fields=fields)))
    assert read_rows(out) == [{"id": ids[0], "first": "T1", "all": '["T1"]'}]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file)]


@pytest.mark.parametrize("journaled", [False, True])
async def test_an_existing_file_is_kept(sandbox: Sandbox, tmp_path: Path, journal: Path, journaled: bool) -> None:
    """The job replaces it only if it may. It checks that before it reads any order."""
    out = tmp_path / "orders.csv"
    put(out, "mine")
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        read = reads(sandbox)
        async with norce.bulk(journal if journaled else None, load=FEW) as job:
            with pytest.raises(ConfigurationError, match="is there already: name another file, or give overwrite=True"):
                await all_of(job.run(ids, actions.export(out)))
        assert (text(out), reads(sandbox)) == ("mine", read)
        async with norce.bulk(journal if journaled else None, load=FEW) as job:
            await all_of(job.run(ids, actions.export(out, overwrite=True)))
        assert read_ids(out) == sorted(ids)
        if journaled:
            # A finished job may replace its own file.
            async with norce.bulk(journal, load=FEW) as job:
                assert await all_of(job.run(ids, actions.export(out))) == {}


async def test_a_folder_is_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """A path of a folder is refused before any order is read, even with ``overwrite=True``."""
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 1)
        read = reads(sandbox)
        async with norce.bulk(load=FEW) as job:
            with pytest.raises(ConfigurationError, match="is a folder: name a file"):
                await all_of(job.run(ids, actions.export(tmp_path, format="csv", overwrite=True)))
        assert reads(sandbox) == read


@pytest.mark.parametrize("step", ["append", "finish"])
@pytest.mark.parametrize("journaled", [False, True])
async def test_a_disk_that_is_full(
    sandbox: Sandbox, tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, step: str, journaled: bool
) -> None:
    """The disk may be full when lines are written, or when the file is made of them. The next run makes the file."""
    out = tmp_path / "orders.csv"

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(out))

    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        monkeypatch.setattr(ExportFile, step, full)
        async with norce.bulk(journal if journaled else None, load=FEW) as job:
            with pytest.raises(
                JournalError if journaled else ConfigurationError, match=r"orders\.csv.*: No space left"
            ):
                await all_of(job.run(ids, actions.export(out)))
        monkeypatch.undo()
        assert not is_there(out)
        async with norce.bulk(journal if journaled else None, load=FEW) as job:
            await all_of(job.run(ids, actions.export(out)))
    assert read_ids(out) == sorted(ids)


def remove(path: Path) -> None:
    path.unlink()


def is_there(path: Path) -> bool:
    return path.exists()


@pytest.mark.parametrize("listed", [False, True])
async def test_a_file_that_a_killed_job_had_not_written_yet_is_written(
    sandbox: Sandbox, tmp_path: Path, journal: Path, listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process dies after it has recorded the last order and before the file is there. The next run writes it."""
    out = tmp_path / "orders.csv"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        source = OrderFilter(status="checkout") if listed else ids
        with monkeypatch.context() as killed:
            killed.setattr(ExportFile, "finish", not_finished)
            async with norce.bulk(journal, load=FEW) as job:
                await all_of(job.run(source, actions.export(out)))
        assert not out.exists()
        read = reads(sandbox)
        async with norce.bulk(journal, load=FEW) as job:
            assert await all_of(job.run(source, actions.export(out))) == {}
    assert read_ids(out) == sorted(ids)
    assert not out.with_name("orders.csv.part").exists()
    # No order was read again. A filter is not listed a second time either.
    assert reads(sandbox) == read


def not_finished(file: ExportFile, **_: Any) -> None:
    file.close()


async def exported(
    norce: NorceOrderClient, journal: Path, ids: list[str], out: Path, *, overwrite: bool = False
) -> None:
    """Run an export with a journal, or go on with it."""
    async with norce.bulk(journal, load=FEW) as job:
        await all_of(job.run(ids, actions.export(out, overwrite=overwrite)))


def one_read_is_refused(sandbox: Sandbox) -> None:
    sandbox.faults.play({"rules": [{"fault": {"answer": 404}, "operations": ["reads"], "first": 1}]})


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
async def test_orders_that_are_tried_again(sandbox: Sandbox, tmp_path: Path, journal: Path, ending: str) -> None:
    """The job makes the file again, with the orders that were refused before. It keeps the lines while some orders
    may be tried again."""
    out = tmp_path / f"orders.{ending}"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)
        run = partial(exported, norce, journal, ids, out)
        one_read_is_refused(sandbox)
        await run()
        (refused,) = [result.key for result in read_results(journal, ["refused"])]
        others = sorted({*ids} - {refused})
        assert (read_ids(out), mode_of(out.with_name(f"{out.name}.part"))) == (others, 0o600)
        made = out.stat().st_mtime_ns
        await run(overwrite=True)
        assert out.stat().st_mtime_ns == made, "a finished job makes its file once"
        one_read_is_refused(sandbox)
        assert plan_again(journal, ["refused"]) == 1
        await run()
        assert (read_ids(out), read_journal(journal).counts["refused"]) == (others, 1)
        assert plan_again(journal, ["refused"]) == 1
        await run()
    assert read_ids(out) == sorted(ids)
    assert not is_there(out.with_name(f"{out.name}.part"))


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("moved", [True, False])
async def test_a_job_that_is_killed_when_it_moves_its_file(
    sandbox: Sandbox,
    tmp_path: Path,
    journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    first: bool,
    moved: bool,
) -> None:
    """The job is killed right before or after its first file, or a later one, is in place. The next run makes that
    file or leaves it."""
    out, real = tmp_path / f"orders.{ending}", Path.replace

    def killed(path: Path, to: Any) -> Any:
        if moved:
            real(path, to)
        raise OSError(errno.EIO, "killed", str(path))

    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)
        run = partial(exported, norce, journal, ids, out)
        one_read_is_refused(sandbox)
        if not first:
            await run()
            assert plan_again(journal, ["refused"]) == 1
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", killed)
            with pytest.raises(JournalError, match="killed"):
                await run()
        read = reads(sandbox)
        await run()
        assert (len(read_ids(out)), reads(sandbox)) == (3 if first else 4, read)
        if first:
            assert plan_again(journal, ["refused"]) == 1
            await run()
    assert read_ids(out) == sorted(ids)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
async def test_a_job_that_is_killed_before_it_makes_its_file_again(
    sandbox: Sandbox, tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """The order that was tried again is recorded, and the file in place does not have it. The next run makes the
    file."""
    out = tmp_path / f"orders.{ending}"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)
        run = partial(exported, norce, journal, ids, out)
        one_read_is_refused(sandbox)
        await run()
        assert plan_again(journal, ["refused"]) == 1
        with monkeypatch.context() as killed:
            killed.setattr(ExportFile, "finish", not_finished)
            await run()
        assert len(read_ids(out)) == 3
        await run()
    assert read_ids(out) == sorted(ids)
    assert names_of(out) == [out.name]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("call", ["replace", "unlink"])
async def test_a_job_that_is_killed_leaves_no_file_behind(
    sandbox: Sandbox, tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, ending: str, call: str
) -> None:
    """It may be killed with orders in a file aside, or with the file in place and its lines beside it. Runs after that
    leave the file alone in its folder."""
    out = tmp_path / f"orders.{ending}"

    def killed(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "killed", str(path))

    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 4)

        async def run(call: str = "") -> None:
            with monkeypatch.context() as patched:
                if call:
                    patched.setattr(Path, call, killed)
                async with norce.bulk(journal, load=FEW) as job:
                    if call:
                        with pytest.raises(JournalError, match="killed"):
                            await all_of(job.run(ids, actions.export(out)))
                    else:
                        await all_of(job.run(ids, actions.export(out)))

        one_read_is_refused(sandbox)
        await run("replace" if call == "replace" else "")
        assert plan_again(journal, ["refused"]) == 1
        await run("unlink" if call == "unlink" else "")
        await run()
    assert read_ids(out) == sorted(ids)
    assert names_of(out) == [out.name]


async def test_a_file_that_was_moved_away(sandbox: Sandbox, tmp_path: Path, journal: Path) -> None:
    """The job is done, so the same program again makes no second file, even if orders may be tried again."""
    out = tmp_path / "orders.csv"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        run = partial(exported, norce, journal, ids, out)
        one_read_is_refused(sandbox)
        await run()
        remove(out)
        await run()
        assert not is_there(out)
        assert plan_again(journal, ["refused"]) == 1
        await run()
    assert read_ids(out) == sorted(ids)


def names_of(out: Path) -> list[str]:
    """The names of the file and of those beside it that begin alike."""
    return [name for name in names_in(out.parent) if name.startswith(out.name)]


async def test_a_file_that_was_changed_is_kept_when_orders_are_tried_again(
    sandbox: Sandbox, tmp_path: Path, journal: Path
) -> None:
    """The job replaces its own file. It replaces no other file without ``overwrite``."""
    out = tmp_path / "orders.csv"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        run = partial(exported, norce, journal, ids, out)
        one_read_is_refused(sandbox)
        await run()
        put(out, "mine")
        await run()
        assert plan_again(journal, ["refused"]) == 1
        with pytest.raises(ConfigurationError, match="is there already: name another file, or give overwrite=True"):
            await run()
        assert text(out) == "mine"
        await run(overwrite=True)
    assert read_ids(out) == sorted(ids)


async def test_lines_that_were_removed_before_orders_are_tried_again(
    sandbox: Sandbox, tmp_path: Path, journal: Path
) -> None:
    """The error says what the user can do, and the file stays as it is."""
    out = tmp_path / "orders.csv"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 3)
        one_read_is_refused(sandbox)
        for match in (
            "",
            r"/orders\.csv\.part does not hold .* removed, or the job was begun in another folder: put it back",
        ):
            async with norce.bulk(journal, load=FEW) as job:
                run = job.run(ids, actions.export(out))
                if match:
                    with pytest.raises(JournalError, match=match):
                        await all_of(run)
                else:
                    await all_of(run)
            if not match:
                remove(out.with_name("orders.csv.part"))
                plan_again(journal, ["refused"])
    assert len(read_ids(out)) == 2
    assert names_of(out) == [out.name]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
async def test_lines_that_another_job_has_replaced(
    sandbox: Sandbox, tmp_path: Path, journal: Path, ending: str
) -> None:
    """Both jobs export to one file. The first does not take the lines of the second for its own, although these are as
    long, and its error says what the user can do."""
    out = tmp_path / f"orders.{ending}"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 6)

        async def run(journal: Path, ids: list[str]) -> None:
            async with norce.bulk(journal, load=FEW) as job:
                await all_of(job.run(ids, actions.export(out, fields={"id": "id"}, overwrite=True)))

        for its, some in ((journal, ids[:3]), (tmp_path / "second.journal", ids[3:])):
            one_read_is_refused(sandbox)
            await run(its, some)
        of_second = read_ids(out)
        assert plan_again(journal, ["refused"]) == 1
        with pytest.raises(JournalError, match=r"\.part does not hold the orders .* export with a new journal"):
            await run(journal, ids[:3])
        assert read_ids(out) == of_second
        assert plan_again(tmp_path / "second.journal", ["refused"]) == 1
        await run(tmp_path / "second.journal", ids[3:])
    assert read_ids(out) == sorted(ids[3:])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
async def test_lines_that_another_program_has_changed(
    sandbox: Sandbox, tmp_path: Path, journal: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines still have the length that the journal knows. The error names their file, and no file is made of
    them."""
    out = tmp_path / f"orders.{ending}"
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 1)
        with monkeypatch.context() as killed:
            killed.setattr(ExportFile, "finish", not_finished)
            async with norce.bulk(journal, load=FEW) as job:
                await all_of(job.run(ids, actions.export(out)))
        lines = tmp_path / f"orders.{ending}.part"
        before = text(lines)
        for words in ("x", "\0", "[1]", '{"id": 5, "other": 6}'):
            put(lines, words.ljust(len(before)))
            async with norce.bulk(journal, load=FEW) as job:
                with pytest.raises(JournalError, match=rf"{ending}\.part was changed by another program"):
                    await all_of(job.run(ids, actions.export(out)))
            assert not is_there(out)
        put(lines, before)
        async with norce.bulk(journal, load=FEW) as job:
            await all_of(job.run(ids, actions.export(out)))
    assert read_ids(out) == ids


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_values_that_a_table_can_not_hold(tmp_path: Path, ending: str) -> None:
    """A table gets a replacement for half a surrogate pair. A number beyond all floats becomes a text. Lines of JSON
    hold both as they are."""
    out, many = tmp_path / f"orders.{ending}", 10**400
    file = ExportFile(out, ending, {"half": "id", "many": "id"}, overwrite=False, raw_cells=False)
    file.open(0)
    file.append([file.line({"half": "a\ud800", "many": many})], durable=False)
    file.finish(keep_lines=False)
    (row,) = rows_of(out)
    assert (row["half"], row["many"]) == (("a\ud800", many) if ending == "jsonl" else ("a?", str(many)))


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        return [dict(row) for row in read_rows(path)]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    parquet: Any = import_module("pyarrow.parquet")
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


async def test_names_that_are_not_unicode(sandbox: Sandbox, tmp_path: Path, journal: Path) -> None:
    """A column can't have such a name. A journal can't keep such a path, and the error comes before anything is
    read."""
    with pytest.raises(ConfigurationError, match=r"a column of fields holds half a surrogate pair: 'a\\ud800'"):
        actions.export(tmp_path / "a.csv", fields={"a\ud800": "id"})
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 1)
        read = reads(sandbox)
        async with norce.bulk(journal, load=FEW) as job:
            with pytest.raises(ConfigurationError, match="must be Unicode, and one holds half a surrogate pair"):
                await all_of(job.run(ids, actions.export(tmp_path / "a\udcff.csv")))
        assert reads(sandbox) == read


def put(path: Path, words: str) -> None:
    path.write_text(words)


def text(path: Path) -> str:
    return path.read_text()


def reads(sandbox: Sandbox) -> int:
    return sum(1 for each in sandbox.requests if each.method == "GET")


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
async def test_only_its_owner_can_read_it(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Every file has these rights from its first byte. An older working file with other rights does not change that."""
    out = tmp_path / f"orders.{ending}"
    left = tmp_path / f"orders.{ending}.part"
    put(left, "")
    os.chmod(left, 0o644)
    modes: list[int] = []
    opened = os.open

    def watched(path: Any, flags: int, mode: int = 0o777, **how: Any) -> int:
        descriptor = opened(path, flags, mode, **how)
        if str(path).startswith(str(out)) and flags & os.O_CREAT and str(path) != str(left):
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    umask = os.umask(0)
    try:
        async with client_of(sandbox) as norce:
            ids = await new_orders(norce, 2)
            async with norce.bulk(load=FEW) as job:
                await all_of(job.run(ids, actions.export(out)))
    finally:
        os.umask(umask)
    assert set(modes) <= {0o600}
    assert modes or ending == "jsonl"
    assert mode_of(out) == 0o600
    assert names_in(tmp_path) == [out.name]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("suffix", ["", ".part", ".new"])
@pytest.mark.parametrize("journaled", [False, True])
async def test_links_are_not_followed(
    sandbox: Sandbox, tmp_path: Path, journal: Path, ending: str, suffix: str, journaled: bool
) -> None:
    """The file that a link points to stays as it is."""
    out, other = tmp_path / f"orders.{ending}", tmp_path / "other"
    put(other, "mine")
    link(tmp_path / f"orders.{ending}{suffix}", other)
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 2)
        async with norce.bulk(journal if journaled else None, load=FEW) as job:
            run = job.run(ids, actions.export(out, overwrite=True))
            if suffix == ".part":
                with pytest.raises((ConfigurationError, JournalError)):
                    await all_of(run)
            else:
                await all_of(run)
                assert read_ids(out) == sorted(ids)
    assert text(other) == "mine"


def link(path: Path, to: Path) -> None:
    path.symlink_to(to)


RUN = [
    "=HYPERLINK(1)",
    "+cmd",
    "-cmd",
    "@SUM(1)",
    "\tx",
    "\rx",
    "\uff1dA1",
    "\uff0bA1",
    "\uff0dA1",
    "\uff20A1",
    "-1+2",
    "+",
    "-12.5",
]
LEFT = ["", "x", "a=b", "+46701234567", "-5", "'x", "''", "12", " =x", "'", "'+5"]
MADE_HARMLESS_BEFORE = ["'=x", "''@x", "'\tx"]


@pytest.mark.parametrize("word", [*RUN, *LEFT, *MADE_HARMLESS_BEFORE])
def test_cells_come_back_as_they_were(word: str) -> None:
    """Reading a cell undoes what writing it did, whatever its text begins with."""
    assert as_it_was(harmless(word)) == word
    assert (harmless(word) != word) == (word not in LEFT)


@pytest.mark.parametrize("value", [1, -1, 2.5, -2.5, None, True])
def test_numbers_are_never_changed(value: Any) -> None:
    assert harmless(value) is value


@pytest.mark.parametrize("raw", [False, True])
async def test_a_formula_is_made_harmless(sandbox: Sandbox, tmp_path: Path, raw: bool) -> None:
    """``as_it_was`` restores the value of a cell. With ``raw_cells`` nothing is changed."""
    out = tmp_path / "orders.csv"
    async with client_of(sandbox) as norce:
        order = await norce.orders.create(
            culture="sv-SE",
            currency="SEK",
            country="SE",
            cart={"reference": "=1+1", "items": [{"sku": "T1", "quantity": 1, "total": PRICE}], "total": PRICE},
        )
        fields = {"reference": "cart.reference", "total": "cart.total.includingVat"}
        async with norce.bulk(load=FEW) as job:
            await all_of(job.run([order.id], actions.export(out, fields=fields, raw_cells=raw)))
    (row,) = read_rows(out)
    assert row == {"reference": "=1+1" if raw else "'=1+1", "total": "125.0"}
    assert {name: as_it_was(cell) for name, cell in row.items()} == {"reference": "=1+1", "total": "125.0"}

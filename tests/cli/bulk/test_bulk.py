"""``norce-order bulk``: from files and filters, with output for people and for machines and exit codes for a
scheduler."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from norce_order_async.bulk.journal.reading import State
from norce_order_async.bulk.journal.results import ItemResult
from norce_order_async.bulk.journal.sqlite import SqliteStore
from norce_order_async.cli.bulk import running
from norce_order_async.cli.bulk.rows import OrderFile
from tests.bulk.test_job import read_ids
from tests.cli.inside import inside
from tests.cli.shop import TOKEN, Shop, shop
from tests.cli.terminal import Ran, on_terminal, piped


@pytest.fixture(scope="module")
def here() -> Generator[Shop]:
    with shop(3000) as opened:
        yield opened


def _ids_file(tmp_path: Path, ids: list[str]) -> str:
    path = tmp_path / "ids.csv"
    path.write_text("order_id\n" + "".join(f"{each}\n" for each in ids))
    return str(path)


def _records(ran: Ran) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the outcomes and the summary, after checking that standard output has only JSON."""
    *outcomes, last = [json.loads(line) for line in ran.out.splitlines()]
    return outcomes, last["summary"]


def _changes(here: Shop, ids: list[str]) -> list[int]:
    """Count for each order how often its status was changed since it was seeded."""
    return [len(here.sandbox.effects.of(each, "UpdateCheckoutOrderState")) for each in ids]


def test_transition_from_a_file(here: Shop, tmp_path: Path) -> None:
    """Each order is moved once, and plain text reports it. The same command again finds nothing to do."""
    ids = here.ids(6)
    arguments = ("bulk", "transition", "--to", "accepted", "--from-file", _ids_file(tmp_path, ids))
    journal = ("--journal", str(tmp_path / "close.journal"))
    ran = piped(*arguments, *journal, env=here.env)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert ran.out.startswith("done          6\n")
    assert {here.status(each) for each in ids} == {"accepted"}
    again = piped(*arguments, *journal, env=here.env)
    assert again.code == 0
    assert "6 done" in again.out
    assert _changes(here, ids) == [1] * 6


def test_another_job_on_the_same_journal_is_refused(here: Shop, tmp_path: Path) -> None:
    """Another action, other orders and a file that is no journal are refused. Nothing is sent, and the files stay as
    they are."""
    file, journal = _ids_file(tmp_path, here.ids(2)), str(tmp_path / "j")
    kept = ("--from-file", file, "--journal", journal)
    assert inside("bulk", "transition", "--to", "accepted", *kept, env=here.env).code == 0
    changed = len(here.sandbox.effects)
    notes = tmp_path / "notes.txt"
    notes.write_text("mine\n" * 100)
    for arguments in (
        ("transition", "--to", "completed", *kept),
        ("transition", "--to", "accepted", "--journal", journal, "--from-file", _ids_file(tmp_path, ["o1"])),
        ("transition", "--to", "accepted", "--journal", str(notes), "--from-file", file),
    ):
        ran = inside("bulk", *arguments, env=here.env)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert ran.err.startswith("Error: ")
    assert len(here.sandbox.effects) == changed
    assert notes.read_text() == "mine\n" * 100


def test_a_token_that_is_refused_ends_the_job(here: Shop, tmp_path: Path) -> None:
    """A refused token is reported once, and not once for every order."""
    for which in (("--all",), ("--from-file", _ids_file(tmp_path, here.ids(30)))):
        ran = inside("bulk", "validate", *which, env=here.env | {"NORCE_TOKEN": "w" * 44})
        assert ran.code == 1
        # The digits must be a word of their own, because a correlation id may contain them.
        assert len(re.findall(r"\b401\b", ran.err)) == 1
        assert "stopped       the token was refused (401 unauthorized)\n" in ran.out


def test_machines_get_only_json(here: Shop, tmp_path: Path) -> None:
    ids = [*here.ids(3), *here.ids(2, "accepted")]
    file = _ids_file(tmp_path, ids)
    ran = inside("bulk", "transition", "--to", "accepted", "--from-file", file, "--json", env=here.env)
    assert ran.code == 0
    outcomes, summary = _records(ran)
    assert sorted(each["order_id"] for each in outcomes) == sorted(ids)
    assert summary["verdicts"] == {"done": 5}
    assert summary["left"] in (0, None)


def test_refusals_are_reported_and_have_a_code(here: Shop, tmp_path: Path) -> None:
    ids = [*here.ids(2), *here.ids(1, "declined"), "oNowhere", *here.ids(1, "completed")]
    file = _ids_file(tmp_path, ids)
    ran = inside("bulk", "transition", "--to", "accepted", "--from-file", file, env=here.env)
    assert ran.code == 3
    assert f"refused      {ids[2]}" in ran.err
    assert "refused      oNowhere" in ran.err
    told = [line.rsplit(None, 1) for line in ran.out.splitlines()[:3]]
    assert told == [["done", "2"], ["already done", "1"], ["refused", "2"]]
    assert _records(inside("bulk", "validate", "--from-file", file, "--json", env=here.env))[1]["verdicts"] == {
        "done": 4,
        "refused": 1,
    }


def test_nothing_is_sent_for_a_wrong_file(here: Shop, tmp_path: Path) -> None:
    file = _ids_file(tmp_path, [*here.ids(2), "../x"])
    asked = len(here.sandbox.requests)
    ran = inside("bulk", "remove", "--from-file", file, env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert "line 4: " in ran.err
    assert len(here.sandbox.requests) == asked


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "--status", "checkout"),
        ("--all", "--column", "x"),
        ("--all", "--partition", "5/4"),
        ("--all", "--failure-limit", "some"),
        ("--all", "--failure-limit", "120%"),
        ("--all", "--rate", "0"),
    ],
)
def test_contradictory_command_lines_are_refused(here: Shop, arguments: tuple[str, ...]) -> None:
    ran = inside("bulk", "transition", "--to", "removed", *arguments, env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_references_from_a_file(here: Shop, tmp_path: Path) -> None:
    ids = here.ids(4)
    path = tmp_path / "refs.csv"
    path.write_text("Id;Reference\n" + "".join(f"{each};erp-{index}\n" for index, each in enumerate(ids)))
    ran = inside("bulk", "set-reference", "--from-file", str(path), env=here.env)
    assert (ran.code, ran.err) == (0, "")
    assert [here.whole(each)["reference"] for each in ids] == ["erp-0", "erp-1", "erp-2", "erp-3"]
    assert inside("bulk", "set-reference", "--all", env=here.env).code == 2


def test_export_by_a_filter(here: Shop, tmp_path: Path) -> None:
    """JSON Lines hold whole orders. CSV has no customers unless a column for them is chosen."""
    whole, table, own = tmp_path / "all.jsonl", tmp_path / "all.csv", tmp_path / "own.csv"
    assert inside("bulk", "export", "--status", "accepted", "--out", str(whole), env=here.env).code == 0
    orders = [json.loads(line) for line in whole.read_text().splitlines()]
    assert orders
    assert {order["state"]["currentStatus"] for order in orders} == {"accepted"}
    assert inside("bulk", "export", "--status", "accepted", "--out", str(table), env=here.env).code == 0
    assert len(table.read_text().splitlines()) == len(orders) + 1
    assert "@" not in table.read_text()
    fields = ("--field", "order=id", "--field", "mail=customer.billing.email")
    assert inside("bulk", "export", "--status", "accepted", "--out", str(own), *fields, env=here.env).code == 0
    with own.open() as lines:
        found = {row["order"]: row["mail"] for row in csv.DictReader(lines)}
    assert found == {order["id"]: order["customer"]["billing"]["email"] for order in orders}


def test_export_to_parquet(here: Shop, tmp_path: Path) -> None:
    """The columns have the types of numbers and of text. Without ``--resume`` a finished journal refuses a second run,
    because nothing would be done for the orders that match now."""
    out, journal = tmp_path / "orders.parquet", str(tmp_path / "j")
    fields = ("--field", "order=id", "--field", "total=total.includingVat", "--field", "state=state.currentStatus")
    arguments = ("bulk", "export", "--status", "accepted", "--out", str(out), "--journal", journal, *fields)
    assert inside(*arguments, env=here.env).code == 0
    again = inside(*arguments, env=here.env)
    assert again.code == 2
    assert " done: name a new --journal for the orders that match now, or give --resume\n" in again.err
    assert inside(*arguments, "--resume", env=here.env).code == 0
    parquet: Any = import_module("pyarrow.parquet")
    table = parquet.read_table(out)
    assert {field.name: str(field.type) for field in table.schema} == {
        "order": "string",
        "total": "double",
        "state": "string",
    }
    rows = table.to_pylist()
    assert {row["order"] for row in rows} == set(here.ids(len(rows), "accepted"))
    assert all(row["total"] == here.whole(row["order"])["total"]["includingVat"] for row in rows[:5])
    assert sorted(os.listdir(tmp_path)) == ["j", "j.lock", "orders.parquet"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--out", "x.doc"), "no format"), (("--out", "x.csv", "--field", "total"), "NAME=PATH")],
)
def test_exports_that_can_not_be_made(here: Shop, arguments: tuple[str, ...], told: str) -> None:
    ran = inside("bulk", "export", "--all", *arguments, env=here.env)
    assert ran.code == 2
    assert told in ran.err


def test_validate_reports_what_is_missing(here: Shop) -> None:
    """An order that is not valid gives the exit code for orders that need a look."""
    ran = inside("bulk", "validate", "--status", "checkout", "--json", env=here.env)
    outcomes, summary = _records(ran)
    not_valid = [each for each in outcomes if not each["valid"]]
    assert (ran.code == 3) == bool(not_valid)
    assert summary["not_valid"] == len(not_valid)
    assert all(each["problems"] for each in not_valid)


def test_a_dry_run_changes_nothing(here: Shop, tmp_path: Path) -> None:
    ids = here.ids(3)
    file = _ids_file(tmp_path, ids)
    ran = inside("bulk", "transition", "--to", "accepted", "--from-file", file, "--dry-run", env=here.env)
    assert ran.code == 0
    assert ran.err.count("from processing to accepted") == 3
    assert _changes(here, ids) == [0] * 3


def test_a_failure_limit_stops_the_job(here: Shop, tmp_path: Path) -> None:
    ids = [f"oNowhere{index}" for index in range(40)]
    file = _ids_file(tmp_path, ids)
    ran = inside(
        "bulk", "remove", "--from-file", file, "--failure-limit", "3", "--max-in-flight", "1", "--json", env=here.env
    )
    assert ran.code == 4
    summary = _records(ran)[1]
    assert summary["stopped"]
    assert summary["verdicts"]["refused"] < 40


def test_parts_make_the_whole(here: Shop, tmp_path: Path) -> None:
    ids = here.ids(8)
    file = _ids_file(tmp_path, ids)
    done: list[str] = []
    for part in ("1/2", "2/2"):
        ran = inside("bulk", "validate", "--from-file", file, "--partition", part, "--json", env=here.env)
        done += [each["order_id"] for each in _records(ran)[0]]
    assert sorted(done) == sorted(ids)


def test_production_is_asked_about_with_the_count(tmp_path: Path) -> None:
    env = {"NORCE_TOKEN": TOKEN, "NORCE_MERCHANT": "acme", "NORCE_CHANNEL": "no"}
    file = _ids_file(tmp_path, ["o1", "o2", "o3"])
    arguments = ("bulk", "remove", "--from-file", file, "--environment", "production", "--slug", "acme")
    ran = inside(*arguments, env=env)
    assert ran.code == 2
    assert "--yes-production" in ran.err
    for shown in ("merchant   acme", "channel    no", "orders     3"):
        assert shown in ran.err
    asked = on_terminal(*arguments, env=env, wait_for="Continue? [y/N]:", then=b"n\n")
    assert asked.code == 1
    assert "not confirmed; nothing was changed" in asked.out


def test_a_bar_on_a_terminal(here: Shop, tmp_path: Path) -> None:
    file = _ids_file(tmp_path, here.ids(5))
    ran = on_terminal("bulk", "validate", "--from-file", file, env=here.env)
    assert "5/5" in ran.out
    assert "at once" in ran.out


def test_a_journal_is_shown_and_its_refused_orders_are_tried_again(here: Shop, tmp_path: Path) -> None:
    """A refused order is done once its reason is gone, and no other order is changed."""
    *ids, gone = here.ids(4)
    taken = here.sandbox.snapshot()
    here.delete(gone)
    file, journal = _ids_file(tmp_path, [*ids, gone]), str(tmp_path / "decline.journal")
    first = inside("bulk", "transition", "--to", "declined", "--from-file", file, "--journal", journal, env=here.env)
    assert first.code == 3
    told = inside("bulk", "status", journal)
    assert told.code == 3
    assert 'transition {"to": "declined"}' in told.out
    assert "404 order-not-found" in told.out
    assert TOKEN not in told.out
    counted = json.loads(inside("bulk", "status", journal, "--json").out)
    assert counted["states"] == {"confirmed": 3, "refused": 1}
    # The sandbox is as before: the order exists again, and the changes of the others are undone.
    here.sandbox.restore(taken)
    elsewhere = inside("bulk", "retry", journal, "--only", "refused", "--channel", "no", env=here.env)
    assert elsewhere.code == 2
    assert "is of channel se, not no" in elsewhere.err
    again = inside("bulk", "retry", journal, "--only", "refused", env=here.env)
    assert again.code == 0, again.err
    assert [here.status(each) for each in (*ids, gone)] == ["processing"] * 3 + ["declined"]
    assert inside("bulk", "status", journal).code == 0


def test_results_are_listed_order_by_order(here: Shop, tmp_path: Path) -> None:
    """After the job the results can be listed as text, JSON, JSON Lines and CSV."""
    ids = [*here.ids(2), "oNowhere"]
    journal = str(tmp_path / "j")
    file = _ids_file(tmp_path, ids)
    assert (
        inside("bulk", "transition", "--to", "accepted", "--from-file", file, "--journal", journal, env=here.env).code
        == 3
    )
    told = inside("bulk", "results", journal)
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        f"{ids[0]}  done",
        f"{ids[1]}  done",
        "oNowhere  refused  404 order-not-found  Order with id:oNowhere not found.",
    ]
    lines = [json.loads(line) for line in inside("bulk", "results", journal, "--jsonl").out.splitlines()]
    assert json.loads(inside("bulk", "results", journal, "--json").out) == lines
    assert [line["order_id"] for line in lines] == ids
    assert (lines[2]["verdict"], lines[2]["code"], lines[2]["attempts"]) == ("refused", "order-not-found", 1)
    table = list(
        csv.DictReader(inside("bulk", "results", journal, "--csv", "--verdict", "refused,unknown").out.splitlines())
    )
    assert [(row["order_id"], row["message"]) for row in table] == [("oNowhere", "Order with id:oNowhere not found.")]
    assert inside("bulk", "results", journal, "--json", "--verdict", "left").out == "[]\n"
    wrong = inside("bulk", "results", journal, "--verdict", "refused,lost")
    assert wrong.code == 2
    assert "must be some of done, refused, unknown, in flight, left" in wrong.err
    assert inside("bulk", "results", str(tmp_path / "none")).code == 2


def test_unknown_orders_are_read_before_they_are_sent(here: Shop, tmp_path: Path) -> None:
    """An order that was done is not done again, unless ``--send-again`` demands it."""
    done, undone = here.ids(2)
    file, journal = _ids_file(tmp_path, [done, undone]), tmp_path / "accept.journal"
    taken = here.sandbox.snapshot()
    arguments = ("bulk", "transition", "--to", "accepted", "--from-file")
    assert inside(*arguments, file, "--journal", str(journal), env=here.env).code == 0
    here.sandbox.restore(taken)
    assert inside(*arguments, _ids_file(tmp_path, [done]), env=here.env).code == 0
    _all_to(journal, "unknown")
    assert inside("bulk", "status", str(journal)).code == 3
    again = inside("bulk", "retry", str(journal), "--only", "unknown", "--json", env=here.env)
    assert again.code == 0, again.err
    assert _changes(here, [done, undone]) == [1, 1]
    asked = len(here.sandbox.requests.of(operation="UpdateCheckoutOrderState"))
    _all_to(journal, "unknown")
    assert inside("bulk", "retry", str(journal), "--only", "unknown", "--send-again", env=here.env).code == 0
    assert len(here.sandbox.requests.of(operation="UpdateCheckoutOrderState")) == asked + 2
    wrong = inside("bulk", "retry", str(journal), "--only", "refused", "--send-again", env=here.env)
    assert (wrong.code, "needs --only unknown" in wrong.err) == (2, True)


def _all_to(journal: Path, state: State) -> None:
    store = SqliteStore(journal)
    store.take()
    try:
        assert store.move("confirmed", state)
    finally:
        store.release()


def test_a_watch_continues_after_a_failed_read(here: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch prints the error once, and ends when the job does. If the first read fails, it ends at once."""
    journal, away = tmp_path / "accept.journal", tmp_path / "away"
    given = ("--from-file", _ids_file(tmp_path, here.ids(1)), "--journal", str(journal))
    assert inside("bulk", "transition", "--to", "accepted", *given, env=here.env).code == 0
    _all_to(journal, "planned")

    def leave() -> None:
        journal.rename(away)

    def come_back() -> None:
        away.rename(journal)
        store = SqliteStore(journal)
        store.take()
        assert store.move("planned", "confirmed")
        store.release()

    steps = iter([leave, lambda: None, come_back])

    def sleep(_: float) -> None:
        next(steps)()

    monkeypatch.setattr("norce_order_async.cli.bulk.journals.time.sleep", sleep)
    ran = inside("bulk", "status", str(journal), "--watch")
    assert ran.code == 0
    first, error = ran.err.splitlines()
    assert first.startswith("0 of 1")
    assert error.startswith("Error: ")
    assert error.endswith("; reading again every 2 s")
    ran = inside("bulk", "status", str(away), "--watch")
    assert (ran.code, ran.out, ran.err.count("Error")) == (2, "", 1)


def test_a_file_that_is_not_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine\n" * 100)
    none = str(tmp_path / "none")
    for arguments in (("status", str(path)), ("status", none), ("retry", str(path), "--only", "refused")):
        ran = inside("bulk", *arguments, env={"NORCE_BASE_URL": "http://127.0.0.1:9", "NORCE_MERCHANT": "a",
                    "NORCE_CHANNEL": "b", "NORCE_TOKEN": TOKEN})  # fmt: skip
        assert ran.code == 2, ran.err
    assert path.read_text() == "mine\n" * 100
    assert not (tmp_path / "none").exists()


def test_an_order_that_a_file_names_twice_is_done_once(here: Shop, tmp_path: Path) -> None:
    """The command reports the duplicate. With ``--duplicates allow`` it is done as often as it comes."""
    ids = here.ids(2)
    file = _ids_file(tmp_path, [*ids, ids[0]])
    arguments = ("bulk", "validate", "--from-file", file, "--json")
    outcomes, summary = _records(inside(*arguments, env=here.env))
    assert sorted(each["order_id"] for each in outcomes) == sorted(ids)
    assert (summary["total"], summary["left"], summary["duplicates"]) == (2, 0, 1)
    outcomes, summary = _records(inside(*arguments, "--duplicates", "allow", env=here.env))
    assert sorted(each["order_id"] for each in outcomes) == sorted([*ids, ids[0]])
    assert (summary["left"], summary["duplicates"]) == (0, 0)
    assert "duplicates    1, skipped" in inside("bulk", "validate", "--from-file", file, env=here.env).out


def test_too_many_orders_to_remember(here: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more than a million orders the command sends nothing, and the error names the options that help."""

    def many(_: running.Rows) -> int:
        return 1_000_001

    monkeypatch.setattr(running.Rows, "__len__", many)
    ran = inside("bulk", "validate", "--from-file", _ids_file(tmp_path, here.ids(1)), env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert "give --journal FILE, or --duplicates allow" in ran.err


def test_doing_orders_twice_goes_without_a_journal(here: Shop, tmp_path: Path) -> None:
    """A journal holds each order once, so ``--duplicates allow`` is refused with it."""
    ran = inside("bulk", "validate", "--all", "--journal", str(tmp_path / "j"), "--duplicates", "allow", env=here.env)
    assert ran.code == 2
    assert "be used with --journal" in ran.err


def _export_that_lacks_one(here: Shop, tmp_path: Path) -> tuple[Path, list[str], str]:
    """The file of an export with one refused order, the ids of all orders, and the journal."""
    out, ids, journal = tmp_path / "out.csv", here.ids(4), str(tmp_path / "export.journal")
    here.sandbox.faults.play({"rules": [{"fault": {"answer": 404}, "operations": ["reads"], "first": 1}]})
    arguments = ("bulk", "export", "--from-file", _ids_file(tmp_path, ids), "--out", str(out), "--journal", journal)
    assert inside(*arguments, env=here.env).code == 3
    here.sandbox.faults.stop()
    return out, ids, journal


def test_refused_orders_of_an_export_are_tried_again(here: Shop, tmp_path: Path) -> None:
    """The retry adds the orders to the same file, without ``--force``."""
    out, ids, journal = _export_that_lacks_one(here, tmp_path)
    assert len(read_ids(out)) == 3
    again = inside("bulk", "retry", journal, "--only", "refused", env=here.env)
    assert (again.code, read_ids(out)) == (0, sorted(ids)), again.err


def test_a_file_that_was_changed_is_kept_by_a_retry(here: Shop, tmp_path: Path) -> None:
    """The error names only what the command can do: it has no --out and no --force."""
    out, ids, journal = _export_that_lacks_one(here, tmp_path)
    out.write_text("mine")
    retry = ("bulk", "retry", journal, "--only", "refused")
    kept = inside(*retry, env=here.env)
    assert (kept.code, out.read_text()) == (2, "mine")
    assert f"{out} is not as the job made it: move it away, and give the same command again" in kept.err
    assert "--force" not in kept.err
    out.rename(tmp_path / "mine")
    again = inside(*retry, env=here.env)
    assert (again.code, read_ids(out)) == (0, sorted(ids)), again.err


def test_an_export_keeps_existing_files_and_checks_its_fields(here: Shop, tmp_path: Path) -> None:
    """A misspelled field sends nothing, and a file is replaced only with ``--force``."""
    out = tmp_path / "out.csv"
    arguments = ("bulk", "export", "--from-file", _ids_file(tmp_path, here.ids(2)), "--out", str(out))
    ran = inside(*arguments, "--field", "total=total.includingVAT", env=here.env)
    assert ran.code == 2
    assert "did you mean 'total.includingVat'?" in ran.err
    assert not out.exists()
    out.write_text("mine")
    ran = inside(*arguments, env=here.env)
    assert (ran.code, out.read_text()) == (2, "mine")
    assert f"{out} exists: name another --out, or give --force" in ran.err
    assert inside(*arguments, "--force", env=here.env).code == 0
    assert out.stat().st_mode & 0o777 == 0o600


def test_an_exported_list_is_read_as_it_was(tmp_path: Path) -> None:
    """The mark that our own export puts in front of a formula is removed when the file is read."""
    path = tmp_path / "refs.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["order_id", "reference"], ["o1", "'=1+1"], ["o2", "'x"], ["o3", "+46"]])
    rows = list(OrderFile(path, None, ("reference",), "refs").rows())
    assert [row["reference"] for row in rows] == ["=1+1", "'x", "+46"]


@pytest.mark.parametrize("raw", [False, True])
def test_results_hold_no_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bool) -> None:
    """The service's words may come from anyone, so a text that looks like a formula gets a mark, unless ``--raw-cells``
    is given."""
    result = ItemResult(
        key="o1",
        verdict="refused",
        reason="400",
        code="-1+1",
        message="=HYPERLINK(1)",
        attempts=1,
        sent=None,
        changed=None,
        correlation_id="c",
    )

    def told(*_: object) -> list[ItemResult]:
        return [result]

    monkeypatch.setattr("norce_order_async.bulk.read_results", told)
    ran = inside("bulk", "results", str(tmp_path / "j"), "--csv", *(["--raw-cells"] if raw else []))
    _, row = csv.reader(ran.out.splitlines())
    mark = "" if raw else "'"
    assert row[3:6] == [f"{mark}-1+1", f"{mark}=HYPERLINK(1)", "1"]

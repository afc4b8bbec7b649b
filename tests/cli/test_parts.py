"""``norce-order create``, ``set-reference``, ``attributes`` and ``payments``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import anyio
import click
import pytest

from norce_order_async import UnavailableError
from norce_order_async.cli.rows import Form, Rows
from norce_order_async.cli.watching import again_and_again

from .inside import inside
from .shop import Shop, shop
from .terminal import interrupt, started

ORDER: dict[str, Any] = {"culture": "sv-SE", "currency": "SEK", "country": "SE", "cart": {"items": []}}


@pytest.fixture(scope="module")
def here() -> Iterator[Shop]:
    with shop() as opened:
        yield opened


def test_create_makes_an_order_of_a_file(here: Shop, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER))
    ran = inside("create", str(file), env=here.env)
    assert ran.code == 0, ran.err
    assert here.whole(ran.out.strip())["currency"] == "SEK"
    as_json = json.loads(inside("create", str(file), "--json", env=here.env).out)
    assert here.status(as_json["order_id"]) == "checkout"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"email": "a@example.com"', "order.json is not JSON at line 1"),
        ("[]", "must hold one JSON object"),
        (None, "order.json can't be read: FileNotFoundError"),
        ('{"currenzy": "SEK"}', "did you mean currency?"),
        ('{"state": {"currentStatus": "completed"}}', "state"),
    ],
)
def test_create_refuses_a_body_that_is_not_an_order(here: Shop, tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "order.json"
    if text is not None:
        file.write_text(text)
    before = len(here.sandbox.requests)
    ran = inside("create", str(file), env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert "@" not in ran.err
    assert len(here.sandbox.requests) == before


def test_set_reference(here: Shop) -> None:
    order_id = here.ids(1)[0]
    ran = inside("set-reference", order_id, "ERP-7", env=here.env)
    assert (ran.code, ran.out) == (0, f"{order_id}: reference ERP-7\n")
    assert here.whole(order_id)["reference"] == "ERP-7"


def test_attributes_are_shown_and_changed(here: Shop) -> None:
    order_id = here.ids(1)[0]
    set_two = inside("attributes", order_id, "batch=007", "rush:=true", "--json", env=here.env)
    assert json.loads(set_two.out)["batch"] == "007"
    assert json.loads(set_two.out)["rush"] is True
    sent = len(here.sandbox.requests)
    ran = inside("attributes", order_id, "batch=8", "--remove", "rush", env=here.env)
    assert ran.code == 0
    assert "batch         8\n" in ran.out
    assert "rush" not in ran.out
    assert [request.method for request in here.sandbox.requests[sent:]] == ["PATCH", "GET"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("batch",), "must be NAME=TEXT or NAME:=JSON"),
        (("batch:=07",), "batch: the text after := is not JSON"),
        (("batch=1", "batch=2"), "each name once"),
        (("batch=1", "--remove", "batch"), "batch can't be both set and removed"),
    ],
)
def test_invalid_attributes_are_refused(here: Shop, arguments: tuple[str, ...], told: str) -> None:
    before = len(here.sandbox.requests)
    ran = inside("attributes", "o1", *arguments, env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert len(here.sandbox.requests) == before


def test_payments_are_rows(here: Shop) -> None:
    order_id = next(each for each in here.ids(20, "completed") if here.whole(each)["payments"])
    paid = here.whole(order_id)["payments"]
    rows = list(csv.DictReader(io.StringIO(inside("payments", order_id, "--csv", env=here.env).out)))
    assert [(row["id"], row["state"]) for row in rows] == [(each["id"], each["state"]) for each in paid]
    lines = inside("payments", order_id, "--json", env=here.env).out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [each["id"] for each in paid]
    named = inside("payments", order_id, "--columns", "id,name", env=here.env)
    assert named.out.splitlines()[0].split() == ["ID", "NAME"]
    assert "did you mean 'amount'" in inside("payments", order_id, "--columns", "amuont", env=here.env).err
    none = here.ids(1, "checkout")[0]
    assert inside("payments", none, env=here.env).err in ("no payments\n", "")


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "[" * 100_000, "1" * 5_000, '{"a": 1, "a": 2}', "x"])
def test_an_attribute_that_is_not_json_is_refused_before_anything_is_sent(here: Shop, value: str) -> None:
    order_id = here.ids(1)[0]
    before = len(here.sandbox.requests)
    ran = inside("attributes", order_id, f"a\u202eb:={value}", env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert "a\\u202eb: the text after := is not JSON" in ran.err
    assert len(here.sandbox.requests) == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "is not JSON"),
        ('{"currency": "SEK", "currency": "EUR"}', "is not JSON"),
        ('{"attributes": {"a": NaN}}', "is not JSON"),
    ],
)
def test_create_refuses_invalid_json(here: Shop, tmp_path: Path, text: str, told: str) -> None:
    """A name that comes twice is refused too, because one of its values would be dropped."""
    file = tmp_path / "order.json"
    file.write_text(text)
    before = len(here.sandbox.requests)
    ran = inside("create", str(file), env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert len(here.sandbox.requests) == before


def test_a_negative_number_is_a_number_in_csv() -> None:
    """A spreadsheet runs only texts, and a ``'`` in front would turn the number into a text."""
    rows = Rows[float](Form("csv", ("sum",)), {"sum": lambda one: one}, lambda _: {}, "OrderData")
    with redirect_stdout(io.StringIO()) as printed:
        rows.add(-12.5)
    assert printed.getvalue().splitlines() == ["sum", "-12.5"]


def test_a_watch_reports_an_empty_list_once(capsys: pytest.CaptureFixture[str]) -> None:
    class EnoughError(Exception):
        pass

    shows = 0

    async def show() -> None:
        nonlocal shows
        shows += 1
        if shows > 3:
            raise EnoughError
        click.echo("no orders match", err=True)

    with pytest.raises(EnoughError):
        anyio.run(again_and_again, show, 0.001)
    assert capsys.readouterr().err.count("no orders match") == 1


def test_a_watch_continues_after_a_failed_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The watch prints the same failure once. Then it shows the next result, even an unchanged one."""

    class EnoughError(Exception):
        pass

    readings = iter(["checkout", None, None, "checkout", "completed"])

    async def show() -> None:
        click.echo("begun")
        status = next(readings, "")
        if status is None:
            raise UnavailableError("the service is away", operation="GetCheckoutOrder")
        if not status:
            raise EnoughError
        click.echo(status)

    with pytest.raises(EnoughError):
        anyio.run(again_and_again, show, 0.001)
    printed = capsys.readouterr()
    assert printed.out.split() == ["begun", "checkout", "begun", "checkout", "begun", "completed"]
    assert printed.err.count("the service is away") == 1
    assert "reading again every 0.001 s" in printed.err


def test_a_watch_ends_if_its_first_read_fails(here: Shop) -> None:
    ran = inside("get", "oNowhere", "--watch", "0.1", env=here.env)
    assert (ran.code, ran.out) == (1, "")
    assert "order-not-found" in ran.err


def test_a_failed_read_is_json_with_json(here: Shop) -> None:
    """With ``--json`` a failed read is an object on standard error."""
    (order_id,) = here.ids(1, "accepted")
    with started("get", order_id, "--watch", "0.1", "--json", env=here.env) as program:
        assert program.stderr is not None
        program.stderr.readline()
        here.delete(order_id)
        program.stderr.readline()
        told = json.loads(program.stderr.readline())
        interrupt(program)
    assert (told["status"], told["code"]) == (404, "order-not-found")

"""``norce-order get``, ``list`` and ``transition``: what they print, and what they leave out."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .inside import inside
from .shop import TOKEN, Shop, shop
from .terminal import interrupt, on_terminal, started


@pytest.fixture(scope="module")
def here() -> Iterator[Shop]:
    with shop() as opened:
        yield opened


def test_get_shows_an_order_without_its_customer(here: Shop) -> None:
    order_id = here.ids(1, "accepted")[0]
    ran = inside("get", order_id, env=here.env)
    assert (ran.code, ran.err) == (0, "")
    whole = here.whole(order_id)
    assert ran.out.startswith(f"order         {order_id}\nstatus        accepted\n")
    billing = whole["customer"]["billing"]
    for personal in (billing["email"], billing["familyName"]):
        assert personal not in ran.out


def test_get_json_is_the_whole_order(here: Shop) -> None:
    order_id = here.ids(1)[0]
    told = json.loads(inside("get", order_id, "--json", env=here.env).out)
    whole = here.whole(order_id)
    assert told["customer"]["billing"]["email"] == whole["customer"]["billing"]["email"]
    assert told["total"] == whole["total"]


def test_get_of_an_order_that_does_not_exist(here: Shop) -> None:
    ran = inside("get", "oNowhere", env=here.env)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("Error: GetCheckoutOrder of order oNowhere: ")
    assert ran.err.count("\n") == 1


def test_list_is_a_table_of_the_newest(here: Shop) -> None:
    ran = inside("list", "--status", "PROCESSING", "--limit", "3", env=here.env)
    head, *rows = ran.out.splitlines()
    assert head.split() == ["ID", "STATUS", "CREATED", "TOTAL", "REFERENCE"]
    assert [row.split()[0] for row in rows] == here.ids(3)
    assert "@" not in ran.out
    assert "\x1b" not in ran.out


def test_list_goes_over_pages(here: Shop) -> None:
    """``list`` reads more than one page, and prints each order once as JSON Lines."""
    ran = inside("list", "--limit", "150", "--json", env=here.env | {"NORCE_CHANNEL": "se"})
    ids = [json.loads(line)["id"] for line in ran.out.splitlines()]
    assert len(ids) == len(set(ids))
    assert len(ids) == min(150, len(inside("list", "--limit", "10000", env=here.env).out.splitlines()) - 1)


@pytest.mark.parametrize("page_limit", ["over-50-refused", "50-at-most"])
def test_list_goes_over_pages_of_any_limit(page_limit: str) -> None:
    """``list`` prints as many orders as asked for, whatever limit the service sets for a page."""
    with shop(400, readings={"page-limit": page_limit}) as there:
        ran = inside("list", "--limit", "60", env=there.env)
    assert (ran.code, len(ran.out.splitlines())) == (0, 61)


def test_list_of_a_service_that_ignores_the_offset_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command fails instead of looking complete, because there may be more orders."""
    monkeypatch.setattr("norce_order_async.sandbox.policy.FARTHEST_OFFSET", 0)
    with shop(400, readings={"offset": "ignored-beyond-10000"}) as there:
        ran = inside("list", "--limit", "100", "--json", env=there.env)
    assert ran.code == 1
    assert len({json.loads(line)["id"] for line in ran.out.splitlines()}) == 50
    assert "does not honour the offset" in ran.err


def test_list_as_csv_and_with_own_columns(here: Shop) -> None:
    ids = here.ids(2)
    arguments = ("list", "--status", "processing", "--limit", "2")
    rows = list(csv.DictReader(io.StringIO(inside(*arguments, "--csv", env=here.env).out)))
    assert [row["id"] for row in rows] == ids
    assert list(rows[0]) == ["id", "status", "created", "total", "reference"]
    mine = inside(*arguments, "--csv", "--columns", "id,cart.reference,cart.items.0.sku", env=here.env)
    for row, order_id in zip(csv.DictReader(io.StringIO(mine.out)), ids, strict=True):
        cart = here.whole(order_id)["cart"]
        assert (row["id"], row["cart.reference"]) == (order_id, cart["reference"])
        assert row["cart.items.0.sku"] == cart["items"][0]["sku"]
    lines = inside(*arguments, "--json", "--columns", "id,total.includingVat", env=here.env).out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": order_id, "total.includingVat": here.whole(order_id)["total"]["includingVat"]} for order_id in ids
    ]
    head = inside(*arguments, "--columns", "country,id", env=here.env).out.splitlines()[0]
    assert head.split() == ["COUNTRY", "ID"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--columns", "idd"), "no field 'idd': did you mean 'id'?; the table's columns are id, status"),
        (("--columns", "id,,status"), "different names"),
        (("--columns", "id,id"), "different names"),
        (("--json", "--csv"), "not both"),
    ],
)
def test_unknown_columns_are_refused(here: Shop, arguments: tuple[str, ...], told: str) -> None:
    before = len(here.sandbox.requests)
    ran = inside("list", *arguments, env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert told in (ran.err if "--json" not in arguments else json.loads(ran.err)["message"])
    assert len(here.sandbox.requests) == before


def test_watch_shows_an_order_again_when_it_has_changed(here: Shop) -> None:
    order_id = here.ids(1)[0]
    with started("get", order_id, "--watch", "0.1", env=here.env) as program:
        assert program.stdout is not None
        said = [program.stdout.readline(), program.stdout.readline()]
        assert inside("transition", order_id, "--to", "accepted", env=here.env).code == 0
        for line in program.stdout:
            said.append(line)
            if line.startswith("status        accepted"):
                break
        ended = interrupt(program, signal.SIGINT)
    assert said[0] == f"order         {order_id}\n"
    assert said.count(f"order         {order_id}\n") == 2
    assert ended.code == 130


def test_list_that_finds_nothing(here: Shop) -> None:
    ran = inside("list", "--reference", "nobody-has-this", env=here.env)
    assert (ran.code, ran.out, ran.err) == (0, "", "no orders match\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--date-from", "soon"), "is not a time such as"),
        (("--status", "sleeping"), "--status"),
        (("--reference", ""), "reference must not be empty"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_impossible_filters_are_refused(here: Shop, arguments: tuple[str, ...], told: str) -> None:
    ran = inside("list", *arguments, env=here.env)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_transition_moves_and_reports_a_status_that_is_there(here: Shop) -> None:
    order_id = here.ids(1)[0]
    moved = inside("transition", order_id, "--to", "accepted", env=here.env)
    assert (moved.code, moved.out) == (0, f"{order_id}: processing -> accepted\n")
    again = inside("transition", order_id, "--to", "accepted", "--json", env=here.env)
    assert json.loads(again.out) == {
        "order_id": order_id,
        "status": "accepted",
        "before": "accepted",
        "called": False,
    }
    refused = inside("transition", order_id, "--to", "checkout", env=here.env)
    assert (refused.code, refused.out) == (1, "")
    assert "from accepted to checkout" in refused.err
    assert here.status(order_id) == "accepted"


def test_the_token_comes_from_a_file_too(here: Shop, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"Bearer {TOKEN}\n")
    assert inside("list", "--token-file", str(file), env=here.env | {"NORCE_TOKEN": ""}).code == 0
    for wrong in ("", None):
        if wrong is None:
            file.unlink()
        else:
            file.write_text(wrong)
        ran = inside("list", "--token-file", str(file), env=here.env)
        assert ran.code == 2
        assert "--token-file" in ran.err


def test_a_missing_setting_is_named(here: Shop) -> None:
    ran = inside("list", env=here.env | {"NORCE_TOKEN": ""})
    assert ran.code == 2
    assert "NORCE_TOKEN is not set" in ran.err
    assert "no such option" in inside("list", "--token", TOKEN, env=here.env).err.lower()


def test_production_asks_first() -> None:
    """Without a terminal the command is refused before anything is sent. On a terminal it asks, and a no changes
    nothing."""
    env = {"NORCE_TOKEN": TOKEN, "NORCE_MERCHANT": "acme", "NORCE_CHANNEL": "no"}
    arguments = ("transition", "o1", "--to", "removed", "--environment", "production", "--slug", "acme")
    ran = inside(*arguments, env=env)
    assert ran.code == 2
    assert "--yes-production" in ran.err
    for shown in ("https://acme.api-se.norce.tech/checkout/order", "merchant   acme", "channel    no", "1: o1"):
        assert shown in ran.err
    asked = on_terminal(*arguments, env=env, wait_for="Continue? [y/N]:", then=b"n\n")
    assert asked.code == 1
    assert "not confirmed; nothing was changed" in asked.out

"""``norce-order sandbox`` with faults, a file, seeded orders, and without its own endpoints."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from tests.support.plain import NO_TLS
from tests.support.servers import serving
from tests.support.warm import Program

from .inside import inside
from .terminal import address_in, interrupt, local_service

HEADERS = {"authorization": "Bearer T", "x-merchant": "demo", "x-channel": "se"}


@contextmanager
def running(*options: str) -> Generator[tuple[Program, str, str]]:
    """Run a sandbox with these options, and return its process, its output and its base URL."""
    with local_service(*options, env={"NORCE_SANDBOX_TOKEN": "T"}) as (process, said):
        yield process, said, address_in(said)


def listing(url: str, **query: str) -> Any:
    return httpx.get(f"{url}/api/v0/checkout/orders", headers=HEADERS, params=query, verify=NO_TLS).json()


def total(url: str) -> int:
    size: int = listing(url)["pagination"]["totalSize"]
    return size


def test_faults_are_named_at_the_start_and_in_each_line() -> None:
    """A ready-made plan is named at the start, and the line of a lost answer has no status."""
    with running("--faults", "lost-answers") as (process, said, url):
        assert re.search(r"faults\s+lost-answers\n", said)
        for _ in range(2):
            assert (
                httpx.post(f"{url}/api/v0/checkout/orders", headers=HEADERS, json={}, verify=NO_TLS).status_code == 201
            )
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{url}/api/v0/checkout/orders", headers=HEADERS, json={}, verify=NO_TLS)
        ended = interrupt(process)
    assert (ended.code, ended.err) == (0, "")
    first, _, third, _ = ended.out.splitlines()
    assert re.fullmatch(r"  POST   /checkout/order/api/v0/checkout/orders 201 \d+\.\d ms", first)
    assert re.fullmatch(r"  POST   /checkout/order/api/v0/checkout/orders --- \d+\.\d ms  \[answer lost\]", third)


def test_orders_outlive_it_in_a_file(tmp_path: Path) -> None:
    file = str(tmp_path / "orders.db")
    with running("--db", file, "--seed-orders", "100", "--seed", "3") as (_, said, url):
        assert f"The orders are in {file}." in said
        seeded = total(url)
        assert 0 < seeded < 100
    with running("--db", file) as (_, _, url):
        assert total(url) == seeded


def test_its_own_endpoints_can_be_left_out() -> None:
    with running() as (_, said, url):
        found = re.search(r"admin\s+(\S+)", said)
        assert found
        assert httpx.get(found[1] + "clock", headers=HEADERS, verify=NO_TLS).status_code == 200
    with running("--no-admin") as (_, said, url):
        assert "admin" not in said
        assert httpx.get(httpx.URL(url).join("/__sandbox/clock"), headers=HEADERS, verify=NO_TLS).status_code == 404


def test_either_reading_of_a_listing_can_be_played() -> None:
    """The readings decide whether an order that was changed later is found by date, and what the size of a page with
    one of two orders is."""
    for switches, sizes, found in (
        ((), (1, 2), 0),
        (("--reading", "pagination-size=matches", "--reading", "dates=last-modified"), (2, 2), 1),
    ):
        with running(*switches) as (_, _, url):
            orders = f"{url}/api/v0/checkout/orders"
            first = httpx.post(orders, headers=HEADERS, json={}, verify=NO_TLS).json()["id"]
            time.sleep(0.01)
            second = httpx.post(orders, headers=HEADERS, json={}, verify=NO_TLS).json()["id"]
            later = httpx.get(f"{orders}/{second}", headers=HEADERS, verify=NO_TLS).json()["created"]
            assert httpx.put(f"{orders}/{first}/reference", headers=HEADERS, json="r", verify=NO_TLS).status_code == 200
            page = listing(url, limit="1")["pagination"]
            assert (page["size"], page["totalSize"]) == sizes
            assert len(listing(url, date_from=later, reference="r")["data"]) == found


def test_readings_are_chosen_by_file_and_one_by_one(tmp_path: Path) -> None:
    """An option adds to the file's readings and overrides them. The output names those in force."""
    file = tmp_path / "readings.yaml"
    file.write_text("page-limit: over-50-refused\npagination-size: matches\n", "utf-8")
    with running("--readings", str(file), "--reading", "pagination-size=requested") as (_, said, url):
        assert re.findall(r"  reading    (\S+)\n", said) == ["page-limit=over-50-refused", "pagination-size=requested"]
        orders = f"{url}/api/v0/checkout/orders"
        assert httpx.get(orders, headers=HEADERS, params={"limit": "51"}, verify=NO_TLS).status_code == 400
        assert listing(url, limit="7")["pagination"]["size"] == 7


def test_all_readings_are_listed() -> None:
    """The list needs no server, and stars the readings in force."""
    listed = inside("sandbox", "--list-readings", "--readings", "harsh")
    assert (listed.code, listed.err) == (0, "")
    rows = [re.split(r"  +", line) for line in listed.out.splitlines() if line]
    assert rows[0] == ["rule", "certainty", "reading", "what a caller notices"]
    starred = {row[0]: row[2].removeprefix("* ") for row in rows if row[2:] and row[2].startswith("* ")}
    assert len(starred) == 31
    assert starred["list-lag"] == "3-s"
    assert starred["times"] == "microseconds"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--reading", "cart-total"), "must be RULE=READING"),
        (("--reading", "cart-total=nought"), "cart-total has no reading 'nought'"),
        (("--reading", "cart-totl=x"), "did you mean cart-total"),
        (("--reading", "nulls=written", "--reading", "nulls=left-out"), "nulls is given two readings"),
        (("--readings", "not-there.yaml"), "there is no file called not-there.yaml"),
        (("--readings", "/dev/zero"), "is not a regular file"),
    ],
)
def test_a_reading_that_does_not_exist(options: tuple[str, ...], text: str) -> None:
    ended = inside("sandbox", *options)
    assert ended.code == 2
    assert text in " ".join(ended.err.split())


def test_a_stop_does_not_wait_for_a_slow_answer(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("rules:\n  - fault: {delay: 60}\n", "utf-8")
    with running("--faults", str(plan)) as (process, _, url):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                f"{url}/api/v0/checkout/orders", headers=HEADERS, timeout=httpx.Timeout(None, read=0.3), verify=NO_TLS
            )
        ended = interrupt(process)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no plan and no file called"),
        ("rules:\n  - fault: nope\n", r"plan\.yaml: rules\[0\]\.fault: must be one of delay,"),
        ("rules: [", r"is not YAML in line 1"),
    ],
)
def test_a_bad_plan_is_a_usage_error(content: str | None, complaint: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    if content is not None:
        plan.write_text(content, "utf-8")
    ran = inside("sandbox", "--faults", str(plan))
    assert (ran.code, ran.out) == (2, "")
    assert "Invalid value for --faults" in ran.err
    assert re.search(complaint, ran.err)
    assert "Traceback" not in ran.err


def test_a_file_of_something_else_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Ada", "utf-8")
    ran = inside("sandbox", "--db", str(file))
    assert (ran.code, ran.out) == (2, "")
    assert "Invalid value for --db" in ran.err
    assert "is not a database" in ran.err
    assert file.read_text("utf-8") == "Dear Ada"


def test_seeding_the_same_orders_again_is_reported(tmp_path: Path) -> None:
    file = str(tmp_path / "orders.db")
    with running("--db", file, "--seed-orders", "10", "--seed", "3"):
        pass
    ran = inside("sandbox", "--db", file, "--seed-orders", "10", "--seed", "3")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "Error: merchant demo has orders of seed 3 already; take another seed\n"


class _Receiver(BaseHTTPRequestHandler):
    """Answers 500 to notifications and 200 to hooks, and keeps the path and the authorization of each call."""

    calls: ClassVar[list[tuple[str, str | None]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.calls.append((self.path, self.headers["authorization"]))
        self.send_response(200 if self.path == "/hook" else 500)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Generator[str]:
    """Serve as the receiver of hooks and notifications."""
    _Receiver.calls.clear()
    with serving(_Receiver) as address:
        yield address


def test_callbacks_from_the_shell(receiver: str, tmp_path: Path) -> None:
    """Options set the configuration and the token of callbacks. Deliveries can be listed and sent again."""
    (tmp_path / "callback").write_text("C\n", encoding="utf-8")
    options = (
        "--config",
        f"adapter.publicUrl={receiver}",
        "--config",
        "erp:adapter.path=export",
        "--callback-token-file",
        str(tmp_path / "callback"),
    )
    with running(*options) as (_, _, url):
        orders = f"{url}/api/v0/checkout/orders"
        order = httpx.post(orders, headers=HEADERS, json={}, verify=NO_TLS).json()["id"]
        for part, entry in (
            ("hooks", {"subscribeTo": "/reference", "invoke": "{config.adapter.publicUrl}/hook"}),
            (
                "notifications",
                {
                    "adapterId": "erp",
                    "scope": "/reference",
                    "invoke": "{config.adapter.publicUrl}/{config.adapter.path}",
                },
            ),
        ):
            assert httpx.post(f"{orders}/{order}/{part}", headers=HEADERS, json=entry, verify=NO_TLS).is_success
        assert httpx.put(f"{orders}/{order}/reference", headers=HEADERS, json="r1", verify=NO_TLS).status_code == 200
        deliveries = url.replace("/checkout/order", "/__sandbox/deliveries")
        while len(_Receiver.calls) < 2:
            time.sleep(0.01)
        (kept,) = httpx.get(deliveries, headers=HEADERS, params={"order": order}, verify=NO_TLS).json()
        assert (kept["orderId"], kept["adapterId"], kept["state"]) == (order, "erp", "waiting")
        assert httpx.post(deliveries, headers=HEADERS, json={"id": kept["id"]}, verify=NO_TLS).status_code == 200
        while len(_Receiver.calls) < 3:
            time.sleep(0.01)
    assert _Receiver.calls == [("/hook", "Bearer C"), ("/export", "Bearer C"), ("/export", "Bearer C")]


def test_a_host_that_may_not_be_called_is_reported_with_the_remedy() -> None:
    """The refusal of the change that a hook guards names the remedy. With ``--allow-host`` the host is called."""
    hook = {"subscribeTo": "/reference", "invoke": "http://shop.invalid/hook"}
    said: list[str] = []
    for options in ((), ("--allow-host", "shop.invalid")):
        with running(*options) as (_, _, url):
            orders = f"{url}/api/v0/checkout/orders"
            order = httpx.post(orders, headers=HEADERS, json={}, verify=NO_TLS).json()["id"]
            httpx.post(f"{orders}/{order}/hooks", headers=HEADERS, json=hook, verify=NO_TLS)
            said.append(
                httpx.put(f"{orders}/{order}/reference", headers=HEADERS, json="r1", verify=NO_TLS).json()["message"]
            )
    assert (
        "has a host that may not be called from here; Sandbox(allowed_hosts=[...]) or --allow-host allows it" in said[0]
    )
    assert "could not be reached" in said[1]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("adapter.publicUrl", "must be [ADAPTER:]PATH=VALUE, such as adapter.publicUrl=http://127.0.0.1:9000"),
        ("=x", "must be [ADAPTER:]PATH=VALUE"),
        (":a=x", "must be [ADAPTER:]PATH=VALUE"),
        ("a..b=x", "must be [ADAPTER:]PATH=VALUE"),
    ],
)
def test_an_invalid_setting_is_a_usage_error(given: str, complaint: str) -> None:
    ran = inside("sandbox", "--config", given)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in " ".join(ran.err.split())


def test_a_setting_below_its_minimum_is_a_usage_error() -> None:
    ran = inside("sandbox", "--config", "a=x", "--config", "a.b=y")
    assert (ran.code, ran.out) == (2, "")
    assert "a.b is below a path that has a value" in ran.err

"""``norce-order doctor``: it names each problem in words, and never shows the token."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from norce_order_async import NotSentError, RefusedError, RejectedError, UnavailableError
from norce_order_async.cli.connection import Connection
from norce_order_async.cli.doctor.service import clocks, meaning
from norce_order_async.cli.doctor.settings import Configured, token
from norce_order_async.errors import Attempt, NorceError, TokenError
from tests.support.servers import closed_port

from .inside import inside
from .shop import TOKEN, Shop, shop
from .terminal import Ran


@pytest.fixture(scope="module")
def here() -> Iterator[Shop]:
    with shop(10) as opened:
        yield opened


def _verdicts(ran: Ran) -> dict[str, tuple[str, str]]:
    assert TOKEN not in ran.out + ran.err
    return {each["check"]: (each["verdict"], each["said"]) for each in json.loads(ran.out)["checks"]}


def test_all_is_well(here: Shop) -> None:
    ran = inside("doctor", env=here.env)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert TOKEN not in ran.out
    lines = ran.out.splitlines()
    assert lines[-2] == "Nothing is wrong."
    assert lines[-1].startswith("norce-order calibrate ")
    checks = ["versions", "environment", "merchant", "channel", "token", "name", "connection", "TLS", "answer",
              "engine", "clock"]  # fmt: skip
    assert [line.split()[:2] for line in lines[:-3]] == [["ok", check] for check in checks]


def test_a_token_that_the_service_refuses(here: Shop) -> None:
    ran = inside("doctor", "--json", env=here.env | {"NORCE_TOKEN": "w" * 44})
    found = _verdicts(ran)
    assert ran.code == 1
    assert found["token"][0] == "ok"
    verdict, said = found["answer"]
    assert verdict == "wrong"
    assert "refuses the token" in said
    assert "HTTP 401" in said


def test_all_missing_settings_are_reported_at_once() -> None:
    found = _verdicts(inside("doctor", "--json"))
    wrong = {check for check, (verdict, _) in found.items() if verdict == "wrong"}
    assert wrong == {"environment", "merchant", "channel", "token"}
    assert found["answer"][0] == "skipped"
    assert "NORCE_TOKEN" in found["token"][1]


def test_nothing_listens_there(here: Shop) -> None:
    with closed_port() as url:
        found = _verdicts(inside("doctor", "--json", "--base-url", f"{url}/x", env=here.env))
    assert found["name"][0] == "ok"
    assert found["connection"] == (
        "wrong",
        f"port {urlsplit(url).port} refuses connections: nothing listens there, or a firewall",
    )


def test_an_invalid_host_name(here: Shop) -> None:
    found = _verdicts(inside("doctor", "--json", "--base-url", "https://norce.invalid/checkout/order", env=here.env))
    assert found["name"][0] == "wrong"
    assert {found[check][0] for check in ("connection", "TLS", "answer")} == {"skipped"}


def test_https_to_a_plain_port(here: Shop) -> None:
    address = here.sandbox.base_url.replace("http:", "https:")
    found = _verdicts(inside("doctor", "--json", "--base-url", address, env=here.env))
    assert found["TLS"][0] == "wrong"
    assert "does not speak TLS" in found["TLS"][1]


def test_a_token_that_can_not_be_a_header(here: Shop) -> None:
    found = _verdicts(inside("doctor", "--json", env=here.env | {"NORCE_TOKEN": "two words"}))
    assert found["token"][0] == "wrong"
    assert "one word" in found["token"][1]


def _web_token(expires: float) -> str:
    middle = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"head.{middle}.signature"


@pytest.mark.parametrize(
    ("secret", "verdict", "said"),
    [
        (_web_token(1000), "wrong", "it expired 60 s ago"),
        (_web_token(1060 + 7200), "ok", "it expires in 2 h"),
        ("a.b!.c" + "x" * 40, "ok", "that a header can hold"),
        ("brief", "doubt", "shorter than Norce's"),
        ("x" * 44, "ok", "that a header can hold"),
    ],
)
def test_the_kind_of_a_token(secret: str, verdict: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORCE_TOKEN", secret)
    found = token(Configured(Connection({})), now=1060)
    assert found.verdict == verdict
    assert said in found.said
    assert secret not in found.said


def test_a_token_file_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    assert token(Configured(Connection({}, str(file))), now=0).verdict == "doubt"
    file.chmod(0o600)
    assert token(Configured(Connection({}, str(file))), now=0).verdict == "ok"


_CALL: dict[str, Any] = {"operation": "ListCheckoutOrders", "correlation_id": "c"}
_REFUSED_CONNECTION = Attempt(1, "not sent", None, "connect", "connection refused", 0.0, "give up", 500)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RefusedError("no", status=403, **_CALL), "not for this merchant and channel (HTTP 403)"),
        (RefusedError("no", status=404, code="gone", **_CALL), "check path of the base URL"),
        (RefusedError("no", status=302, **_CALL), "a redirect, which the client does not follow"),
        (RefusedError("no", status=418, **_CALL), "the service refused the request (HTTP 418)"),
        (RejectedError("no", status=429, **_CALL), "closed for the moment (HTTP 429)"),
        (UnavailableError("no", status=200, **_CALL), "is not the order service"),
        (UnavailableError("no", status=502, **_CALL), "out of order (HTTP 502)"),
        (NotSentError("no", attempts=[_REFUSED_CONNECTION], **_CALL), "no answer: connection refused"),
        (TokenError("none to be had"), "none to be had"),
    ],
)
def test_the_meaning_of_an_answer(error: NorceError, said: str) -> None:
    assert said in meaning(error)


@pytest.mark.parametrize(
    ("ours", "verdict", "said"),
    [
        (1_000_000_001.0, "ok", "agrees"),
        (1_000_000_030.0, "doubt", "30 s ahead of"),
        (999_996_400.0, "wrong", "3600 s behind"),
    ],
)
def test_clocks_that_differ(ours: float, verdict: str, said: str) -> None:
    """1,000,000,000 seconds after 1970 it was 01:46:40 on a Sunday."""
    found = clocks(ours, "Sun, 09 Sep 2001 01:46:40 GMT")
    assert found.verdict == verdict
    assert said in found.said


def test_a_date_that_can_not_be_read() -> None:
    assert clocks(0.0, "yesterday").verdict == "doubt"

"""The whole demo, in a process of its own."""

from __future__ import annotations

import json
import re

import pytest

from norce_order_async.sandbox import Sandbox

from .inside import inside
from .terminal import ESCAPE, from_the_start, on_terminal, piped, started

STEPS = [
    "→ POST /api/v0/checkout/orders",
    "/customer/billing",
    "/customer/shipping",
    "/shippings",
    "→ GET /api/v0/checkout/orders/",
    "/payments",
    "/consents/terms",
    "/validate",
    "currentStatus=processing",
    "currentStatus=accepted",
    "currentStatus=completed",
    "state.transitions.status=[processing, accepted, completed]",
    "code=payment-missing",
    "← 400",
    "raises TransitionRefusedError",
    "7 of 7 orders",
    "7 of 7 are completed in the service's own list",
    "A burst of 28 reads",
    "reads a second, measured in this run",
]
"""Texts that have to come in this order."""


def settings_for(sandbox: Sandbox) -> dict[str, str]:
    return {
        "NORCE_BASE_URL": sandbox.base_url,
        "NORCE_MERCHANT": "acme",
        "NORCE_CHANNEL": "no",
        "NORCE_TOKEN": sandbox.token,
    }


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_in_a_pipe(loop: str) -> None:
    """Every step is shown, in order, as plain lines that fit 80 columns."""
    ran = piped("demo", "--orders", "7", "--loop", loop)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert "\r" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    # It is httpx2 if that is installed.
    assert re.search({"asyncio": "aiohttp on asyncio", "trio": r"httpx2? on trio"}[loop], ran.out)
    rest = ran.out
    for step in STEPS:
        before, found, rest = rest.partition(step)
        assert found, f"{step!r} is missing after {before[-200:]!r}"


def test_on_a_terminal() -> None:
    """The batch has a bar, and no line is wider than the terminal."""
    ran = on_terminal("demo", "--orders", "7")
    assert ran.code == 0
    assert "7/7" in ran.out
    plain = ESCAPE.sub("", ran.out).replace("\r\n", "\n").replace("\r", "\n")
    assert max(map(len, plain.splitlines())) <= 80


def test_interrupted() -> None:
    """Ctrl-C in the middle of the batch ends it with one word."""
    ran = on_terminal("demo", "--orders", "100000", wait_for="/100000", then=b"\x03")
    assert ran.code == 130
    assert ESCAPE.sub("", ran.out).split()[-1] == "interrupted"
    assert "Traceback" not in ran.out


def test_a_reader_that_leaves() -> None:
    """A pipe that is closed early, as by ``| head``, causes no traceback."""
    with started("demo", "--orders", "1") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_output_without_arrows() -> None:
    """An output that can't show every character replaces those that it lacks."""
    ran = from_the_start("demo", "--orders", "1", env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert (ran.code, ran.err) == (0, "")
    assert "? POST /api/v0/checkout/orders" in ran.out


def test_against_a_service_with_settings() -> None:
    """With ``NORCE_*`` set the demo runs against that service, with a batch of five and new cart references each
    time."""
    with Sandbox(token="a-token-nobody-should-see") as sandbox:
        for _ in range(2):
            ran = piped("demo", "--environment", "playground", "--yes", env=settings_for(sandbox))
            assert (ran.code, ran.err) == (0, "")
            assert "merchant acme, channel no" in ran.out
            assert "5 of 5 are completed" in ran.out
            assert "burst" not in ran.out
            assert sandbox.token not in ran.out
        created = sandbox.requests.of("CreateCheckoutOrder")
        assert {request.status for request in created} == {201}
        assert {request.headers["x-merchant"] for request in created} == {"acme"}
        references = {json.loads(request.body)["cart"]["reference"] for request in created}
        assert len(references) == len(created) == 14


def test_asks_first() -> None:
    """The demo shows the address, and after a no it sends nothing."""
    with Sandbox() as sandbox:
        settings = settings_for(sandbox)
        ran = on_terminal("demo", "--environment", "stage", env=settings, wait_for="Continue?", then=b"n\n")
        assert ran.code == 1
        for shown in (sandbox.base_url, "acme", "no", "7: 6 completed, 1 left in checkout", "nothing was sent"):
            assert shown in ran.out
        assert len(sandbox.requests) == 0


def test_yes_at_the_terminal() -> None:
    with Sandbox() as sandbox:
        ran = on_terminal(
            "demo",
            "--environment",
            "stage",
            "--orders",
            "2",
            env=settings_for(sandbox),
            wait_for="Continue?",
            then=b"y\n",
        )
        assert ran.code == 0
        assert len(sandbox.requests.of("CreateCheckoutOrder")) == 4


def test_without_a_terminal_to_ask() -> None:
    """Without a terminal and without --yes the demo refuses, and sends nothing."""
    with Sandbox() as sandbox:
        ran = piped("demo", "--environment", "playground", env=settings_for(sandbox))
        assert ran.code == 1
        assert ran.err == "Error: there is no terminal to ask at: give --yes to continue\n"
        assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("environment", "settings", "complaint"),
    [
        ("production", {}, "does not run against production"),
        ("playground", {"NORCE_BASE_URL": "https://acme.api-se.norce.tech/checkout/order"}, "production address"),
        ("playground", {"NORCE_BASE_URL": "https://ACME.API-SE.NORCE.TECH./checkout/order"}, "production address"),
        ("playground", {"NORCE_BASE_URL": "https://acme.api-se.stage.norce.tech/checkout/order"}, "not an address in"),
        ("stage", {"NORCE_MERCHANT": "", "NORCE_TOKEN": ""}, "not set: NORCE_SLUG, NORCE_MERCHANT, NORCE_TOKEN;"),
        ("stage", {"NORCE_SLUG": "no.such/host"}, "slug must be one host label"),
    ],
)
def test_refused_before_anything_is_sent(environment: str, settings: dict[str, str], complaint: str) -> None:
    """Production, and settings that are missing or wrong, end the demo with one line that names them."""
    known = {"NORCE_MERCHANT": "acme", "NORCE_CHANNEL": "se", "NORCE_TOKEN": "t"}
    ran = inside("demo", "--environment", environment, "--yes", env=known | settings)
    assert (ran.code, ran.out) == (1, "")
    assert complaint in ran.err
    assert ran.err.count("\n") == 1


def test_the_service_refuses() -> None:
    """A failing step is shown with its answer, then reported in one line; the token is in neither."""
    with Sandbox() as sandbox:
        settings = settings_for(sandbox) | {"NORCE_TOKEN": "wrong-token"}
        ran = inside("demo", "--environment", "playground", "--yes", env=settings)
    assert ran.code == 1
    assert "← 401" in ran.out
    assert ran.err.startswith("Error: CreateCheckoutOrder: ")
    assert ran.err.count("\n") == 1
    assert "wrong-token" not in ran.out + ran.err

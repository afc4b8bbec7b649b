"""The commands on the page about curl print what the page says, when a shell runs them against a sandbox.

The sender shares nothing with the client. It is the real `curl` where there is one, and in any case a stand-in that
understands the page's options and sends through the standard library. A test also breaks commands and must notice it.
"""

import http.client
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from norce_order_async.sandbox import Sandbox

from .support import API

PAGE = (Path(__file__).parents[2] / "docs" / "curl.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = "".join(code for language, code in BLOCKS if language == "bash")
PRINTED = [line.strip() for language, text in BLOCKS if language == "text" for line in text.splitlines()]

SERVED_AT = "http://127.0.0.1:8700/checkout/order"

STAND_IN = f"""\
#!{sys.executable} -IS
import argparse, http.client, urllib.parse
parser = argparse.ArgumentParser()
parser.add_argument("--silent", action="store_true")
parser.add_argument("--show-error", action="store_true")
parser.add_argument("--write-out", default="")
parser.add_argument("--header", action="append", default=[])
parser.add_argument("--request", default="GET")
parser.add_argument("--data")
parser.add_argument("url")
given = parser.parse_args()
parts = urllib.parse.urlsplit(given.url)
target = parts.path + ("?" + parts.query if parts.query else "")
connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
connection.request(given.request, target, given.data, dict(header.split(": ", 1) for header in given.header))
answer = connection.getresponse()
after = given.write_out.replace("%{{http_code}}", str(answer.status)).replace("\\\\n", "\\n")
print(answer.read().decode() + after, end="")
connection.close()
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """The shell's path, with the stand-in as `curl`."""
    program = tmp_path / "curl"
    program.write_text(STAND_IN, "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def curl() -> str:
    """The shell's path, with the real `curl`."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    return os.environ["PATH"]


def run(commands: str, sandbox: Sandbox, path: str) -> list[str]:
    """Run the commands. Returns the lines that they print."""
    done = subprocess.run(
        ["bash", "-c", commands.replace(SERVED_AT, sandbox.base_url)],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return [line.strip() for line in (done.stdout + done.stderr).splitlines()]


def test_the_page_starts_the_sandbox_that_it_is_tested_with() -> None:
    (started,) = [code for language, code in BLOCKS if language == "console"]
    assert started == "NORCE_SANDBOX_TOKEN=sandbox-token norce-order sandbox --seed 7\n"
    assert SERVED_AT in COMMANDS


@pytest.mark.parametrize("sender", ["curl", "stand_in"])
def test_the_walk_prints_what_the_page_says(sender: str, request: pytest.FixtureRequest) -> None:
    path: str = request.getfixturevalue(sender)
    with Sandbox(token="sandbox-token", seed=7) as sandbox:
        printed = run(COMMANDS, sandbox, path)
        order = read_order(sandbox)
    assert printed == PRINTED
    walked = [(received.operation, received.status) for received in sandbox.requests][:-1]
    assert walked == [
        ("CreateCheckoutOrder", 201),
        ("CreateCheckoutOrder", 409),
        ("UpdateCheckoutOrderCustomerBilling", 200),
        ("UpdateCheckoutOrderCustomerShipping", 200),
        ("CreateOrderShipping", 201),
        ("Validate", 400),
        ("CreateOrderPayment", 201),
        ("PatchCheckoutOrderConsent", 200),
        ("Validate", 200),
        ("UpdateCheckoutOrderState", 200),
        ("UpdateCheckoutOrderState", 200),
        ("UpdateCheckoutOrderState", 200),
        ("UpdateCheckoutOrderState", 400),
        ("GetCheckoutOrder", 200),
        ("GetCheckoutOrders", 200),
    ]
    assert [step["status"] for step in order["state"]["transitions"]] == ["processing", "accepted", "completed"]
    assert order["total"] == {"includingVat": 20, "excludingVat": 16}
    assert [payment["amount"] for payment in order["payments"]] == [20]
    assert [shipping["name"] for shipping in order["shippings"]] == ["To the door"]
    assert [consent["checked"] for consent in order["consents"]] == [True]
    assert order["customer"]["billing"]["city"] == "Stockholm"
    assert order["customer"]["shipping"]["city"] == "Lund"


def read_order(sandbox: Sandbox) -> dict[str, Any]:
    """Read the only order through the standard library."""
    parts = urlsplit(sandbox.base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "demo", "x-channel": "se"}
    try:
        connection.request("GET", f"{parts.path}{API}/orders", headers=headers)
        (order,) = json.loads(connection.getresponse().read())["data"]
    finally:
        connection.close()
    return dict(order)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"amount": 20', '"amount": 19'),
        ("Bearer sandbox-token", "Bearer token"),
        ("/consents/terms", "/consents/news"),
        ('"currentStatus": "accepted"', '"currentStatus": "accept"'),
        ("'{\"checked\": true}'", "'{\"checked\": true'"),
    ],
)
def test_a_broken_command_is_noticed(right: str, wrong: str, request: pytest.FixtureRequest) -> None:
    """Otherwise an error on the page could go unnoticed."""
    path: str = request.getfixturevalue("curl" if shutil.which("curl") else "stand_in")
    assert right in COMMANDS
    with Sandbox(token="sandbox-token", seed=7) as sandbox:
        assert run(COMMANDS.replace(right, wrong), sandbox, path) != PRINTED

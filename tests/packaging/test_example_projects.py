"""The example projects run by the commands of their READMEs in a fresh environment, and are then used.

The shop is installed from the checkout, as its README says, and the others from the wheel, which is quicker. An
ordinary run does this with one of them, by the pip of this environment. The tests of the others run in
``tests/examples``, in the present environment.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from norce_order_async.sandbox import ReceivedRequest, Sandbox
from tests.docs.shell import blocks, commands
from tests.packaging.support import ROOT, demanded
from tests.support.servers import reserved_port

pytestmark = [pytest.mark.slow(group="packaging"), pytest.mark.timeout(600)]

TO_BUILD = ("src", "generated", "README.md", "LICENSE", "hatch_build.py", "pyproject.toml")


def copied(name: str, folder: Path) -> Path:
    """Copy an example to its place in a checkout, with the files that the package is built from."""
    for part in TO_BUILD:
        folder.joinpath(part).symlink_to(ROOT / part)
    shutil.copytree(
        ROOT / "examples" / name, folder / "examples" / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
    )
    return folder / "examples" / name


OUR_PIP = {
    "python -m venv .venv": "python -m venv --without-pip .venv",
    ".venv/bin/pip install --upgrade pip": ":",
    ".venv/bin/pip install": f"{shlex.quote(sys.executable)} -m pip --python .venv/bin/python install",
}
"""Beginnings of a README's commands, with those that take the pip of this environment."""


def follow(example: Path, until: str = "", wheel: Path | None = None, *, our_pip: bool = False) -> str:
    """Run the README's commands, up to one that contains ``until``, and return the output of the last one.

    With ``our_pip`` the environment gets no pip of its own, which takes as long to install as all else.
    """
    lines = [
        line
        for language, code in blocks(example.joinpath("README.md").read_text("utf-8"))
        if language == "bash"
        for line in code.splitlines()
    ]
    if until:
        lines = lines[: next(number for number, line in enumerate(lines) if until in line)]
    told = ""
    for line in lines:
        if wheel is not None:
            line = line.replace("../..", str(wheel))
        if our_pip:
            begun = next((shown for shown in OUR_PIP if line.startswith(shown)), "")
            line = OUR_PIP.get(begun, "") + line.removeprefix(begun)
        told = demanded("bash", "-c", line, cwd=example)
    return told


def passed(told: str) -> int:
    found = re.search(r" (\d+) passed in ", told.splitlines()[-1])
    assert found, told
    assert "norce-order-async-" in next(line for line in told.splitlines() if line.startswith("plugins: "))
    return int(found[1])


def access(sandbox: Sandbox, merchant: str = "acme") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NORCE_", "PYTHON"))}
    return kept | {
        "NORCE_BASE_URL": sandbox.base_url,
        "NORCE_TOKEN": sandbox.token,
        "NORCE_MERCHANT": merchant,
        "NORCE_CHANNEL": "se",
    }


@pytest.mark.soak
def test_the_shop(tmp_path: Path) -> None:
    assert passed(follow(copied("shop", tmp_path))) == 6


@pytest.mark.soak
def test_the_adapter(wheel: Path, tmp_path: Path) -> None:
    assert passed(follow(copied("adapter_erp", tmp_path), wheel=wheel)) == 4


@pytest.mark.soak
def test_the_service(wheel: Path, tmp_path: Path) -> None:
    """The service's tests pass. Then two hundred customers buy at once while answers are lost, and nothing is created
    twice."""
    example = copied("service", tmp_path)
    assert passed(follow(example, wheel=wheel)) == 11
    (shown,) = re.findall(r"^(.*uvicorn .*)$", example.joinpath("README.md").read_text("utf-8"), re.MULTILINE)
    with reserved_port() as port, Sandbox(seed=5) as sandbox:
        address = f"http://127.0.0.1:{port}"
        env = access(sandbox) | {"PUBLIC_URL": address}
        process = subprocess.Popen(shown.replace("8080", str(port)).split(), cwd=example, env=env)
        try:
            end = time.monotonic() + 120
            while True:
                try:
                    assert httpx.get(f"{address}/orders/oNotThere").status_code == 404
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < end
                    time.sleep(0.05)
            lost = {"rules": [{"operations": "writes", "every": 10, "fault": "lose-answer"}]}
            sandbox.faults.play(lost)

            def buy(number: int) -> list[int]:
                with httpx.Client(base_url=address, timeout=300) as customer:

                    def put(path: str, json: object) -> httpx.Response:
                        # A 504 means that the answer was lost, and each of these requests may be repeated.
                        answers = (customer.put(path, json=json) for _ in range(10))
                        return next(answer for answer in answers if answer.status_code != 504)

                    quantities = {"MUG-01": 1 + number % 3}
                    begun = put(f"/baskets/basket-{number}/order", {"quantities": quantities})
                    order = begun.json()["order"]
                    more = put(f"/orders/{order}/cart", {"quantities": {"MUG-01": 4}})
                    tea = put(f"/orders/{order}/cart", {"quantities": {"TEA-02": 4}})
                    sold = put(f"/orders/{order}/receipt", {"number": f"r-{number}"})
                    assert sold.json() == {
                        "order": order,
                        "status": "completed",
                        "amount": "500.00",
                        "outstanding": "0.00",
                    }
                    return [answer.status_code for answer in (begun, more, tea, sold)]

            with ThreadPoolExecutor(200) as customers:
                assert list(customers.map(buy, range(200))) == [[200, 200, 409, 200]] * 200
            assert len(sandbox.faults) > 50
            sandbox.faults.stop()
            for operation in ("CreateCheckoutOrder", "CreateCheckoutOrderHook", "CreateOrderPayment"):
                effects = [effect.order_id for effect in sandbox.effects.of(operation=operation)]
                assert (len(effects), len(set(effects))) == (200, 200), operation
            process.terminate()
            assert process.wait(60) in (0, -signal.SIGTERM)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("kills", "orders"), [(1, 2000), pytest.param(3, 6000, marks=pytest.mark.soak)])
def test_the_nightly_job(wheel: Path, tmp_path: Path, kills: int, orders: int) -> None:
    """The job is killed while answers are lost. Each order is completed once, and those that can't be are named."""
    example = copied("nightly", tmp_path)
    follow(example, until="nightly.py", wheel=wheel, our_pip=kills == 1)
    command = next(c for c in commands(example.joinpath("README.md").read_text("utf-8")) if "nightly.py" in c)
    kill_at: list[int] = []
    lock = threading.Lock()
    job: list[subprocess.Popen[str]] = []
    killed: list[subprocess.Popen[str]] = []
    sent = 0

    def answered(request: ReceivedRequest) -> None:
        nonlocal sent
        if request.operation == "UpdateCheckoutOrderState":
            with lock:
                sent += 1
                # Requests that a killed job had in flight are counted too, and must not kill it again instead of the
                # next one.
                if kill_at and sent >= kill_at[0] and job[-1] not in killed:
                    del kill_at[0]
                    killed.append(job[-1])
                    job[-1].kill()

    told = ""
    with Sandbox(seed=11, on_request=answered) as sandbox:
        sandbox.seed_orders(orders, merchant="demo", seed=11)
        ripe, unpaid = accepted(sandbox)
        kill_at += [len(ripe) * number // (kills + 1) for number in range(1, kills + 1)]
        sandbox.faults.play({"rules": [{"operations": "UpdateCheckoutOrderState", "every": 9, "fault": "lose-answer"}]})
        for ends in (*["killed"] * kills, "through"):
            job.append(
                subprocess.Popen(
                    command,
                    cwd=example,
                    env=access(sandbox, "demo"),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            told, _ = job[-1].communicate(timeout=120)
            assert job[-1].returncode == (3 if ends == "through" else -signal.SIGKILL), told
        sandbox.faults.stop()
        completed = [effect.order_id for effect in sandbox.effects.of(operation="UpdateCheckoutOrderState")]
        assert len(completed) == len(set(completed))
        assert set(completed) == ripe - unpaid
    (journal,) = example.joinpath("runs").glob("*.journal")
    with journal.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {(line["key"], line["verdict"]) for line in lines} == {(order, "refused") for order in unpaid}
    assert len(lines) == len(unpaid)
    assert told.splitlines()[-1].endswith(
        f"{len(unpaid)} failed, 0 left; see {journal.relative_to(example).with_suffix('.csv')}"
    )


def accepted(sandbox: Sandbox) -> tuple[set[str], set[str]]:
    """Return the accepted orders that are older than two days, and three of them whose payments are removed here."""
    headers = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "demo", "x-channel": "se"}
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2 * 86400))
    found: list[dict[str, Any]] = []
    with httpx.Client(base_url=f"{sandbox.base_url}/api/v0/checkout", headers=headers) as plain:
        while True:
            where: dict[str, str | int] = {"status": "accepted", "date_to": until, "offset": len(found), "limit": 100}
            page = plain.get("/orders", params=where).json()["data"]
            found += page
            if not page:
                break
        for order in found[:3]:
            for payment in order["payments"]:
                path = f"/orders/{order['id']}/payments/{payment['id']}"
                assert plain.put(path, json={**payment, "state": "removed"}).is_success
    assert len(found) > 20
    return {order["id"] for order in found}, {order["id"] for order in found[:3]}

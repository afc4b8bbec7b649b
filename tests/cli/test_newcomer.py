"""The three commands at the top of the README lead from a fresh clone to an order in the inspector."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.plain import NO_TLS
from tests.support.servers import reserved_port

from .terminal import environment

pytestmark = [pytest.mark.soak, pytest.mark.slow(group="packaging"), pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


def commands(port: int) -> list[str]:
    """Return the commands of the README, on a free port."""
    part = (ROOT / "README.md").read_text("utf-8").partition("## Three commands to an order")[2]
    block = re.search(r"```bash\n(.*?)```", part, re.DOTALL)
    assert block
    return block[1].replace("8700", str(port)).splitlines()


def test_a_newcomer_sees_an_order_of_their_own(
    tmp_path: Path, port: int, record_property: Callable[[str, object], None]
) -> None:
    """The commands run in a fresh clone, and the inspector shows the new order. The report of the run has the time that
    it takes (``seconds``)."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    install, serve, create = commands(port)
    env = environment({"XDG_RUNTIME_DIR": str(tmp_path)})
    env.pop("VIRTUAL_ENV", None)
    started = time.monotonic()
    subprocess.run(["bash", "-c", install], cwd=clone, env=env, check=True, stdout=subprocess.DEVNULL)
    service = subprocess.Popen(
        ["bash", "-c", f"exec env {serve}"], cwd=clone, env=env, stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        assert service.stdout is not None
        link = next(found[1] for line in service.stdout if (found := re.search(r"inspector\s+(http\S+)", line)))
        made = subprocess.run(["bash", "-c", create], cwd=clone, env=env, check=True, capture_output=True, text=True)
        with httpx.Client(verify=NO_TLS) as browser:
            entered = browser.get(link)
            cookie = entered.headers["set-cookie"].partition(";")[0]
            page = browser.get(link.partition("/enter")[0] + "/orders", headers={"cookie": cookie})
    finally:
        os.kill(service.pid, signal.SIGINT)
        service.wait()
        assert service.stdout is not None
        service.stdout.close()
    seconds = time.monotonic() - started
    record_property("seconds", round(seconds, 1))
    order = re.search(r"\bo[A-Za-z0-9]{6,}\b", made.stdout)
    assert order, made.stdout
    assert page.status_code == 200
    assert order[0] in page.text

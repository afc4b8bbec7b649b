"""Programs frozen by PyInstaller run without an option, and without a line for it in the program.

The tests run in a soak, because they make an environment of their own, with PyInstaller from a package index.
"""

from __future__ import annotations

import sys
import venv
from functools import partial
from pathlib import Path

import anyio
import pytest

from norce_order_async.sandbox import Sandbox
from tests.docs.shell import commands, files
from tests.packaging.support import ROOT, demanded

PAGE = ROOT.joinpath("docs/running.md").read_text("utf-8")

pytestmark = [pytest.mark.soak, pytest.mark.slow(group="packaging"), pytest.mark.timeout(900)]

CLIENT = """\
import asyncio, sys
from norce_order_async import NorceOrderClient, models

async def main(url, token, engine):
    async with NorceOrderClient(base_url=url, token=token, merchant="acme", channel="se", engine=engine) as norce:
        order = await norce.orders.create(cart=models.Cart(reference=engine))
        print(norce.engine, (await order.refresh()).status, order.cart.reference, "pytest" in sys.modules)

asyncio.run(main(*sys.argv[1:]))
"""

ALONE = """\
import asyncio
from norce_order_async import NorceOrderClient
from norce_order_async.sandbox import Sandbox

async def main():
    async with Sandbox() as sandbox:
        access = {"base_url": sandbox.base_url, "token": sandbox.token, "merchant": "acme", "channel": "se"}
        async with NorceOrderClient(**access) as norce:
            order = await norce.orders.create(cart={"reference": "r-1"})
            print((await order.refresh()).status, sandbox.requests[0].method)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def freezer(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a Python environment with the wheel and PyInstaller."""
    folder = tmp_path_factory.mktemp("freezer")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    demanded(*pip, f"{wheel}[fast,sandbox,parquet]", "pyinstaller>=6", cwd=folder)
    return python


def frozen(freezer: Path, name: str, program: str, *options: str) -> Path:
    """Return the folder that PyInstaller makes from a program."""
    folder = freezer.parents[2]
    folder.joinpath(f"{name}.py").write_text(program, "utf-8")
    demanded(str(freezer), "-m", "PyInstaller", "-y", "--log-level", "ERROR", *options, f"{name}.py", cwd=folder)
    return folder / "dist" / name


def test_a_client(freezer: Path) -> None:
    """The client works with either engine. The package's data is included, and libraries that the program does not use
    are not."""
    folder = frozen(freezer, "client", CLIENT)

    async def run() -> list[str]:
        async with Sandbox() as sandbox:
            return [
                await anyio.to_thread.run_sync(
                    partial(demanded, str(folder / "client"), sandbox.base_url, sandbox.token, engine, cwd=folder)
                )
                for engine in ("httpx", "aiohttp")
            ]

    assert anyio.run(run) == ["httpx checkout httpx False\n", "aiohttp checkout aiohttp False\n"]
    assert not [path for path in folder.rglob("*") if path.name in {"starlette", "click", "_pytest"}]
    assert list(folder.rglob("norce_order_async/calibration/candidates.yaml"))


def test_a_program_with_the_local_service_in_it(freezer: Path) -> None:
    folder = frozen(freezer, "alone", ALONE)
    assert demanded(str(folder / "alone"), cwd=folder) == "checkout POST\n"


def test_the_job_of_the_guide(freezer: Path, tmp_path: Path) -> None:
    """The job of docs/running.md exports to Parquet, with the option on the page."""
    (command,) = [command for command in commands(PAGE) if command[0] == "pyinstaller"]
    *options, program = command[1:]
    folder = frozen(freezer, program.removesuffix(".py"), files(PAGE)[program], *options)
    out = tmp_path / "orders.parquet"
    with Sandbox(seed=7) as sandbox:
        sandbox.seed_orders(10, merchant="acme")
        given = {"BASE_URL": sandbox.base_url, "TOKEN": sandbox.token, "MERCHANT": "acme", "CHANNEL": "se"}
        environment = [f"NORCE_{name}={value}" for name, value in given.items()]
        told = demanded("env", *environment, str(folder / program.removesuffix(".py")), str(out), cwd=tmp_path)
    assert told
    assert all(line.endswith(" done") for line in told.splitlines())
    assert out.read_bytes().startswith(b"PAR1")

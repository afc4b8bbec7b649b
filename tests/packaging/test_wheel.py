"""A wheel that is built from the checkout and installed alone in an empty environment does what the README says.

Building and installing need a package index. The type checkers are those of this environment, and look only at the
packages of the other one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.support import ROOT, demanded, ran

pytestmark = pytest.mark.slow(group="packaging")

README = ROOT.joinpath("README.md").read_text("utf-8")

USER_FILE = """\
from norce_order_async import NorceOrderClient
from norce_order_async.models import Cart


async def total(norce: NorceOrderClient, cart: Cart) -> float:
    order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE", cart=cart)
    await order.refresh()
    if order.cart.total is None or order.cart.total.including_vat is None:
        return 0.0
    await order.transition_to("completed")
    return order.cart.total.including_vat
"""


@dataclass(frozen=True)
class Installed:
    """An environment with only our wheel and its dependencies."""

    wheel: Path
    python: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return ran(str(self.python), *arguments, cwd=self.folder)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    demanded(*pip, str(wheel), cwd=folder)
    return Installed(wheel, python, folder)


def test_its_contents(wheel: Path) -> None:
    """The wheel has both packages with their py.typed and all their files, and nothing else of the checkout."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("norce_order_async", "norce_order_api"):
        assert f"{package}/py.typed" in names
        assert f"{package}/__init__.py" in names
    assert "norce_order_api/openapi.json" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"norce_order_async", "norce_order_api"}
    sources = {
        str(path.relative_to(base))
        for base in (ROOT / "src", ROOT / "generated")
        for path in base.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # A command reads these data, which belong to the description.
    copied = {"norce_order_async/calibration/candidates.yaml": "openapi/candidates.yaml"}
    assert {name for name in names if ".dist-info/" not in name} == sources | copied.keys()
    for name, original in copied.items():
        assert zipfile.ZipFile(wheel).read(name) == (ROOT / original).read_bytes()


def test_its_metadata(wheel: Path) -> None:
    """The metadata has the name, the licence, the Python version, the README, the extras and the command."""
    with zipfile.ZipFile(wheel) as archive:
        folder = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        metadata = archive.read(f"{folder}/METADATA").decode()
        commands = archive.read(f"{folder}/entry_points.txt").decode()
    assert "Name: norce-order-async\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    assert "Provides-Extra: sandbox\n" in metadata
    assert "Typing :: Typed" in metadata
    assert "License-Expression: MIT\n" in metadata
    assert "License-File: LICENSE\n" in metadata
    assert "## A first program" in metadata
    assert not re.search(r"\]\((?![a-z]+:|#)", metadata), "a link that leads nowhere on an index's page"
    assert "norce-order = norce_order_async.cli:main" in commands


def test_it_imports_alone(installed: Installed) -> None:
    """Every public name can be imported and a client made. A missing extra gives a clear error."""
    program = (
        "import norce_order_async as n\n"
        "for name in n.__all__: getattr(n, name)\n"
        "client = n.NorceOrderClient(environment='stage', slug='a', merchant='a', channel='b', token='t')\n"
        "print(n.__version__, client.base_url, n.__file__)\n"
    )
    done = installed.run("-W", "error", "-c", program)
    assert done.returncode == 0, done.stderr
    assert "https://a.api-se.stage.norce.tech/checkout/order" in done.stdout
    assert str(installed.folder) in done.stdout
    missing = installed.run("-c", "import norce_order_async.sandbox")
    assert missing.stderr.splitlines()[-1].endswith("install norce-order-async with [sandbox]")


def test_the_command_without_its_extra_says_what_to_install(installed: Installed) -> None:
    """The installed script names the missing extra without a traceback."""
    done = ran(str(installed.python.with_name("norce-order")), "--version", cwd=installed.folder)
    assert done.returncode != 0
    assert "norce-order-async" in done.stderr
    assert "[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_user_s_file_is_typed(installed: Installed) -> None:
    """Mypy and pyright, both strict, check the file against the installed packages."""
    user = installed.folder / "typed"
    user.mkdir()
    user.joinpath("user.py").write_text(USER_FILE, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed.python), "user.py"]
    assert "Success: no issues found in 1 source file" in demanded(*mypy, cwd=user)
    user.joinpath("pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}), "utf-8")
    pyright = [sys.executable, "-m", "pyright", "-p", ".", "--pythonpath", str(installed.python)]
    assert "0 errors, 0 warnings" in demanded(*pyright, cwd=user)


def test_the_first_program_runs_with_the_sandbox_extra(installed: Installed) -> None:
    """The README's first program runs unchanged."""
    pip = [sys.executable, "-m", "pip", "--python", str(installed.python), "install", "-q"]
    demanded(*pip, f"{installed.wheel}[sandbox]", cwd=installed.folder)
    first = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[0]
    installed.folder.joinpath("first.py").write_text(first, "utf-8")
    done = installed.run("-W", "error", "first.py")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"<Order o[A-Za-z]{7} completed, read 0 s ago>\n", done.stdout)

"""``scripts/demo.sh`` up to the demo itself, on a copy with stand-ins for Python, so nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(group="demo")

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "cksum", "dirname", "env", "mkdir", "rm", "sed", "tr", "chmod")

PYTHON = r"""#!/bin/bash
# Says it is new enough, makes a venv of copies of itself, and takes down what pip is asked for.
case "$*" in
  --version) echo "Python 3.11.0" ;;
  "-c import sys;"*) exit "${PYTHON_TOO_OLD:-0}" ;;
  "-m venv --clear "*)
    venv=${*: -1}
    packages=$venv/lib/python3.11/site-packages
    rm -rf "$venv"; mkdir -p "$venv/bin" "$packages"
    cat "$STANDIN" > "$venv/bin/python"
    printf '#!/bin/bash\necho "pip 25.1 from %s/pip (python 3.11)"\n' "$packages" > "$venv/bin/pip"
    printf '#!/bin/bash\necho "ran norce-order $* in $PWD"\n' > "$venv/bin/norce-order"
    chmod +x "$venv"/bin/* ;;
  "-m pip "*) echo "$*" >> "$PIP_LOG"; [ -z "${PIP_FAILS:-}" ] || { echo "no network"; exit 1; } ;;
esac
"""


class Checkout:
    """A copy of the scripts in a folder with a space in its name, and the programs on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        shutil.copytree(ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("regenerate*"))
        shutil.copy(ROOT / "pyproject.toml", self.root)
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))
        self.python = self.bin / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(self.python.stat().st_mode | stat.S_IXUSR)
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.pip_log = folder / "pip.log"
        self.pip_log.touch()

    def demo(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        known = {"PATH": str(self.bin), "PIP_LOG": str(self.pip_log), "STANDIN": str(self.python)}
        return subprocess.run(
            [str(self.root / "scripts" / "demo.sh"), *arguments],
            cwd=self.elsewhere,
            env={"HOME": os.environ.get("HOME", "/")} | known | settings,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    @property
    def installs(self) -> list[str]:
        return self.pip_log.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_first_run_installs_and_the_next_does_not(checkout: Checkout) -> None:
    """The script works from any folder and passes its options on. Only the first run installs."""
    first, second = checkout.demo("--orders", "3"), checkout.demo("--orders", "3")
    ran = f"ran norce-order demo --orders 3 in {checkout.elsewhere}\n"
    assert (first.stdout, second.stdout) == (ran, ran), first.stderr
    assert "Installing norce-order-async with [sandbox,cli,fast] into .venv" in first.stderr
    assert second.stderr == ""
    assert len(checkout.installs) == 1
    assert checkout.installs[0].endswith("install -e .[sandbox,cli,fast]")


def test_changed_project_is_installed_again(checkout: Checkout) -> None:
    checkout.demo()
    with (checkout.root / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    assert checkout.demo().returncode == 0
    assert len(checkout.installs) == 2


def test_a_failed_install_is_not_counted_as_done(checkout: Checkout) -> None:
    """The reason of the failure is shown, and the next run installs again."""
    failed = checkout.demo(PIP_FAILS="1")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "no network\nThe installation failed" in failed.stderr
    assert checkout.demo().returncode == 0
    assert len(checkout.installs) == 2


@pytest.mark.parametrize("remains", ["nothing", "half", "elsewhere"])
def test_a_broken_environment_is_made_again(checkout: Checkout, remains: str) -> None:
    """A .venv that lacks its parts, or that was copied from another place, is made again."""
    venv = checkout.root / ".venv"
    if remains == "half":
        (venv / "bin").mkdir(parents=True)
        shutil.copy(checkout.python, venv / "bin" / "python")
    elif remains == "elsewhere":
        checkout.demo()
        moved = checkout.root.with_name("moved")
        shutil.copytree(checkout.root, moved)
        checkout.root = moved
    ran = checkout.demo()
    assert ran.returncode == 0
    assert "Making .venv with Python 3.11.0" in ran.stderr


def test_no_python_is_new_enough(checkout: Checkout) -> None:
    """The error names the version that is needed."""
    ran = checkout.demo(PYTHON_TOO_OLD="1")
    assert ran.returncode == 1
    assert ran.stderr.startswith("Python 3.11 or newer is needed")
    assert not (checkout.root / ".venv").exists()

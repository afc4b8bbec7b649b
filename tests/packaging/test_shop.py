"""Somebody else's project: in a fresh environment it has the wheel, its plugin, and what its own file names."""

from __future__ import annotations

import shutil
import sys
import venv
from pathlib import Path

from tests.packaging.support import ROOT, demanded


def test_its_five_tests_pass(wheel: Path, tmp_path: Path) -> None:
    """Installed as its README says, but for where the wheel comes from."""
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", shop, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    venv.create(shop / ".venv", with_pip=False)
    python = str(shop / ".venv" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    demanded(*pip, f"{wheel}[sandbox]", "--group", str(shop / "pyproject.toml") + ":test", cwd=shop)
    told = demanded(python, "-m", "pytest", "-p", "no:cacheprovider", cwd=shop)
    assert " 5 passed in " in told.splitlines()[-1]
    assert "plugins: " in told
    assert "norce-order-async-" in next(line for line in told.splitlines() if line.startswith("plugins: "))

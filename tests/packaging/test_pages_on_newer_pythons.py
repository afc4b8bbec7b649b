"""The pages in the shells of newer Pythons, if this machine has any, because those parse and await differently.

The tests run in a soak. ``tests/docs`` pastes the same pages into the shell of this Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.shell import pages, paste_in_a_terminal, pasted
from tests.packaging.support import demanded

pytestmark = [pytest.mark.soak, pytest.mark.slow(group="packaging"), pytest.mark.timeout(900)]

EXTRAS = "sandbox,cli,fast,otel,parquet"


def found(version: str) -> str | None:
    """Return a Python of this version on the path, or among pyenv's, or None."""
    on_the_path = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [on_the_path, *sorted(map(str, pyenv.glob(f"versions/{version}*/bin/python{version}")))]
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None


@pytest.fixture(scope="module", params=["3.13", "3.14"])
def newer(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make an environment of this Python version with the wheel and every extra."""
    python = found(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} here")
    folder = tmp_path_factory.mktemp("newer")
    demanded(python, "-m", "venv", "--without-pip", "env", cwd=folder)
    installed = str(folder / "env" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", installed, "install", "-q"]
    demanded(*pip, f"{wheel}[{EXTRAS}]", cwd=folder)
    return installed


def test_every_page(newer: str, tmp_path: Path) -> None:
    """Since 3.13 the shell has an editor: a block is pasted as one piece, and an empty line runs it."""
    for name, text in pages().items():
        folder = tmp_path / name
        folder.mkdir()
        paste_in_a_terminal(pasted(text), folder, newer)

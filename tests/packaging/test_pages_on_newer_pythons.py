"""The pages in the shells of newer Pythons, where there are any on this machine: those parse and await differently."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.shell import END, pages, paste, pasted, reader_s_environment
from tests.packaging.support import demanded

pytestmark = pytest.mark.timeout(900)

EXTRAS = "sandbox,cli,fast,otel,parquet"


def found(version: str) -> str | None:
    """A Python of this version on the path, or among pyenv's."""
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
    """A Python of this version with the wheel and every extra."""
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
    for name, text in pages().items():
        folder = tmp_path / name
        folder.mkdir()
        paste(pasted(text), folder, newer)


def test_in_the_shell_that_a_terminal_gets(newer: str, tmp_path: Path) -> None:
    """Since 3.13 that is another one, with an editor: the terminal pastes a block as one piece, then Enter is pressed."""
    import pty

    codes = [*pasted(pages()["README"]), f"print({END!r})\n"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        command = [newer, "-X", "utf8", "-W", "error", "-m", "asyncio"]
        os.execve(newer, command, reader_s_environment(tmp_path) | {"TERM": "xterm", "NO_COLOR": "1"})
    said = b""
    try:
        for number, code in enumerate(codes):
            said += until(terminal, b">>> ")
            os.write(terminal, b"\x1b[200~" + code.rstrip("\n").encode() + b"\x1b[201~")
            said += quiet(terminal)
            os.write(terminal, b"\n" if number else b"\n")
        said += until(terminal, END.encode(), b"exit")
        os.write(terminal, b"\x04")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode("utf-8", "replace"))
    assert "Traceback" not in shown, shown
    assert not re.search(r"\w*Error\b: ", shown), shown

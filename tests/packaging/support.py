"""Commands as a user of the wheel runs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ran(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command outside the checkout, without variables of the caller's environment that would add to the path.

    pip leaves the compiling to the first import, which only few of the installed modules ever have.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NORCE_"))}
    # pip's spelling of "do not compile".
    environment["PIP_NO_COMPILE"] = "0"
    return subprocess.run(
        [*command], capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False
    )


def demanded(*command: str, cwd: Path) -> str:
    done = ran(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

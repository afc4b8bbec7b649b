"""The examples that start their own local order service run. ``tests/examples`` runs those that need one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "examples/tutorial.py"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_it_ends_with_a_completed_order(example: Path) -> None:
    """The example runs without a NORCE_* variable, in a pipe and without a warning."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NORCE_")}
    command = [sys.executable, "-W", "error", str(example)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "completed" in done.stdout.splitlines()[-1]


def test_the_tutorial_is_short() -> None:
    """The tutorial has under forty lines, so that it is read in a minute."""
    assert EXAMPLES
    assert len(ROOT.joinpath("examples/tutorial.py").read_text("utf-8").splitlines()) < 40


def test_the_tutorial_reads_the_environment() -> None:
    """With --playground and no settings the tutorial ends with an error that names a variable."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NORCE_")}
    command = [sys.executable, str(ROOT / "examples/tutorial.py"), "--playground"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 1
    assert "NORCE_ENVIRONMENT" in done.stderr.splitlines()[-1]

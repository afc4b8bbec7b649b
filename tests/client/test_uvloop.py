"""uvloop in place of asyncio's own loop, with other loops and forks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from norce_order_async.engines.select import ENGINES

PROGRAM = Path(__file__).with_name("uvloop_program.py")


@pytest.mark.parametrize(
    "engine",
    [
        # Our code is the same for httpx and httpx2.
        pytest.param(name, marks=pytest.mark.soak if name == "httpx2" else ())
        for name in ENGINES
        if "asyncio" in ENGINES[name].loops
    ],
)
def test_loops_and_forks(engine: str) -> None:
    """Each loop gets its ten orders, and so do parent and child. Nothing is made twice."""
    command = [
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        "-W",
        "ignore:.*fork:DeprecationWarning",
        str(PROGRAM),
        engine,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [10, 10, 10, 10, 10, 10, 60]

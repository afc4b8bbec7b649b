"""`scripts/files_of_a_call.py` finds the files that a call runs through, on both engines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "files_of_a_call.py"


MOST_FILES = {"aiohttp": 25, "httpx": 28}
"""The most files of a call. More would make it harder to follow."""


@pytest.mark.parametrize(("engine", "other"), [("aiohttp", "httpx"), ("httpx", "aiohttp")])
def test_it_lists_the_files_from_the_order_to_the_engine(engine: str, other: str) -> None:
    shown = subprocess.run(
        [sys.executable, str(SCRIPT), engine], capture_output=True, text=True, check=True, timeout=120
    ).stdout.splitlines()
    files = [line.split()[0] for line in shown[:-1]]
    at = [files.index(f"{name}.py") for name in ("orders/parts/cart", "pipeline/call", f"engines/{engine}")]
    assert at == sorted(at)
    assert f"engines/{other}.py" not in files
    assert shown[-1] == f"one PUT with {engine} crosses {len(files)} files"
    assert len(files) <= MOST_FILES[engine]

"""The notebooks: each cell runs after the one before it, and shows what the text says.

``nox -s docs`` runs them in a kernel.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from .shell import ROOT

NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))


def cells(notebook: Path) -> list[str]:
    """Return the code of a notebook's cells."""
    found: dict[str, Any] = json.loads(notebook.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in found["cells"] if cell["cell_type"] == "code"]


async def run(codes: list[str]) -> dict[str, Any]:
    """Run the cells, and return the names at the end."""
    names: dict[str, Any] = {}
    for code in codes:
        done = eval(compile(code, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.iscoroutine(done):
            await done
    return names


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_cells_run(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cells print what the text beside them says."""
    asyncio.run(run(cells(notebook)))
    shown = capsys.readouterr().out
    if notebook.stem == "first-look":
        assert "TransitionRefusedError" in shown
        assert re.search(r"CreateOrderPayment.*answer lost.*\npayments: 1\n$", shown)
    else:
        assert re.search(r"^(\d+) orders would be marked\n(\d+) done, 6 refused, 0 left\n", shown)
        assert "calls were repeated: True | the service asked to slow down: True" in shown
        assert shown.count("refused 400 order-bad-request") == 6
        assert shown.endswith("orders are marked: True\n")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_kept(notebook: Path) -> None:
    """The site's build makes the output, so a difference in a review is a difference in the text."""
    found: dict[str, Any] = json.loads(notebook.read_text("utf-8"))
    assert not [cell for cell in found["cells"] if cell.get("outputs") or cell.get("execution_count")]

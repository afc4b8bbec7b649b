"""The cells of docs/running.md run in the kernel of a notebook.

The test runs in a soak, because it makes an environment of its own, with the kernel from a package index.
"""

from __future__ import annotations

import json
import sys
import venv
from pathlib import Path

import pytest

from tests.docs.shell import blocks
from tests.packaging.support import ROOT, demanded

pytestmark = [pytest.mark.soak, pytest.mark.slow(group="packaging"), pytest.mark.timeout(900)]

RUN = """\
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.output_type, output.get("name", ""), output.get("text", "") or output["data"]["text/plain"])
"""


def test_its_cells_run(wheel: Path, tmp_path: Path) -> None:
    """The cells run one after the other, show results, and write nothing to standard error."""
    venv.create(tmp_path / "env", with_pip=False)
    python = str(tmp_path / "env" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    demanded(*pip, f"{wheel}[fast,sandbox]", "ipykernel>=6", "nbclient>=0.10", cwd=tmp_path)
    page = ROOT.joinpath("docs/running.md").read_text("utf-8")
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": code,
        }
        for number, (language, code) in enumerate(blocks(page))
        if language == "python"
    ]
    notebook: dict[str, object] = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    tmp_path.joinpath("page.ipynb").write_text(json.dumps(notebook), "utf-8")
    tmp_path.joinpath("run.py").write_text(RUN, "utf-8")
    told = demanded(python, "run.py", "page.ipynb", cwd=tmp_path)
    assert "execute_result" in told
    assert "<Order " in told
    assert "stderr" not in told

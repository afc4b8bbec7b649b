"""Generates the package from a corrected description into a new folder, and formats it."""

import subprocess
import sys
from pathlib import Path

from regenerate import document
from regenerate.document import Document
from regenerate.failure import RegenerationError
from regenerate.layout import Layout
from regenerate.limits import STEP

# Settings of its own, so that no pyproject.toml above the folder changes the result.
_FORMAT = ("--isolated", "--no-cache", "--quiet", "--target-version", "py311", "--line-length", "120")
# F401: templates import whatever one of their models may need.
_CHECK = (*_FORMAT, "--fix", "--select", "I,F401", "--config", "lint.isort.combine-as-imports=true")

LIMIT = 2 * STEP


def generate(corrected: Document, layout: Layout, scratch: Path, package: Path) -> None:
    """Writes the package, with the corrected description as data and the marker for typed packages."""
    source = scratch / "corrected.json"
    source.write_bytes(document.write(corrected))
    _run("the generator", "regenerate.render", str(source), str(layout.generator), str(layout.templates), str(package))
    _run("ruff check", "ruff", "check", *_CHECK, str(package))
    _run("ruff format", "ruff", "format", *_FORMAT, str(package))
    (package / "py.typed").write_bytes(b"")
    (package / "openapi.json").write_bytes(source.read_bytes())


def _run(what: str, module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise RegenerationError(f"{what} does not finish within {LIMIT:g} seconds") from error
    if done.returncode != 0:
        output = "\n".join(line for line in (done.stderr + done.stdout).splitlines() if line.strip())
        raise RegenerationError(f"{what} is not content:\n{output[:4000]}")

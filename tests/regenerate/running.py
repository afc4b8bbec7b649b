"""Runs the regeneration on copies of what it works on, in processes that have its libraries imported already.

That is the command but for ``regenerate.sh``, which finds the environment and starts Python in it: two thirds of what
a run takes. :mod:`tests.regenerate.test_regenerate` has the whole of it too.
"""

from __future__ import annotations

import importlib
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.warm import Warm

# By name, because the scripts are type-checked in an environment of their own.
_environment: Any = importlib.import_module("regenerate.environment")

ROOT = Path(__file__).parents[2]
_COMMAND = """
import sys
from pathlib import Path
from regenerate.__main__ import main
from regenerate.layout import Layout
sys.exit(main(sys.argv[2:], Layout(Path(sys.argv[1]))))
"""


@cache
def _warm() -> tuple[Warm, dict[str, str]]:
    python = _environment.ensure(ROOT / ".venv-regenerate")
    alone = {"PYTHONPATH": str(ROOT / "scripts"), "PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0"}
    environment = {**os.environ, **alone}
    modules = ("regenerate.__main__", "regenerate.render")
    return Warm(*modules, python=str(python), environment=environment), environment


def in_its_environment(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program in the environment of the regeneration."""
    warm, environment = _warm()
    status, out, err = warm.run(code, *arguments, env=environment, cwd=ROOT)
    return subprocess.CompletedProcess([*arguments], status, out, err)


def regenerated(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on this copy."""
    return in_its_environment(_COMMAND, str(tree), *arguments)

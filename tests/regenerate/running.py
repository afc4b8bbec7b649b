"""Runs the regeneration on copies of its files, in processes that have its libraries imported already.

This is the command without two starts of Python: ``regenerate.sh`` finds the environment and starts the command in it,
and the command starts the generator. They are most of a run. :mod:`tests.regenerate.test_regenerate` also tests the
whole command.
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
GENERATING_HERE = """
from pathlib import Path
from regenerate import failure, generate, render

def _here(what, module, *arguments, started=generate._run):
    if module != "regenerate.render":
        return started(what, module, *arguments)
    try:
        render.main(*map(Path, arguments))
    except failure.RegenerationError as error:
        raise failure.RegenerationError(f"{what} is not content:\\n{error}") from error

generate._run = _here
"""
"""The generator runs in the process of the command, which has imported it already."""
_COMMAND = f"""{GENERATING_HERE}
import sys
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


def in_its_environment(code: str, *arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the environment of the regeneration, with this input and more variables."""
    warm, environment = _warm()
    status, out, err = warm.run(code, *arguments, given=given, env={**environment, **more}, cwd=ROOT)
    return subprocess.CompletedProcess([*arguments], status, out, err)


def regenerated(tree: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command on this copy."""
    return in_its_environment(_COMMAND, str(tree), *arguments, **more)

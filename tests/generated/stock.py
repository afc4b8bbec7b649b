"""Packages that the pinned generator makes while the tests run, from any description, with its templates or ours."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
DESCRIPTION: dict[str, Any] = json.loads((ROOT / "generated/norce_order_api/openapi.json").read_text(encoding="utf-8"))
SETTINGS = str(ROOT / "openapi" / "generator.yaml")
TEMPLATES = str(ROOT / "openapi" / "templates")


@contextmanager
def made(folder: Path, name: str, description: dict[str, Any], *, ours: bool = False) -> Generator[ModuleType]:
    """Generate a temporary package, as the generator writes it or as `ours`, and yield its models. Of the processes of
    a run that share the folder, the first one makes it."""
    with (folder / f"{name}.lock").open("wb") as lock:
        flock(lock, LOCK_EX)
        source = folder / f"{name}.json"
        if not source.exists():
            _make(folder, name, description, ours=ours)
            source.write_text(json.dumps(description), encoding="utf-8")
        assert json.loads(source.read_text(encoding="utf-8")) == description
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(f"{name}.models")
    finally:
        sys.path.remove(str(folder))
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]


def _make(folder: Path, name: str, description: dict[str, Any], *, ours: bool) -> None:
    # By name, because the scripts are type-checked in an environment of their own.
    environment: Any = importlib.import_module("regenerate.environment")
    source = folder / f"{name}.source.json"
    source.write_text(json.dumps(description), encoding="utf-8")
    python, package = str(environment.ensure(ROOT / ".venv-regenerate")), str(folder / name)
    if ours:
        command = ["regenerate.render", str(source), SETTINGS, TEMPLATES, package]
    else:
        command = ["openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
        command += ["--path", str(source), "--config", SETTINGS, "--output-path", package]
    given = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTHONHASHSEED": "0"}
    subprocess.run([python, "-m", *command], check=True, capture_output=True, env=given)

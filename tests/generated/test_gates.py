"""The gates around a change: the public API against the changelog, and the workflow that brings a new description."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def load_guard() -> Any:
    spec = importlib.util.spec_from_file_location("guard", ROOT / "api" / "guard.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


guard: Any = load_guard()

CHANGELOG = """# Changelog

## Unreleased

### Breaking

- `Order.delete` is called `Order.remove`.

### Added

- `Order.wait_until(...)`; every filter of `OrderFilter`.

## 1.0.0

### Added

- `Order.split`
"""


def test_what_changed_in_the_public_api_is_in_the_changelog() -> None:
    """The gate itself, on this tree."""
    done = subprocess.run([sys.executable, str(ROOT / "api" / "guard.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        pytest.param(["Order.get: () -> X"], ["Order.get: () -> X"], [], id="nothing changed"),
        pytest.param([], ["Order.wait_until: () -> X"], [], id="added and named"),
        pytest.param([], ["OrderFilter.tag: str"], [], id="added to what is named"),
        pytest.param([], ["Order.split: () -> X"], ["Order.split is new"], id="named for an older release"),
        pytest.param(["Order.delete: () -> X"], [], [], id="gone and named"),
        pytest.param(["Order.wait_until: () -> X"], [], ["Order.wait_until is gone"], id="gone, named as added"),
        pytest.param(["Cart.a: str"], ["Cart.a: int"], ["Cart.a has changed"], id="changed and not named"),
        pytest.param(["Order.delete: () -> X"], ["Order.delete: () -> Y"], [], id="changed and named"),
    ],
)
def test_the_guard_asks_for_an_entry_of_the_right_level(before: list[str], after: list[str], says: list[str]) -> None:
    """Additions under Added, the rest under Breaking, and in the section of the next release."""
    told = guard.unsaid(before, after, CHANGELOG)
    assert len(told) == len(says)
    for line, beginning in zip(told, says, strict=True):
        assert line.startswith(beginning)


def test_the_guard_sees_signatures() -> None:
    """A parameter more, an annotation, a property: each in the line of its name."""
    lines = dict(line.split(": ", 1) for line in guard.api(ROOT))
    assert lines["Order.refresh"].startswith("async (")
    assert "options: CallOptions | None = ..." in lines["Order.delete"]
    assert lines["models.Price.including_vat"].startswith("float | None")
    assert lines["NotFoundError"] == "class(RefusedError)"
    assert not [name for name in lines if "._" in name.replace(".__init__", "")]


def test_the_workflow_passes_its_linter() -> None:
    """Pinned actions, no expression in a script, no more rights than needed."""
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [str(zizmor), "--offline", "--no-progress", str(ROOT / ".github" / "workflows")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_s_scripts_are_scripts() -> None:
    """Bash reads each of them, and the files that they name are there."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "regenerate.yml").read_text(encoding="utf-8"))
    scripts = [step["run"] for step in workflow["jobs"]["regenerate"]["steps"] if "run" in step]
    assert len(scripts) == 2
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "scripts/regenerate.sh --from" in scripts[0]
    assert ".cache/regeneration-report/report.md" in scripts[1]

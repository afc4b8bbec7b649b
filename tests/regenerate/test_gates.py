"""The checks around a change: the public API against the changelog, and the workflow that brings a new description."""

import functools
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.scripts import loaded

ROOT = Path(__file__).parents[2]


guard = loaded("api/guard.py")
api = functools.cache(guard.api)

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


def test_the_changelog_names_all_changes_of_the_public_api(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The guard passes on this tree."""
    monkeypatch.setattr(guard, "api", api)
    assert guard.main([]) == 0, capsys.readouterr().err


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
def test_the_guard_demands_an_entry_of_the_right_level(before: list[str], after: list[str], says: list[str]) -> None:
    """Additions must be under Added and the rest under Breaking, in the section of the next release."""
    told = guard.unsaid(before, after, CHANGELOG)
    assert len(told) == len(says)
    for line, beginning in zip(told, says, strict=True):
        assert line.startswith(beginning)


def test_the_guard_notices_signatures() -> None:
    """Parameters, annotations and properties are in the line of their name."""
    lines = dict(line.split(": ", 1) for line in api(ROOT))
    assert lines["Order.refresh"].startswith("async (")
    assert "options: CallOptions | None = ..." in lines["Order.delete"]
    assert lines["models.Price.including_vat"].startswith("float | None")
    assert lines["NotFoundError"] == "class(RefusedError)"
    assert not [name for name in lines if "._" in name.replace(".__init__", "")]


def test_the_workflow_passes_its_linter() -> None:
    """The linter checks for pinned actions, no expression in a script, and no more rights than needed."""
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [str(zizmor), "--offline", "--no-progress", str(ROOT / ".github" / "workflows")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/regenerate.yml").read_text(encoding="utf-8"))


def scripts(job: str) -> list[str]:
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_the_workflow_s_scripts_are_scripts() -> None:
    """Bash parses each script."""
    written = [*scripts("regenerate"), *scripts("propose")]
    assert len(written) == 3
    for script in written:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "scripts/regenerate.sh --from" in written[0]
    assert ".cache/regeneration-report/report.md" in written[1]


def test_the_job_that_may_write_runs_nothing_of_the_repository_or_of_packages() -> None:
    """Packages run in the job that can't write. The job that may write uses only git, gh and actions pinned to a
    commit."""
    jobs = WORKFLOW["jobs"]
    assert WORKFLOW["permissions"] == {}
    assert jobs["regenerate"]["permissions"] == {"contents": "read"}
    assert jobs["propose"]["permissions"] == {"contents": "write", "pull-requests": "write"}
    (script,) = scripts("propose")
    assert not re.search(r"\b(python\d?|pip|bash|sh|eval|source|node|npm|make)\b|scripts/|\./", script)
    for step in [*jobs["regenerate"]["steps"], *jobs["propose"]["steps"]]:
        assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def link(place: Path, target: str) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a new package": (lambda tree: (tree / "generated/norce_order_api/api/x.py").write_text("x"), ""),
    "another description": (lambda tree: (tree / "openapi/order-management.v0.yaml").write_text("x"), ""),
    "a workflow": (lambda tree: (tree / ".github/workflows/more.yml").write_text("x"), "other files"),
    "a script": (lambda tree: (tree / "scripts/regenerate.sh").write_text("x"), "other files"),
    "a template": (lambda tree: (tree / "openapi/templates/client.py.jinja").write_text("x"), "other files"),
    "a name with a line break": (lambda tree: (tree / "generated/norce_order_api\nx").write_text("x"), "other files"),
    "a link": (lambda tree: link(tree / "generated/norce_order_api/errors.py", "/etc/passwd"), "plain files"),
    "a program": (lambda tree: (tree / "generated/norce_order_api/errors.py").chmod(0o755), "plain files"),
    "a file gone": (lambda tree: (tree / "generated/norce_order_api/errors.py").unlink(), ""),
    "a script gone": (lambda tree: (tree / "scripts/regenerate.sh").unlink(), "other files"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_files_of_a_regeneration_are_proposed(name: str, tmp_path: Path) -> None:
    """The job that may write checks the change of the other job, and pushes nothing else."""
    change, refusal = CHANGES[name]
    origin, tree, temp = tmp_path / "origin", tmp_path / "tree", tmp_path / "temp"
    for file in (".github/workflows/regenerate.yml", "scripts/regenerate.sh", "openapi/templates/client.py.jinja"):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text("old", encoding="utf-8")
    for file in ("openapi/order-management.v0.yaml", "generated/norce_order_api/api/a.py"):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text("old", encoding="utf-8")
    (tree / "generated/norce_order_api/errors.py").write_text("old", encoding="utf-8")
    git(tmp_path, "init", "--bare", str(origin))
    git(tree, "init")
    git(tree, "add", "--all")
    git(tree, "commit", "--message", "begun")
    (temp / "change").mkdir(parents=True)
    change(tree)
    git(tree, "add", "--all")
    (temp / "change/change.patch").write_text(git(tree, "diff", "--cached", "--binary"), encoding="utf-8")
    (temp / "change/body.md").write_text("what has changed", encoding="utf-8")
    git(tree, "reset", "--hard")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text('#!/bin/sh\necho "$@" >> "$RUNNER_TEMP/gh"\n', encoding="utf-8")
    (tmp_path / "bin/gh").chmod(0o755)

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts("propose")[0]],
        capture_output=True,
        text=True,
        check=False,
        cwd=tree,
        env={
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(temp),
            "REPOSITORY": "o/r",
            "BASE": "main",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/o/r.git",
        },
    )

    pushed = git(origin, "branch", "--list", "regenerate")
    if refusal:
        assert done.returncode == 1
        assert refusal in done.stderr
        assert not pushed
        assert not (temp / "gh").exists()
    else:
        assert done.returncode == 0, done.stderr
        assert pushed
        assert "pr create --head regenerate --base main" in (temp / "gh").read_text(encoding="utf-8")


def test_the_generator_is_installed_by_hashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every package of requirements.txt has its hashes, and a package whose hash differs is not installed."""
    environment: Any = importlib.import_module("regenerate.environment")
    pinned = environment.REQUIREMENTS.read_text(encoding="utf-8")
    lines = pinned.replace("\\\n", "").splitlines()
    assert len(lines) > 30
    for line in lines:
        by_hash = re.match(r"[\w.-]+==\S+ (; \S+ == '\w+' )?\s*--hash=sha256:[0-9a-f]{64}", line)
        assert line.startswith("#") or by_hash, line
    assert "://" not in pinned

    (six,) = [line.split()[0] for line in lines if line.startswith("six==")]
    other = tmp_path / "requirements.txt"
    other.write_text(f"{six} --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    monkeypatch.setattr(environment, "REQUIREMENTS", other)
    with pytest.raises(subprocess.CalledProcessError, match="--require-hashes"):
        environment.ensure(tmp_path / "environments")
    assert [*(tmp_path / "environments").iterdir()] == []

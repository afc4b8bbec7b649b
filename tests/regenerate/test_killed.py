"""The regeneration, killed after each of its steps: the files are the old or the new ones, never a mixture, and the
next run does its work."""

from pathlib import Path

import pytest

from tests.regenerate import running

pytestmark = pytest.mark.slow(group="regeneration")

# This program kills its own process when the named function has been called so many times.
KILLED = f"""{running.GENERATING_HERE}
import importlib, os, signal, sys
from regenerate import __main__ as command
from regenerate.layout import Layout

root, where, name, times = sys.argv[1:5]
module = command if where == "command" else importlib.import_module(where)
real, calls = getattr(module, name), []

def dying(*arguments, **options):
    answer = real(*arguments, **options)
    calls.append(1)
    if len(calls) == int(times):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

setattr(module, name, dying)
sys.exit(command.main(sys.argv[5:], Layout(Path(root))))
"""

BEFORE = [
    ("command", "obtain", 1),
    ("regenerate.document", "read", 1),
    ("regenerate.document", "validate", 1),
    ("regenerate.overlay", "apply", 1),
    ("regenerate.document", "validate", 2),
    ("regenerate.generate", "_run", 1),
    ("regenerate.generate", "_run", 3),
    ("command", "generate", 1),
    ("command", "stamp", 1),
    ("regenerate.review", "review", 1),
    ("regenerate.review", "compare", 1),
    ("regenerate.review", "write", 1),
    ("command", "differences", 1),
    ("command", "_description_moves", 1),
]
MOVING = [("regenerate.swap", "_move", number) for number in (1, 2, 3)]
QUICK = {"obtain", "apply", "_description_moves"}


def run(tree: Path, *arguments: str, program: str | None = None) -> int:
    if program:
        return running.in_its_environment(program, str(tree), *arguments).returncode
    return running.regenerated(tree, *arguments).returncode


def contents(tree: Path) -> dict[str, bytes]:
    files = (path for folder in ("openapi", "generated") for path in (tree / folder).rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def tree(tree: Path) -> Path:
    """Put another description beside the small repository."""
    text = (tree / "openapi/order-management.v0.yaml").read_text(encoding="utf-8")
    (tree / "new.yaml").write_text(text.replace("title: Norce", "title: New Norce", 1), encoding="utf-8")
    return tree


@pytest.mark.parametrize(
    ("where", "name", "times"),
    [
        pytest.param(*step, id=f"{step[1]} {step[2]}", marks=() if step[1] in QUICK else pytest.mark.soak)
        for step in BEFORE
    ],
)
def test_a_kill_before_the_swap_changes_nothing(tree: Path, where: str, name: str, times: int) -> None:
    before = contents(tree)
    assert run(tree, where, name, str(times), "--from", str(tree / "new.yaml"), program=KILLED) == -9
    assert contents(tree) == before


@pytest.mark.parametrize(
    ("where", "name", "times"),
    [pytest.param(*step, id=f"{step[1]} {step[2]}", marks=() if step[2] == 2 else pytest.mark.soak) for step in MOVING],
)
def test_a_kill_during_the_swap_is_finished_by_the_next_run(tree: Path, where: str, name: str, times: int) -> None:
    """The next run replaces package, description and provenance together before it does anything else."""
    begun = run(tree, where, name, str(times), "--from", str(tree / "new.yaml"), program=KILLED)
    assert begun == -9
    assert run(tree, "--check") == 0
    after = contents(tree)
    assert after["openapi/order-management.v0.yaml"] == (tree / "new.yaml").read_bytes()
    assert b"new.yaml" in after["openapi/PROVENANCE.md"]
    assert b"New Norce" in after["generated/norce_order_api/openapi.json"]
    assert not (tree / ".cache" / "regenerate").exists()

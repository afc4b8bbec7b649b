"""What the guard of the public API holds: what users import, and what they meet without importing it."""

from __future__ import annotations

import ast
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripts import loaded

ROOT = Path(__file__).parents[2]
SOURCE = Path("src", "norce_order_async")
guard = loaded("api/guard.py")


@cache
def lines() -> frozenset[str]:
    """Of the repository as it is."""
    return frozenset(guard.api(ROOT))


@cache
def guarded() -> frozenset[str]:
    return frozenset(line.split(": ", 1)[0] for line in lines())


RENAMED = [
    pytest.param(
        "orders/parts/entries.py",
        r"async def create\(\s*self, entry: R",
        "entry",
        "PaymentsPart.create",
        id="a part",
    ),
    pytest.param("orders/creation.py", r"    cart: Cart \| CartDict", "cart", "NewOrder.cart", id="a keyword of many"),
    pytest.param("bulk/actions/builtin.py", r"def transition\(to:", "to", "bulk.actions.transition", id="an action"),
    pytest.param("bulk/journal/inspect.py", r"def read_journal\(path:", "path", "bulk.read_journal", id="a journal"),
    pytest.param("bulk/job.py", r"def run\(\s*self,\s*source:", "source", "Job.run", id="a job"),
    pytest.param("bulk/run.py", r"def stop\(self", "self", "", id="nothing of a caller's"),
]


@pytest.mark.parametrize(("file", "where", "parameter", "name"), RENAMED)
def test_a_parameter_that_is_renamed_is_seen(file: str, where: str, parameter: str, name: str, tmp_path: Path) -> None:
    """Also of what users never import: the class of ``order.payments`` is met by its name in the handle."""
    shutil.copytree(ROOT / SOURCE, tmp_path / SOURCE)
    shutil.copytree(ROOT / "generated", tmp_path / "generated")
    text = (tmp_path / SOURCE / file).read_text(encoding="utf-8")
    found = re.search(where, text)
    assert found
    changed = re.sub(rf"\b{parameter}\b(?=:?)", "renamed", found[0])
    (tmp_path / SOURCE / file).write_text(text.replace(found[0], changed, 1), encoding="utf-8")
    differ = lines() ^ set(guard.api(tmp_path))
    assert any(line.startswith(f"{name}: ") for line in differ) if name else not differ


def imports() -> list[Any]:
    found: list[Any] = []
    for page in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "examples").rglob("*.md")),
    ]:
        code = re.findall(r"^```python[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        found += [
            pytest.param(one, id=f"{page.name}-{number}")
            for number, one in enumerate(code)
            if "norce_order_async" in one
        ]
    return [
        *found,
        *(
            pytest.param(program.read_text(encoding="utf-8"), id=str(program.relative_to(ROOT)))
            for program in sorted((ROOT / "examples").rglob("*.py"))
        ),
    ]


@pytest.mark.parametrize("code", imports())
def test_what_pages_and_examples_import_is_guarded(code: str) -> None:
    for node in ast.walk(ast.parse(re.sub(r"^(>>>|\.\.\.) ?", "", code, flags=re.MULTILINE))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "norce_order_async":
            home = (node.module or "").removeprefix("norce_order_async").lstrip(".")
            for one in node.names:
                name = f"{home}.{one.name}" if home else one.name
                assert name in guarded() or name in guard.MODULES, f"{name} is shown to readers and not guarded"
        elif isinstance(node, ast.Import):
            for one in node.names:
                home = one.name.removeprefix("norce_order_async").lstrip(".")
                assert not one.name.startswith("norce_order_async.") or home in guard.MODULES, one.name

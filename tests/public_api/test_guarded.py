"""What the guard of the public API covers: names that users import, and classes that they get without importing
them."""

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
    """Return the guard's lines of the repository."""
    return frozenset(guard.api(ROOT))


@cache
def guarded() -> frozenset[str]:
    return frozenset(line.split(": ", 1)[0] for line in lines())


RENAMED = [
    ("orders/parts/entries.py", r"async def create\(\s*self, entry: R", "entry", "PaymentsPart.create"),
    ("orders/creation.py", r"    cart: Cart \| CartDict", "cart", "NewOrder.cart"),
    ("bulk/actions/builtin.py", r"def transition\(to:", "to", "bulk.actions.transition"),
    ("bulk/journal/inspect.py", r"def read_journal\(path:", "path", "bulk.read_journal"),
    ("bulk/job.py", r"def run\(\s*self,\s*source:", "source", "Job.run"),
    ("bulk/run.py", r"def stop\(self", "self", ""),
]
"""File, place, parameter, and the name in the guard, which is missing if callers never name the parameter."""


@pytest.fixture(scope="module")
def differ(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Return the guard's lines that differ after all of these renamings at once, because reading the package takes
    long."""
    tree = tmp_path_factory.mktemp("renamed")
    shutil.copytree(ROOT / SOURCE, tree / SOURCE)
    shutil.copytree(ROOT / "generated", tree / "generated")
    for file, where, parameter, _ in RENAMED:
        path = tree / SOURCE / file
        text = path.read_text(encoding="utf-8")
        found = re.search(where, text)
        assert found, file
        changed = re.sub(rf"\b{parameter}\b(?=:?)", "renamed", found[0])
        assert changed != found[0], file
        path.write_text(text.replace(found[0], changed, 1), encoding="utf-8")
    return lines() ^ set(guard.api(tree))


@pytest.mark.parametrize("name", [name for *_, name in RENAMED if name])
def test_a_renamed_parameter_is_noticed(name: str, differ: frozenset[str]) -> None:
    """The guard also notices parameters of classes that users never import, such as that of ``order.payments``."""
    assert any(line.startswith(f"{name}: ") for line in differ)


def test_a_parameter_that_callers_never_name_may_be_renamed(differ: frozenset[str]) -> None:
    """Renaming ``self`` makes no difference. Only the other renamings, what inherits from one, and a new keyword do."""
    seen = {line.split(": ", 1)[0] for line in differ}
    assert seen == {name for *_, name in RENAMED if name} | {"ShippingsPart.create", "NewOrder.renamed"}


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

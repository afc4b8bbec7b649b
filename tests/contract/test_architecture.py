"""Rules for the package as a whole: no modules import each other in a circle, and no folder is too full.

`lint-imports` checks by the contracts in `pyproject.toml` that imports go down from layer to layer.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "norce_order_async"

MOST_FILES = 20
"""Python files side by side in one folder."""


def circle_in(imports: Mapping[str, Collection[str]]) -> list[str]:
    """Return a circle of modules, each imported by the next one; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def full_folders(files: Collection[Path]) -> dict[Path, int]:
    """Return the folders that hold too many files side by side, with their number."""
    return {folder: count for folder, count in Counter(file.parent for file in files).items() if count > MOST_FILES}


@pytest.fixture(scope="module")
def imports() -> Mapping[str, Collection[str]]:
    """Return the imports of each module within the package, also those inside functions or for type checkers only."""
    graph = grimp.build_graph("norce_order_async", exclude_type_checking_imports=False, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_modules_import_each_other_in_a_circle(imports: Mapping[str, Collection[str]]) -> None:
    assert circle_in(imports) == []


def test_imports_of_type_checkers_and_of_functions_count(imports: Mapping[str, Collection[str]]) -> None:
    """No such import is hidden from this check or from lint-imports."""
    assert "norce_order_async.pipeline.core" in imports["norce_order_async.raw"]  # under TYPE_CHECKING
    assert "norce_order_async.engines.aiohttp" in imports["norce_order_async.engines.select"]  # in a function
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert not settings.get("exclude_type_checking_imports", False)


def test_the_generated_package_is_named_in_two_files_only() -> None:
    """Calls of it are named in `_api.py`, and its models in `models.py`. The sandbox reads the description as data, and
    the hooks of PyInstaller list what belongs into a program. lint-imports finds imports, and this test also finds
    names in texts."""
    naming = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if "norce_order_api" in file.read_text(encoding="utf-8")
    }
    assert {name for name in naming if not name.startswith("_pyinstaller/")} == {
        "_api.py",
        "models.py",
        "sandbox/schema.py",
    }


def test_a_circle_would_be_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}


@pytest.mark.parametrize("top", [PACKAGE, ROOT / "tests"], ids=["the package", "its tests"])
def test_no_folder_is_too_full(top: Path) -> None:
    files = list(top.rglob("*.py"))
    assert len(files) > 100
    assert full_folders(files) == {}


def test_a_full_folder_would_be_found() -> None:
    files = [Path("few", f"{number}.py") for number in range(MOST_FILES)]
    assert full_folders(files) == {}
    many = [Path("many", f"{number}.py") for number in range(MOST_FILES + 1)]
    assert full_folders([*files, *many]) == {Path("many"): MOST_FILES + 1}


def test_the_page_names_existing_files_and_all_folders() -> None:
    """Each file and folder that `docs/architecture.md` names exists, and it names each folder of the package."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+(?:\.py|\.sh|/))`", page))
    tables = page.split("## Layers")[0]
    assert len(named) > 30
    # The text names a file of the row's folder without the folder.
    places = [ROOT, PACKAGE, *(PACKAGE / folder for folder in re.findall(r"`([\w/]+/)`", tables)), ROOT / "scripts"]
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()
    folders = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.glob("*/__init__.py")}
    assert {folder for folder in folders if not folder.startswith("_")} <= named

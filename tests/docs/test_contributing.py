"""The recipes for contributors name existing files and tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
RECIPES = TEXT.partition("## Recipes")[2].partition("\n## ")[0]
IN_QUOTES = re.findall(r"`([^`\n]+)`", RECIPES)

PATHS = [
    word.split()[0]
    for word in (quoted.removeprefix("python ").removeprefix("pytest ") for quoted in IN_QUOTES)
    if re.match(r"(api|benchmarks|docs|examples|generated|openapi|scripts|src|tests)/", word)
]


def test_every_file_that_a_recipe_names_exists() -> None:
    assert len(PATHS) > 10
    assert [path for path in PATHS if not (ROOT / path).exists()] == []


def test_every_test_that_a_recipe_names_exists() -> None:
    """A recipe names the test that fails if a step is left out."""
    named = {word for word in IN_QUOTES if re.fullmatch(r"test_\w+", word)}
    defined = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert named
    assert named - defined == set()


def test_every_module_that_a_recipe_runs_exists() -> None:
    modules = [word.removeprefix("python -m ") for word in IN_QUOTES if word.startswith("python -m ")]
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []

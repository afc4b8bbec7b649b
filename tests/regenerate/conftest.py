"""Fixtures of the tests of the regeneration."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.regenerate import miniature, running


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the small repository, regenerated once."""
    folder = tmp_path_factory.mktemp("small")
    miniature.write(folder)
    done = running.regenerated(folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def tree(made: Path, tmp_path: Path) -> Path:
    """Copy the small repository, with settings above generated/ that would change every line if they had an effect."""
    tree = tmp_path / "with space" / "repo"
    shutil.copytree(made, tree, ignore=shutil.ignore_patterns(".cache"))
    (tree / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n", encoding="utf-8")
    return tree

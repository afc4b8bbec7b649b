"""No page says that the package is on a package index, and every extra that is named exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from .shell import ROOT, commands

TOLD = [
    path
    for folder in ("docs", "examples", "src", "scripts", "benchmarks", ".github")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".md", ".py", ".toml", ".sh", ".yml"}
] + [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "noxfile.py", ROOT / "pyproject.toml"]

FROM_AN_INDEX = re.compile(
    r"\b(?:pip|pipx|uv|uvx|poetry|pdm)\b[^\n]*\b(?:install|add|run|tool)\b[^\n`]*?[\s'\"]norce-order-async\b"
)
WITH_AN_EXTRA = re.compile(r"norce-order-async with \[([\w,-]+)\]")
OF_AN_ENGINE = re.compile(r'\bNamedEngine\([^\n]*\bextra="(\w+)"')
"""In the table of the engines, which the error uses."""
EXTRAS = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def test_nothing_is_installed_from_an_index() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TOLD
        for match in FROM_AN_INDEX.finditer(path.read_text("utf-8"))
    }
    assert not found


def test_a_line_that_installs_from_an_index_would_be_found() -> None:
    """The check finds the line in each form."""
    for line in (
        "pip install norce-order-async",
        "pip install 'norce-order-async[fast]'",
        'needs click: pip install "norce-order-async[cli]"',
        "uv add norce-order-async",
        "python -m pip install --upgrade norce-order-async[fast]",
    ):
        assert FROM_AN_INDEX.search(line), line
    assert not FROM_AN_INDEX.search("needs the extra 'cli': install norce-order-async with [cli]")


def test_every_extra_that_is_named_exists() -> None:
    """Errors name only extras that exist, and the table of the README has them all."""
    named = [
        extra
        for path in TOLD
        for form in (WITH_AN_EXTRA, OF_AN_ENGINE)
        for match in form.finditer(path.read_text("utf-8"))
        for extra in match[1].split(",")
    ]
    assert len(named) >= 6
    assert set(named) <= EXTRAS.keys()
    readme = ROOT.joinpath("README.md").read_text("utf-8")
    table = readme.partition("| extra | adds |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(EXTRAS)


def test_the_readme_installs_from_the_checkout() -> None:
    """The path is the checkout's, and the extras are those that its next command needs."""
    (line,) = [command for command in commands(ROOT.joinpath("README.md").read_text("utf-8")) if command[0] == "pip"]
    assert line == ["pip", "install", ".[sandbox,cli]"]
    assert Path(ROOT, "pyproject.toml").is_file()

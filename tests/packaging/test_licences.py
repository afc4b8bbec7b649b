"""The list of licences: which ones are allowed, and that all run-time packages have allowed ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripts import loaded

ROOT = Path(__file__).parents[2]


licences = loaded("scripts/licences.py")


@pytest.mark.parametrize(
    ("expression", "agreed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", False),
        ("AGPL-3.0-only AND (MIT OR Apache-2.0)", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("MIT MIT", False),
        ("(MIT", False),
        ("MIT AND", False),
        ("not said", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_if_all_binding_parts_are(expression: str, agreed: bool) -> None:
    """An AND needs both sides and an OR needs one. An unreadable expression is not allowed."""
    assert licences.is_agreed(expression) is agreed


def package(folder: Path, name: str, *lines: str) -> None:
    info = folder / "lib" / "python3.11" / "site-packages" / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    told = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines])
    (info / "METADATA").write_text(told + "\n", encoding="utf-8")


def test_an_environment_is_listed_and_one_unknown_licence_fails(tmp_path: Path) -> None:
    """A licence is read from an expression, a classifier or free text. A package without a licence is not allowed."""
    package(tmp_path, "one", "License-Expression: MIT")
    package(tmp_path, "two", "Classifier: License :: OSI Approved :: BSD License")
    package(tmp_path, "three", "License: Apache 2.0")
    command = [sys.executable, str(ROOT / "scripts" / "licences.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["one 1.0: MIT", "three 1.0: Apache-2.0", "two 1.0: BSD-3-Clause"]

    package(tmp_path, "four")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "! four 1.0: not said" in done.stdout
    assert done.stderr == "licences that were not agreed to: four\n"


def test_a_licence_that_demands_more_is_allowed_for_one_package(tmp_path: Path) -> None:
    """No other package may have it, and that package may have no other such licence."""
    command = [sys.executable, str(ROOT / "scripts" / "licences.py"), str(tmp_path)]
    package(tmp_path, "psycopg", "License-Expression: LGPL-3.0-only")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    package(tmp_path, "another", "License-Expression: LGPL-3.0-only")
    package(tmp_path, "psycopg_binary", "License-Expression: GPL-3.0-only")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == "licences that were not agreed to: another, psycopg-binary\n"


def test_all_run_time_licences_are_allowed() -> None:
    """The check covers this environment, which also has everything that tests need."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "licences.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("httpx ") for line in done.stdout.splitlines())


def test_the_files_of_others_are_those_that_are_listed(tmp_path: Path) -> None:
    """Each script that pages load is our own, or is listed and unchanged."""
    report, notes = licences.VENDORED
    assert [(name, said) for one in (report, notes) for name, _, said in licences.shipped(one)] == [
        ("uplot (uplot.min.js)", "MIT"),
        ("uplot (uplot.min.css)", "MIT"),
        ("htmx.org (htmx.min.js)", "0BSD"),
        ("htmx-ext-sse (sse.min.js)", "0BSD"),
    ]
    assert {path.name for path in report.parent.glob("*.js")} == {"uplot.min.js", "report.js"}
    assert {path.name for path in notes.parent.glob("*.js")} == {"htmx.min.js", "sse.min.js", "inspector.js"}
    for file in notes.parent.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "htmx.min.js").write_text("other")
    changed = list(licences.shipped(tmp_path / notes.name))
    assert not licences.is_agreed(changed[0][2])
    assert licences.is_agreed(changed[1][2])

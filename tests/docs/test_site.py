"""The documentation site without Sphinx: its tables agree with the code, and every page and every public name has its
place.

The site itself is built by ``nox -s docs``, where each warning is a failure.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from norce_order_async.pipeline.operations import OPERATIONS

from .shell import ROOT

tables: Any = importlib.import_module("reference.tables")
inventories: Any = importlib.import_module("reference.inventories")
DOCS = ROOT / "docs"
INDEX = DOCS.joinpath("index.md").read_text("utf-8")
BETWEEN_OUR_PROCESSES = "NORCE_ADAPTER_DEV_"


@pytest.mark.parametrize("page", tables.pages())
def test_its_tables_are_what_the_code_says(page: str) -> None:
    text = DOCS.joinpath(f"{page}.md").read_text("utf-8")
    assert tables.with_tables(page, text) == text, "run: PYTHONPATH=scripts python -m reference"


def test_a_table_that_lost_its_markers_is_noticed() -> None:
    with pytest.raises(LookupError, match="kinds"):
        tables.with_tables("operations", "<!-- operations -->\n<!-- end -->\n")


def test_every_operation_has_a_row() -> None:
    rows = re.findall(
        r"^\| `(?:norce|order)\.[\w.]+`<br>(\w+) \|", DOCS.joinpath("operations.md").read_text("utf-8"), re.MULTILINE
    )
    assert rows == [operation.id for operation in OPERATIONS]


def test_every_variable_that_is_read_has_a_row() -> None:
    """Every name in the package that begins with NORCE_ has a row, except those between our own processes."""
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    found = set(re.findall(r"\bNORCE_[A-Z_]*[A-Z]\b", source))
    named = {name for name in found if not name.startswith(BETWEEN_OUR_PROCESSES)}
    page = DOCS.joinpath("settings.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", page, re.MULTILINE)
    assert named == {one for row in rows for one in re.findall(r"`(\w+)`", row) if one.startswith("NORCE_")}


def test_every_page_is_in_the_sidebar_once() -> None:
    """The first page lists every page once."""
    listed = [(DOCS / target).resolve() for target in re.findall(r"^- \[.+?\]\((.+?)\)", INDEX, re.MULTILINE)]
    assert len(listed) == len(set(listed))
    there = {path for path in DOCS.glob("*.md") if path.name != "index.md"} | set(DOCS.glob("notebooks/*.ipynb"))
    assert there == {path for path in listed if path.is_relative_to(DOCS)}
    assert all(path.is_file() for path in listed)


@pytest.mark.parametrize("full", [full for full in inventories.uris() if not full.startswith("opentelemetry.")])
def test_links_to_names_of_others_lead_somewhere(full: str) -> None:
    """The name can be imported, which is all that can be checked without a network."""
    module, _, name = full.rpartition(".")
    assert hasattr(importlib.import_module(module), name)


def test_the_address_of_a_name_of_others() -> None:
    assert inventories.uris()["datetime.datetime"] == (
        "https://docs.python.org/3/library/datetime.html#datetime.datetime"
    )


def test_every_public_name_has_a_page_of_the_reference() -> None:
    """A new folder of the package needs a page in ``scripts/reference/api.py``."""
    found: dict[str, list[Any]] = importlib.import_module("reference.api").entries()
    assert all(found.values()), "a page without names"
    names: list[str] = [entry.name for page in found.values() for entry in page]
    assert {"NorceOrderClient", "PaymentsPart", "CartDict", "OMIT", "DraftOrder"} <= set(names)


def test_pages_of_the_reference_are_not_committed() -> None:
    """Git ignores the pages of the reference, because they are made when the site is built."""
    assert "docs/api/" in Path(ROOT, ".gitignore").read_text("utf-8").splitlines()

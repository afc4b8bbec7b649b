"""The pages about one task each: their code runs in a shell as a reader pastes it, from the first block to the last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .shell import blocks, paste

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("orders", "payments", "transitions", "finding", "callbacks", "raw", "jobs", "load")


@pytest.mark.parametrize("page", PAGES)
def test_its_code_runs(page: str, tmp_path: Path) -> None:
    """Each block after the one before it; the page makes all that it uses, and nothing on it is not run."""
    found = blocks(DOCS.joinpath(f"{page}.md").read_text("utf-8"))
    assert found
    assert {language for language, _ in found} == {"python"}
    paste([code for _, code in found], tmp_path)
    if page == "jobs":
        assert len(list(tmp_path.rglob("orders.csv"))) == 1, "the export that the page makes"
    if page == "load":
        assert sum(code.count("norce.bulk(") for _, code in found) == 3


@pytest.mark.parametrize(
    "typed",
    [
        "absent\n",
        "if True:\n    pass\nprint()\n",
        "class Two:\n    one = 1\n\n    two = 2\n",
        "assert False\n",
        "import warnings\nwarnings.warn('old')\n",
    ],
)
def test_what_does_not_run_is_seen(typed: str, tmp_path: Path) -> None:
    """A missing name, a blank line too few or too many, an assertion, a warning: even with good code after it."""
    with pytest.raises(AssertionError):
        paste([typed, "print()\n"], tmp_path)


def test_the_published_edges_are_those_of_the_table() -> None:
    """In words as in data."""
    from norce_order_async.orders.lifecycle import EDGES

    text = " ".join(DOCS.joinpath("transitions.md").read_text("utf-8").split())
    (told,) = re.findall(r"Published are (.*?)[.] ", text)
    assert set(re.findall(r"(\w+) → (\w+)", told)) == {
        (origin, target) for origin, edges in EDGES.items() for target, sure in edges.items() if sure == "published"
    }

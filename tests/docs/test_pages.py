"""The code of every page runs in a shell as a reader pastes it, from the first block to the last.

A page's programs for files are run by the tests of that page. ``NOT_PASTED`` has the reason for each page with nothing
to paste.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .shell import ROOT, blocks, pages, paste, pasted

NOT_PASTED = {
    "architecture": "no code",
    "command-line": "commands, run by tests/cli/test_page.py",
    "curl": "commands, run by tests/sandbox/test_curl_walk.py",
    "errors": "no code; its table is held by test_site.py",
    "index": "no code; its list is held by test_site.py",
    "machines": "commands for Docker; they are held by tests/docs/test_spread.py",
    "operations": "no code; its tables are held by test_site.py",
    "performance": "commands that take an hour; its figures are held by tests/benchmarks/test_showing.py",
    "regenerate": "commands, run by tests/regenerate; a pipeline of GitLab's, and a report",
    "reference": "no code; the site has it from the docstrings",
    "reliability": "no code; its numbers are held by test_reliability_numbers.py",
    "security": "no code; it counts the attacks of tests/security",
    "settings": "no code; its tables are held by test_site.py",
    "spread": "its code needs a database, and is run by tests/docs/test_spread.py",
    "testing": "files of tests, run by tests/testing/test_page.py",
    "uncertain": "no code; its rules, readings and names are held by test_uncertain.py",
    "upgrading": "no code; its cures are held by test_opt_outs.py",
    "versions": "no code; what a release is made of is held by tests/packaging/test_release.py",
}

DOCS = ROOT / "docs"


def test_no_page_is_left_out() -> None:
    """A page has code for a shell, or a reason why it has none."""
    everything = {path.stem: path.read_text("utf-8") for path in [ROOT / "README.md", *DOCS.glob("*.md")]}
    assert everything.keys() == pages().keys() | NOT_PASTED.keys()
    assert not pages().keys() & NOT_PASTED.keys()
    for name in NOT_PASTED.keys() - {"spread", "testing", "regenerate"}:
        assert "python" not in {language for language, _ in blocks(everything[name])}


@pytest.mark.parametrize("page", pages())
def test_its_code_runs(page: str, tmp_path: Path) -> None:
    """Each block runs after the one before it, and the page makes everything that it uses."""
    codes = pasted(pages()[page])
    told = paste(codes, tmp_path)
    if page == "jobs":
        assert len(list(tmp_path.rglob("orders.csv"))) == 1, "the export that the page makes"
    if page == "load":
        assert sum(code.count("norce.bulk(") for code in codes) == 3
    if page == "adapter":
        assert "out-of-stock (handler)" in told
        assert re.search(r"\bexported 125\.0\n(>>> )?1 1\n", told)
    if page == "adapter-hooks":
        assert re.search(r"\[\{'id': 'p1', 'amount': 125.0, 'reference': 'erp-p1'\}\]", told)
        assert "{'parcels': 1, 'checked': None}" in told
        assert "400 adapter-error" in told
    if page == "sandbox-callbacks":
        assert re.search(r"order-validation\n", told)
        assert re.search(r"\['/hook', '/hook', '/export/o\w+'\]", told)


@pytest.mark.parametrize("page", [*DOCS.glob("*.md"), *ROOT.glob("examples/**/README.md")], ids=lambda page: page.stem)
def test_its_links_lead_somewhere(page: Path) -> None:
    """Links lead to files of the checkout and to headings in them."""
    for target, _, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(#?)([^)\s]*)\)", page.read_text("utf-8")):
        found = page.parent / target if target else page
        assert found.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", found.read_text("utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, heading


@pytest.mark.parametrize("page", pages())
def test_it_leaves_nothing_open(page: str) -> None:
    """A page stops what it starts, so that a reader's shell can end."""
    code = "\n".join(pasted(pages()[page]))
    assert code.count(".start()") == code.count("sandbox.stop()")
    assert len(re.findall(r"= CallbackReceiver\(\)", code)) == len(
        re.findall(r"(?:provider|receiver|identity)\.close\(\)", code)
    )


OLD_SHELL = pytest.mark.skipif(sys.version_info >= (3, 13), reason="an empty line is no end in the shell of 3.13")


@pytest.mark.parametrize(
    "typed",
    [
        "absent\n",
        pytest.param("if True:\n    pass\nprint()\n", marks=OLD_SHELL),
        pytest.param("class Two:\n    one = 1\n\n    two = 2\n", marks=OLD_SHELL),
        "assert False\n",
        "import warnings\nwarnings.warn('old')\n",
    ],
)
def test_code_that_does_not_run_is_found(typed: str, tmp_path: Path) -> None:
    """A missing name, a blank line too few or too many, an assertion and a warning are found, even with good code after
    them."""
    with pytest.raises(AssertionError):
        paste([typed, "print()\n"], tmp_path)


def test_the_published_edges_are_those_of_the_table() -> None:
    """The page lists in words the changes of status that the table calls published."""
    from norce_order_async.orders.lifecycle import EDGES

    text = " ".join(DOCS.joinpath("transitions.md").read_text("utf-8").split())
    (published,) = re.findall(r"Three changes are published: (.*?)[.] ", text)
    assert set(re.findall(r"(\w+) → (\w+)", published)) == {
        (origin, target) for origin, edges in EDGES.items() for target, sure in edges.items() if sure == "published"
    }

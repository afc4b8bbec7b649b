"""The report about a changed description, the places left to change by hand, and whether the generated code can be
used."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.regenerate import hostile, running
from tests.support.turns import examples

pytestmark = pytest.mark.slow(group="regeneration")

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "descriptions"
CHANGES: list[dict[str, Any]] = yaml.safe_load((DATA / "changes.yaml").read_text(encoding="utf-8"))
EVERY_CHANGE = [pytest.param(change, id=change["name"]) for change in CHANGES]
# These are generated in every run, and the others in a soak.
ALWAYS = {"nullable in OpenAPI 3.1"}


def changing(*arguments: str) -> str:
    code = f"import runpy; runpy.run_path({str(Path(__file__).with_name('changing.py'))!r}, run_name='__main__')"
    done = running.in_its_environment(code, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    """Return the result of the comparison and the facade check for every change, by its name."""
    told: dict[str, Any] = json.loads(changing(str(ROOT), "reports"))
    return told


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with every changed description as JSON."""
    folder = tmp_path_factory.mktemp("changed")
    changing(str(ROOT), "make", str(folder))
    return folder


@pytest.fixture(scope="module")
def types_seen() -> Path:
    """Return mypy's cache, so that the libraries are read once and not in every run."""
    return ROOT / ".mypy_cache" / "of-generated-code"


@pytest.mark.parametrize("change", EVERY_CHANGE)
def test_a_change_is_classed_and_its_places_are_named(change: dict[str, Any], reports: dict[str, Any]) -> None:
    """The report has kind, subject and level of each change, the advice that follows, and the work left to people."""
    told = reports[change["name"]]
    assert told["changes"] == change["changes"]
    assert told["places"] == change["places"]
    assert told["advice"] == change["advice"]


def regenerated(tree: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Run the whole command on a copy of the repository."""
    for folder in ("openapi", "scripts", "generated", "src", "tests", "docs"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return running.regenerated(tree, "--from", str(source))


IMPORT_ALL = """
import importlib, pkgutil, norce_order_api
for found in pkgutil.walk_packages(norce_order_api.__path__, "norce_order_api."):
    importlib.import_module(found.name)
from norce_order_api import models
for name in models.__all__:
    getattr(models, name)
"""


def assert_usable(tree: Path, cache: Path) -> None:
    """Check that the generated package imports as a whole, and is clean under mypy --strict."""
    generated = {**os.environ, "PYTHONPATH": str(tree / "generated"), "MYPYPATH": str(tree / "generated")}
    subprocess.run([sys.executable, "-c", IMPORT_ALL], check=True, env=generated)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(cache)),
            str(tree / "generated" / "norce_order_api"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tree,
        env=generated,
    )
    assert done.returncode == 0, done.stdout


def contents(*folders: Path) -> dict[str, bytes]:
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path.as_posix(): path.read_bytes() for path in files if "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=change["name"], marks=() if change["name"] in ALWAYS else pytest.mark.soak)
        for change in CHANGES
    ],
)
def test_the_whole_command_on_a_change(change: dict[str, Any], changed: Path, types_seen: Path, tmp_path: Path) -> None:
    """Report and exit status are right, the generated code can be used, and the repository is not changed."""
    before = contents(ROOT / "openapi", ROOT / "generated")
    source = changed / f"{change['name']}.json"
    done = regenerated(tmp_path, source)
    assert done.returncode == (2 if change["places"] else 0), done.stderr
    told = json.loads((tmp_path / ".cache/regeneration-report/report.json").read_text(encoding="utf-8"))
    assert [[one["kind"], one["subject"], one["level"]] for one in told["changes"]] == change["changes"]
    assert [one["name"] for one in told["places"]] == change["places"]
    assert told["advice"] == change["advice"]
    for place in told["places"]:
        file, _, line = place["where"].rpartition(":")
        assert 1 <= int(line) <= len((tmp_path / file).read_text(encoding="utf-8").splitlines())
        assert place["where"] in done.stderr
    assert (tmp_path / "openapi/order-management.v0.yaml").read_bytes() == source.read_bytes()
    assert_usable(tmp_path, types_seen)
    assert contents(ROOT / "openapi", ROOT / "generated") == before


# An ordinary run has the whole command on another change, above.
@pytest.mark.soak
def test_version_1_is_reported_on_one_page(types_seen: Path, tmp_path: Path) -> None:
    """The report on the API's version 1 says what would break and where, and the generated code type-checks."""
    done = regenerated(tmp_path, DATA / "v1.yaml")
    assert done.returncode == 2, done.stderr
    folder = tmp_path / ".cache" / "regeneration-report"
    told = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert told["advice"] == "major"
    assert told["version"]["after"] == "1.0 (OpenAPI 3.0.3)"
    kinds = {(one["kind"], one["subject"], one["level"]) for one in told["changes"]}
    assert kinds >= {
        ("path-changed", "operation CreateCheckoutOrder", "note"),
        ("type-changed", "operation CreateCheckoutOrder", "breaking"),
        ("parameter-removed", "operation GetCheckoutOrders", "breaking"),
        ("schema-removed", "schema Callback", "breaking"),
        ("schema-added", "schema Validation", "addition"),
        ("read-only", "schema Consent", "breaking"),
        ("member-removed", "schema Item", "breaking"),
        ("answer-removed", "operation CreateCheckoutOrder", "note"),
    }
    places = {one["name"] for one in told["places"]}
    assert places >= {
        "correction-without-target",
        "parameter-vanished",
        "header-not-described",
        "model-vanished",
        "natural-key-vanished",
    }
    search = next(one for one in told["changes"] if one["kind"] == "parameter-removed" and "search" in one["text"])
    assert any(method.endswith(" OrderCollection.list") for method in search["touches"]["methods"])
    assert search["touches"]["handlers"] == ["src/norce_order_async/sandbox/service/handlers/listing.py page"]
    assert "docs/finding.md" in search["touches"]["pages"]
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert "**Advice for the next version: major:" in page
    assert "## To change by hand" in page
    assert_usable(tmp_path, types_seen)


def test_methods_that_a_class_inherits_are_found_by_the_operations_it_names() -> None:
    """A list of an order names the operations, and its base class has the methods that perform them."""
    sdk: Any = importlib.import_module("regenerate.drift.sdk")
    methods = sdk.read_sdk(ROOT).methods
    told = {name: {method.name for method in methods[name]} for name in ("CREATE_SHIPPING", "UPDATE_VALIDATION")}
    assert told == {
        "CREATE_SHIPPING": {"ShippingsPart.create", "ShippingsPart.ensure"},
        "UPDATE_VALIDATION": {"ValidationsPart.put"},
    }


def test_a_description_writes_no_markup_into_the_report() -> None:
    """The page becomes the text of a pull request, so a name must not mention anyone, link or start a heading."""
    change: Any = importlib.import_module("regenerate.drift.change")
    sdk: Any = importlib.import_module("regenerate.drift.sdk")
    report: Any = importlib.import_module("regenerate.drift.report")
    texts: Any = importlib.import_module("regenerate.drift.texts")
    words: Any = importlib.import_module("regenerate.text")
    odd = "x\n# @everybody [y](http://z) <b> `code` &#64;all\u202e"
    told = report.Report(
        "here",
        "1",
        "2",
        [change.Change("kind", odd, odd, "note"), change.Change("kind", odd, f"is {words.said(odd)}", "breaking")],
        [texts.TextChange(odd, odd, odd, None)],
        [],
        [],
        sdk.Sdk(ROOT),
    )
    page = report.as_markdown(told)
    inert = "`x # @everybody [y](http://z) <b> 'code' &#64;all\\u202e`"
    assert page.count(inert) == 6
    assert "@everybody" not in page.replace(inert, "")
    assert "\n# @" not in page
    assert "x \\#\u200b @\u200beverybody \\[y\\](http://\u200bz) \\<b\\>" in page
    assert "\\&\\#\u200b64;all" in page
    assert json.loads(report.as_json(told))["changes"][1]["text"] == f"is {words.shown(odd)}"


ACTIVE = ["@all", "#1", "www.a.b", "https://a.b", "GH-1", "~~", "$x$", "&lt;", ""]
INERT = {"text", "code_inline", "strong_open", "strong_close", "softbreak", "text_special"}


@given(st.lists(hostile.texts | st.sampled_from(ACTIVE)))
@settings(deadline=None, max_examples=examples(35, soak=100))
def test_a_report_is_the_same_markup_whatever_a_description_says(words: list[str]) -> None:
    """The description's words are shown as code, and never become a link, a mention, a picture or a heading."""
    change: Any = importlib.import_module("regenerate.drift.change")
    check: Any = importlib.import_module("regenerate.drift.check")
    sdk: Any = importlib.import_module("regenerate.drift.sdk")
    report: Any = importlib.import_module("regenerate.drift.report")
    text: Any = importlib.import_module("regenerate.text")
    texts: Any = importlib.import_module("regenerate.drift.texts")
    told = report.Report(
        words[0] if words else "here",
        "1",
        words[-1] if words else "2",
        [change.Change("kind", f"schema {one}", f"is {text.said(one)}", "breaking") for one in words]
        # The word is without the mark here.
        + [change.Change("kind", f"schema {one}", f"is {one}", "note") for one in words],
        [texts.TextChange(f"schema {one}", one, one, None) for one in words],
        [check.Place("name", "file:1", f"is {text.said(one)}") for one in words],
        list(words),
        sdk.Sdk(ROOT),
    )
    page = report.as_markdown(told)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    assert {one.tag for one in tokens} <= {"h1", "h2", "p", "ul", "li", ""}
    assert sum(one.type == "heading_open" for one in tokens) <= 7
    for token in tokens:
        for part in token.children or ():
            assert part.type in INERT, part
            if part.type == "text":
                assert not re.search(r"[@#]\w|://\w|www\.\w|GH-\d|\x1b", part.content), part.content
    json.loads(report.as_json(told))

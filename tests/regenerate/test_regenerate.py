"""scripts/regenerate.sh on a copy of what it needs, or of a small repository. This repository is not changed."""

import http.server
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.regenerate.running import in_its_environment
from tests.regenerate.running import regenerated as run

pytestmark = pytest.mark.slow(group="regeneration")

# By name, because the scripts are type-checked in an environment of their own.
environment: Any = importlib.import_module("regenerate.environment")
swap: Any = importlib.import_module("regenerate.swap")

ROOT = Path(__file__).parents[2]
# Making the environment takes longer than everything else, so the copies share the repository's.
SHARED = {**os.environ, "NORCE_REGENERATE_ENV": str(ROOT / ".venv-regenerate")}
DESCRIPTION = Path("openapi/order-management.v0.yaml")
PROVENANCE = Path("openapi/PROVENANCE.md")
PACKAGE = Path("generated/norce_order_api")
# mypy's cache is kept, so that the libraries are read once and not in every run.
TYPES_SEEN = ROOT / ".mypy_cache" / "of-generated-code"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Copy what the script reads of this repository, without Python's own files around it."""
    tree = tmp_path / "with space" / "whole"
    skip = shutil.ignore_patterns("__pycache__")
    for folder in ("openapi", "scripts", "generated", "src"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=skip)
    (tree / DESCRIPTION).chmod(0o644)
    (tree / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n", encoding="utf-8")
    return tree


def run_as_shown(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tree / "scripts" / "regenerate.sh"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tree.parent,
        env=SHARED,
    )


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def everything(tree: Path) -> dict[str, bytes]:
    """Return the files that must not change when a run fails."""
    return {**contents(tree / "generated"), **contents(tree / "openapi")}


def assert_refused(tree: Path, done: subprocess.CompletedProcess[str], says: str, before: dict[str, bytes]) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert says in done.stderr
    assert done.stderr.startswith("regenerate: ")
    assert "Traceback" not in done.stderr
    assert everything(tree) == before
    assert not (tree / ".cache" / "regenerate").exists()


def test_deleted_files_come_back_with_the_same_bytes(whole: Path, tree: Path) -> None:
    """Deleted, changed and added files are as before after a run, and so is a deleted folder. PROVENANCE is not
    changed."""
    before = everything(whole)
    (whole / PACKAGE / "models" / "cart.py").unlink()
    (whole / PACKAGE / "STAMP").unlink()
    (whole / PACKAGE / "errors.py").write_text("by hand", encoding="utf-8")
    (whole / PACKAGE / "made_up.py").write_text("", encoding="utf-8")
    done = run_as_shown(whole)
    assert done.returncode == 0, done.stderr
    assert everything(whole) == before
    before = everything(tree)
    shutil.rmtree(tree / "generated")
    assert run(tree).returncode == 0
    assert everything(tree) == before


def test_check_names_what_differs_and_changes_nothing(tree: Path) -> None:
    """Changed, missing and extra files are named."""
    (tree / PACKAGE / "models" / "cart.py").unlink()
    (tree / PACKAGE / "errors.py").write_text("by hand", encoding="utf-8")
    (tree / PACKAGE / "made_up.py").write_text("", encoding="utf-8")
    before = everything(tree)
    done = run(tree, "--check")
    assert done.returncode == 1
    lines = [line.split() for line in done.stderr.splitlines()[1:]]
    assert lines == [["differs", "errors.py"], ["extra", "made_up.py"], ["missing", "models/cart.py"]]
    assert everything(tree) == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<!DOCTYPE html><html><body>Not here</body></html>", "the description"),
        ("", "holds no object"),
        ('{"swagger": "2.0", "paths": {}}', "no OpenAPI 3 description"),
        ('{"openapi": "3.0.3", "paths": {}}', "no valid OpenAPI"),
        ("openapi: [", "neither YAML nor JSON"),
        ("\x00\x01", "neither YAML nor JSON"),
    ],
)
def test_a_file_that_is_not_a_description_is_refused(tree: Path, content: str, says: str) -> None:
    """The error is one clear line, and nothing is changed."""
    before = everything(tree)
    (tree / "wrong").write_text(content, encoding="utf-8")
    done = run(tree, "--from", str(tree / "wrong"))
    assert_refused(tree, done, says, before)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("http://127.0.0.1:9/openapi.yaml", "can't be reached"),
        ("ftp://example.com/openapi.yaml", "http(s) address or a file"),
        ("no/such/file.yaml", "can't be read"),
    ],
)
def test_a_missing_source_is_refused(tree: Path, source: str, says: str) -> None:
    before = everything(tree)
    assert_refused(tree, run(tree, "--from", source), says, before)


def changed_description(tree: Path, old: str, new: str) -> Path:
    text = (tree / DESCRIPTION).read_text(encoding="utf-8")
    assert text.count(old) >= 1
    changed = tree / "changed.yaml"
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    return changed


def test_a_warning_of_the_generator_is_an_error(tree: Path) -> None:
    """After a warning the generator would leave an operation out."""
    before = everything(tree)
    json_cart = "          application/json:\n            schema:\n              $ref: '#/components/schemas/Cart'"
    changed = changed_description(tree, json_cart, json_cart.replace("application/json", "text/csv"))
    assert_refused(tree, run_as_shown(tree, "--from", str(changed)), "the generator is not content", before)


def test_an_overlay_action_that_matches_nothing_is_an_error(tree: Path) -> None:
    """The vendor may have corrected it, so a maintainer has to look."""
    with (tree / "openapi" / "overlay.yaml").open("a", encoding="utf-8") as overlay:
        overlay.write("- target: $.components.schemas.Nobody\n  description: none\n  update: {type: object}\n")
    before = everything(tree)
    assert_refused(tree, run(tree), "matches nothing: $.components.schemas.Nobody", before)


def test_an_overlay_action_without_a_reason_is_an_error(tree: Path) -> None:
    """Every correction needs its reason."""
    with (tree / "openapi" / "overlay.yaml").open("a", encoding="utf-8") as overlay:
        overlay.write("- target: $.components.schemas.Order\n  update: {type: object}\n")
    before = everything(tree)
    assert_refused(tree, run(tree), "says no reason", before)


def test_the_overlay_is_in_the_corrected_description() -> None:
    """The generated description has the overlay's corrections."""
    described = json.loads((ROOT / PACKAGE / "openapi.json").read_text(encoding="utf-8"))
    schemas, paths = described["components"]["schemas"], described["paths"]
    order = "/api/v0/checkout/orders/{order_id}"
    created = paths["/api/v0/checkout/orders"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert created == {"$ref": "#/components/schemas/CreateResponse"}
    assert "202" in paths[order + "/state"]["put"]["responses"]
    assert "409" in paths[order + "/cart"]["put"]["responses"]
    invalid = paths[order + "/validate"]["post"]["responses"]["400"]["content"]["application/json"]["schema"]
    assert len(invalid["anyOf"]) == 3
    assert "message" in schemas["ValidationError"]["properties"]
    assert "required" not in schemas["Order"]
    assert "required" not in schemas["Customer"]
    named = [name for name, one in schemas.items() if "attributes" in one.get("properties", {})]
    assert len(named) >= 11
    for name in named:
        assert schemas[name]["properties"]["attributes"]["allOf"] == [{"$ref": "#/components/schemas/Attributes"}]
    assert schemas["Address"]["properties"]["phone"]["example"] == "0753892233"


@pytest.fixture
def address(tree: Path) -> Generator[str, None, None]:
    """Serve the tree's folder over http."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **{**options, "directory": str(tree)})  # type: ignore[arg-type]  # pyright: ignore

        def log_message(self, format: str, *args: object) -> None:
            """Keep requests out of the tests' output."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://user:secret@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_from_an_address_replaces_description_and_package_together(tree: Path, address: str) -> None:
    """The bytes are stored as obtained. PROVENANCE names the address without credentials. Running the same again
    changes nothing."""
    changed = changed_description(tree, "      - removed\n", "      - removed\n      - paused\n")
    source = f"{address.replace('user:secret@', '')}/changed.yaml?token=secret"
    done = run(tree, "--from", source)
    assert done.returncode == 2, done.stderr
    assert "status-unknown: src/norce_order_async/orders/lifecycle.py:" in done.stderr
    assert (tree / DESCRIPTION).read_bytes() == changed.read_bytes()
    noted = (tree / PROVENANCE).read_text(encoding="utf-8")
    assert "/changed.yaml" in noted
    assert "secret" not in noted
    assert "paused" in (tree / PACKAGE / "models" / "order_status.py").read_text(encoding="utf-8")
    after = everything(tree)
    again = run(tree, "--from", source)
    assert (again.returncode, again.stdout) == (2, "regenerate: nothing to change\n")
    assert again.stderr == done.stderr
    assert everything(tree) == after
    assert run(tree, "--check").returncode == 2


def test_check_from_elsewhere_changes_nothing(tree: Path) -> None:
    """Another description is only compared."""
    changed = changed_description(tree, "      - removed\n", "      - removed\n      - paused\n")
    before = everything(tree)
    done = run(tree, "--check", "--from", str(changed))
    assert done.returncode == 1
    assert "models/order_status.py" in done.stderr
    assert everything(tree) == before


NULLABLE = """
import json
from norce_order_api.models import Price, Cart, Discount
from norce_order_api.types import DRIFT, NULL
told = []
DRIFT.set(lambda where, kind: told.append((where, kind)))
assert Price.from_dict({"includingVat": None}).including_vat is NULL
assert Price.from_dict({"includingVat": 1}).including_vat == 1
assert Price.from_dict({}).including_vat is None
assert Price.from_dict({"includingVat": "x"}).to_dict() == {"includingVat": "x"}
assert told.pop() == ("Price.includingVat", "wrong-type") and told == []
assert Price(including_vat=NULL).to_dict() == {"includingVat": None}
assert Price().to_dict() == {}
for body in ({"total": None}, {"total": {"includingVat": None}}, {}):
    assert Cart.from_dict(body).to_dict() == body
assert Discount.from_dict({"type": None}).type_ is NULL
assert Discount.from_dict({"type": "Item"}).to_dict() == {"type": "Item"}
assert told == [], told
"""


def test_a_described_null_can_be_sent_and_read(tree: Path) -> None:
    """`nullable: true` on a number, an object and an enum gives the sentinel NULL and no drift, and the types hold."""
    text = (tree / DESCRIPTION).read_text(encoding="utf-8")
    for old in (
        "        includingVat:\n          type: number\n",
        "          - $ref: '#/components/schemas/Price'\n          description: Sum of the cart without shipping.\n",
        "          - $ref: '#/components/schemas/DiscountType'\n",
    ):
        assert text.count(old) == 1
        text = text.replace(old, old + "          nullable: true\n")
    (tree / DESCRIPTION).write_text(text, encoding="utf-8")
    done = run(tree)
    assert done.returncode == 0, done.stderr
    generated = {**os.environ, "PYTHONPATH": str(tree / "generated"), "MYPYPATH": str(tree / "generated")}
    subprocess.run([sys.executable, "-c", NULLABLE], check=True, env=generated)
    package = str(tree / PACKAGE)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(TYPES_SEEN), package],
        capture_output=True,
        text=True,
        check=False,
        cwd=tree,
        env=generated,
    )
    assert checked.returncode == 0, checked.stdout


def interrupted(tree: Path, number: signal.Signals, after: float) -> int:
    """Return the exit status of a run that gets this signal some time after its work has begun."""
    process = subprocess.Popen(
        [str(tree / "scripts" / "regenerate.sh")],
        env=SHARED,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not (tree / ".cache" / "regenerate").exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(after)
    if process.poll() is None:
        process.send_signal(number)
    process.communicate()
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_changes_nothing(whole: Path, number: signal.Signals) -> None:
    """An interrupted run leaves nothing behind either."""
    (whole / PACKAGE / "errors.py").write_text("by hand", encoding="utf-8")
    before = everything(whole)
    assert interrupted(whole, number, after=0.3) == 130
    assert everything(whole) == before
    assert not (whole / ".cache" / "regenerate").exists()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_stopped_at_any_moment_leaves_the_old_or_the_new(whole: Path, number: signal.Signals) -> None:
    """The files are never a mixture and never missing, and the next run does its work."""
    good = everything(whole)
    for step in range(40):
        (whole / PACKAGE / "errors.py").write_text("by hand", encoding="utf-8")
        old = everything(whole)
        interrupted(whole, number, after=step * 0.05)
        assert everything(whole) in (old, good)
    assert run(whole).returncode == 0
    assert everything(whole) == good


def test_an_unfinished_swap_is_finished_by_the_next_run(tmp_path: Path) -> None:
    """After a kill between two renames the plan lists what is still to do, and doing it twice does no harm."""
    work, places = tmp_path / "work", tmp_path / "places"
    for folder in (work / "package", places / "package"):
        folder.mkdir(parents=True)
    (work / "package" / "file").write_text("new", encoding="utf-8")
    (work / "note").write_text("new", encoding="utf-8")
    (places / "package" / "file").write_text("old", encoding="utf-8")
    (places / "note").write_text("old", encoding="utf-8")
    ready = [work / "package", work / "note"]
    plan = [[str(one), str(places / one.name), one.stat().st_ino] for one in ready]
    (work / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (work / "note").replace(places / "note")  # the first half is done

    swap.finish(work)

    assert (places / "package" / "file").read_text(encoding="utf-8") == "new"
    assert (places / "note").read_text(encoding="utf-8") == "new"
    assert not work.exists()


def test_without_an_exchange_of_folders_two_renames_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is the same, and the old folder is gone with the working folder."""

    def unable(_one: Path, _other: Path) -> bool:
        return False

    monkeypatch.setattr(swap, "exchange", unable)
    work, place = tmp_path / "work", tmp_path / "package"
    for folder, text in ((work / "package", "new"), (place, "old")):
        folder.mkdir(parents=True)
        (folder / "file").write_text(text, encoding="utf-8")

    swap.commit(work, [swap.Move(work / "package", place)])

    assert contents(place) == {"file": b"new"}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["package"]


OVERLAY = """
from regenerate.failure import RegenerationError
from regenerate.overlay import apply

def applied(document, *actions):
    return apply(document, {"overlay": "1.0.0", "actions": [{"description": "why", **one} for one in actions]})

three = {"a": [{"x": 1}, {"x": 2}, {"x": 3}]}
assert applied(three, {"target": "$.a[?@.x < 3]", "remove": True}) == {"a": [{"x": 3}]}
assert three == {"a": [{"x": 1}, {"x": 2}, {"x": 3}]}
assert applied(three, {"target": "$.a[1]", "update": {"y": 1}})["a"][1] == {"x": 2, "y": 1}
assert applied(three, {"target": "$.a", "update": {"x": 4}})["a"][3] == {"x": 4}
assert applied({"a": {}}, {"target": "$.a", "remove": False, "update": {"y": 1}}) == {"a": {"y": 1}}
merged = applied({"a": {"b": {"c": [1]}, "d": 1}}, {"target": "$.a", "update": {"b": {"c": [2], "e": 0}, "d": 2}})
assert merged == {"a": {"b": {"c": [1, 2], "e": 0}, "d": 2}}
# Each match has its own copy, and an action sees what the one before has done.
apart = applied(
    {"a": {"p": {}}, "b": {"p": {}}},
    {"target": "$.*.p", "update": {"k": {}}},
    {"target": "$.a.p.k", "update": {"z": 1}},
)
assert apart == {"a": {"p": {"k": {"z": 1}}}, "b": {"p": {"k": {}}}}
for wrong in (
    {"target": "$.no", "remove": True},
    {"target": "$.a[", "remove": True},
    {"target": "$", "remove": True},
    {"target": "$.a[0].x", "update": {"y": 1}},
    {"target": "$.a"},
    {},
):
    try:
        applied(three, wrong)
    except RegenerationError as error:
        assert "overlay action 1" in str(error)
    else:
        raise AssertionError(wrong)
"""


def test_overlay_actions_do_what_the_specification_says() -> None:
    """The test runs in the environment of the regeneration, which has the JSONPath library."""
    done = in_its_environment(OVERLAY)
    assert done.returncode == 0, done.stderr


def test_an_interrupted_build_of_the_environment_is_not_used(tree: Path) -> None:
    """An interrupted build has another name, so the complete one is found and used. `--check` is silent and changes
    nothing."""
    before = everything(tree)
    home = tree / "environments"
    home.mkdir()
    (home / "building-abc").mkdir()
    complete = environment.ensure(ROOT / ".venv-regenerate").parents[1]
    (home / complete.name).symlink_to(complete)
    done = subprocess.run(
        [str(tree / "scripts" / "regenerate.sh"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={**SHARED, "NORCE_REGENERATE_ENV": str(home)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert everything(tree) == before

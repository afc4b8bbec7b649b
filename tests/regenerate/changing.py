"""The changes of tests/data/descriptions, made and examined in the environment of the regeneration.

Run it there as a program, with the repository and what to do: `reports` prints what the review and the comparison find
for every change, and `make FOLDER` writes each changed description into a file by its name. Nothing is generated here.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

# By name, because the scripts are type-checked in an environment of their own.
document: Any = importlib.import_module("regenerate.document")
overlay: Any = importlib.import_module("regenerate.overlay")
check: Any = importlib.import_module("regenerate.drift.check")
described: Any = importlib.import_module("regenerate.drift.described")
sdk: Any = importlib.import_module("regenerate.drift.sdk")
operations: Any = importlib.import_module("regenerate.drift.operations")
report: Any = importlib.import_module("regenerate.drift.report")
review: Any = importlib.import_module("regenerate.review")

Document = dict[str, Any]


def main(root: Path, what: str, *arguments: str) -> None:
    base = document.read((root / "openapi" / "order-management.v0.yaml").read_bytes(), "the description")
    table: list[dict[str, Any]] = yaml.safe_load((root / "tests/data/descriptions/changes.yaml").read_text("utf-8"))
    changed = {one["name"]: _changed(base, one["actions"]) for one in table}
    if what == "make":
        for name, description in changed.items():
            (Path(arguments[0]) / f"{name}.json").write_bytes(document.write(description))
    else:
        json.dump(_reports(root, base, changed), sys.stdout)


def _changed(base: Document, actions: list[dict[str, Any]]) -> Document:
    told = [{"description": "a change", **action} for action in actions]
    changed: Document = overlay.apply(base, {"overlay": "1.0.0", "actions": told})
    return changed


def _reports(root: Path, base: Document, changed: dict[str, Document]) -> dict[str, Any]:
    corrections = document.read((root / "openapi" / "overlay.yaml").read_bytes(), "the overlay")
    code = sdk.read_sdk(root)
    generated = review.models_of(root / "generated" / "norce_order_api")
    before = described.Described(overlay.apply(base, corrections))
    found: dict[str, Any] = {}
    for name, description in changed.items():
        stale: list[str] = []
        after = described.Described(overlay.apply(description, corrections, stale=stale))
        changes = operations.compare_descriptions(before, after)
        # Nothing was generated, so a model and its dict count as existing if their schema does.
        gone = before.schemas.keys() - after.schemas.keys()
        models = generated - gone - {f"{schema}Dict" for schema in gone} | after.schemas.keys()
        places = ["correction-without-target"] * len(stale) + [one.name for one in check.check(after, code, models)]
        found[name] = {
            "advice": report.Report("", "", "", changes, [], [], [], code).advice,
            "changes": [[change.kind, change.subject, change.level] for change in changes],
            "places": places,
        }
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

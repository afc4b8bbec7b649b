"""Checks the hand-written code against a generated package before that is put in place, and lists the changes."""

import ast
from pathlib import Path

from regenerate import document, overlay
from regenerate.document import Document
from regenerate.drift.check import Place, check
from regenerate.drift.described import Described
from regenerate.drift.operations import compare_descriptions
from regenerate.drift.report import Report, as_json, as_markdown
from regenerate.drift.sdk import read_sdk
from regenerate.drift.texts import compare_texts
from regenerate.failure import RegenerationError
from regenerate.layout import Layout
from regenerate.text import said

__all__ = ["DATA", "PAGE", "Place", "Report", "compare", "models_of", "review", "write"]

PAGE = "report.md"
DATA = "report.json"


def review(layout: Layout, corrected: Document, stale: list[str], package: Path, address: str) -> Report:
    """A report with the places to change by hand, and no changes yet."""
    sdk = read_sdk(layout.root)
    described = Described(corrected)
    return Report(
        address=address,
        version_before=_version(corrected),
        version_after=_version(corrected),
        changes=[],
        texts=[],
        places=[*_stale(layout, stale), *check(described, sdk, models_of(package))],
        not_in_sandbox=[name for name in described.operations if name not in sdk.handlers],
        sdk=sdk,
    )


def compare(layout: Layout, report: Report, present: bytes, corrected: Document) -> None:
    """Adds the changes between the present description and the new one, both corrected."""
    described = document.read(present, "the present description")
    corrections = document.read(layout.overlay.read_bytes(), "the overlay")
    before = overlay.apply(described, corrections, stale=[])
    report.changes.extend(compare_descriptions(Described(before), Described(corrected)))
    report.texts.extend(compare_texts(Described(before), Described(corrected)))
    report.version_before = _version(before)


def write(report: Report, folder: Path) -> None:
    """Writes the report as a page and as data."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(as_markdown(report), encoding="utf-8")
    (folder / DATA).write_text(as_json(report), encoding="utf-8")


def _version(described: Document) -> str:
    return f"{described['info'].get('version', '')} (OpenAPI {described['openapi']})"


def _stale(layout: Layout, stale: list[str]) -> list[Place]:
    """Corrections that match nothing any more: the vendor made them himself, or moved their targets."""
    file = layout.overlay.relative_to(layout.root)
    lines = layout.overlay.read_text(encoding="utf-8").splitlines()
    places: list[Place] = []
    for text in stale:
        what, _, target = text.partition("matches nothing: ")
        ending = f"target: {target}"
        line = next((number for number, line in enumerate(lines, start=1) if line.endswith(ending)), 1)
        advice = "delete it if the vendor made it himself, else give it the new target"
        places.append(
            Place("correction-without-target", f"{file}:{line}", f"{what}matches nothing: {said(target)}; {advice}")
        )
    return places


def models_of(package: Path) -> frozenset[str]:
    """The names of the generated models, of their dicts, and of their modules."""
    tree = ast.parse((package / "models" / "__init__.py").read_text(encoding="utf-8"))
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names}
    for node in ast.parse((package / "dicts.py").read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    if not names:
        raise RegenerationError("the generated models name none of them")
    return frozenset(names)

"""Compares the public API with the last release, and the differences with the changelog.

`released.txt` beside this file is the API at that release, one line a name with its signature. The changelog's section
"Unreleased" must name what has been added since under "Added", and what has been removed or changed under "Breaking".
The API is read as text (griffe); nothing of it is imported.

The guard covers what the public modules list in `__all__`, and every class of the package that such a name returns,
takes or holds: users call `order.payments.create` without importing the class of `order.payments`. Such a class is
listed here under its own name, so that it may move to another file.

    python api/guard.py            exit 1, and what the changelog does not say
    python api/guard.py --release  the present API becomes the released one
"""

# ruff: noqa: INP001 - a program beside its data, not a package
from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[1]
RELEASED = Path("api", "released.txt")
CHANGELOG = Path("CHANGELOG.md")
PACKAGE = "norce_order_async"
MODULES = ("adapter", "bulk", "bulk.actions", "engines", "models", "money", "sandbox", "telemetry", "testing")
"""The modules that users import from, beside the package itself."""


def main(arguments: list[str], root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description="Holds the public API against the changelog.")
    parser.add_argument("--release", action="store_true", help="the present API becomes the released one")
    options = parser.parse_args(arguments)
    present = api(root)
    if options.release:
        (root / RELEASED).write_text("\n".join(present) + "\n", encoding="utf-8")
        return 0
    released = (root / RELEASED).read_text(encoding="utf-8").splitlines()
    missing = unsaid(released, present, (root / CHANGELOG).read_text(encoding="utf-8"))
    for line in missing:
        sys.stderr.write(f"{line}\n")
    return 1 if missing else 0


def unsaid(released: list[str], present: list[str], changelog: str) -> list[str]:
    """The changes that the changelog does not name under the heading that they belong to."""
    before, after = _by_name(released), _by_name(present)
    breaking, added = _said(changelog, "Breaking"), _said(changelog, "Added")
    complaints: list[str] = []
    for name in before:
        if name not in after and not _names(breaking, name):
            complaints.append(f'{name} is gone: {CHANGELOG} must name it under "Breaking"')
        elif name in after and before[name] != after[name] and not _names(breaking, name):
            complaints.append(f'{name} has changed: {CHANGELOG} must name it under "Breaking"')
    complaints += [
        f'{name} is new: {CHANGELOG} must name it, or what it belongs to, under "Added"'
        for name in after
        if name not in before and not _names(added, name) and not _names(breaking, name)
    ]
    return complaints


def api(root: Path) -> list[str]:
    """The public API, one line a name, sorted.

    Raises:
        ValueError: two classes that public names lead to have the same name.
    """
    imported, met = public(root)
    lines: list[str] = []
    for name, found in [*imported.items(), *met.items()]:
        lines += _lines(found, name)
    return sorted(set(lines))


def public(root: Path) -> tuple[dict[str, griffe.Object | None], dict[str, griffe.Class]]:
    """What users import, by module and name, and the classes that they get without importing them.

    The value is None if the name comes from another package, or if its value is known only at run time.

    Raises:
        ValueError: two classes that public names lead to have the same name.
    """
    loader = griffe.GriffeLoader(search_paths=[root / "src", root / "generated"])
    package = loader.load(PACKAGE)
    loader.load("norce_order_api")
    loader.resolve_aliases(implicit=True, external=False)
    objects = loader.modules_collection
    imported: dict[str, griffe.Object | None] = {name: _resolved(package, name) for name in _exported(package)}
    for module in MODULES:
        # Models and their dicts are the generated ones, under our own name.
        homes = [objects[f"norce_order_api.{name}"] for name in ("models", "dicts")] if module == "models" else []
        for home in homes or [package[module]]:
            imported |= {f"{module}.{name}": _resolved(home, name) for name in _exported(home)}
    return imported, _led_to([found for found in imported.values() if found is not None], objects)


def _led_to(public: list[griffe.Object], objects: griffe.ModulesCollection) -> dict[str, griffe.Class]:
    """Classes of the package that can't be imported from a public module, and that users get all the same."""
    seen = {found.path for found in public}
    classes: dict[str, griffe.Class] = {}
    waiting = list(public)
    while waiting:
        for path in _annotated(waiting.pop()):
            if path in seen or not path.startswith(f"{PACKAGE}."):
                continue
            seen.add(path)
            found = _at(path, objects)
            if found is None or found.path in seen - {path} or found.name.startswith("_"):
                continue
            if not found.path.startswith(f"{PACKAGE}."):  # imported from elsewhere under a name of ours
                continue
            seen.add(found.path)
            waiting.append(found)
            if isinstance(found, griffe.Class):
                if found.name in classes:
                    raise ValueError(f"{found.path} and {classes[found.name].path} have the same name")
                classes[found.name] = found
    return classes


def _at(path: str, objects: griffe.ModulesCollection) -> griffe.Object | None:
    try:
        found = objects[path]
        target = found.final_target if isinstance(found, griffe.Alias) else found
    except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return None
    return target if isinstance(target, griffe.Object) else None


def _annotated(found: griffe.Object) -> Iterator[str]:
    """The paths of all names in the annotations of an object's public members.

    The constructor is left out: users import the arguments of what they make.
    """
    if isinstance(found, griffe.Class):
        for own in {**found.inherited_members, **found.members}.values():
            member = own.final_target if isinstance(own, griffe.Alias) else own
            if isinstance(member, griffe.Object) and not member.name.startswith("_"):
                yield from _annotated(member)
    elif isinstance(found, griffe.Function):
        yield from _names_in(found.returns)
        for one in found.parameters:
            yield from _names_in(one.annotation)
    elif isinstance(found, griffe.Attribute):
        yield from _names_in(found.annotation)
        # An alias for a type has it as its value.
        if found.annotation is None or "TypeAlias" in str(found.annotation):
            yield from _names_in(found.value)


def _names_in(expression: griffe.Expr | str | None) -> Iterator[str]:
    if isinstance(expression, griffe.Expr):
        for part in expression.iterate(flat=True):
            if isinstance(part, griffe.ExprName):
                yield part.canonical_path


def _exported(module: griffe.Object | griffe.Alias) -> list[str]:
    return [str(name) for name in module.exports or []]


def _resolved(module: griffe.Object | griffe.Alias, name: str) -> griffe.Object | None:
    """The object that a public name stands for; None if it is not of this package or only a running program shows
    it."""
    found = module.members.get(name)
    try:
        target = found.final_target if isinstance(found, griffe.Alias) else found
    except griffe.AliasResolutionError:
        return None
    return target if isinstance(target, griffe.Object) else None


def _lines(found: griffe.Object | None, name: str) -> Iterator[str]:
    if isinstance(found, griffe.Class):
        bases = ", ".join(str(base) for base in found.bases)
        yield f"{name}: class({bases})"
        # What a class of ours inherits from another class is public too.
        for own in {**found.inherited_members, **found.members}.values():
            member = own.final_target if isinstance(own, griffe.Alias) else own
            if not member.name.startswith("_") or member.name == "__init__":
                yield from _lines(member, f"{name}.{member.name}")
    elif isinstance(found, griffe.Function):
        kind = "async " if "async" in found.labels else ""
        yield f"{name}: {kind}({_parameters(found)}) -> {found.returns}"
    elif isinstance(found, griffe.Attribute):
        # The value of a constant is no promise; the words of a Literal are, and the names in a TypedDict.
        promised = any(word in str(found.value) for word in ("Literal", "TypedDict"))
        words = f" = {found.value}" if promised else ""
        kind = "property " if "property" in found.labels else ""
        yield f"{name}: {kind}{found.annotation}{words}"
    else:
        yield f"{name}: there"


def _parameters(function: griffe.Function) -> str:
    marks = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    parameters: list[str] = []
    keyword_only = False
    for one in function.parameters:
        if one.kind is griffe.ParameterKind.keyword_only and not keyword_only:
            parameters.append("*")
            keyword_only = True
        mark = marks.get(one.kind, "") if one.kind else ""
        default = "" if one.default is None or mark else " = ..."
        if one.annotation is not None or mark:
            parameters.append(f"{mark}{one.name}: {one.annotation}{default}")
    return ", ".join(parameters)


def _by_name(lines: list[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines if line)


def _said(changelog: str, heading: str) -> str:
    """The text under a heading in the section of the next release."""
    section = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE)
    if section is None:
        return ""
    part = re.search(rf"^### {heading}\n(.*?)(?=^### |\Z)", section.group(1), re.DOTALL | re.MULTILINE)
    return part.group(1) if part else ""


def _names(text: str, name: str) -> bool:
    """Whether a text names something, with its class and module or with its own name in code quotes."""
    parts = name.split(".")
    ways = {".".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)}
    # Its module alone says too little.
    ways -= {module for module in MODULES if len(parts) > 1}
    return any(f"`{way}`" in text or f"`{way}(" in text for way in ways)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

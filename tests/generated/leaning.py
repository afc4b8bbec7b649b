"""The generated names that the hand-written code depends on, where they are used, and their shapes.

Run as a program it writes the shapes to tests/data/leaned_on.json, which a test compares with. Run it after looking at
the places that the test names.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args, is_typeddict

from norce_order_api import dicts
from norce_order_async.pipeline.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "norce_order_async"
PINNED = ROOT / "tests" / "data" / "leaned_on.json"
# The names that the pipeline uses of every endpoint module.
ENDPOINT = ("STATUSES", "_get_kwargs", "parse")


def places() -> dict[str, list[str]]:
    """Return every generated name that is imported, as `module:name`, with the files that import it."""
    found: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for module, name in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            # models.py passes all names on, whatever they are.
            if name != "*":
                files = found.setdefault(f"{module}:{name}", [])
                files.append(path.relative_to(ROOT).as_posix())
    for operation in OPERATIONS:
        for name in ENDPOINT:
            found[f"norce_order_api.api.{operation.module}:{name}"] = ["src/norce_order_async/pipeline/request.py"]
    return {name: sorted(set(files)) for name, files in sorted(found.items())}


def shapes() -> dict[str, Any]:
    """Return the present shape of each name."""
    return {name: shape_of(name) for name in places()}


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if (node.module or "").split(".")[0] == "norce_order_api":
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif node.module == "norce_order_async.models":
            # The package takes its models from this module, which only passes on the generated ones.
            for alias in node.names:
                yield f"norce_order_api.{'dicts' if alias.name in dicts.__all__ else 'models'}", alias.name


def shape_of(name: str) -> Any:
    """Return the present shape of a name; `gone` if it does not exist."""
    module, _, attribute = name.partition(":")
    try:
        value = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return "gone"
    if get_args(value):
        return [str(word) for word in get_args(value)]
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[int]", value))
    if inspect.isfunction(value):
        return str(inspect.signature(value))
    if is_typeddict(value):
        return {
            name: getattr(member, "__forward_arg__", str(member))
            for name, member in sorted(value.__annotations__.items())
        }
    if inspect.isclass(value):
        methods = {"from_dict", "to_dict"} & set(dir(value))
        told = {method: str(inspect.signature(getattr(value, method))) for method in sorted(methods)}
        return {"__init__": str(inspect.signature(value)), **told}
    return type(value).__name__


if __name__ == "__main__":
    PINNED.write_text(json.dumps(shapes(), indent=1) + "\n", encoding="utf-8")

"""Tests use the public interface: none of them uses a private name of another class or module.

A test that does can't tell a user's problem from a change inside, and makes every such change harder.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALLOWED = {
    "_exit": "os._exit, the public way to leave a forked child",
    "_get_kwargs": "the generator's name for the function that builds a request, which the package calls by it too",
    "_is_protocol": "typing's mark of a protocol; 3.13 is the first Python with a public question",
    "_ready": "asyncio's queue of what can run: there is no public question whether all tasks are blocked",
    "_repr_html_": "IPython's protocol: what a notebook asks an object for",
    "_retry_connection": "aiohttp's switch for sending again, which the engine turns off; there is no public one",
    "_scheduled": "asyncio's timers, which it does not count in public",
    "_set_running_loop": "asyncio's own way to forget a loop in a forked child",
}
"""Private names that are used all the same, with the reason. None of them is a name of the package's own classes."""

BY_TEXT = {"getattr", "setattr", "delattr", "hasattr", "object"}
"""Functions that take an attribute's name as a text; `object` is that of ``patch.object``."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def is_module(name: str) -> bool:
    """Return whether this is a module, whose underscore only means that users do not import it."""
    path = name.replace(".", "/")
    return any((ROOT / top / f"{path}.py").exists() for top in ("src", "generated", "scripts"))


def _is_own(given: list[ast.expr]) -> bool:
    """Return whether a method asks for an attribute of its own object, as in ``hasattr(self, "_name")``."""
    return bool(given) and isinstance(given[0], ast.Name) and given[0].id in ("self", "cls")


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of every private name that does not belong to the object in whose method it is used."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name) if is_private(name):
                yield node.lineno, name
            case ast.ImportFrom(module=str(module), names=names):
                for each in names:
                    if is_private(each.name) and not is_module(f"{module}.{each.name}"):
                        yield node.lineno, each.name
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=given) if (
                called in BY_TEXT and not _is_own(given)
            ):
                for one in given[:2]:
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        name = one.value.rpartition(".")[2]
                        if is_private(name) and not is_module(one.value):
                            yield node.lineno, name
            case _:
                pass


@cache
def names_in(file: Path) -> list[tuple[int, str]]:
    """Return the private names in a file, which each process reads once."""
    return list(private_names(ast.parse(file.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir()))
def test_no_test_uses_a_private_name(folder: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in (ROOT / "tests" / folder).rglob("*.py")
        for line, name in names_in(file)
        if name not in ALLOWED
    }
    assert found == set()


def test_each_exception_is_needed() -> None:
    used = {name for file in (ROOT / "tests").rglob("*.py") for _, name in names_in(file)}
    assert used == ALLOWED.keys()


@pytest.mark.parametrize(
    "text",
    [
        "norce._session.core",
        "cast('Any', norce)._session",
        "order.payments._snapshot",
        "setattr(thing, '_prober', None)",
        "getattr(thing, '_prober')",
        "monkeypatch.setattr(Workers, '_worker', counted)",
        "monkeypatch.setattr('norce_order_async.bulk.workers.Workers._worker', counted)",
        "patch.object(Workers, '_worker')",
        "from norce_order_async.engines.aiohttp import _timeouts",
        "class A:\n    def of(self, other):\n        return other._name",
    ],
)
def test_a_private_name_would_be_found(text: str) -> None:
    assert len(list(private_names(ast.parse(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def of(self):\n        return self._name",
        "class A:\n    def of(self):\n        return hasattr(self, '_name')",
        "from norce_order_async import _json",
        "monkeypatch.setattr('norce_order_async._json.orjson', None)",
        "A.__slots__",
        "a.public",
        "for _ in x: pass",
    ],
)
def test_own_private_names_and_modules_are_allowed(text: str) -> None:
    assert list(private_names(ast.parse(text))) == []

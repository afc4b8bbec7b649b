"""Each public class has an example in its docstring, and the examples run.

An example with ``...`` for arguments, or with an object that the reader has to provide, is compiled and not run. An
error may use the example of its base class.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import os
import textwrap
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from norce_order_async import NorceOrderClient, NotFoundError
from norce_order_async.bulk import actions
from norce_order_async.sandbox import Sandbox

MODULES = (
    "",
    ".adapter",
    ".bulk",
    ".bulk.actions",
    ".engines",
    ".models",
    ".money",
    ".sandbox",
    ".telemetry",
    ".testing",
)
LOADED: list[ModuleType] = [importlib.import_module(f"norce_order_async{name}") for name in MODULES]
NAMES: dict[str, Any] = {name: getattr(module, name) for module in LOADED for name in module.__all__}
CLASSES = sorted(
    {value for value in NAMES.values() if inspect.isclass(value) and value.__module__.startswith("norce_order_async.")},
    key=lambda value: (value.__module__, value.__name__),
)
BROUGHT = {"vault", "secret", "norce_callbacks", "html_report", "read_journal", "read_results"}
"""Names that an example has not defined itself and that need something of the reader's: a secret, a test, the journal
of an earlier job."""

SECRET = "a-secret-of-the-examples"


def code_of(cls: type[Any]) -> str:
    """Return the code blocks of a class's docstring, one after the other; empty if it has none."""
    lines: list[str] = []
    inside = False
    for line in inspect.cleandoc(cls.__doc__ or "").splitlines():
        if inside and line and not line.startswith("    "):
            inside = False
        if inside:
            lines.append(line)
        inside = inside or line.endswith("::")
    return textwrap.dedent("\n".join(lines)).strip()


def example_of(cls: type[Any]) -> str:
    """Return the example of a class, or for an error that of the nearest base class with one."""
    bases: list[type[Any]] = list(cls.__mro__) if issubclass(cls, Exception) else [cls]
    return next((code for base in bases if (code := code_of(base))), "")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_each_public_class_has_an_example(cls: type[Any]) -> None:
    assert example_of(cls), f"{cls.__name__} has no example in its docstring"


def runs(code: str) -> bool:
    tree = ast.parse(code)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    named = {node.id for node in names} - {node.id for node in names if isinstance(node.ctx, ast.Store)}
    arguments = [argument for node in ast.walk(tree) if isinstance(node, ast.Call) for argument in node.args]
    elided = any(isinstance(argument, ast.Constant) and argument.value is ... for argument in arguments)
    elided = elided or "environment=" in code
    return not elided and not named & BROUGHT and not any(isinstance(node, ast.Raise) for node in ast.walk(tree))


EXAMPLES = {f"{cls.__module__}.{cls.__name__}": code for cls in CLASSES if (code := code_of(cls))}


@pytest.mark.anyio
@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = EXAMPLES[name]
    monkeypatch.chdir(tmp_path)
    program = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if not runs(code):
        return
    known = NAMES | {"replace": replace, "date": date, "datetime": datetime, "UTC": UTC, "Decimal": Decimal}
    known |= {"os": os, "Starlette": Starlette, "Mount": Mount}
    monkeypatch.setenv("ERP_PATH_SECRET", SECRET)
    monkeypatch.setenv("INBOX_URL", "postgresql://app@db.example/erp")
    module = importlib.import_module(name.rpartition(".")[0])
    # A class with the name of another public one, such as SystemClock, means itself in its own example.
    known |= {name.rpartition(".")[2]: getattr(module, name.rpartition(".")[2])}
    async with (
        Sandbox(seed=1) as sandbox,
        NorceOrderClient(base_url=sandbox.base_url, token=sandbox.token, merchant="acme", channel="se") as norce,
        norce.bulk() as job,
    ):
        order = await norce.orders.create(culture="sv-SE", currency="SEK", country="SE")
        await order.refresh()
        with pytest.raises(NotFoundError) as caught:
            await norce.orders.get("missing")
        adapter = norce.adapter("erp", public_url="https://erp.example.com/norce", secret=SECRET)
        ready = {"norce": norce, "order": order, "sandbox": sandbox, "error": caught.value}
        ready |= {"order_ids": [order.id], "job": job, "actions": actions, "adapter": adapter}
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = eval(program, {**known, **ready})
            if inspect.isawaitable(outcome):
                await outcome

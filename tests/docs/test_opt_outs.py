"""docs/reliability.md has one table of all opt-outs, and docs/upgrading.md names only errors and arguments that
exist."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import norce_order_async
from norce_order_async import Job, NorceOrderClient, Settings, bulk, errors
from norce_order_async.sandbox import Sandbox

from .test_reliability_numbers import rows, section, tables

UPGRADING = (Path(__file__).parents[2] / "docs" / "upgrading.md").read_text("utf-8")

OPT_OUTS = {row[0].split("`")[1]: row[1].strip("`") for row in rows(section("What you can turn off"))}

NO_PROTECTION = {
    "begun",
    "confirm",
    "dry_run",
    "explain",
    "now",
    "ordered",
    "prefetch",
    "same_as_billing",
    "validate",
    "writes_alone",
}
"""Switches without a risk."""


def public_callables() -> Iterator[tuple[str, inspect.Signature]]:
    """Yield the public functions and methods that users call: of the client, orders, jobs and the sandbox."""
    modules = [importlib.import_module("norce_order_async.client")]
    for package in (importlib.import_module("norce_order_async.orders"), bulk):
        modules += [
            importlib.import_module(found.name)
            for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        ]
    kinds = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    for kind in kinds | {Sandbox}:
        if not kind.__module__.startswith("norce_order_async.") or kind.__name__.startswith("_"):
            continue
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if name == "__init__" and kind not in (NorceOrderClient, Job, Sandbox, Settings):
                # The package makes these, and not users.
                continue
            if name == "__init__" or not name.startswith("_"):
                yield f"{kind.__qualname__}.{name}", inspect.signature(method)
    for name, function in inspect.getmembers(importlib.import_module("norce_order_async.bulk.actions.builtin")):
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, inspect.signature(function)


def switches() -> dict[str, set[tuple[str, bool]]]:
    """Return the parameters that are on or off, by name, with their places and defaults."""
    found: dict[str, set[tuple[str, bool]]] = {}
    for where, signature in public_callables():
        for parameter in signature.parameters.values():
            if isinstance(parameter.default, bool):
                found.setdefault(parameter.name, set()).add((where, parameter.default))
    return found


def test_every_switch_has_its_row() -> None:
    """A switch has a row, or is listed as one without a risk. A new one has to be considered."""
    known = OPT_OUTS.keys() | NO_PROTECTION
    assert {name: where for name, where in switches().items() if name not in known} == {}


def test_the_other_opt_outs_are_there() -> None:
    assert set(switches()) >= NO_PROTECTION


@pytest.mark.parametrize("name", OPT_OUTS)
def test_the_defaults_are_as_documented(name: str) -> None:
    """The documented default is that of the arguments of that name, and of the setting."""
    documented = OPT_OUTS[name]
    defaults = {repr(setting.default) for setting in fields(Settings) if setting.name == name}
    defaults |= {
        repr(parameter.default)
        for where, signature in public_callables()
        for parameter in signature.parameters.values()
        # For a scope None means the client's value.
        if parameter.name == name and parameter.default is not inspect.Parameter.empty and "Scope.scoped" not in where
    }
    if name not in {"retry_budget", "deadline"}:
        assert defaults == {documented}
    assert documented in defaults


def test_the_places_are_as_documented() -> None:
    creating = {"OrderCollection.create", "OrderCollection.get_or_create"}
    places = {name: {where for where, _ in found} for name, found in switches().items()}
    assert places["check_total"] == creating | {"CartPart.put", "CartPart.update"}
    assert places["callbacks_in_body"] == creating
    assert places["force"] == {"Order.transition_to"}


def test_upgrading_names_existing_errors_and_arguments() -> None:
    """Each error and each argument that the page recommends exists."""
    raising, _ = tables(UPGRADING)
    table = rows(raising)
    assert len(table) >= 10
    assert all(len(row) == 3 and all(row) for row in table)
    for _, raised, _ in table:
        (name,) = re.findall(r"`(\w+)`", raised)
        assert issubclass(getattr(norce_order_async, name), errors.NorceError)
    arguments = set(re.findall(r"`(\w+)=(?:True|False)`", UPGRADING))
    assert arguments
    assert arguments <= switches().keys()

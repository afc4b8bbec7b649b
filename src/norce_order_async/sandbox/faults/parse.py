"""Reads a plan: a ready-made one by its name, a YAML file, or the same as plain data.

    seed: 7
    rules:
      - operations: writes
        share: 0.1
        fault: lose-answer
      - operations: [GetCheckoutOrder]
        every: 3
        fault:
          answer: {status: 503, retry_after: 1}

The keys of each mapping are the fields of a dataclass in `plan` or `kinds`. A mistake raises a `FaultPlanError` whose
text begins with the path of the place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from norce_order_async.sandbox import yaml_files
from norce_order_async.sandbox.arguments import shown
from norce_order_async.sandbox.faults.fields import FaultPlanError
from norce_order_async.sandbox.faults.kinds import KINDS, Fault
from norce_order_async.sandbox.faults.plan import READY, FaultPlan, FaultRule, Window

PlanLike: TypeAlias = FaultPlan | str | Path | Mapping[str, Any]

_NO_SETTINGS: Mapping[str, object] = {}

_Record = TypeVar("_Record", bound=FaultRule | Window | Fault)


def plan_of(given: PlanLike, *, files: bool = True) -> FaultPlan:
    """A plan from an argument: a plan, the name of a ready-made one, the path of a file, or plain data.

    Raises:
        FaultPlanError: There is no such plan, or it can't be played.
    """
    if isinstance(given, FaultPlan):
        return given
    if isinstance(given, Mapping):
        return plan_from_data(given)
    if isinstance(given, str) and given in READY:
        return READY[given]
    if not isinstance(given, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FaultPlanError(f"a plan is a name, a path, data or a FaultPlan, not {type(given).__name__}")
    if not files:
        raise FaultPlanError(f"there is no plan called {given}; ready-made: {', '.join(READY)}")
    return _from_file(Path(given))


def plan_from_data(data: object) -> FaultPlan:
    """A plan from mappings and lists, as they come from YAML and JSON.

    Raises:
        FaultPlanError: The plan can't be played.
    """
    top = _mapping(data, "the plan")
    _known(top, ("seed", "rules"), "")
    rules = top.get("rules")
    if not isinstance(rules, list):
        raise FaultPlanError(f"rules: must be a list, not {shown(rules)}")
    entries = cast("list[object]", rules)
    return FaultPlan([_rule(entry, f"rules[{index}]") for index, entry in enumerate(entries)], top.get("seed"))


def _from_file(path: Path) -> FaultPlan:
    try:
        data = yaml_files.read(path)
    except yaml_files.MissingFileError:
        raise FaultPlanError(f"there is no plan and no file called {path}; ready-made: {', '.join(READY)}") from None
    except yaml_files.UnreadableError as error:
        raise FaultPlanError(str(error)) from None
    try:
        return plan_from_data(data)
    except FaultPlanError as error:
        raise FaultPlanError(f"{path}: {error}") from None


def _rule(data: object, path: str) -> FaultRule:
    given = _mapping(data, path)
    if "fault" not in given:
        raise FaultPlanError(f"{path}.fault: is required")
    values = {**given, "fault": _fault(given["fault"], f"{path}.fault")}
    if given.get("window") is not None:
        values["window"] = _record(Window, given["window"], f"{path}.window")
    if "operations" in given:
        values["operations"] = _tuples(given["operations"])
    return _record(FaultRule, values, path)


def _fault(data: object, path: str) -> Fault:
    given: Mapping[str, object] = {data: _NO_SETTINGS} if isinstance(data, str) else _mapping(data, path)
    if len(given) != 1:
        raise FaultPlanError(f"{path}: must be one of {', '.join(KINDS)}; this has {len(given)} of them")
    (name, settings), *_ = given.items()
    if name not in KINDS:
        raise FaultPlanError(f"{path}: must be one of {', '.join(KINDS)}, not {shown(name)}")
    path = f"{path}.{name}"
    forms: tuple[type[Fault], ...] = KINDS[name].forms
    if isinstance(settings, Mapping):
        keys = cast("Mapping[str, object]", settings)
        # If a kind has several dataclasses, as a delay has three, the keys decide which one it is.
        form = next((form for form in forms if dataclasses.fields(form) and _first(form) in keys), forms[0])
        return _record(form, keys, path)
    if not dataclasses.fields(forms[0]):
        raise FaultPlanError(f"{path}: has no settings")
    return _record(forms[0], {_first(forms[0]): settings}, path)


def _first(kind: type[Fault]) -> str:
    return dataclasses.fields(kind)[0].name


def _record(kind: type[_Record], data: object, path: str) -> _Record:
    """A dataclass with the keys of a mapping as its fields."""
    given = dict(_mapping(data, path))
    _known(given, tuple(field.name for field in dataclasses.fields(kind)), path)
    if "schedule" in given:
        given["schedule"] = _tuples(given["schedule"])
    for field in dataclasses.fields(kind):
        if field.name not in given and field.default is dataclasses.MISSING:
            raise FaultPlanError(f"{path}.{field.name}: is required")
    try:
        return kind(**given)
    except FaultPlanError as error:
        raise FaultPlanError(f"{path}.{error}") from None


def _tuples(value: object, deep: int = 2) -> object:
    """The value with lists turned into tuples, two levels deep as in plans."""
    if not deep or not isinstance(value, list):
        return value
    return tuple(_tuples(one, deep - 1) for one in cast("list[object]", value))


def _mapping(data: object, path: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise FaultPlanError(f"{path}: must be a mapping, not {shown(data)}")
    return cast("Mapping[str, Any]", data)


def _known(given: Mapping[str, object], known: tuple[str, ...], path: str) -> None:
    for key in given:
        if key not in known:
            word = key if isinstance(key, str) and len(key) <= 60 else shown(key)  # pyright: ignore[reportUnnecessaryIsInstance]
            place = f"{path}.{word}" if path else word
            what = f"one of {', '.join(known)}" if known else "nothing here"
            raise FaultPlanError(f"{place}: must be {what}")

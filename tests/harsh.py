"""The suite against a service that follows every harsh reading: ``pytest --harsh-readings``, or ``nox -s readings``.

A sandbox that is made without readings then follows all harsh ones. Tests of the service under the first reading of a
rule can't hold there. ``tests/data/harsh.yaml`` lists them, with the reading that they can't be run with and the
reason. They are skipped. An entry that names no test fails the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from norce_order_async.sandbox import Readings, server
from norce_order_async.sandbox.readings import ReadingsLike, readings_of

EXCEPTIONS = Path(__file__).parent / "data" / "harsh.yaml"


def follow_harsh_readings() -> None:
    """Let every sandbox of this process follow the harsh readings, unless its test chooses readings."""

    def harsh_unless_chosen(given: ReadingsLike | None) -> Readings:
        return Readings.harsh() if given is None else readings_of(given)

    server.readings_of = harsh_unless_chosen  # type: ignore[attr-defined]  # pyright: ignore[reportPrivateImportUsage]


def exceptions() -> Iterator[tuple[str, str]]:
    """Yield the names of the tests that are left out, each with the reason."""
    groups: dict[str, dict[str, Any]] = yaml.safe_load(EXCEPTIONS.read_text(encoding="utf-8"))
    for reading, group in groups.items():
        for test in group["tests"]:
            yield test, f"{reading}: {group['why']}"


def leave_out_exceptions(items: Sequence[pytest.Item], rootdir: Path) -> None:
    """Skip the tests that do not apply under the harsh readings.

    Raises:
        UsageError: an entry names no test of a file that was collected.
    """
    reasons = dict(exceptions())
    names = {item: f"{item.path.relative_to(rootdir)}::{getattr(item, 'originalname', item.name)}" for item in items}
    files = {name.partition("::")[0] for name in names.values()}
    stale = [name for name in reasons if name.partition("::")[0] in files and name not in names.values()]
    if stale:
        raise pytest.UsageError(f"{EXCEPTIONS.name} names tests that there are not: {', '.join(stale)}")
    for item, name in names.items():
        if name in reasons:
            item.add_marker(pytest.mark.skip(reason=reasons[name]))

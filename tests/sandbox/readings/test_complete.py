"""Every declared reading has an effect, and a test shows it over a socket."""

from __future__ import annotations

import importlib
from pathlib import Path

from norce_order_async.sandbox.rules import READINGS

from .support import SHOWN


def test_each_reading_is_shown_over_a_socket() -> None:
    for module in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"{__package__}.{module.stem}")
    assert {rule: set(readings) for rule, readings in READINGS.items()} == SHOWN

"""Runs somebody's tests with the plugin as pytest finds it by itself, in a process of their own, warnings as errors."""

from __future__ import annotations

import re

import pytest


def run(
    pytester: pytest.Pytester,
    *arguments: str,
    plugins: tuple[str, ...] = ("anyio",),
    ini: str = "",
    pyproject: str | None = None,
) -> pytest.RunResult:
    """The outcome. Of other plugins only those named are loaded; settings are strict, with ``ini``, or those given."""
    if pyproject is None:
        pytester.makeini(f"[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n{ini}\n")
    else:
        pytester.makepyprojecttoml(pyproject)
    loaded = [word for name in ("norce_order", *plugins) for word in ("-p", name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        # Wide enough that no line of a summary is cut.
        patch.setenv("COLUMNS", "400")
        result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *loaded, *arguments, timeout=120)
    assert not re.search(r"[a-z]Warning: ", result.stdout.str() + result.stderr.str())
    return result

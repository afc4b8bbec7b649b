"""Runs a user's tests with the plugin as pytest finds it, in a process of their own, with warnings as errors."""

from __future__ import annotations

import os
import re
import sys
import time

import pytest

from tests.support.warm import OURS

PYTEST = "import sys, pytest; sys.exit(pytest.console_main())"
IMPORTED = ("-W", "ignore:Module already imported so cannot be rewritten")
"""Plugins that are imported already keep their assertions as they are."""


def run(
    pytester: pytest.Pytester,
    *arguments: str,
    plugins: tuple[str, ...] = ("anyio",),
    ini: str = "",
    pyproject: str | None = None,
    imports: bool = False,
) -> pytest.RunResult:
    """Run the tests and return the result. Only the named plugins are loaded besides, and the settings are strict, with
    ``ini``, or those given.

    With ``imports`` nothing is imported before pytest is, for tests about imports.
    """
    if pyproject is None:
        pytester.makeini(f"[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n{ini}\n")
    else:
        pytester.makepyprojecttoml(pyproject)
    loaded = [word for name in ("norce_order", *plugins) for word in ("-p", name)]
    given = ["-p", "no:cacheprovider", *loaded, *arguments]
    # The terminal is wide enough that no line of a summary is cut.
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "400"}
    if imports:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            result = pytester.runpytest_subprocess(*given, timeout=120)
    else:
        given.insert(0, f"--basetemp={pytester.path.parent / f'{pytester.path.name}-inner'}")
        given += IMPORTED
        begun = time.monotonic()
        program = OURS.start(PYTEST, *given, env={**os.environ, **environment}, cwd=pytester.path)
        out, err = program.communicate(timeout=120)
        sys.stdout.write(out)
        sys.stderr.write(err)
        result = pytest.RunResult(program.wait(), out.splitlines(), err.splitlines(), time.monotonic() - begun)
    assert not re.search(r"[a-z]Warning: ", result.stdout.str() + result.stderr.str())
    return result

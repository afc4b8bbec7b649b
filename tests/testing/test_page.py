"""The page about testing: its code passes as it stands there, with the settings it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.testing.support import run

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_its_code_passes(pytester: pytest.Pytester) -> None:
    """Every block is a file of tests, or the project's settings; each test on it runs."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert {language for language, _ in blocks} == {"python", "toml"}
    (settings,) = (code for language, code in blocks if language == "toml")
    for number, (language, code) in enumerate(blocks):
        if language == "python":
            pytester.path.joinpath(f"test_{number}.py").write_text(code, "utf-8")
    tests = sum(len(re.findall(r"^(?:async )?def test_", code, re.MULTILINE)) for _, code in blocks)
    assert tests > 8
    run(pytester, "-W", "error", plugins=("asyncio",), pyproject=settings).assert_outcomes(passed=tests)

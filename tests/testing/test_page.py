"""The page about testing: its code passes unchanged with the settings on the page, and its table is the printed one.

Run as a program, this module writes the table of readings that the shop's tests print into the page.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.turns import for_soak
from tests.support.warm import OURS
from tests.testing.support import IMPORTED, PYTEST, run

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
SHOP = PAGE.parents[1] / "examples" / "shop"


def test_its_code_passes(pytester: pytest.Pytester) -> None:
    """Every block is a file of tests or the project's settings, and every test on the page passes."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert {language for language, _ in blocks} == {"python", "text", "toml"}
    (settings,) = (code for language, code in blocks if language == "toml")
    for number, (language, code) in enumerate(blocks):
        if language == "python":
            pytester.path.joinpath(f"test_{number}.py").write_text(code, "utf-8")
    tests = sum(len(re.findall(r"^(?:async )?def test_", code, re.MULTILINE)) for _, code in blocks)
    assert tests > 8
    run(pytester, "-W", "error", plugins=("asyncio",), pyproject=settings).assert_outcomes(passed=tests)


FAR_BEHIND = """\
from norce_order_async.sandbox import policy

policy.LIST_LAG["3-s"] = 3600.0
"""
"""A list that lags by 3 s does so for the whole of each test, however slow the machine is."""

SOON = """\
from norce_order_async.sandbox import app

app.STATE_DELAY = 0.1
"""
"""A change of status that is answered before it is done must be done soon after, and not 2 s after."""


def printed(*settings: str) -> str:
    """Return the table at the end of the shop's tests under each reading."""
    with tempfile.TemporaryDirectory() as folder:
        shop = shutil.copytree(SHOP, Path(folder, "shop"), ignore=shutil.ignore_patterns("__pycache__", ".*"))
        Path(shop, "conftest.py").write_text("\n".join(settings), "utf-8")
        loaded = [word for name in ("norce_order", "asyncio") for word in ("-p", name)]
        status, out, err = OURS.run(
            PYTEST,
            *("-p", "no:cacheprovider", *loaded, "--norce-readings=each", *IMPORTED),
            cwd=shop,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "80"},
            timeout=170,
        )
    assert status == 0, out + err
    found = re.search(r"^(=+ readings of the rules =+\n.*?)\n+=+ \d+ passed", out, re.MULTILINE | re.DOTALL)
    assert found, out
    return found[1]


@pytest.mark.parametrize("settings", [(FAR_BEHIND, SOON), *for_soak([(FAR_BEHIND,)])], ids=len)
def test_its_table_is_the_printed_one(settings: tuple[str, ...]) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)\n```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert shown == printed(*settings), "run: python -m tests.testing.test_page"


if __name__ == "__main__":
    table = printed(FAR_BEHIND)
    text = re.sub(
        r"(?<=^```text\n).*?(?=\n```$)", lambda _: table, PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    PAGE.write_text(text, "utf-8")

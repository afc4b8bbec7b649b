"""The page on jobs: its code runs from top to bottom."""

from __future__ import annotations

import ast
import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest

from norce_order_async.sandbox import Sandbox

from .support import client_of, new_orders

pytestmark = pytest.mark.anyio


def read_page() -> str:
    return (Path(__file__).parents[2] / "docs" / "jobs.md").read_text("utf-8")


async def test_its_code_runs(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block after the one before it, in one namespace."""
    page = read_page()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == page.count("```") // 2
    async with client_of(sandbox) as norce:
        ids = await new_orders(norce, 6)
        namespace: dict[str, Any] = {"norce": norce, "abandoned": ids[:3], "order_ids": ids[3:], "folder": tmp_path}
        for code in blocks:
            ran: Any = eval(compile(code, "jobs.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
            if inspect.isawaitable(ran):
                await ran
    assert "orders.csv" in os.listdir(tmp_path)
    capsys.readouterr()

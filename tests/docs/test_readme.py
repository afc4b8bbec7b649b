"""Every code block of the README is run as a reader would run it.

A Python block that starts a loop is a program and runs by itself. The others are the tour: ``test_pages.py`` pastes
them into a shell, and here they run one after the other in one namespace on both event loops. The commands in the shell
blocks must exist and know their options. The sandbox command is tested with the command line.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT.joinpath("README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
PROGRAMS = [code for code in PYTHON if re.search(r"^(asyncio|trio)\.run\(", code, re.MULTILINE)]
TOUR = [code for code in PYTHON if code not in PROGRAMS]
COMMANDS = [
    shlex.split(line, comments=True)
    for language, code in BLOCKS
    if language == "bash"
    for line in code.splitlines()
    if line.strip()
]


def run(*command: str) -> str:
    done = subprocess.run([*command], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_block_is_left_out() -> None:
    """The README has only Python and shell blocks, and both kinds."""
    assert {language for language, _ in BLOCKS} == {"python", "bash"}
    assert len(PROGRAMS) == 2
    assert len(TOUR) >= 7
    assert README.count("```") == 2 * len(BLOCKS)


def test_the_first_program_has_ten_lines_and_works(tmp_path: Path) -> None:
    """The program runs unchanged from a file, and has at most ten lines besides its imports."""
    first = PROGRAMS[0]
    lines = [line for line in first.splitlines() if line.strip() and not re.match("import |from ", line)]
    assert len(lines) <= 10
    program = tmp_path / "first.py"
    program.write_text(first, "utf-8")
    assert re.fullmatch(
        r"<Order o[A-Za-z]{7} completed, read 0 s ago>\n", run(sys.executable, "-W", "error", str(program))
    )


def test_the_trio_program_works(tmp_path: Path) -> None:
    program = tmp_path / "on_trio.py"
    program.write_text(PROGRAMS[1], "utf-8")
    assert run(sys.executable, "-W", "error", str(program)) == "[]\n"


def top_level_await(code: str) -> Any:
    return compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.anyio
async def test_the_tour_runs_from_top_to_bottom(capsys: pytest.CaptureFixture[str]) -> None:
    """Each block runs after the one before it, starting from nothing."""
    namespace: dict[str, Any] = {}
    for code in TOUR:
        ran: Awaitable[None] | None = eval(top_level_await(code), namespace)
        if inspect.isawaitable(ran):
            await ran
    assert namespace["data"].id == namespace["order"].id
    operations = {request.operation for request in namespace["sandbox"].requests}
    printed = capsys.readouterr().out
    assert "checkout 125.0 []" in printed
    assert "order payment-missing" in printed
    assert "completed was refused: order-validation" in printed
    assert {"UpdateCheckoutOrderReference", "CreateOrderShipping", "GetCheckoutOrders", "Validate"} <= operations


def test_the_commands_are_there() -> None:
    """Scripts are executable and parse, and the command knows the options that are shown."""
    assert [command[:2] for command in COMMANDS] == [
        ["./scripts/demo.sh"],
        ["./scripts/test.sh"],
        # tests/cli/test_newcomer.py runs these three.
        ["./scripts/demo.sh"],
        ["NORCE_SANDBOX_TOKEN=dev", ".venv/bin/norce-order"],
        ["echo", '{"culture": "sv-SE", "currency": "SEK"}'],
        ["pip", "install"],
        ["norce-order", "sandbox"],
    ]
    for script in ("scripts/demo.sh", "scripts/test.sh"):
        assert ROOT.joinpath(script).stat().st_mode & 0o111
        run("bash", "-n", script)
    told = run(sys.executable, "-c", "from norce_order_async.cli import main; main()", "sandbox", "--help")
    for option in (word for word in COMMANDS[-1] if word.startswith("--")):
        assert option in told


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) >= 4
    for link in links:
        assert ROOT.joinpath(link).is_file(), link


def test_the_published_edges_are_those_of_the_table() -> None:
    """The changes of status that the README calls certain are those of the package."""
    from norce_order_async.orders.lifecycle import EDGES

    published = {
        (start, end) for start, edges in EDGES.items() for end, certainty in edges.items() if certainty == "published"
    }
    (told,) = re.findall(r"allowed besides (.*?) \(", README)
    found: set[tuple[str, str]] = set()
    for start, arrow, end in re.findall(r"(\w+) (→|⇄) (\w+)", told):
        found |= {(start, end)} if arrow == "→" else {(start, end), (end, start)}
    assert found == published

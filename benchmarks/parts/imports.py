"""The time until a program has a client, in fresh interpreters."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.machine import CLIENT_CORE, pin
from benchmarks.scale import Scale

TITLE = "Import"

NOTHING = "the interpreter alone"
PACKAGE = "import norce_order_async"
_MAKE = (
    "from norce_order_async import NorceOrderClient\n"
    "NorceOrderClient(base_url='http://127.0.0.1:1', merchant='m', channel='c', token='t', engine={engine!r})"
)
STANDARD = "import asyncio, ssl, json"
CLIENT = "import norce_order_async, and a client"
HELP = "norce-order --help"
WHOLE = {
    STANDARD: ["-c", STANDARD],
    CLIENT: ["-c", _MAKE.format(engine="auto")],
    HELP: ["-c", "import sys\nsys.argv = ['norce-order', '--help']\nfrom norce_order_async.cli import main\nmain()"],
}
"""Whole processes, to their end."""
PROGRAMS = {
    NOTHING: "pass",
    PACKAGE: "import norce_order_async",
    "from norce_order_async import NorceOrderClient": "from norce_order_async import NorceOrderClient",
    "a client on aiohttp": _MAKE.format(engine="aiohttp"),
    "a client on httpx": _MAKE.format(engine="httpx"),
    "from norce_order_async.models import OrderData": "from norce_order_async.models import OrderData",
    "import httpx": "import httpx",
    "import aiohttp": "import aiohttp",
}


def measure(scale: Scale, tell: Tell) -> Figures:
    """Each program in turn, the compiled files there already."""
    tell(f"{scale.import_runs} interpreters for each of {len(PROGRAMS)} programs")
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    _run("\n".join(PROGRAMS.values()))
    for _, name in interleaved(list(PROGRAMS), scale.import_runs):
        found[name].append(_run(PROGRAMS[name]))
    whole: dict[str, list[float]] = {name: [] for name in WHOLE}
    for _, name in interleaved(list(WHOLE), scale.import_runs):
        whole[name].append(_whole(WHOLE[name]))
    return {"ms": found, "whole_ms": whole}


def _whole(arguments: list[str]) -> float:
    """Milliseconds of processor time of an interpreter, from its start to its end."""
    started = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise RuntimeError(f"{arguments} failed")
    return (used.ru_utime + used.ru_stime) * 1000


def _run(program: str) -> float:
    """Milliseconds of processor time from the interpreter's start to its last line."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport time\nprint(time.process_time() * 1000)"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        preexec_fn=lambda: pin(CLIENT_CORE),
    )
    return float(done.stdout)


def own(figures: Figures, name: str) -> list[float]:
    """Milliseconds beyond the bare interpreter, run by run."""
    return [took - bare for took, bare in zip(figures["ms"][name], figures["ms"][NOTHING], strict=True)]


def against(figures: Figures, name: str) -> list[float]:
    """Time over that of the standard library's modules, run by run."""
    found = figures.get("whole_ms", {})
    return [one / other for one, other in zip(found.get(name, []), found.get(STANDARD, []), strict=True)]


def tables(figures: Figures) -> list[Table]:
    """Times beyond the bare interpreter."""
    rows = [[name, spread(own(figures, name), "{:.0f}")] for name in figures["ms"] if name != NOTHING]
    before = (
        f"Milliseconds of processor time on top of the interpreter's own {median(figures['ms'][NOTHING]):.0f}, with "
        "compiled files at hand; median of the runs and its range:"
    )
    whole = [[name, f"{median(figures['whole_ms'][name]):.0f}", spread(against(figures, name))] for name in WHOLE]
    beside = "Whole processes, to their end:"
    return [
        Table(["", "ms"], rows, before),
        Table(["", "ms of processor time", f"times `{STANDARD}`"], whole, beside),
    ]

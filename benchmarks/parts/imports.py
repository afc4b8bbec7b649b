"""How long it takes until there is something to call with, in fresh interpreters."""

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
    return {"ms": found}


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
    """Milliseconds on top of the interpreter, run by run."""
    return [took - bare for took, bare in zip(figures["ms"][name], figures["ms"][NOTHING], strict=True)]


def tables(figures: Figures) -> list[Table]:
    """On top of the interpreter."""
    rows = [[name, spread(own(figures, name), "{:.0f}")] for name in figures["ms"] if name != NOTHING]
    before = (
        f"Milliseconds of processor time on top of the interpreter's own {median(figures['ms'][NOTHING]):.0f}, with "
        "compiled files at hand; median of the runs and its range:"
    )
    return [Table(["", "ms"], rows, before)]

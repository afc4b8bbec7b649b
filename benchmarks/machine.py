"""The machine: its cores, which process runs on which, its description, and the memory of this process."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("norce-order-async", "aiohttp", "httpx", "httpx2", "orjson", "msgspec", "pydantic", "anyio", "attrs")

_ALLOWED: list[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

CLIENT_CORE: int | None = _ALLOWED[0] if len(_ALLOWED) > 1 else None
SERVER_CORE: int | None = _ALLOWED[1] if len(_ALLOWED) > 1 else None
"""None if the system can't pin a process, or has one core."""


def pin(core: int | None) -> None:
    """Keep this process on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def describe(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """The machine and versions of the figures."""
    pinned = "not pinned" if CLIENT_CORE is None else f"client on core {CLIENT_CORE}, server on core {SERVER_CORE}"
    return {
        "processor": _processor(),
        "cores": f"{os.cpu_count()}; {pinned}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: found for name in libraries if (found := _version(name))},
    }


def resident() -> float:
    """This process's resident memory in MB; not a number if the system does not show it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return float("nan")


def cpu_seconds(process: int) -> float:
    """Processor time that a process has used; not a number if the system does not show it."""
    with contextlib.suppress(OSError):
        # Behind the command's name, which may hold spaces and brackets.
        fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return float("nan")


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or sys.platform


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

"""Counts what must not remain after a test: sockets, tasks and timers."""

from __future__ import annotations

import asyncio
import math
import os
from typing import Any

import sniffio


def descriptors() -> int:
    """Open files and sockets of this process."""
    return len(os.listdir("/proc/self/fd"))


def tasks() -> int:
    """Tasks on the running loop, this one included."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


def timers() -> int:
    """Timers of the running loop that are still to come. Trio does not count them; there it is 1 if there is one."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_statistics().seconds_to_next_deadline < math.inf
    loop: Any = asyncio.get_running_loop()
    return len(loop._scheduled)

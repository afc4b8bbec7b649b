"""Writes in groups: each writer adds its change to the current group and waits until that group is on disk.

While one group is written, the next one gathers, so all changes of a group share one disk write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, final

import anyio

C = TypeVar("C")
R = TypeVar("R")


class _Group(Generic[C, R]):
    __slots__ = ("changes", "done", "error", "results")

    def __init__(self) -> None:
        self.changes: list[C] = []
        self.done = anyio.Event()
        self.error: Exception | None = None
        self.results: Sequence[R] = ()


@final
class Groups(Generic[C, R]):
    """Changes on their way to disk.

    Args:
        start: runs the writing in a task that no writer's cancellation ends.
        write: writes a group, wholly or not at all, and returns one result for each change.
        cut_off: makes the error of writers whose group was not written because the task of the writing was ended.
    """

    __slots__ = ("_cut_off", "_group", "_start", "_write", "_writing")

    def __init__(
        self,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        write: Callable[[Sequence[C]], Awaitable[Sequence[R]]],
        cut_off: Callable[[], Exception],
    ) -> None:
        self._start = start
        self._write = write
        self._cut_off = cut_off
        self._group: _Group[C, R] = _Group()
        self._writing = False

    async def add(self, change: C) -> R:
        """Write a change, and return its result when it is on disk.

        Raises:
            Exception: what ``write`` raised for its group, or ``cut_off`` made.
        """
        group = self._group
        place = len(group.changes)
        group.changes.append(change)
        if not self._writing:
            self._writing = True
            try:
                self._start(self._write_groups)
            except BaseException:
                self._writing = False
                self._group = _Group()
                raise
        await group.done.wait()
        if group.error is not None:
            raise group.error
        return group.results[place]

    async def _write_groups(self) -> None:
        try:
            while self._group.changes:
                group, self._group = self._group, _Group()
                await self._write_one(group)
        finally:
            self._writing = False
            if self._group.changes:
                # These changes gathered while the last group was cut off.
                group, self._group = self._group, _Group()
                group.error = self._cut_off()
                group.done.set()

    async def _write_one(self, group: _Group[C, R]) -> None:
        # A write that is cut off must not pass for written.
        group.error = self._cut_off()
        try:
            group.results = await self._write(group.changes)
            group.error = None
        except Exception as error:  # noqa: BLE001 - its writers raise it
            group.error = error
        finally:
            group.done.set()

"""Writes in groups: each writer adds its change to the current group and waits until that group is on disk.

While one group is written, the next one gathers, so all changes of a group share one disk write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar, final

from anyio.lowlevel import checkpoint

from norce_order_async.runtime.loop import wake

TURNS: Final = 10
"""The most turns of the event loop that a group waits for more changes."""

C = TypeVar("C")
R = TypeVar("R")


class _Group(Generic[C, R]):
    __slots__ = ("changes", "error", "results", "then")

    def __init__(self) -> None:
        self.changes: list[C] = []
        self.then: list[Callable[[Exception | None], None]] = []
        """Called when the group is written, with None; or with the error."""
        self.error: Exception | None = None
        self.results: Sequence[R] = ()

    def end(self) -> None:
        for then in self.then:
            then(self.error)


@final
class Groups(Generic[C, R]):
    """Changes on their way to disk.

    Args:
        start: runs the writing in a task that is not cancelled with a writer.
        write: writes a group, wholly or not at all, and returns one result for each change.
        cut_off: makes the error for writers whose group was not written because that task was cancelled.
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
            Exception: the error that ``write`` raised for the group, or that ``cut_off`` made.
        """
        # Each writer waits for an event of its own: one event for the whole group costs twice as much per writer.
        written = wake()
        group = self._put(change, lambda _: written.set())
        place = len(group.changes) - 1
        await written.wait()
        if group.error is not None:
            raise group.error
        return group.results[place]

    def put(self, change: C, then: Callable[[Exception | None], None]) -> None:
        """Write a change without waiting for it.

        Args:
            change: what to write.
            then: called with None when the change is on disk, or with the error that ``add`` would raise. It must not
                raise.
        """
        self._put(change, then)

    def _put(self, change: C, then: Callable[[Exception | None], None]) -> _Group[C, R]:
        group = self._group
        group.changes.append(change)
        group.then.append(then)
        if not self._writing:
            self._writing = True
            try:
                self._start(self._write_groups)
            except BaseException:
                self._writing = False
                self._group = _Group()
                raise
        return group

    async def _write_groups(self) -> None:
        try:
            while self._group.changes:
                await self._gather()
                group, self._group = self._group, _Group()
                await self._write_one(group)
        finally:
            self._writing = False
            if self._group.changes:
                # These changes gathered while the last group was cut off.
                group, self._group = self._group, _Group()
                group.error = self._cut_off()
                group.end()

    async def _gather(self) -> None:
        """Wait for more changes as long as each turn of the event loop brings some.

        A write costs almost the same for one change and for many, so on a busy loop each change costs half as much. On
        an idle loop this waits one turn.
        """
        for _ in range(TURNS):
            before = len(self._group.changes)
            await checkpoint()
            if len(self._group.changes) == before:
                break

    async def _write_one(self, group: _Group[C, R]) -> None:
        try:
            group.results = await self._write(group.changes)
        except Exception as error:  # noqa: BLE001 - its writers raise it
            group.error = error
        except BaseException:
            # A write that was cancelled does not count as written.
            group.error = self._cut_off()
            raise
        finally:
            group.end()

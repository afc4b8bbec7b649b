"""The sandbox's own time: what `created`, `lastModified` and `timeStamp` are read from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable


class ServiceClock(Protocol):
    """Tells the time, in UTC.

    Example::

        class Fixed:
            def now(self) -> datetime:
                return datetime(2026, 1, 1, tzinfo=UTC)

        Sandbox(clock=Fixed()).close()
    """

    def now(self) -> datetime:
        """The present moment, with a UTC offset."""
        ...


@runtime_checkable
class MovableClock(ServiceClock, Protocol):
    """A clock that can be told to go ahead.

    Example::

        clock: MovableClock = ManualClock()
        clock.advance(60.0)
    """

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        ...


class SystemClock:
    """The machine's clock, ahead by as much as it was moved.

    Example::

        clock = SystemClock()
        clock.advance(3600.0)  # an hour ahead of the machine
    """

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The machine's time, plus what it was moved ahead by."""
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += timedelta(seconds=seconds)


class ManualClock:
    """A clock that stands still until it is moved.

    Example::

        clock = ManualClock()
        with Sandbox(clock=clock):
            clock.advance(3600.0)  # an hour later
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment that it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += timedelta(seconds=seconds)


def written(moment: datetime) -> str:
    """A moment as bodies show it: always six decimals and `Z`, so that texts sort as the moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

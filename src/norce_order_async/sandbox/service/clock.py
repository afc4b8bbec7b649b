"""The sandbox's own time: what `created`, `lastModified` and `timeStamp` are read from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

from norce_order_async.sandbox.arguments import check_is, check_moment, check_seconds


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
    """A clock that can be moved ahead.

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
        """Move the clock forward.

        Raises:
            TypeError: this is not a number.
            ValueError: it is negative or not finite, or the clock would go beyond the year 8999.
        """
        _moved(self.now(), seconds)
        self._ahead += timedelta(seconds=seconds)


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start: The moment that it shows first, of the years 1000 to 8999; one without a UTC offset is local time.

    Raises:
        TypeError: It is not a datetime.
        ValueError: It is beyond these years.

    Example::

        clock = ManualClock()
        with Sandbox(clock=clock):
            clock.advance(3600.0)  # an hour later
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        check_is("start", start, datetime, "a datetime")
        if start.tzinfo is None:
            # Compared first: what is local time can't be reckoned at the ends of the calendar.
            check_moment("start", start.replace(tzinfo=UTC))
        else:
            check_moment("start", start)
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment that it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            TypeError: this is not a number.
            ValueError: it is negative or not finite, or the clock would go beyond the year 8999.
        """
        self._now = _moved(self._now, seconds)


def _moved(now: datetime, seconds: float) -> datetime:
    check_seconds("seconds", seconds)
    try:
        moved = now + timedelta(seconds=seconds)
        check_moment("the moment", moved)
    except (OverflowError, ValueError):
        raise ValueError("seconds would move the clock beyond the year 8999") from None
    return moved


def written(moment: datetime) -> str:
    """A moment as bodies show it: always with four digits of the year, six decimals and `Z`, so that texts sort as the
    moments do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

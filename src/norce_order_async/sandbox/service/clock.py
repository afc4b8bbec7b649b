"""The sandbox's own clock, the source of `created`, `lastModified` and `timeStamp`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

from norce_order_async.sandbox.arguments import check_is, check_moment, check_seconds


class ServiceClock(Protocol):
    """A source of the time in UTC.

    Example::

        class Fixed:
            def now(self) -> datetime:
                return datetime(2026, 1, 1, tzinfo=UTC)

        Sandbox(clock=Fixed()).close()
    """

    def now(self) -> datetime:
        """The current time, with a UTC offset."""
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
    """The machine's clock, plus the seconds that it was moved ahead.

    Example::

        clock = SystemClock()
        clock.advance(3600.0)  # an hour ahead of the machine
    """

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The machine's time, plus the seconds that the clock was moved ahead."""
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            TypeError: The seconds are not a number.
            ValueError: The seconds are negative or not finite, or the clock would go beyond the year 8999.
        """
        _moved(self.now(), seconds)
        self._ahead += timedelta(seconds=seconds)


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start: The first time that it shows, in the years 1000 to 8999; without a UTC offset it is local time.

    Raises:
        TypeError: The start is not a datetime.
        ValueError: The start is not in these years.

    Example::

        clock = ManualClock()
        with Sandbox(clock=clock):
            clock.advance(3600.0)  # an hour later
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        check_is("start", start, datetime, "a datetime")
        if start.tzinfo is None:
            # Checked first, because local time can't be converted at the ends of the calendar.
            check_moment("start", start.replace(tzinfo=UTC))
        else:
            check_moment("start", start)
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The time that the clock stands at."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            TypeError: The seconds are not a number.
            ValueError: The seconds are negative or not finite, or the clock would go beyond the year 8999.
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
    """A moment as it is stored: four digits of the year, six decimals and `Z`, so that texts sort as moments do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

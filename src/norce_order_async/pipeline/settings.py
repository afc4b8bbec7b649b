"""Settings of calls: set on the client, changed for a scope or for one call.

``docs/reliability.md`` lists the defaults and their sources.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, Literal

from norce_order_async.checking import as_given, check_kind, check_number
from norce_order_async.context import OMIT, Context, HeaderValue, Omit
from norce_order_async.engines.base import MAX_ANSWER_SIZE, Timeouts
from norce_order_async.errors import ConfigurationError, InvalidRequestError


class Inherit(enum.Enum):
    """The type of :data:`INHERIT`."""

    INHERIT = "INHERIT"

    def __repr__(self) -> str:
        return "INHERIT"


INHERIT: Final = Inherit.INHERIT
"""The default of each member of :class:`CallOptions`: the scope's or client's value applies. None means "no limit"."""

_Inherit = Literal[Inherit.INHERIT]


CORRELATION_HEADER: Final = "x-correlation-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Defaults for repeats and time limits of calls, in seconds. :class:`CallOptions` changes them.

    Example::

        Settings(deadline=60.0).max_attempts  # 3
    """

    max_attempts: int = 3
    """The most attempts of a call, including the first one."""
    base_delay: float = 0.25
    """The delay before retry n is drawn between 0 and ``base_delay * 2 ** (n - 1)``."""
    throttled_base_delay: float = 1.0
    """The same after the service throttled."""
    max_delay: float = 8.0
    """The longest such delay."""
    max_retry_after: float = 60.0
    """The longest Retry-After that a call waits for. With a longer one it fails at once, with the time in its error."""
    deadline: float | None = 30.0
    """The time for all attempts, read-backs and sleeps of a call, from its first permit; None for no limit."""
    queue_timeout: float | None = None
    """The time that a call may wait for its first permit; None for no limit."""
    connect_timeout: float = 5.0
    """The time for a new connection, including TLS."""
    write_timeout: float = 10.0
    """The time for each piece of the request."""
    read_timeout: float = 20.0
    """The time for the head of the answer, and for each piece of its body."""
    pool_timeout: float = 5.0
    """The time to wait for a free connection of the engine."""
    max_answer_size: int = MAX_ANSWER_SIZE
    """The largest body of an answer in bytes, decompressed. A larger one is not read; its status still counts."""
    settling_pause: float = 1.0
    """The pause before an order that was not found by its cart reference is looked for again. It doubles twice: the
    order is looked for after 0, 1, 3 and 7 such pauses before it is created again."""
    repeat_order_creation: bool = True
    """Whether creating an order with a cart reference is repeated once after an unknown outcome and a read-back that
    found nothing. That is safe if the service refuses a second order for one cart reference, which is inferred, not
    published."""

    def __post_init__(self) -> None:
        _check_attempts(self.max_attempts)
        _check_answer_size(self.max_answer_size)
        check_kind("repeat_order_creation", self.repeat_order_creation, bool, "a truth value", ConfigurationError)
        for name in _SECONDS:
            value: object = getattr(self, name)
            if value is not None or name not in _OR_NONE:
                check_number(name, value, _SECONDS_IN_WORDS, ConfigurationError)

    @property
    def timeouts(self) -> Timeouts:
        """The timeouts of one attempt, in seconds."""
        return Timeouts(
            connect=self.connect_timeout, write=self.write_timeout, read=self.read_timeout, pool=self.pool_timeout
        )

    def changed(self, options: CallOptions) -> Settings:
        """These settings with the values that ``options`` sets.

        Raises:
            ConfigurationError: a value is out of range.
            InvalidRequestError: ``options`` is not ``CallOptions``.
        """
        check_kind("options", options, CallOptions, "CallOptions", InvalidRequestError)
        changes = {name: value for name in _SETTING_NAMES if (value := getattr(options, name)) is not INHERIT}
        return replace(self, **changes) if changes else self


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Settings of one call (``options=``) or one scope. For a setting that is left out, the value of the scope or the
    client applies.

    :class:`Settings` describes the settings and their units. None means "no limit"; only ``deadline`` and
    ``queue_timeout`` take it.

    Example::

        patient = CallOptions(deadline=120.0, max_attempts=5)
        await norce.orders.get(order.id, options=patient)
    """

    max_attempts: int | _Inherit = INHERIT
    base_delay: float | _Inherit = INHERIT
    throttled_base_delay: float | _Inherit = INHERIT
    max_delay: float | _Inherit = INHERIT
    max_retry_after: float | _Inherit = INHERIT
    deadline: float | _Inherit | None = INHERIT
    queue_timeout: float | _Inherit | None = INHERIT
    connect_timeout: float | _Inherit = INHERIT
    write_timeout: float | _Inherit = INHERIT
    read_timeout: float | _Inherit = INHERIT
    pool_timeout: float | _Inherit = INHERIT
    max_answer_size: int | _Inherit = INHERIT
    settling_pause: float | _Inherit = INHERIT
    repeat_order_creation: bool | _Inherit = INHERIT
    adapter_id: str | Literal[Omit.OMIT] | _Inherit = INHERIT
    """``x-adapterid``: a value, or ``OMIT`` to leave it out."""
    headers: Mapping[str, HeaderValue] | _Inherit = field(default=INHERIT, repr=False)
    """Headers to add, or to leave out with ``OMIT``."""
    correlation_id: str | _Inherit = INHERIT
    """Sent as ``x-correlation-id``. By default each call has a new one."""

    def __post_init__(self) -> None:
        for name in _SETTING_NAMES:
            value: object = getattr(self, name)
            if value is INHERIT or (value is None and name in _OR_NONE):
                continue
            if name == "repeat_order_creation":
                check_kind(name, value, bool, "a truth value", ConfigurationError)
            elif name == "max_attempts":
                _check_attempts(value)
            elif name == "max_answer_size":
                _check_answer_size(value)
            else:
                check_number(name, value, _SECONDS_IN_WORDS, ConfigurationError)
        if self.adapter_id is not INHERIT and self.adapter_id is not OMIT:
            check_kind("adapter_id", self.adapter_id, str, "a string or OMIT", ConfigurationError)
        if self.headers is not INHERIT:
            check_kind("headers", self.headers, Mapping, "a dict", ConfigurationError)
        if self.correlation_id is not INHERIT:
            check_kind("correlation_id", self.correlation_id, str, "a string", ConfigurationError)


def context_with(options: CallOptions, outer: Context) -> Context:
    """The outer context with the adapter id, the headers and the correlation id that the options set.

    Raises:
        ConfigurationError: a value can't be a header.
    """
    changes = {} if options.headers is INHERIT else dict(options.headers)
    if options.correlation_id is not INHERIT:
        changes[CORRELATION_HEADER] = options.correlation_id
    return outer.changed(adapter_id=None if options.adapter_id is INHERIT else options.adapter_id, headers=changes)


_SETTING_NAMES = tuple(setting.name for setting in fields(Settings))
_SECONDS = tuple(
    name for name in _SETTING_NAMES if name not in ("max_attempts", "max_answer_size", "repeat_order_creation")
)
_OR_NONE = frozenset({"deadline", "queue_timeout"})
_SECONDS_IN_WORDS = "a finite number of seconds, 0 or more"


def _check_attempts(count: object) -> None:
    if not isinstance(count, int) or not 1 <= count < 2**63:
        raise ConfigurationError(f"max_attempts includes the first attempt, so at least 1; got {as_given(count)}")


def _check_answer_size(size: object) -> None:
    if not isinstance(size, int) or not 1 <= size < 2**63:
        raise ConfigurationError(f"max_answer_size is a number of bytes, at least 1; got {as_given(size)}")

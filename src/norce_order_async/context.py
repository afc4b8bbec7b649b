"""The headers that say for whom a call is made: merchant, channel, adapter, and the caller's own headers."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from norce_order_async.checking import as_given, mapping_of
from norce_order_async.errors import ConfigurationError


class Omit(enum.Enum):
    """The type of :data:`OMIT`, which leaves out a header that the client would send."""

    OMIT = "OMIT"

    def __repr__(self) -> str:
        return "OMIT"


OMIT: Final = Omit.OMIT
"""Leaves out an adapter id or a header that is set on the client; None means "as set on the client"."""

HeaderValue = str | Literal[Omit.OMIT]

# RFC 9110: a field name is a token; a value has no control characters and no space around it. Our values are limited to
# visible ASCII, spaces and tabs, so that every engine sends the same bytes.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")

# The pipeline sets these itself; a caller's value would break signing in, framing or the scope.
RESERVED: Final = frozenset({"authorization", "x-merchant", "x-channel", "x-adapterid", "host", "content-length",
                             "content-type", "transfer-encoding", "connection", "accept-encoding"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """The headers that say for whom a call is made, checked once."""

    merchant: str
    channel: str
    adapter_id: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def create(
        cls,
        *,
        merchant: str | None,
        channel: str | None,
        adapter_id: str | None = None,
        headers: Mapping[str, HeaderValue] | None = None,
    ) -> Context:
        """A checked context.

        Raises:
            ConfigurationError: merchant or channel is empty or missing, or a value can't be a header.
        """
        return cls(
            merchant=_required("merchant", merchant),
            channel=_required("channel", channel),
            adapter_id=None if adapter_id is None else _required("adapter_id", adapter_id),
        ).changed(headers=headers)

    def changed(
        self,
        *,
        merchant: str | None = None,
        channel: str | None = None,
        adapter_id: str | Literal[Omit.OMIT] | None = None,
        headers: Mapping[str, HeaderValue] | None = None,
    ) -> Context:
        """This context with some values replaced. None keeps a value, OMIT leaves it out.

        Raises:
            ConfigurationError: a value is empty, can't be a header, or is a header that the client sets itself.
        """
        if merchant is None and channel is None and adapter_id is None and not headers:
            return self
        if adapter_id is OMIT:
            adapter: str | None = None
        else:
            adapter = self.adapter_id if adapter_id is None else _required("adapter_id", adapter_id)
        return Context(
            merchant=self.merchant if merchant is None else _required("merchant", merchant),
            channel=self.channel if channel is None else _required("channel", channel),
            adapter_id=adapter,
            headers=_merged(self.headers, headers),
        )


def check_header_value(name: str, value: str) -> str:
    """The value, if it can be sent as a header.

    Raises:
        ConfigurationError: it is not a string, has spaces around it, or holds a line break, another control character
            or a character outside ASCII. The text names the header, not the value.
    """
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{name} must be a string, not {type(value).__name__}")
    if not _VALUE.fullmatch(value):
        raise ConfigurationError(
            f"{name} must be printable ASCII on one line, without line breaks, other control characters or spaces "
            "around it"
        )
    return value


def _required(name: str, value: str | None) -> str:
    if value is not None and not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{name} must be a string, not {type(value).__name__}")
    if value is None or not value.strip():
        raise ConfigurationError(f"{name} must not be empty: the service needs it with every call")
    if value != value.strip():
        raise ConfigurationError(f"{name} must not begin or end with a space")
    return check_header_value(name, value)


def _merged(
    base: tuple[tuple[str, str], ...], changes: Mapping[str, HeaderValue] | None
) -> tuple[tuple[str, str], ...]:
    if not changes:
        return base
    merged = dict(base)
    for name, value in mapping_of("headers", changes, ConfigurationError).items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(f"{as_given(name)} is not a valid header name")
        key = name.lower()
        if key in RESERVED:
            raise ConfigurationError(f"the header {key} is set by the client; use its own argument for it")
        if value is OMIT:
            merged.pop(key, None)
        else:
            merged[key] = check_header_value(f"header {name}", value)
    return tuple(merged.items())

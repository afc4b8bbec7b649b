"""The questions: one probe for each rule that a calibration claims to tell, and why it can't tell the others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from norce_order_async.calibration.probes import bodies, callbacks, listing, status
from norce_order_async.calibration.probes.base import CouldNotTell, Needs, Neither, Probe, Told, Verdict

PROBES: Final[Mapping[str, Probe]] = MappingProxyType(
    {probe.rule: probe for module in (bodies, listing, status, callbacks) for probe in module.PROBES}
)
"""By rule, in the order in which they are asked."""

CANT_BE_TOLD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "offset": "it takes more than 10,000 orders",
        "unprocessed-503": "it takes a service that is overloaded, which nobody should bring about on purpose",
    }
)
"""Rules that have readings and no probe, with the reason."""

UNMET: Final[Mapping[Needs, str]] = MappingProxyType(
    {
        "other-channel": "it takes another channel of the merchant, named with --other-channel",
        "public-url": "it takes an address that the service can reach, named with --public-url",
    }
)
"""Why a probe was not asked."""

__all__ = ["CANT_BE_TOLD", "PROBES", "UNMET", "CouldNotTell", "Needs", "Neither", "Probe", "Told", "Verdict"]

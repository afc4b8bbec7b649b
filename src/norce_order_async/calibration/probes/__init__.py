"""The probes, one for each rule that a calibration can answer, and why the other rules have none."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from norce_order_async.calibration.probes import bodies, callbacks, listing, status
from norce_order_async.calibration.probes.base import CouldNotTell, Follows, Needs, Neither, Probe, Verdict

PROBES: Final[Mapping[str, Probe]] = MappingProxyType(
    {probe.rule: probe for module in (bodies, listing, status, callbacks) for probe in module.PROBES}
)
"""By rule, in the order in which they are asked."""

NOT_PROBED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "offset": "it takes more than 10,000 orders",
        "unprocessed-503": "it takes an overloaded service",
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

__all__ = ["NOT_PROBED", "PROBES", "UNMET", "CouldNotTell", "Follows", "Needs", "Neither", "Probe", "Verdict"]

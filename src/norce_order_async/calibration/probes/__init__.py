"""The probes, one for each rule that a calibration can answer, and the reasons why other rules have none."""

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
        "offset": "it needs more than 10,000 orders",
        "unprocessed-503": "it needs an overloaded service",
    }
)
"""Rules that have readings and no probe, with the reason."""

UNMET: Final[Mapping[Needs, str]] = MappingProxyType(
    {
        "other-channel": "it needs another channel of the merchant: --other-channel",
        "public-url": "it needs an address that the service can reach: --public-url",
    }
)
"""The reasons why a probe is not asked."""

__all__ = ["NOT_PROBED", "PROBES", "UNMET", "CouldNotTell", "Follows", "Needs", "Neither", "Probe", "Verdict"]

"""``norce-order doctor``: checks whether this machine can reach and use the service, and says what is wrong.

:mod:`~norce_order_async.cli.doctor.settings` checks the settings, and :mod:`~norce_order_async.cli.doctor.network` the
connection to the host. :mod:`~norce_order_async.cli.doctor.service` sends the service one request through the client,
and compares the clocks. Each returns findings; :mod:`~norce_order_async.cli.doctor.command` shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "doubt", "wrong", "skipped"]
"""``doubt``: it may work, but should be looked at; ``skipped``: an earlier check failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check in words, without the token and personal data."""

    check: str
    verdict: Verdict
    said: str

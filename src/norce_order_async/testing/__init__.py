"""For tests of programs that use this package: a pytest plugin, which pytest loads by itself.

* `plugin`: the hooks, the fixtures and the markers. pytest loads this module in every run, so it imports very little.
* `fixtures`: makes the objects that the fixtures return.
* `adapters`: puts adapters where the local order service calls them.
* `receiver`: a server for the callbacks of the local order service.
* `guard`: makes a test fail if it calls Norce.

Import the names of this module for annotations and for the receiver's replies. The fixtures need the extra `sandbox`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async._exports import on_first_use

if TYPE_CHECKING:
    from norce_order_async.testing.adapters import ConnectAdapter
    from norce_order_async.testing.receiver import CallbackCall, CallbackReceiver, Reply

__all__ = ["CallbackCall", "CallbackReceiver", "ConnectAdapter", "Reply"]

_HOME_OF = {**dict.fromkeys(__all__, "receiver"), "ConnectAdapter": "adapters"}
__getattr__, __dir__ = on_first_use(__name__, _HOME_OF)

"""For tests of programs that use this package: a pytest plugin, which pytest loads by itself.

* `plugin`: the hooks, the fixtures and the markers; what pytest loads, so it imports next to nothing.
* `fixtures`: what the fixtures hand out, made without an event loop and left without one.
* `receiver`: a receiver for what the local order service calls.
* `guard`: keeps tests from calling Norce.

The names here are for annotations and for telling the receiver what to answer. The fixtures need the `sandbox` extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from norce_order_async._exports import on_first_use

if TYPE_CHECKING:
    from norce_order_async.testing.receiver import CallbackCall, CallbackReceiver, Reply

__all__ = ["CallbackCall", "CallbackReceiver", "Reply"]

__getattr__, __dir__ = on_first_use(__name__, dict.fromkeys(__all__, "receiver"))

"""An adapter that needs no service, because its calls are simulated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from norce_order_async import NorceOrderClient
from norce_order_async.adapter import Adapter
from tests.support.clock import FakeClock

SECRET = "nobody-can-guess-this"
ORDER: dict[str, Any] = {
    "id": "oAbCdEfG",
    "merchant": "acme",
    "channel": "se",
    "state": {"currentStatus": "checkout", "transitions": []},
    "cart": {
        "items": [{"id": "ci1", "sku": "T001", "quantity": 1, "total": {"includingVat": 125, "excludingVat": 100}}]
    },
    "customer": {"type": "Person", "billing": {"email": "eva@example.com"}},
    "payments": [{"id": "p1", "amount": 125, "state": "Intent"}, {"id": "p2", "amount": 0, "state": "removed"}],
    "shippings": [],
    "hooks": [],
    "validations": [],
    "notifications": [],
    "total": {"includingVat": 125, "excludingVat": 100},
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def norce(clock: FakeClock) -> NorceOrderClient:
    return NorceOrderClient(base_url="http://127.0.0.1:1", token="t" * 20, merchant="acme", channel="se", clock=clock)


@pytest.fixture
def adapter(norce: NorceOrderClient) -> Adapter:
    return norce.adapter("erp", secret=SECRET)


@pytest.fixture
def in_real_time() -> Callable[..., Adapter]:
    """Make adapters for handlers that wait for one another. Virtual time would go on meanwhile."""
    norce = NorceOrderClient(base_url="http://127.0.0.1:1", token="t" * 20, merchant="acme", channel="se")

    def made(**arguments: Any) -> Adapter:
        given: dict[str, Any] = {"secret": SECRET, **arguments}
        return norce.adapter("erp", **given)

    return made


@pytest.fixture
def make(norce: NorceOrderClient) -> Callable[..., Adapter]:
    def made(**arguments: Any) -> Adapter:
        given: dict[str, Any] = {"secret": SECRET, **arguments}
        return norce.adapter("erp", **given)

    return made

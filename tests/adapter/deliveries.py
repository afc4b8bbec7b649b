"""Makes deliveries for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from norce_order_async.adapter.deliveries import Delivery

ARRIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def delivery(body: Any = None, *, order_id: str = "o_1", modified: str | None = None, **changed: Any) -> Delivery:
    """A delivery with this body, which is JSON data or bytes."""
    if not isinstance(body, bytes):
        members = {"id": order_id, "cart": {"total": 125.0}} if body is None else body
        if modified is not None:
            members = {**members, "lastModified": modified}
        body = json.dumps(members).encode()
    given: dict[str, Any] = {
        "adapter_id": "erp",
        "route": "/cart",
        "merchant": "acme",
        "channel": "se",
        "received_at": ARRIVED,
    }
    return Delivery.arrived(**{**given, **changed}, order_id=order_id, body=body)

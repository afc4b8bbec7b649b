"""The generated client goes along whatever is used: the local order service imports none of it, but reads its data."""

from __future__ import annotations

hiddenimports = ["norce_order_api"]

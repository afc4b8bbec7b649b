"""Concurrency and rate limits of jobs."""

from __future__ import annotations

from norce_order_async.bulk.load.limiters import Adaptive, Fixed, Load

__all__ = ["Adaptive", "Fixed", "Load"]

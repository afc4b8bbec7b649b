"""A program that runs one job to its end, to be killed while it runs: ``killed_job.py BASE_URL JOURNAL IDS``."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from norce_order_async import CallOptions, Fixed, NorceOrderClient
from norce_order_async.bulk import actions


async def main(base_url: str, journal: str, ids: list[str]) -> None:
    options = CallOptions(base_delay=0.01, throttled_base_delay=0.05, max_delay=0.2, settling_pause=0.1)
    async with (
        NorceOrderClient(
            base_url=base_url, token="sandbox-token", merchant="acme", channel="se", max_in_flight=20
        ) as norce,
        norce.bulk(journal, load=Fixed(in_flight=20), options=options) as job,
    ):
        async for _ in job.run(ids, actions.remove()):
            pass


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text().split())

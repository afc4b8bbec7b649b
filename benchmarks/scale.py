"""The amount of work: everything for the tables, a minute for a quick look, a minimum for the tests."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The counts of all parts. Seconds throughout."""

    rounds: int
    """Turns of the contestants that ratios are taken from."""
    blocks: int
    """Turns of contestants that are timed in short blocks."""
    block_calls: int
    """Calls in one block."""
    block_tasks: tuple[int, ...]
    """The numbers of tasks that make them."""
    block_seconds: float
    """The least time of a block of decoding or encoding."""

    processor_tasks: tuple[int, ...]
    """The numbers of tasks that call at once for ratios of processor time."""
    processor_rounds: int
    """Turns of each there."""
    processor_calls: int
    """Calls in one block of one task; several tasks make five times as many together."""

    tasks: tuple[int, ...]
    """The numbers of tasks that read orders at once."""
    tls_tasks: tuple[int, ...]
    """The same over TLS."""
    settle: float
    """The time before a lap counts, with few tasks."""
    settle_many: float
    """The same with hundreds: httpx, for one, gets slower for seconds before its rate is steady."""
    window: float
    """The time in which a lap counts."""
    contestants: tuple[str, ...] | None
    """Only these; None for all."""
    generated: bool
    """Whether generators are run, for clients and models to compare with."""
    codecs: tuple[str, ...] | None = None
    """Only these codecs, and only a typical order; None for all."""

    memory_calls: int
    memory_in_flight: int
    memory_latency: float
    """While they are in flight."""
    bulk_items: int
    bulk_memory_items: int
    import_runs: int
    adapter_hooks: int
    adapter_flood: int
    adapter_notifications: int
    load_plan: str
    """Phases of a service's capacity, as ``requests:seconds``; empty leaves that part out."""


FULL = Scale(
    rounds=3,
    blocks=16,
    block_calls=200,
    block_tasks=(1, 50),
    block_seconds=0.01,
    processor_tasks=(1, 50, 500),
    processor_rounds=16,
    processor_calls=400,
    tasks=(1, 50, 500, 2000),
    tls_tasks=(50, 500),
    settle=0.4,
    settle_many=3.0,
    window=1.0,
    contestants=None,
    generated=True,
    memory_calls=100_000,
    memory_in_flight=2000,
    memory_latency=1.0,
    bulk_items=6000,
    bulk_memory_items=100_000,
    import_runs=11,
    adapter_hooks=20_000,
    adapter_flood=10_000,
    adapter_notifications=1_000_000,
    load_plan="200:20,100:20",
)

QUICK = Scale(
    rounds=1,
    blocks=4,
    block_calls=200,
    block_tasks=(1, 50),
    block_seconds=0.003,
    processor_tasks=(1, 50, 500),
    processor_rounds=8,
    processor_calls=400,
    tasks=(500,),
    tls_tasks=(),
    settle=0.3,
    settle_many=0.5,
    window=0.5,
    contestants=(
        "norce-order-async",
        "norce-order-async on httpx",
        "norce-order-async on httpx2",
        "aiohttp",
        "httpx",
        "openapi-python-client",
    ),
    generated=True,
    memory_calls=5_000,
    memory_in_flight=500,
    memory_latency=1.0,
    bulk_items=1000,
    bulk_memory_items=2_000,
    import_runs=3,
    adapter_hooks=2_000,
    adapter_flood=2_000,
    adapter_notifications=20_000,
    load_plan="",
)

TINY = Scale(
    rounds=1,
    blocks=2,
    block_calls=5,
    block_tasks=(1, 2),
    block_seconds=0.0,
    processor_tasks=(1, 2),
    processor_rounds=2,
    processor_calls=5,
    tasks=(2,),
    tls_tasks=(2,),
    settle=0.02,
    settle_many=0.02,
    window=0.15,
    contestants=("norce-order-async",),
    generated=False,
    memory_calls=20,
    memory_in_flight=5,
    memory_latency=0.1,
    bulk_items=20,
    bulk_memory_items=20,
    import_runs=1,
    adapter_hooks=20,
    adapter_flood=200,
    adapter_notifications=40,
    load_plan="",
)

SHORT = replace(QUICK, processor_rounds=6, blocks=16, block_seconds=0.005, codecs=("orjson alone", "norce-order-async"))
"""A minute for the goals about processor time."""

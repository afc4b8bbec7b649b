"""``--dask``: the executor of a Dask cluster, whose workers run the shards of a job."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from norce_order_async.cli.bulk.rows import BadInput
from norce_order_async.display import printable

RETRIES = 10
"""How often Dask runs a shard again that ended early."""
_CONNECT_WITHIN = 10.0


@contextmanager
def cluster(address: str) -> Generator[Executor]:
    """The executor of the cluster whose scheduler has this address.

    Raises:
        BadInput: Dask is not installed, or the scheduler can't be reached.
    """
    try:
        from distributed import Client as UntypedClient
    except ImportError:
        raise BadInput("--dask needs the extra 'spread': install norce-order-async with [spread]") from None
    make: Any = UntypedClient
    try:
        client = make(address, timeout=_CONNECT_WITHIN, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        why = type(error).__name__
        raise BadInput(f"there is no Dask scheduler at {printable(address)} ({why})") from error
    with client:
        yield client.get_executor(retries=RETRIES)

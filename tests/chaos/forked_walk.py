"""A program that calls the counting service, forks with its calls in flight, and continues in both processes.

    python -m tests.chaos.forked_walk URL AUTHORITY LOOP ENGINE CALLS < keys.json

The service holds the answers to the parent's calls over TLS while the child makes as many of its own with the same
client, collects garbage and exits as programs do. Each process prints its results as JSON.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import ssl
import sys
import threading
import urllib.request
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urljoin

import anyio

from norce_order_async import CallOptions
from norce_order_async.engines.select import EngineName

from .walking import CALLS, as_json, client_for


def say(name: str, what: Any) -> None:
    sys.stdout.write(json.dumps({name: what}) + "\n")
    sys.stdout.flush()


def main(url: str, authority: str, loop: str, engine: EngineName, calls: str) -> None:
    keys: dict[str, Sequence[str]] = json.load(sys.stdin)
    trust = ssl.create_default_context(cafile=authority)
    norce = client_for(url, engine, verify=trust)
    walk = CALLS[calls].walk

    def ask(path: str) -> None:
        with urllib.request.urlopen(urljoin(url, path), context=trust) as answer:
            answer.read()

    async def parent() -> None:
        say("parent", as_json(await walk(norce, keys["parent"], CallOptions())))
        await norce.aclose()

    async def child() -> None:
        say("child", as_json(await walk(norce, keys["child"], CallOptions())))
        await norce.aclose()

    thread = threading.Thread(target=functools.partial(anyio.run, parent, backend=loop))
    thread.start()
    ask("/all-held")
    process = os.fork()
    if process == 0:
        anyio.run(child, backend=loop)
        del norce
        gc.collect()
        return
    _, status = os.waitpid(process, 0)
    # The parent gets its answers only now.
    ask("/release")
    thread.join()
    say("status", status)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], cast("EngineName", sys.argv[4]), sys.argv[5])

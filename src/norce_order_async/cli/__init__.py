"""The command ``norce-order``: :mod:`~norce_order_async.cli.app` is the group, each command has a home of its own.

Nothing is imported here but what Python brings, so that a missing extra is one line and not a traceback.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDS = ("click", "rich")


def main() -> int:
    """Run the command line; the answer is the exit code."""
    if any(find_spec(name) is None for name in _NEEDS):
        print("norce-order needs the extra 'cli': install norce-order-async with [cli]", file=sys.stderr)
        return 2
    try:
        from norce_order_async.cli.app import run

        return run()
    except KeyboardInterrupt:
        # Pressed so early or so late that the commands had no say in it.
        print("interrupted", file=sys.stderr)
        return 130

"""The command ``norce-order``: :mod:`~norce_order_async.cli.app` is the group, and each command has a module of its
own.

This module imports only the standard library, so that a missing extra is reported in one line and not as a traceback.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDS = ("click", "rich")


def main() -> int:
    """Run the command line. Returns the exit code."""
    if any(find_spec(name) is None for name in _NEEDS):
        print("norce-order needs the extra 'cli': install norce-order-async with [cli]", file=sys.stderr)
        return 2
    try:
        from norce_order_async.cli.app import run

        return run()
    except KeyboardInterrupt:
        # Ctrl-C while no command runs that handles it.
        print("interrupted", file=sys.stderr)
        return 130

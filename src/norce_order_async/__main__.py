"""``python -m norce_order_async``: the command ``norce-order``, where its script is not on the path."""

from __future__ import annotations

import sys

from norce_order_async.cli import main

if __name__ == "__main__":
    sys.exit(main())

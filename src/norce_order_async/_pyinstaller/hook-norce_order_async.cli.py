"""The commands go along with the command line, which imports each when it is called."""

from __future__ import annotations

from pkgutil import walk_packages

import norce_order_async.cli

hiddenimports = [found.name for found in walk_packages(norce_order_async.cli.__path__, "norce_order_async.cli.")]

"""The generated client imports its models and operations by name, and the local order service reads the description."""

from __future__ import annotations

from pathlib import Path
from pkgutil import walk_packages

import norce_order_api

hiddenimports = [found.name for found in walk_packages(norce_order_api.__path__, "norce_order_api.")]
datas = [(str(Path(norce_order_api.__path__[0], "openapi.json")), "norce_order_api")]

"""The generated client goes along whatever is used: the local order service imports none of it, but reads its data.

So does the list of addresses at which `norce-order calibrate` looks for the description, and what the inspector of the
local order service makes its pages of.
"""

from __future__ import annotations

from pathlib import Path

import norce_order_async

hiddenimports = ["norce_order_api"]
# A checkout that is installed in place keeps the list in `openapi/`, where the package finds it by itself.
_ADDRESSES = Path(norce_order_async.__path__[0], "calibration", "candidates.yaml")
datas = [(str(_ADDRESSES), "norce_order_async/calibration")] if _ADDRESSES.exists() else []
_INSPECTOR = Path("sandbox", "inspector")
datas += [
    (str(Path(norce_order_async.__path__[0], _INSPECTOR, folder)), str(Path("norce_order_async", _INSPECTOR, folder)))
    for folder in ("static", "templates")
]

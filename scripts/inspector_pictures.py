"""Takes the pictures of docs/inspector.md in Chromium: ``python scripts/inspector_pictures.py [FOLDER]``.

They show the sandbox that the tests of the inspector look at. Without a folder they go to docs/images.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.sandbox.inspector.scene import busy  # noqa: E402
from tests.sandbox.inspector.support import origin  # noqa: E402
from tests.support.browser import browser, missing  # noqa: E402

DESK, PHONE = (1280, 860), (390, 800)

PICTURES: dict[str, tuple[str, tuple[int, int], Literal["light", "dark"]]] = {
    "inspector-requests": ("/", DESK, "light"),
    "inspector-request": ("/requests/6", DESK, "dark"),
    "inspector-order": ("/orders/ORDER", DESK, "light"),
    "inspector-faults": ("/faults", DESK, "dark"),
    "inspector-phone": ("/", PHONE, "light"),
    "inspector-phone-order": ("/orders/ORDER", PHONE, "dark"),
}
"""By name: the page, how large, and light or dark."""


def main(folder: Path) -> None:
    """Takes them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with busy() as (sandbox, order), browser() as chromium:
        for name, (path, (width, height), scheme) in PICTURES.items():
            context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            page.goto(sandbox.inspector_link())
            page.wait_for_url("**/__inspect/")
            page.goto(f"{origin(sandbox)}/__inspect{path.replace('ORDER', order)}")
            page.screenshot(path=folder / f"{name}.png", animations="disabled")
            context.close()
            print(folder / f"{name}.png")


if __name__ == "__main__":
    if (lacking := missing()) is not None:
        sys.exit(f"no pictures: {lacking}")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")

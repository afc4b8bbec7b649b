"""Takes the pictures of the inspector and of a job's report in Chromium: ``python scripts/pictures.py [FOLDER]``.

The inspector shows the sandbox that its tests look at, and the report a job at a service that allows forty requests a
second. Without a folder the pictures go to docs/images.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import anyio

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.sandbox.inspector.scene import busy  # noqa: E402
from tests.sandbox.inspector.support import origin  # noqa: E402
from tests.support.browser import browser, missing  # noqa: E402

from norce_order_async import NorceOrderClient  # noqa: E402
from norce_order_async.bulk import actions, html_report  # noqa: E402
from norce_order_async.orders.filter import OrderFilter  # noqa: E402
from norce_order_async.sandbox import Sandbox  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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
    with TemporaryDirectory() as place:
        report = Path(place) / "report.html"
        anyio.run(_make_report, Path(place) / "accept.journal", report)
        with browser() as chromium:
            _take(chromium, folder / "job-report.png", report.as_uri(), DESK, "light")
            _take(chromium, folder / "job-report-phone.png", report.as_uri(), PHONE, "dark")
            with busy() as (sandbox, order):
                for name, (path, size, scheme) in PICTURES.items():
                    address = f"{origin(sandbox)}/__inspect{path.replace('ORDER', order)}"
                    _take(chromium, folder / f"{name}.png", address, size, scheme, sandbox.inspector_link())


def _take(
    chromium: Browser,
    file: Path,
    address: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
    first: str | None = None,
) -> None:
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    if first is not None:
        page.goto(first)
        page.wait_for_url("**/__inspect/")
    page.goto(address)
    page.screenshot(path=file, animations="disabled")
    context.close()
    print(file)


async def _make_report(journal: Path, report: Path) -> None:
    with Sandbox(seed=3, faults="rate-limited") as sandbox:
        sandbox.seed_orders(2_000, merchant="demo")
        async with (
            NorceOrderClient(base_url=sandbox.base_url, token=sandbox.token, merchant="demo", channel="se") as norce,
            norce.bulk(journal) as job,
        ):
            async for _ in job.run(OrderFilter(), actions.transition("accepted")):
                pass
    html_report(journal).write(report)


if __name__ == "__main__":
    if (lacking := missing()) is not None:
        sys.exit(f"no pictures: {lacking}")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")

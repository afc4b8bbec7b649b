"""Every page of the built site in Chromium, on a desktop and on a phone, light and dark, and its search without a
server.

``nox -s looks`` builds the site and runs this. Without a site it is skipped. The pictures are in ``build/looks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import VIEWS, View, browser, page, sticking_out

from .shell import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow(group="browser"), pytest.mark.timeout(600)]

SITE = ROOT / "build" / "site"
LOOKS = ROOT / "build" / "looks"
HELPERS = {"genindex", "py-modindex", "search"}


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    if not SITE.joinpath("docs", "index.html").exists():
        pytest.skip("no site in build/site: nox -s docs builds it, nox -s looks builds it and looks at it")
    with browser() as one:
        yield one


def pages() -> list[Path]:
    """Return the pages for readers."""
    return [path for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_no_page_is_too_wide_or_loads_from_elsewhere(opened: Browser, view: View) -> None:
    """No page scrolls sideways, requests anything from another host, or has a script that fails."""
    LOOKS.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, object] = {}
    asked: list[str] = []
    with page(opened, view) as shown:

        def failed(error: object) -> None:
            wrong[f"{shown.url} script"] = str(error)

        shown.on("request", lambda request: asked.append(request.url))
        shown.on("pageerror", failed)
        for path in pages():
            name = str(path.relative_to(SITE).with_suffix(""))
            shown.goto(path.as_uri())
            if name not in HELPERS and (found := sticking_out(shown)):
                wrong[name] = found[:3]
            shown.screenshot(path=LOOKS / f"{name.replace('/', '-')}-{view}.png")
    assert len(asked) > len(pages())
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not wrong


def test_a_page_that_is_too_wide_is_found(opened: Browser) -> None:
    """A wide line that scrolls by itself is accepted, and one that widens the page is found."""
    wide = '<p style="width: 900px">far</p>'
    with page(opened, VIEWS[-1]) as shown:
        shown.set_content(f'<div style="overflow-x: auto">{wide}</div>')
        assert sticking_out(shown) == []
        shown.set_content(wide)
        assert sticking_out(shown) == ["p.: far"]


@pytest.mark.parametrize(("words", "found"), [("settling_pause", "settings"), ("transition_to", "docs/api/orders")])
def test_the_search_works_without_a_server(opened: Browser, words: str, found: str) -> None:
    """The search works in a folder, as after a download."""
    with page(opened, VIEWS[0]) as shown:
        shown.goto(f"{SITE.joinpath('search.html').as_uri()}?q={words}")
        shown.wait_for_selector("#search-results ul.search li a")
        links = shown.eval_on_selector_all("#search-results ul.search li a", "all => all.map(one => one.href)")
        assert [link for link in links if found in link]

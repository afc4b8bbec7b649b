"""Real Chromium for tests of pages: the system's own, driven by Playwright.

Nothing is downloaded. If Chromium or Playwright is missing, tests of the group ``browser`` are skipped with the reason.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Without these options Chromium sends requests to hosts of its maker.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@dataclass(frozen=True)
class View:
    """The size and the colours of a page."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.name}-{self.scheme}"


VIEWS = [
    View(name, width, height, scheme)
    for name, width, height in (("desktop", 1280, 900), ("phone", 390, 844))
    for scheme in ("light", "dark")
]

STICKS_OUT = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (one) => ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(one).overflowX);
  const kept = (one) => {
    for (let up = one.parentElement; up && up !== document.body; up = up.parentElement) {
      if (scrolls(up) && up.getBoundingClientRect().right <= wide + 1) return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll("*")].filter((one) => {
    const box = one.getBoundingClientRect();
    const style = getComputedStyle(one);
    if (!box.width || !box.height || style.visibility === "hidden" || one.closest("svg, [hidden]")) return false;
    return box.right > wide + 1 && box.left < wide && !kept(one);
  }).map((one) => `${one.tagName.toLowerCase()}.${one.className}: ${(one.textContent || "").trim().slice(0, 60)}`);
}"""
"""Elements that reach beyond the right edge of the window, and do not scroll by themselves."""


def executable() -> str | None:
    """Return the system's Chromium, or the one that CHROMIUM names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str | None:
    """Return what is missing here for tests in a browser, or None if nothing is."""
    if executable() is None:
        return "no Chromium on this machine: install the package chromium"
    if importlib.util.find_spec("playwright") is None:
        return "no Playwright in this environment: pip install playwright"
    return None


@contextmanager
def browser() -> Generator[Browser]:
    """Run a browser without a window. While it is open, this thread has an event loop, so no other one may run in
    it."""
    lacking = missing()
    if lacking is not None:
        pytest.skip(lacking)
    from playwright.sync_api import sync_playwright

    # Without a graphics card Chromium would run a program in its stead. Its own sandbox does not work for root.
    arguments = [*QUIET, "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable(), args=arguments)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page(opened: Browser, view: View) -> Generator[Page]:
    """Open a page that shares no cookies with another."""
    context = opened.new_context(viewport={"width": view.width, "height": view.height}, color_scheme=view.scheme)
    try:
        yield context.new_page()
    finally:
        context.close()


def sticking_out(shown: Page) -> list[str]:
    """Return the elements for which a reader would have to scroll sideways."""
    found: list[str] = shown.evaluate(STICKS_OUT)
    return found

"""The inspector in a real Chromium: its pages update, fit every width, and work with keyboards and screen readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from norce_order_async.sandbox import READY, Sandbox
from tests.support.browser import browser as chromium
from tests.support.browser import sticking_out

from . import axe
from .scene import busy
from .support import Caller, origin

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow(group="browser")

WIDTHS: dict[str, tuple[int, Any]] = {
    "desktop": (1280, ()),
    # What fits a narrower page fits this one.
    "phone": (390, pytest.mark.soak),
    "narrow phone": (320, ()),
}


@pytest.fixture(scope="module")
def scene(browser: Browser) -> Iterator[tuple[Sandbox, str]]:
    with busy() as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def visit(browser: Browser, scene: tuple[Sandbox, str]) -> Iterator[Callable[..., Page]]:
    """Opens the inspector by a new link. Any complaint of a page fails the test."""
    contexts: list[Any] = []
    said: list[str] = []

    def opened(sandbox: Sandbox | None = None, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page: Page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto((sandbox or scene[0]).inspector_link())
        page.wait_for_url("**/__inspect/")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def pages(order: str) -> list[str]:
    ours = ["/", "/requests/1", "/requests/9", "/orders", f"/orders/{order}"]
    return [*ours, "/callbacks", "/rules", "/faults", "/state"]


def test_requests_appear_as_they_come_and_focus_stays(visit: Callable[..., Page]) -> None:
    with Sandbox(inspect=True) as sandbox, Caller(sandbox) as caller:
        order = caller.order()
        page = visit(sandbox)
        page.locator("#r1").focus()
        caller.send("GET", f"/orders/{order}")
        page.wait_for_selector("#r2")
        assert page.evaluate("document.activeElement.id") == "r1"
        page.get_by_role("link", name="Pause").click()
        page.wait_for_selector("text=Paused")
        caller.send("GET", f"/orders/{order}")
        page.get_by_role("link", name="Resume").click()
        page.wait_for_selector("#r3")
        page.close()
    sandbox.close()


@pytest.mark.parametrize(
    "width", [pytest.param(width, id=name, marks=marks) for name, (width, marks) in WIDTHS.items()]
)
def test_nothing_overflows_at_any_width(visit: Callable[..., Page], scene: tuple[Sandbox, str], width: int) -> None:
    sandbox, order = scene
    page = visit(viewport={"width": width, "height": 800})
    for path in pages(order):
        page.goto(f"{origin(sandbox)}/__inspect{path}")
        assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), path
        assert sticking_out(page) == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    visit: Callable[..., Page], scene: tuple[Sandbox, str], scheme: str, pytestconfig: pytest.Config
) -> None:
    cache = pytestconfig.cache
    assert cache is not None
    script = axe.source(cache.mkdir("axe-core"))
    if script is None:
        pytest.skip("no test of accessibility: axe-core is not here, and the npm registry can't be reached")
    # The dark pages differ only in their colours.
    rules = "runOnly: ['color-contrast']" if scheme == "dark" else ""
    sandbox, order = scene
    page = visit(color_scheme=scheme)
    for path in [*pages(order), "/faults?done=playing"]:
        page.goto(f"{origin(sandbox)}/__inspect{path}")
        page.evaluate(script)
        found = page.evaluate(f"axe.run(document, {{resultTypes: ['violations'], {rules}}})")
        # A page that updates loads itself again, but its structure does not change.
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == [], path


def test_everything_works_with_the_keyboard(visit: Callable[..., Page], scene: tuple[Sandbox, str]) -> None:
    sandbox, _ = scene
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_label("Find").focus()
    page.keyboard.type("sync-10")
    page.keyboard.press("Enter")
    page.wait_for_url("**find=sync-10**")
    link = page.locator("#rows a.row")
    assert link.count() == 1
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/requests/*")
    assert page.get_by_role("heading", level=1).inner_text() == "UpdateCheckoutOrderState"
    page.goto(f"{origin(sandbox)}/__inspect/faults")
    page.get_by_role("button", name="slow").focus()
    page.keyboard.press("Space")
    page.wait_for_selector("text=The plan plays from its beginning")
    assert sandbox.faults.plan == READY["slow"]
    assert page.locator("[aria-pressed=true]").inner_text().startswith("slow")
    # Each element with the focus shows it.
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_button_copies_its_text(visit: Callable[..., Page], scene: tuple[Sandbox, str]) -> None:
    sandbox, _ = scene
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{origin(sandbox)}/__inspect/requests/1")
    for kind in ("as-curl", "as-python", "as-test"):
        page.locator(f"[data-copies={kind}]").click()
        page.wait_for_selector(f"section:has(#{kind}) .copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator(f"#{kind}").text_content()
        assert len(copied) > 100


def test_texts_of_others_never_run(visit: Callable[..., Page]) -> None:
    hostile = "\"'><img src=x onerror=window.hacked=1><script>window.hacked=1</script>\u202e"
    with Sandbox(inspect=True) as sandbox, Caller(sandbox) as caller:
        order = caller.order(reference=hostile, cart={"items": [{"name": hostile, "sku": "a", "quantity": 1}]})
        page = visit(sandbox)
        for path in ("/", "/requests/1", "/orders", f"/orders/{order}"):
            page.goto(f"{origin(sandbox)}/__inspect{path}")
            assert page.evaluate("window.hacked") is None
            assert page.locator("img[src=x]").count() == 0
    sandbox.close()


def _serving(content: str) -> AbstractContextManager[ThreadingHTTPServer]:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_from_elsewhere_can_do_nothing(browser: Browser, host: str) -> None:
    """The browser sends the cookie of the inspector to another port of the same host, but not to another site.
    Neither can post a form."""
    with Sandbox(inspect=True, seed=1) as sandbox:
        with Caller(sandbox) as caller:
            caller.order()
        target = f"{origin(sandbox)}/__inspect/state/reset"
        form = f'<form method="post" action="{target}"><button>Win a prize</button></form>'
        frame = f'<iframe src="{origin(sandbox)}/__inspect/"></iframe>'
        with _serving(form + frame) as server:
            thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
            thread.start()
            context = browser.new_context()
            page = context.new_page()
            page.goto(sandbox.inspector_link())
            page.wait_for_url("**/__inspect/")
            page.goto(f"http://{host}:{server.server_port}/")
            (inner,) = page.frames[1:]
            assert "Requests" not in inner.content()
            with page.expect_response("**/state/reset") as answered:
                page.click("button")
            assert answered.value.status == 403
            context.close()
            server.shutdown()
            thread.join()
        assert len(sandbox.effects) == 1, "what a reset would have forgotten"
    sandbox.close()

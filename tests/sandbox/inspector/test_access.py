"""Access to the inspector: the link, the cookie, the origin of forms, and what pages may load."""

from __future__ import annotations

import itertools
import subprocess
import sys
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import httpx
import pytest

from norce_order_async.sandbox import RequestLog, Sandbox
from tests.support.plain import NO_TLS

from .support import entered, origin

PAGES = ["/", "/requests/1", "/events", "/nothing"]


def test_a_link_works_once(inspected: Sandbox) -> None:
    link = inspected.inspector_link()
    with httpx.Client(verify=NO_TLS) as first, httpx.Client(verify=NO_TLS) as second:
        assert first.get(link).status_code == 200
        assert first.get(f"{origin(inspected)}/__inspect/").status_code == 200
        assert second.get(link).status_code == 403
        assert second.get(f"{origin(inspected)}/__inspect/").status_code == 403
        assert second.get(inspected.inspector_link()).status_code == 200
        # A visitor who has entered can stay.
        assert first.get(f"{origin(inspected)}/__inspect/").status_code == 200


def test_a_prefetch_of_a_link_does_not_use_it(inspected: Sandbox) -> None:
    link = inspected.inspector_link()
    assert httpx.head(link, verify=NO_TLS).status_code == 403
    assert httpx.get(link, verify=NO_TLS).status_code == 200


def test_a_wrong_link_is_refused(inspected: Sandbox) -> None:
    inspected.inspector_link()
    for key in ("", "wrong", "%C3%A5%00", "a" * 10_000):
        refused = httpx.get(f"{origin(inspected)}/__inspect/enter?key={key}", verify=NO_TLS)
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers


def test_the_cookie_is_only_for_these_pages(inspected: Sandbox) -> None:
    (cookie,) = SimpleCookie(httpx.get(inspected.inspector_link(), verify=NO_TLS).headers["set-cookie"]).values()
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/__inspect", "")
    assert len(cookie.value) >= 32


def test_two_sandboxes_of_one_host_have_cookies_of_their_own(inspected: Sandbox) -> None:
    """Browsers send the cookies of a host to all its ports."""
    with Sandbox(inspect=True) as other, httpx.Client(verify=NO_TLS) as browser:
        browser.get(inspected.inspector_link())
        browser.get(other.inspector_link())
        for sandbox in (inspected, other):
            assert browser.get(f"{origin(sandbox)}/__inspect/").status_code == 200
    other.close()


def test_without_the_cookie_nothing_is_shown(inspected: Sandbox) -> None:
    cookies = ["", "norce_inspector_00000000=x", 'a[]"{}=c; norce_inspector', "=;=;"]
    with httpx.Client(base_url=f"{origin(inspected)}/__inspect", verify=NO_TLS) as stranger:
        for path, cookie in itertools.product(PAGES, cookies):
            refused = stranger.get(path, headers={"cookie": cookie})
            assert refused.status_code == 403
            assert inspected.token not in refused.text


def test_a_post_must_come_from_a_page_of_its_own(inspected: Sandbox, visitor: httpx.Client) -> None:
    del visitor.headers["origin"]
    assert visitor.post("/").status_code == 403
    for sent in ("null", "http://localhost:1", "http://127.0.0.1", "https://evil.example", ""):
        assert visitor.post("/", headers={"origin": sent}).status_code == 403
    assert visitor.post("/", headers={"origin": origin(inspected)}).status_code == 405


def test_the_security_headers_are_set(visitor: httpx.Client) -> None:
    for path in [*PAGES, "/static/htmx.min.js", "/static/none", "/enter?key=wrong"]:
        with visitor.stream("GET", path) as answer:
            headers = answer.headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"


def test_nothing_but_the_files_of_pages_is_served(visitor: httpx.Client) -> None:
    for name in ("../app.py", "%2e%2e/app.py", "LICENCES.md", "", "inspector.css/"):
        assert visitor.get(f"/static/{name}").status_code == 404


def test_it_is_separate_from_the_service(inspected: Sandbox, visitor: httpx.Client) -> None:
    """Its pages meet no faults and are not logged as requests."""
    inspected.faults.play({"rules": [{"fault": {"answer": 500}}]})
    assert visitor.get("/").status_code == 200
    assert len(inspected.requests) == len(inspected.faults) == 0


def test_a_sandbox_without_it_loads_nothing_of_it() -> None:
    with Sandbox() as sandbox:
        # The log keeps nothing for an inspector.
        assert type(sandbox.requests) is RequestLog
        assert httpx.get(f"{origin(sandbox)}/__inspect/", verify=NO_TLS).status_code == 404
        with pytest.raises(RuntimeError, match="inspect=True"):
            sandbox.inspector_link()
    with pytest.raises(RuntimeError, match="not running"):
        Sandbox(inspect=True).inspector_link()


def test_what_it_needs_is_loaded_with_it() -> None:
    code = """
import sys
from norce_order_async.sandbox import RequestLog, Sandbox
Sandbox().close()
assert "jinja2" not in sys.modules
Sandbox(inspect=True).close()
assert "jinja2" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_can_be_looked_at_again_after_a_restart(inspected: Sandbox) -> None:
    with entered(inspected) as browser:
        kept = dict(browser.cookies)
    inspected.stop()
    inspected.start()
    assert httpx.get(f"{origin(inspected)}/__inspect/", cookies=kept, verify=NO_TLS).status_code == 200


@pytest.mark.every_loop
@pytest.mark.anyio
async def test_its_pages_are_the_same_on_either_loop(inspected: Sandbox) -> None:
    """A test of a program may use the application in its own process."""
    link = urlsplit(inspected.inspector_link())
    transport = httpx.ASGITransport(inspected.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
        assert (await browser.get(f"{link.path}?{link.query}")).status_code == 200
        for path in ("/", "/orders", "/callbacks", "/rules", "/faults", "/state", "/state/sandbox.sqlite"):
            assert (await browser.get(f"/__inspect{path}")).status_code == 200
        taken = await browser.post("/__inspect/state/take", headers={"origin": "http://localhost"})
        assert taken.status_code == 303


def test_a_client_with_the_token_gets_another_link(inspected: Sandbox) -> None:
    asked = f"{origin(inspected)}/__sandbox/inspector"
    assert httpx.post(asked, verify=NO_TLS).status_code == 401
    given = httpx.post(asked, headers={"authorization": "Bearer sandbox-token"}, verify=NO_TLS).json()
    assert httpx.get(origin(inspected) + given["link"], verify=NO_TLS).status_code == 200
    with Sandbox() as other:
        missing = httpx.post(
            f"{origin(other)}/__sandbox/inspector", headers={"authorization": f"Bearer {other.token}"}, verify=NO_TLS
        )
        assert missing.status_code == 404

"""A call to a real Norce host fails the test, whoever makes it and whatever becomes of the exception."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.testing.support import run

pytest_plugins = ["pytester"]

NO_NETWORK = """\
import socket


def nobody(host, *_, **__):
    raise socket.gaierror(f"no network in here for {host}")


socket.getaddrinfo = nobody
"""

CALLS = """\
import http.client
import socket
import ssl
import threading
import urllib.request

import httpx
import pytest

HOST = "acme.api-se.playground.norce.tech"
URL = f"https://{HOST}/checkout/order"


@pytest.mark.anyio
async def test_httpx():
    async with httpx.AsyncClient() as client:
        await client.get(URL)


@pytest.mark.anyio
async def test_our_client():
    from norce_order_async import NorceOrderClient
    async with NorceOrderClient(environment="production", slug="acme", merchant="a", channel="b", token="t") as norce:
        await norce.orders.count()


def test_the_standard_library():
    urllib.request.urlopen(URL)


def test_requests():
    pytest.importorskip("requests").get(URL)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_aiohttp(anyio_backend):
    aiohttp = pytest.importorskip("aiohttp")
    async with aiohttp.ClientSession() as session:
        await session.get(URL)


def test_in_other_letters():
    http.client.HTTPSConnection("ACME.API-SE.Norce.Tech.").connect()


def test_swallowed():
    try:
        socket.create_connection((HOST, 443))
    except Exception:
        pass


def test_translated():
    try:
        socket.create_connection((HOST, 443))
    except BaseException as error:
        raise ValueError("something else") from error


def test_hidden():
    try:
        socket.create_connection((HOST, 443))
    except BaseException:
        raise ValueError("something else") from None


def test_lost_in_a_thread():
    def work():
        try:
            urllib.request.urlopen(URL)
        except BaseException:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_through_a_tunnel():
    ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
"""

ALLOWED = """\
import socket

import httpx
import pytest

HOST = "acme.api-se.playground.norce.tech"


def reached(host=HOST):
    with pytest.raises(socket.gaierror, match="no network"):
        socket.create_connection((host, 443))


@pytest.mark.norce_real_hosts
def test_by_the_marker():
    reached()


def test_by_the_fixture(norce_real_hosts):
    reached()


@pytest.mark.norce_real_hosts("*.playground.norce.tech")
def test_some_of_them():
    reached()
    with pytest.raises(pytest.fail.Exception):
        socket.create_connection(("acme.api-se.norce.tech", 443))


def test_hosts_that_only_look_like_it():
    reached("norce.tech.example")
    reached("notnorce.tech")


@pytest.mark.anyio
async def test_a_mock():
    transport = httpx.MockTransport(lambda request: httpx.Response(204))
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get(f"https://{HOST}")).status_code == 204


@pytest.mark.anyio
async def test_loopback():
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")
"""


def test_calls_fail_the_test(pytester: pytest.Pytester) -> None:
    """On both loops, by any client; every text says which host, and what to do."""
    pytester.makeconftest(NO_NETWORK)
    pytester.makepyfile(CALLS)
    result = run(pytester, "--tb=short", "-rf")
    there = sum(find_spec(name) is not None for name in ("aiohttp", "requests"))
    # With two loops, httpx and our client count double.
    result.assert_outcomes(failed=11 + there, skipped=2 - there)
    summary = [line for line in result.outlines if line.startswith("FAILED")]
    assert [line for line in summary if "the test called acme.api-se." not in line] == [
        "FAILED test_calls_fail_the_test.py::test_translated - ValueError: something else",
        "FAILED test_calls_fail_the_test.py::test_hidden - ValueError: something else",
    ]
    result.stdout.re_match_lines(["-+ Norce -+", "the test called acme.api-se.playground.norce.tech"])
    assert result.stdout.str().count("a real Norce host. Use norce_client, or") >= 2 * len(summary) - 2


def test_what_is_allowed_stays_as_it_is(pytester: pytest.Pytester) -> None:
    """By the marker, by the fixture, by pattern; and what is no host of Norce's."""
    pytester.makeconftest(NO_NETWORK)
    pytester.makepyfile(ALLOWED)
    result = run(pytester)
    # The refused call of the third is lost, so that test fails at its end.
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_some_of_them*the test called acme.api-se.norce.tech*"])


def test_nothing_is_left_behind(pytester: pytest.Pytester) -> None:
    """After a test everything is as it was."""
    pytester.makeconftest(
        """
        import socket
        import ssl

        def looked_up():
            return socket.getaddrinfo, socket.gethostbyname, ssl.SSLContext.wrap_bio, ssl.SSLContext.wrap_socket

        BEFORE = looked_up()

        def pytest_sessionfinish():
            assert looked_up() == BEFORE
        """
    )
    pytester.makepyfile(
        """
        import socket
        from conftest import BEFORE

        def test_it():
            assert socket.getaddrinfo is not BEFORE[0]
        """
    )
    run(pytester).assert_outcomes(passed=1)

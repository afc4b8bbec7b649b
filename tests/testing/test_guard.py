"""A call to a real Norce host fails the test, even from other code or if the exception is caught."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from norce_order_async.testing.guard import Guard
from tests.testing.support import run

pytest_plugins = ["pytester"]

NO_NETWORK = """\
import socket
import sys


def nobody(event, arguments):
    # Below the guard's own: what that lets through ends here.
    if event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"}:
        if "norce" in str(arguments).lower():
            raise socket.gaierror(f"no network in here for {arguments}")


def pytest_runtestloop():
    sys.addaudithook(nobody)
"""

ON = "norce_guard = true"

CALLS = """\
import _socket
import http.client
import socket
import ssl
import threading
import urllib.request
from socket import getaddrinfo

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


def test_with_other_dots():
    socket.getaddrinfo("acme\u3002api-se\uff0enorce\uff61tech", 443)


def test_an_imported_function():
    getaddrinfo(HOST, 443)


def test_the_module_below():
    _socket.gethostbyname_ex(HOST)


def test_an_address_in_bytes():
    socket.getaddrinfo(HOST.encode(), 443)


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
    """A call fails the test on both loops and with any client, and the text names the host and the remedy."""
    pytester.makeconftest(NO_NETWORK)
    pytester.makepyfile(CALLS)
    result = run(pytester, "--tb=short", "-rf", ini=ON)
    there = sum(find_spec(name) is not None for name in ("aiohttp", "requests"))
    # httpx and our client run on two loops, so they count double.
    result.assert_outcomes(failed=15 + there, skipped=2 - there)
    summary = [line for line in result.outlines if line.startswith("FAILED")]
    assert [line for line in summary if "the test called acme.api-se." not in line] == [
        "FAILED test_calls_fail_the_test.py::test_translated - ValueError: something else",
        "FAILED test_calls_fail_the_test.py::test_hidden - ValueError: something else",
    ]
    result.stdout.re_match_lines(["-+ Norce -+", "the test called acme.api-se.playground.norce.tech"])
    assert result.stdout.str().count("a real Norce host. Use norce_client, or") >= 2 * len(summary) - 2


def test_sockets_that_resolve_a_name_by_themselves() -> None:
    """Python reports these calls after the name is resolved, so the test needs a name that can be resolved here."""
    watch = Guard("localhost")
    watch.install()
    try:
        with (
            watch.watching([]),
            socket.socket() as stream,
            socket.socket(type=socket.SOCK_DGRAM) as datagram,
        ):
            calls: list[Callable[[], object]] = [
                lambda: stream.connect(("localhost", 1)),
                lambda: stream.connect_ex(("localhost", 1)),
                lambda: datagram.sendto(b"", ("localhost", 1)),
                lambda: datagram.sendmsg([b""], [], 0, ("localhost", 1)),
            ]
            for call in calls:
                with pytest.raises(pytest.fail.Exception, match="the test called localhost"):
                    call()
                assert watch.account() is not None
    finally:
        watch.remove()


def test_a_forked_child_is_stopped_too(pytester: pytest.Pytester) -> None:
    """The call in the child does not fail the test, but nothing is called."""
    pytester.makeconftest(NO_NETWORK)
    pytester.makepyfile(
        """
        import os
        import socket
        import pytest

        @pytest.mark.filterwarnings("ignore::DeprecationWarning")
        def test_a_fork():
            child = os.fork()
            if not child:
                try:
                    socket.getaddrinfo("acme.norce.tech", 443)
                except pytest.fail.Exception:
                    os._exit(7)
                finally:
                    os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        """
    )
    run(pytester, ini=ON).assert_outcomes(passed=1)


def test_allowed_calls_are_not_affected(pytester: pytest.Pytester) -> None:
    """Calls are allowed by the marker, the fixture or a pattern, and so are calls to other hosts."""
    pytester.makeconftest(NO_NETWORK)
    pytester.makepyfile(ALLOWED)
    result = run(pytester)
    # The third test hides its refused call, so it fails at its end.
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_some_of_them*the test called acme.api-se.norce.tech*"])


@pytest.mark.parametrize(
    "used",
    [
        "def test_other(norce_client): pass",
        "@pytest.mark.norce_faults('slow')\ndef test_other(): pass",
        "@pytest.fixture\ndef shop(norce_sandbox): pass\n\ndef test_other(shop): pass",
    ],
    ids=["fixture", "marker", "through a fixture of its own"],
)
@pytest.mark.parametrize("arguments", [(), ("-k", "test_call")], ids=["all", "deselected"])
# The tests to run are chosen after all modules were collected.
@pytest.mark.in_turn("arguments")
def test_it_is_on_if_the_plugin_is_used(pytester: pytest.Pytester, used: str, arguments: tuple[str, ...]) -> None:
    """One test that uses the plugin is enough, in any file, and whether or not it is run this time."""
    pytester.makeconftest(NO_NETWORK)
    pytester.makepyfile(test_a="import socket\n\ndef test_call(): socket.getaddrinfo('acme.norce.tech', 443)\n")
    pytester.makepyfile(test_b=f"import pytest\n\n{used}\n")
    result = run(pytester, *arguments)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["FAILED test_a.py::test_call*the test called acme.norce.tech*"])


LEFT_ALONE = """\
import socket
import ssl

import pytest


def test_it():
    from conftest import BEFORE, looked_up
    assert looked_up() == BEFORE
    with pytest.raises(socket.gaierror, match="no network"):
        socket.create_connection(("acme.api-se.norce.tech", 443))
"""

LOOKED_UP = """

import socket
import ssl


def looked_up():
    return (
        socket.getaddrinfo,
        socket.gethostbyname,
        vars(socket.socket).get("connect"),
        ssl.SSLContext.wrap_bio,
        ssl.SSLContext.wrap_socket,
    )


BEFORE = looked_up()
"""


@pytest.mark.parametrize("ini", ["", "norce_guard = false"], ids=["as it comes", "switched off"])
def test_it_does_nothing_if_the_plugin_is_not_used(pytester: pytest.Pytester, ini: str) -> None:
    """The plugin may be installed beside a project that does not use it."""
    pytester.makeconftest(NO_NETWORK + LOOKED_UP)
    pytester.makepyfile(LEFT_ALONE + ("\ndef test_use(norce_client): pass\n" if ini else ""))
    run(pytester, ini=ini).assert_outcomes(passed=2 if ini else 1)


def test_nothing_is_left_behind(pytester: pytest.Pytester) -> None:
    """After the run the replaced functions are the original ones again."""
    pytester.makeconftest(
        NO_NETWORK
        + LOOKED_UP
        + """
def pytest_sessionfinish():
    assert looked_up() == BEFORE
    try:
        socket.getaddrinfo("acme.norce.tech", 443)
    except socket.gaierror:
        print("nobody is watched any more")
"""
    )
    pytester.makepyfile(
        """
        import ssl
        from conftest import BEFORE

        def test_it():
            assert ssl.SSLContext.wrap_bio is not BEFORE[3]
        """
    )
    result = run(pytester, ini=ON)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*nobody is watched any more*"])


PATCHES = """\
import socket
import ssl

import pytest

PLACES = [(socket, "getaddrinfo"), (ssl.SSLContext, "wrap_bio"), (ssl.SSLContext, "wrap_socket")]


def ours(*_, **__):
    return "ours"


@pytest.fixture(scope="SCOPE", autouse=True)
def patched():
    before = [getattr(place, name) for place, name in PLACES]
    for place, name in PLACES:
        setattr(place, name, ours)
    yield
    for (place, name), old in zip(PLACES, before):
        assert getattr(place, name) is ours
        setattr(place, name, old)


@pytest.mark.parametrize("number", range(3))
def test_it_is_still_there(number):
    assert socket.getaddrinfo("acme.norce.tech", 443) == "ours"
    assert [getattr(place, name) for place, name in PLACES] == [ours] * 3
"""


@pytest.mark.parametrize("scope", ["session", "module", "function"])
@pytest.mark.parametrize("ini", ["", ON], ids=["off", "on"])
# On or off, patches are undone in the order of their scopes.
@pytest.mark.in_turn("ini")
def test_patches_of_others_stay(pytester: pytest.Pytester, scope: str, ini: str) -> None:
    """A project may replace these functions with its own at any time."""
    pytester.makeconftest(LOOKED_UP + "\ndef pytest_unconfigure():\n    print('back:', looked_up() == BEFORE)\n")
    pytester.makepyfile(PATCHES.replace("SCOPE", scope))
    result = run(pytester, ini=ini)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["back: True"])


def test_patches_that_outlast_the_run_stay(pytester: pytest.Pytester) -> None:
    """The guard does not undo a project's patches, and the functions that they replaced still work."""
    pytester.makeconftest(
        """
        import ssl

        def pytest_runtestloop():
            put_away = ssl.SSLContext.wrap_bio

            def theirs(*given, **named):
                return put_away(*given, **named)

            ssl.SSLContext.wrap_bio = theirs

        def pytest_unconfigure():
            print("is:", ssl.SSLContext.wrap_bio.__name__)
            bio = ssl.create_default_context().wrap_bio(
                ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="acme.norce.tech"
            )
            print("gave:", bio.server_hostname)
        """
    )
    pytester.makepyfile("def test_it(): pass")
    result = run(pytester, ini=ON)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["is: theirs", "gave: acme.norce.tech"])

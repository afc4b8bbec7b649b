"""The plugin in every run: its imports, its markers, its options and its settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.testing.support import run

pytest_plugins = ["pytester"]


def imported(program: str) -> set[str]:
    """Return the imports of a program beyond pytest's own."""
    code = f"import sys, pytest\nbefore = set(sys.modules)\n{program}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_it_imports_almost_nothing() -> None:
    """The plugin imports only itself, the packages around it and the guard."""
    assert imported("import norce_order_async.testing.plugin") == {
        "norce_order_async",
        "norce_order_async._exports",
        "norce_order_async.testing",
        "norce_order_async.testing.guard",
        "norce_order_async.testing.plugin",
    }


def test_a_run_without_it(pytester: pytest.Pytester) -> None:
    """A run that does not use the plugin imports neither client nor sandbox nor an HTTP library."""
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert not {"httpx", "starlette", "norce_order_api", "norce_order_async.client"} & sys.modules.keys()
        """
    )
    run(pytester, plugins=(), imports=True).assert_outcomes(passed=1)


def test_the_names_for_annotations_are_loaded_on_demand() -> None:
    """The names can be imported, and there are no others."""
    import norce_order_async.testing as testing

    assert dir(testing) == testing.__all__ == ["CallbackCall", "CallbackReceiver", "ConnectAdapter", "Reply"]
    assert testing.Reply(204).status == 204
    with pytest.raises(AttributeError, match="no attribute 'Answer'"):
        _ = testing.Answer  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


def test_its_help(pytester: pytest.Pytester) -> None:
    """Markers, fixtures and the option are listed with their purpose."""
    markers = run(pytester, "--markers").stdout
    markers.fnmatch_lines_random([f"@pytest.mark.norce_{name}(*" for name in ("faults", "socket", "real_hosts")])
    fixtures = run(pytester, "--fixtures").stdout
    names = ("sandbox", "client", "order", "faults", "callbacks", "real_hosts", "sandbox_options", "client_options")
    fixtures.fnmatch_lines_random([f"norce_{name} -- *" for name in names])
    run(pytester, "--help").stdout.fnmatch_lines_random(
        ["*--norce-socket*", "*norce_socket (bool):*", "*--norce-readings=*", "*norce_readings_accepted (linelist):*"]
    )


SERVED = """\
import pytest


def served(sandbox):
    return "127.0.0.1" in repr(sandbox)


def test_as_set(norce_sandbox, norce_client):
    assert served(norce_sandbox) is {as_set}
    assert norce_client.base_url.startswith("http://127.0.0.1:") is {as_set}


@pytest.mark.norce_socket
def test_on(norce_sandbox):
    assert served(norce_sandbox)


@pytest.mark.norce_socket(False)
def test_off(norce_sandbox, norce_client):
    assert not served(norce_sandbox)
"""


@pytest.mark.parametrize(
    ("arguments", "ini", "as_set"),
    [((), "", False), (("--norce-socket",), "", True), ((), "norce_socket = true", True)],
    ids=["nothing", "option", "ini"],
)
def test_over_a_socket_on_request(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, as_set: bool
) -> None:
    """A socket is requested by option, by ini or by the marker of a test, which wins."""
    pytester.makepyfile(SERVED.format(as_set=as_set))
    run(pytester, *arguments, ini=ini).assert_outcomes(passed=3)


def test_plans(pytester: pytest.Pytester) -> None:
    """A seed decides the faults. A mistake in the marker is an error of that test, with the reason."""
    pytester.makepyfile(
        """
        import pytest

        PLAN = {"rules": [{"operations": "GetCheckoutOrders", "share": 0.5, "fault": {"delay": 0.001}}]}
        stories = {}

        @pytest.mark.anyio
        @pytest.mark.parametrize("name", [
            pytest.param("seven", marks=pytest.mark.norce_faults(PLAN, seed=7)),
            pytest.param("again", marks=pytest.mark.norce_faults(PLAN, seed=7)),
            pytest.param("eight", marks=pytest.mark.norce_faults(PLAN, seed=8)),
        ])
        async def test_a_story(norce_client, norce_faults, name, anyio_backend):
            for _ in range(20):
                await norce_client.orders.count()
            stories[name, anyio_backend] = [played.request for played in norce_faults]

        def test_the_same_and_another():
            seven, eight = stories["seven", "asyncio"], stories["eight", "trio"]
            assert seven == stories["seven", "trio"] == stories["again", "asyncio"] != eight

        @pytest.mark.norce_faults("flaky")
        def test_no_such_plan(norce_sandbox):
            pass

        @pytest.mark.norce_faults(plan="slow")
        def test_no_plan(norce_sandbox):
            pass

        @pytest.mark.anyio
        async def test_played_later(norce_client, norce_faults):
            norce_faults.play({"rules": [{"first": 1, "fault": {"answer": 503}}]})
            await norce_client.orders.count()
            norce_faults.stop()
            await norce_client.orders.count()
            assert [played.fault for played in norce_faults] == ["answer 503"]
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=9, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "ERROR *test_no_such_plan*FaultPlanError: there is no plan*",
            'ERROR *test_no_plan*norce_faults("slow", seed=7)',
        ]
    )


def test_the_settings(pytester: pytest.Pytester) -> None:
    """Overriding a fixture sets the arguments of sandbox and client. The order is made in the client's scope."""
    pytester.makepyfile(
        """
        import pytest
        from norce_order_async import CallOptions
        from norce_order_async.sandbox import ManualClock

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def norce_sandbox_options():
            return {"clock": ManualClock(), "token": "ours"}

        @pytest.fixture
        def norce_client_options():
            return {"merchant": "other", "channel": "no", "options": CallOptions(max_attempts=1)}

        async def test_it(norce_client, norce_order, norce_sandbox):
            assert (norce_sandbox.token, norce_client.merchant, norce_client.channel) == ("ours", "other", "no")
            norce_sandbox.advance(60)
            await norce_order.refresh()
            assert (await norce_client.orders.get(norce_order.id)).status == "checkout"
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_an_http_client_of_the_user_s(pytester: pytest.Pytester) -> None:
    """The user's HTTP client replaces the connection to the sandbox."""
    pytester.makepyfile(
        """
        import httpx
        import pytest

        PAGE = {"items": [], "pagination": {"offset": 0, "limit": 1, "size": 0, "totalSize": 0}}

        @pytest.fixture
        def norce_client_options():
            transport = httpx.MockTransport(lambda request: httpx.Response(200, json=PAGE))
            return {"http_client": httpx.AsyncClient(transport=transport)}

        @pytest.mark.anyio
        async def test_it(norce_client, norce_sandbox):
            page = await norce_client.orders.list()
            assert (page.orders, len(norce_sandbox.requests)) == ([], 0)
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_an_order_that_is_requested_late(pytester: pytest.Pytester) -> None:
    """An order is made without disturbing the loop, even if the loop is running already."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.norce_faults({"rules": [{"operations": "*", "first": 2, "fault": {"answer": 500}}]})
        async def test_it(request, norce_sandbox):
            order = request.getfixturevalue("norce_order")
            assert order.amount == 175
            await order.refresh()
            assert [received.status for received in norce_sandbox.requests] == [500, 500, 200]
        """
    )
    run(pytester).assert_outcomes(passed=2)

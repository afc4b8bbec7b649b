"""No foreign exception leaves a call of the client, whatever a service answers over a real connection.

``test_every_call`` tries many more answers with an engine that plays a script. Only this test shows what an HTTP
library makes of an odd answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from norce_order_async import CallOptions, NorceOrderClient
from norce_order_async.engines.select import EngineName
from tests.engines.faultserver import FaultServer, answer

from .every_call import ORDER, Given, public_calls
from .test_every_call import arguments_of, drive, look, told

pytestmark = pytest.mark.anyio

GOOD = answer(json.dumps(ORDER).encode())
ODD_HEAD = {
    "retry-after": "9" * 400,
    "location": "http://[",
    "content-type": "\xff/\xff; charset=\xff",
    "x-correlation-id": "\x80" * 2000,
}
ANSWERS: dict[str, tuple[bytes, bool]] = {
    "no JSON": (answer(b"<html>no</html>"), True),
    "another shape": (answer(b'[5, null, {"id": 5}, "x"]'), True),
    "another id": (answer(json.dumps({**ORDER, "id": "o2"}).encode()), True),
    "a cut body": (GOOD[: len(GOOD) // 2], False),
    "no head": (b"\x16\x03\x01\r\n\r\n", False),
    "an odd head": (answer(json.dumps(ORDER).encode(), **ODD_HEAD), True),
    "an odd refusal": (answer(b'{"code": {}, "errors": [5]}', "400 \xff", **ODD_HEAD), True),
    "an odd rejection": (answer(b"\xff", "429 Too Many", **ODD_HEAD), True),
}
"""The answers, each with whether the connection is kept."""

OPTIONS = CallOptions(max_attempts=1, settling_pause=0.0, deadline=2.0, base_delay=0.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make files in a temporary folder, whatever is taken for a name."""
    monkeypatch.chdir(tmp_path)


@asynccontextmanager
async def standing(server: FaultServer, engine: EngineName, folder: Path) -> AsyncGenerator[Given]:
    server.says, server.keeps = GOOD, True
    async with NorceOrderClient(
        base_url=f"{server.url}/says", merchant="acme", channel="se", token="t", engine=engine, options=OPTIONS
    ) as norce:
        yield Given(norce, await norce.orders.get("o1"), folder, folder / "job.journal")


@pytest.mark.parametrize("what", ANSWERS)
@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
async def test_hostile_answers_over_a_socket(engine: EngineName, what: str, tmp_path: Path) -> None:
    """Each call that sends gets a hostile answer. Jobs are left out, because they wait for a service that is away."""
    found: list[str] = []
    with FaultServer() as server:
        async with standing(server, engine, tmp_path) as given:
            calls = [call for call in public_calls(given) if call.name.partition(".")[0] in ("client", "order")]
            server.says, server.keeps = ANSWERS[what]
            for call in calls:
                if call.name in ("client.aclose", "client.from_env", "client.bulk"):
                    continue
                fresh = replace(given, order=given.client.orders("o1")) if call.name == "order.refresh" else given
                arguments, named = arguments_of(call, fresh)
                error = await drive(call, fresh, arguments, named) or look(given)
                if error is not None:
                    found.append(told(call, what, error))
    assert not found, f"{len(found)} of them: " + "; ".join(found)
    assert len(server.received) > 50

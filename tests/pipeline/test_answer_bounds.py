"""Answers whose body was not read because it is too large or too deep, and how large ones are read."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from norce_order_async import (
    BadRequestError,
    CallOptions,
    ConfigurationError,
    NorceOrderClient,
    OutcomeUnknownError,
    UnavailableError,
)
from norce_order_async import _json as plain
from norce_order_async._json import DEEPEST, LARGE, UNREADABLE, read_json
from norce_order_async.engines.select import EngineName
from norce_order_async.pipeline import attempt, call
from norce_order_async.pipeline.operations import (
    CREATE_ORDER,
    CREATE_PAYMENT,
    GET_ORDER,
    SET_STATE,
    VALIDATE,
)
from norce_order_async.pipeline.response import models_of
from tests.engines.faultserver import FaultServer
from tests.support.engine import Step, answer
from tests.support.pipeline import ORDER_ID, stand
from tests.support.wires import WIRES, engine_of, loop_of

pytestmark = pytest.mark.anyio

WHY = "it is larger than max_answer_size, 10 bytes"


@pytest.fixture(params=WIRES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return loop_of(request)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> EngineName:
    return engine_of(request)


def unread(status: int = 200, **headers: str) -> Step:
    return Step(status, headers=headers, unreadable=WHY)


async def test_a_read_is_repeated_and_unavailable() -> None:
    """A read needs the body, so it is repeated and then fails."""
    made = stand([unread()] * 3)
    with pytest.raises(UnavailableError, match=WHY) as caught:
        await made.call(GET_ORDER)
    assert caught.value.status == 200
    assert len(made.sent) == 3


async def test_a_change_of_status_is_done() -> None:
    """A change of status needs no body, so the success counts and the body is recorded as drift."""
    made = stand([unread()])
    found = await made.call(SET_STATE)
    assert (found.status, found.parsed) == (200, None)
    assert [(drift.where, drift.kind) for drift, _ in made.client.drift] == [("body", "unreadable")]


async def test_a_creation_is_recognised_by_its_location() -> None:
    """The Location header has the new id, so no body is needed."""
    made = stand([unread(201, location="/api/v0/checkout/orders/o1/payments/p9")])
    assert (await made.call(CREATE_PAYMENT)).id == "p9"
    assert len(made.sent) == 1


async def test_a_creation_without_an_id_is_unknown_and_not_repeated() -> None:
    """Without an id the outcome is unknown, and the creation is not sent again."""
    made = stand([unread(201)])
    with pytest.raises(OutcomeUnknownError, match=WHY):
        await made.call(CREATE_PAYMENT)
    assert [each for each in made.sent if each.startswith("POST")] == made.sent[:1]


async def test_a_lost_order_is_found() -> None:
    listed = {"data": [{"id": "o7", "cart": {"reference": "cart-1"}}]}
    made = stand([unread(201), answer(data=listed), answer(data={"data": []})])
    found = await made.call(CREATE_ORDER, body={"cart": {"reference": "cart-1"}})
    assert (found.id, found.adopted) == ("o7", True)


async def test_a_refusal_stays_a_refusal() -> None:
    """The error says that the body of the refusal was not read."""
    made = stand([unread(400)])
    with pytest.raises(BadRequestError, match="refused with 400, with a body that was not read: it is larger"):
        await made.call(CREATE_PAYMENT)
    assert len(made.sent) == 1


async def test_an_unread_report_is_not_a_success() -> None:
    """An empty report would mean that the order is valid, but an unread one need not be empty."""
    made = stand([unread()] * 3)
    with pytest.raises(UnavailableError, match=WHY):
        await made.call(VALIDATE)


async def test_the_limit_is_set_like_every_other_number() -> None:
    """The limit can be set for a scope and for a call, and the engine gets it."""
    made = stand([answer(data={"id": ORDER_ID})] * 3)
    await made.call(GET_ORDER)
    await made.call(GET_ORDER, options=CallOptions(max_answer_size=10))
    await made.client.scoped(options=CallOptions(max_answer_size=20)).orders.get(ORDER_ID)
    assert [request.max_answer_size for request in made.engine.requests] == [64 * 1024 * 1024, 10, 20]
    for wrong in (0, -1):
        with pytest.raises(ConfigurationError, match="max_answer_size is a number of bytes"):
            await made.call(GET_ORDER, options=CallOptions(max_answer_size=wrong))


# Over a socket


@pytest.mark.parametrize("play", ["bomb", "flood-chunks"])
async def test_listings_and_handles_are_bounded(engine: EngineName, play: str) -> None:
    """The limit holds for a single order and for the pages of an iteration. A DELETE succeeds without its body."""
    with FaultServer() as server:
        async with NorceOrderClient(
            base_url=f"{server.url}/{play}",
            merchant="acme",
            channel="se",
            token="t",
            engine=engine,
            options=CallOptions(max_answer_size=1_000_000, max_attempts=1),
        ) as norce:
            with pytest.raises(UnavailableError, match="larger than max_answer_size"):
                await norce.orders.get("o1")
            with pytest.raises(UnavailableError, match="larger than max_answer_size"):
                async for _ in norce.orders.iterate():
                    pass
            await norce.orders.delete("o1")
    assert server.counts == {play: 3}


# JSON


@pytest.mark.parametrize("fast", [True, False])
def test_json_is_read_up_to_a_depth(monkeypatch: pytest.MonkeyPatch, *, fast: bool) -> None:
    """JSON that is too deep is unreadable, with orjson and without, also if its brackets are hidden. It never
    crashes."""
    if not fast:
        monkeypatch.setattr(plain, "orjson", None)
    for before, after in ((b"[", b"]"), (b'{"a":', b"}"), (b'["]",', b',"["]'), (b"[12345678901234567890123,", b"]")):
        assert read_json(before * DEEPEST + b"1" + after * DEEPEST) is not UNREADABLE
        for depth in (DEEPEST + 1, 1000, 1_000_000):
            assert read_json(before * depth + b"1" + after * depth) is UNREADABLE
        assert read_json(before * 1_000_000) is UNREADABLE
    assert read_json(json.dumps([{"a": ["["]}] * 10_000).encode()) == [{"a": ["["]}] * 10_000


@pytest.mark.parametrize("fast", [True, False])
def test_json_is_read_up_to_a_number_of_values(monkeypatch: pytest.MonkeyPatch, *, fast: bool) -> None:
    """The number of values is limited in large bodies only, because the size of a small one is its limit."""
    if not fast:
        monkeypatch.setattr(plain, "orjson", None)
    monkeypatch.setattr(plain, "MOST_CONTAINERS", 10)
    monkeypatch.setattr(plain, "MOST_VALUES", 20)
    room = b" " * LARGE
    for few, many in (
        (b"[" + b"{}," * 8 + b"{}]", b"[" + b"{}," * 9 + b"{}]"),
        (b"[" + b"[]," * 8 + b"[]]", b"[" + b"[]," * 9 + b"[]]"),
        (b"[" + b"1," * 20 + b"1]", b"[" + b"1," * 21 + b"1]"),
    ):
        assert read_json(room + few) == json.loads(few)
        assert read_json(room + many) is UNREADABLE
        assert read_json(many) == json.loads(many)


MEASURED = """
    import sys

    from norce_order_async import _json as plain

    def most_memory():
        with open("/proc/self/status") as status:
            return int(status.read().split("VmHWM:")[1].split()[0]) * 1024

    if sys.argv[1] == "standard":
        plain.orjson = None
    size, containers, values = 64 * 1024 * 1024, plain.MOST_CONTAINERS - 10, plain.MOST_VALUES - 10
    crowd = {
        "objects": b'{"a":"bc"},' * containers + b'"ab",' * (values - containers),
        "arrays": b'[[[["ab"]]]],' * (containers // 4) + b'"ab",' * (values - containers),
        "members": b'{"a":"b1","b":"b2","c":"b3","d":"b4","e":"b5","f":"b6"},' * (containers),
    }[sys.argv[2]]
    body = b"[" + crowd + b'"'
    body += b"x" * (size - len(body) - 2) + b'"]'
    del crowd
    before = most_memory()
    assert plain.read_json(body) is not plain.UNREADABLE
    print((most_memory() - before) / size)
"""


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the most memory of a process there")
@pytest.mark.parametrize("crowd", ["objects", "arrays", "members"])
@pytest.mark.parametrize("decoder", ["fast", "standard"])
def test_the_memory_of_the_worst_answer(decoder: str, crowd: str) -> None:
    """The worst answer within the limits takes less than ten times its size in the process's memory, as the docs
    say."""
    command = [sys.executable, "-c", textwrap.dedent(MEASURED), decoder, crowd]
    times = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert times < 10


async def test_a_deep_answer_is_not_an_answer() -> None:
    made = stand([answer(body=b'{"id": "o1", "attributes": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}")] * 3)
    with pytest.raises(UnavailableError, match="without a readable body"):
        await made.call(GET_ORDER)


@pytest.mark.parametrize("size", [LARGE // 2, 2 * LARGE])
async def test_large_answers_are_read_in_a_thread(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Large answers and their models are decoded in a thread, small ones in place."""
    threads: list[bool] = []

    def told(work: Any) -> Any:
        def tells(*arguments: Any) -> Any:
            threads.append(threading.current_thread() is not threading.main_thread())
            return work(*arguments)

        return tells

    monkeypatch.setattr(attempt, "read_json", told(read_json))
    monkeypatch.setattr(call, "models_of", told(models_of))
    made = stand([answer(data={"id": ORDER_ID, "attributes": {"filling": "x" * size}})])
    # The clock of the tests does not wait for threads.
    found = await made.call(GET_ORDER, options=CallOptions(deadline=None))
    assert found.parsed.id == ORDER_ID
    assert threads == [size > LARGE] * 2


async def test_many_members_are_counted_within_limits() -> None:
    """200,000 unknown members give one order and at most a thousand kinds of drift."""
    members = b",".join(b'"m%d": 1' % number for number in range(200_000))
    made = stand([answer(body=b'{"id": "o1", ' + members + b"}")])
    found = await made.call(GET_ORDER, options=CallOptions(deadline=None))
    assert found.parsed.id == ORDER_ID
    assert len(made.client.drift) <= 1000

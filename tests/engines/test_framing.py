"""Every engine refuses heads that two parsers could read in two ways, before a parser sees them.

As after any answer that was not whole, writes with such an answer are unknown and reads are repeated.
"""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from norce_order_async import CallOptions, NorceOrderClient, OutcomeUnknownError, UnavailableError
from norce_order_async.engines._answer import LONGEST, Heads
from norce_order_async.engines.base import MaybeSentError
from norce_order_async.engines.select import EngineName

from .conftest import EngineFactory
from .faultserver import PLAYS, FaultServer
from .wire import wire

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"content-length: 2\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
IN_CHUNKS = b"\r\n2\r\n{}\r\n0\r\n\r\n"

REFUSED = {
    "a length and chunks": OK + LENGTH + CHUNKED + IN_CHUNKS,
    "chunks and a length": OK + CHUNKED + LENGTH + IN_CHUNKS,
    "the same length twice": OK + LENGTH + LENGTH + b"\r\n{}",
    "two lengths": OK + LENGTH + b"content-length: 3\r\n\r\n{} ",
    "two lengths in one": OK + b"content-length: 2, 2\r\n\r\n{}",
    "a length with a sign": OK + b"content-length: +2\r\n\r\n{}",
    "a negative length": OK + b"content-length: -2\r\n\r\n{}",
    "a length in hexadecimal": OK + b"content-length: 0x2\r\n\r\n{}",
    "a length of many digits": OK + b"content-length: 18446744073709551618\r\n\r\n{}",
    "an empty length": OK + b"content-length:\r\n\r\n{}",
    "a space before the colon": OK + b"content-length : 2\r\n\r\n{}",
    "a tab before the colon": OK + b"transfer-encoding\t: chunked\r\n" + IN_CHUNKS,
    "chunked twice": OK + CHUNKED + CHUNKED + IN_CHUNKS,
    "chunked in chunked": OK + b"transfer-encoding: chunked, chunked\r\n" + IN_CHUNKS,
    "gzip in chunks": OK + b"transfer-encoding: gzip, chunked\r\n" + IN_CHUNKS,
    "chunks in identity": OK + b"transfer-encoding: identity\r\n" + IN_CHUNKS,
    "a coding like chunked": OK + b"transfer-encoding: xchunked\r\n" + IN_CHUNKS,
    "chunked in quotes": OK + b'transfer-encoding: "chunked"\r\n' + IN_CHUNKS,
    "chunked with a parameter": OK + b"transfer-encoding: chunked;a=b\r\n" + IN_CHUNKS,
    "chunked behind a vertical tab": OK + b"transfer-encoding: \x0bchunked\r\n" + IN_CHUNKS,
    "chunked in an old protocol": b"HTTP/1.0 200 OK\r\n" + CHUNKED + IN_CHUNKS,
    "a folded header": OK + b"x-a: 1\r\n content-length: 5\r\n" + LENGTH + b"\r\n{}",
    "a folded coding": OK + b"transfer-encoding:\r\n chunked\r\n" + IN_CHUNKS,
    "a fold with a tab": OK + b"x-a: 1\r\n\tmore\r\n" + LENGTH + b"\r\n{}",
    "lines that end by LF": OK.replace(b"\r", b"") + LENGTH.replace(b"\r", b"") + b"\n{}",
    "one line that ends by LF": OK + b"x-a: 1\n" + LENGTH + b"\r\n{}",
    "a head that ends by LF": OK + LENGTH + b"\n{}",
    "a CR in a value": OK + b"x-a: 1\r2\r\n" + LENGTH + b"\r\n{}",
    "a NUL in a value": OK + b"x-a: 1\x002\r\n" + LENGTH + b"\r\n{}",
    "a NUL in a name": OK + b"x-\x00a: 1\r\n" + LENGTH + b"\r\n{}",
    "an ESC in a value": OK + b"x-a: \x1b[2J\r\n" + LENGTH + b"\r\n{}",
    "no name": OK + b": 1\r\n" + LENGTH + b"\r\n{}",
    "no colon": OK + b"x-a\r\n" + LENGTH + b"\r\n{}",
    "a space in a name": OK + b"x a: 1\r\n" + LENGTH + b"\r\n{}",
    "a letter beyond ASCII in a name": OK + b"x-\xe5: 1\r\n" + LENGTH + b"\r\n{}",
    "another protocol": b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\n{}",
    "a protocol nobody knows": b"ICY 200 OK\r\n" + LENGTH + b"\r\n{}",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n" + LENGTH + b"\r\n{}",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\n{}",
    "a status with a sign": b"HTTP/1.1 +20 OK\r\n" + LENGTH + b"\r\n{}",
    "a switch to another protocol": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n{}",
    "a malformed interim answer": b"HTTP/1.1 103 Early Hints\r\nlink : </a>\r\n\r\n" + OK + LENGTH + b"\r\n{}",
    "a line in front": b"\r\n" + OK + LENGTH + b"\r\n{}",
}

TAKEN = {
    "a length": OK + LENGTH + b"\r\n{}",
    "chunks": OK + CHUNKED + IN_CHUNKS,
    "in capitals": OK + b"TRANSFER-ENCODING:  Chunked \r\n" + IN_CHUNKS,
    "space around a value": OK + b"content-length:\t 2 \t\r\n\r\n{}",
    "no space": OK + b"content-length:2\r\n\r\n{}",
    "no reason": b"HTTP/1.1 200 \r\n" + LENGTH + b"\r\n{}",
    "letters beyond ASCII in a value": OK + b"x-a: \xc3\xa5\r\n" + LENGTH + b"\r\n{}",
    "an empty value": OK + b"x-a:\r\n" + LENGTH + b"\r\n{}",
    "names like these": OK + b"x-content-length: 9\r\nx-transfer-encoding: gzip\r\n" + LENGTH + b"\r\n{}",
    "many headers": OK + b"".join(b"x-%d: 1\r\n" % number for number in range(500)) + LENGTH + b"\r\n{}",
    "interim answers": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 3 + OK + LENGTH + b"\r\n{}",
    "a head as long as may be": OK + b"x-a: " + b"a" * (LONGEST - 45) + b"\r\n" + LENGTH + b"\r\n{}",
}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> Any:
    """Has the server answer with these bytes, at once or one by one."""

    def says(data: bytes, *, one_by_one: bool = False) -> str:
        def play(connection: Any, request: Any) -> bool:
            for part in [data[i : i + 1] for i in range(len(data))] if one_by_one else [data]:
                connection.send(part)
            return True

        monkeypatch.setitem(PLAYS, "framed", play)
        return f"{server.url}/framed"

    return says


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("name", REFUSED)
# Another test tries every place for a cut with the function that finds the faults.
@pytest.mark.in_turn("one_by_one")
async def test_an_ambiguous_head_is_refused(
    make_engine: EngineFactory, says: Any, server: FaultServer, name: str, *, one_by_one: bool
) -> None:
    """The error is "maybe" with our own text and no byte of the answer, and the connection is not used again."""
    engine = make_engine()
    with pytest.raises(MaybeSentError) as caught:
        await engine.send(wire(says(REFUSED[name], one_by_one=one_by_one), "POST", body=b"{}"))
    assert caught.value.phase == "read"
    # If it comes byte by byte, a parser may notice the fault before the head is whole.
    assert one_by_one or str(caught.value).startswith("the answer can't be trusted: ")
    assert "x-a" not in "".join(traceback.format_exception(caught.value))
    assert server.counts == {"framed": 1}
    assert (await engine.send(wire(f"{server.url}/good"))).body == b'{"ok": true}'
    assert server.accepted == 2
    await engine.aclose()
    assert server.settle() == 0


# A long head takes too long byte by byte.
@pytest.mark.parametrize(
    ("name", "one_by_one"),
    [(name, how) for name in TAKEN for how in (False, True) if not how or len(TAKEN[name]) <= 10_000],
)
# Another test tries every place for a cut with the function that finds the faults.
@pytest.mark.in_turn("one_by_one")
async def test_a_correct_head_is_accepted(
    make_engine: EngineFactory, says: Any, server: FaultServer, name: str, *, one_by_one: bool
) -> None:
    engine = make_engine()
    url = says(TAKEN[name], one_by_one=one_by_one)
    for _ in range(2):
        received = await engine.send(wire(url, "POST", body=b"{}"))
        assert (received.status, received.body) == (200, b"{}")
    assert server.accepted == 1
    await engine.aclose()


async def test_a_head_one_byte_too_long_is_refused(make_engine: EngineFactory, says: Any) -> None:
    engine = make_engine()
    with pytest.raises(MaybeSentError, match="its head is too long"):
        await engine.send(wire(says(OK + b"x-a: " + b"a" * (LONGEST - 44) + b"\r\n" + LENGTH + b"\r\n{}")))
    await engine.aclose()


@pytest.mark.parametrize("name", REFUSED)
def test_the_places_of_cuts_do_not_matter(name: str) -> None:
    """The faults are found if the head is cut in two at any place."""

    def look(*parts: bytes) -> None:
        heads = Heads()
        for part in parts:
            heads.take(part)

    data = REFUSED[name]
    for cut in range(len(data)):
        with pytest.raises(MaybeSentError):
            look(data[:cut], data[cut:])


async def test_a_read_is_repeated_and_a_write_is_unknown(
    engine_name: EngineName, says: Any, server: FaultServer
) -> None:
    url = says(REFUSED["a length and chunks"])
    async with NorceOrderClient(
        base_url=url,
        merchant="acme",
        channel="se",
        token="t",
        engine=engine_name,
        options=CallOptions(base_delay=0.0, settling_pause=0.0),
    ) as norce:
        with pytest.raises(UnavailableError, match="it gives its length twice"):
            await norce.orders.get("o1")
        assert server.counts["framed"] == 3
        with pytest.raises(OutcomeUnknownError, match="it gives its length twice"):
            await norce.orders("o1").payments.execute_action("p1", "a1")
        assert server.counts["framed"] == 4

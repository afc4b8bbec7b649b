"""The service's own words in the text of an error, without personal data and secrets."""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from norce_order_api import models
from norce_order_async import (
    BadRequestError,
    CallOptions,
    NotFoundError,
    NotSentError,
    Order,
    OrderFilter,
    OutcomeUnknownError,
    RefusedError,
    RejectedError,
    UnavailableError,
)
from norce_order_async.display import printable
from norce_order_async.errors import GaveUp
from norce_order_async.pipeline.events import CallEvent
from norce_order_async.pipeline.redact import ENUMERATED, MASK, SHOWN, mask
from tests.support.engine import answer
from tests.support.pipeline import stand

pytestmark = pytest.mark.anyio


async def refused(said: Any, body: Any = None, *, token: str = "tok-5ecret", **headers: str) -> BadRequestError:
    """Return the error of a refused payment with this body."""
    client = stand([answer(400, said)], token=token, headers=headers).client
    with pytest.raises(BadRequestError) as caught:
        await client.orders("oAbCdEfG").payments.create({} if body is None else body)
    return caught.value


async def test_the_words_of_the_service_are_in_the_text() -> None:
    """The error's text has the service's message and its errors about single members. The attribute has the raw
    message."""
    words = "$.type: must be one of default, prepaid, voucher"
    error = await refused({"code": "order-bad-request", "message": words}, {"type": "prepaid"})
    assert f"refused with 400 (order-bad-request) (correlation id {error.correlation_id})" in str(error)
    assert str(error).endswith(f"; the service said: {words}")
    assert error.message == words

    problem = {"title": "Not valid", "errors": {"$.amount": ["must be a number", "is missing"]}}
    assert str(await refused(problem)).endswith(
        "; the service said: Not valid; $.amount: must be a number; $.amount: is missing"
    )
    assert "the service said" not in str(await refused(None))
    assert "the service said" not in str(await refused({"message": " \n "}))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("mail to anna.berg@example.com, please", f"mail to {MASK}, please"),
        ("mail <anna@berg> or anna%40example.com", f"mail <{MASK}> or {MASK}"),
        ("no person 19121212-1212, nor 070123456", f"no person {MASK}, nor {MASK}"),
        ("12345 of 54321", "12345 of 54321"),
        ("Anna Berg lives in Storgatan 5", f"{MASK} Berg lives in {MASK} 5"),
        ("ANNA AND BJÖRN", f"{MASK} AND {MASK}"),
        ("name=Anna%20Bj%C3%B6rn", f"name={MASK}"),
        (json.dumps("Anna Björn"), f'"{MASK}"'),
        ("two\r\nlines \x1b[31m\u202e", r"two lines \x1b[31m\u202e"),
        ("payment p-1 with ref-2 of adapter psp_1", "payment p-1 with ref-2 of adapter psp_1"),
        ("prepaid is no type", "prepaid is no type"),
        ("the payment of the member Anders", f"the payment of the member {MASK}"),
        ("secret_key is no attribute", f"{MASK} is no attribute"),
        ("the key k3y-5ecret and Bearer TOK-5ecret", f"the key {MASK} and Bearer {MASK}"),
    ],
)
async def test_the_masked_parts(message: str, shown: str) -> None:
    """E-mail addresses, long numbers and texts of the request are masked. Its ids and references and the description's
    words are not."""
    body = {
        "id": "p-1",
        "reference": "ref-2",
        "adapterId": "psp_1",
        "type": "prepaid",
        "name": "Anna Björn",
        "attributes": {
            "customerId": "Anders",
            "note": "payment of Anders",
            "address": {"secret_key": "Storgatan 1"},
            "reference": "070-1",
        },
    }
    error = await refused({"message": message}, body, **{"x-key": "k3y-5ecret"})
    assert str(error).endswith(f"the service said: {shown}")
    assert error.message == message


async def test_a_text_in_queries_and_bodies() -> None:
    """Search terms of a listing and attributes are masked. Ids and references are not, also when they are set."""
    said = {"message": "nothing like Anna-Stina of billing Solna, ref-12 and pay-12"}
    service = stand([answer(400, said)])
    where = OrderFilter(
        search="anna-stina", billing_names=["Solna"], reference="ref-12", payment_id="pay-12", status="checkout"
    )
    with pytest.raises(RefusedError, match=re.escape("said: nothing like *** of billing ***, ref-12 and pay-12")):
        await service.client.orders.list(where)

    service = stand([answer(400, {"message": "ref-12 is taken"}), answer(400, {"message": "vip-club and Gold-1"})])
    with pytest.raises(RefusedError, match="said: ref-12 is taken"):
        await service.client.orders("o1").set_reference("ref-12")
    with pytest.raises(RefusedError, match=re.escape("said: *** and ***")):
        await service.client.orders("o1").attributes.update({"vip-club": True, "customerId": "gold-1"})


async def test_every_error_with_an_answer_has_the_words() -> None:
    """Errors about rejected, failed and unknown calls have the service's words too, because "back at 14" helps there as
    well."""
    said = {"code": "maintenance", "message": "back at 14"}
    service = stand([answer(503, said)] * 3 + [answer(429, said)] * 3)
    with pytest.raises(UnavailableError, match="the service said: back at 14; nothing was changed"):
        await service.client.orders.get("o1")
    with pytest.raises(RejectedError, match="the service said: back at 14"):
        await service.client.orders.get("o1")
    service = stand([answer(500, said), answer(404)])
    with pytest.raises(OutcomeUnknownError, match="the service said: back at 14"):
        await service.client.orders("o1").payments.create({"name": "card"})


async def test_a_long_message_is_cut() -> None:
    """A long message is cut, and the cut never shows half of a masked word."""
    error = await refused({"message": "y" * 50_000})
    assert str(error).endswith(f"{'y' * (SHOWN - 1)}…")
    assert len(str(error)) < SHOWN + 200
    name = "Svensson " * 200
    error = await refused({"message": name * 100}, {"name": name})
    assert "Sven" not in str(error)


async def test_no_log_line_has_the_words(caplog: pytest.LogCaptureFixture) -> None:
    """No log line shows the service's words, also if an observer fails while the error is raised."""

    class Failing:
        def attempt_ended(self, operation: str, attempt: Any, /) -> None:
            raise ValueError("first")

        def call_ended(self, call: CallEvent, /) -> None:
            raise ValueError("second")

    caplog.set_level(logging.DEBUG)
    said = {"code": "order-bad-request", "message": "quite special words"}
    service = stand([answer(400, said), answer(500)], observers=[Failing()], log_bodies=True)
    with pytest.raises(RefusedError, match="quite special words"):
        await service.client.orders("o1").transition_to("completed", explain=True, options=CallOptions(max_attempts=1))
    assert caplog.text.count("an observer failed") >= 4
    assert "ValueError: first" in caplog.text
    assert "special" not in caplog.text


@pytest.mark.parametrize("body", [b"<html><h1>Not found</h1>", b"", b"[]"])
async def test_a_404_that_is_not_the_service_s(body: bytes) -> None:
    """A 404 that is not in the service's form may mean a wrong base address, so the text does not blame the id."""
    with pytest.raises(NotFoundError, match="this may not be the order service: check its address"):
        await stand([answer(404, body=body)]).client.orders.get("o1")
    said = {"code": "order-not-found", "message": "none"}
    with pytest.raises(NotFoundError, match="said: none; check the id, and that merchant and channel"):
        await stand([answer(404, said)]).client.orders.get("o1")
    with pytest.raises(NotFoundError, match="said: none; check merchant and channel"):
        await stand([answer(404, said)]).client.orders.list()


async def test_options_of_a_call_are_masked_too() -> None:
    """Headers that are given for one call may be secrets, so they are masked in the text."""
    service = stand([answer(400, {"message": "no such k3y-0ther"})])
    with pytest.raises(RefusedError, match=re.escape("no such ***")):
        await service.client.orders.get("o1", options=CallOptions(headers={"x-other": "k3y-0ther"}))


texts = st.text(min_size=4, max_size=30) | st.sampled_from(
    ["Anna Berg", "19121212-1212", "Straße", "İstanbul", "a\nb c"]
)
pieces = st.text(max_size=20) | st.sampled_from([" is ", ": ", "'", "anna@x.se", "1234567"])


@settings(deadline=None)
@given(st.lists(texts, max_size=5), st.data())
@example(["aaaa", "aaab"], None)
def test_no_hidden_text_is_left(hidden: list[str], data: st.DataObject | None) -> None:
    """A text of the request is masked wherever it stands in a message and in whatever case, and so are long numbers and
    e-mail addresses."""
    spellings: list[Callable[[str], str]] = [str, str.upper, str.lower, quote]
    spelled = st.sampled_from(spellings)
    parts: list[str] = ["aaaaab"]
    if data is not None:
        parts = []
        for text in data.draw(st.lists(st.sampled_from([*hidden, ""]), max_size=6)):
            spell = data.draw(spelled)
            parts += [data.draw(pieces), spell(text) if text.isascii() else text]
    words = printable(" ".join("".join(parts).split()))
    shown = mask(words, hidden)
    for text in hidden:
        as_shown = printable(" ".join(text.split()))
        if len(as_shown) >= 4 and text.lower() not in ENUMERATED and "*" not in as_shown:
            assert as_shown.lower() not in shown.lower()
    assert re.search(r"\d{6}", shown) is None
    assert not any("@" in word for word in shown.split())


def test_every_word_of_an_enumeration_is_listed() -> None:
    """``ENUMERATED`` is written by hand, and has every word of the description's enumerations."""
    words: set[str] = set()
    for name in models.__all__:
        module = importlib.import_module(vars(models)["_MODULES"][name], models.__name__)
        values: list[set[str]] = [value for key, value in vars(module).items() if key.endswith("_VALUES")]
        words.update(*values)
    assert {word.lower() for word in words} == ENUMERATED


async def test_a_loop_over_unsent_calls_ends() -> None:
    """A loop that repeats a call while it may be called again, as in README, ends if the client is closed or the job
    stopped."""

    async def until_done(order: Order) -> Order:
        while True:
            try:
                return await order.refresh()
            except NotSentError as error:
                if not error.may_call_again:
                    raise

    closed = stand([]).client
    await closed.aclose()
    with pytest.raises(NotSentError, match="another client") as caught:
        await until_done(closed.orders("o1"))
    assert "may be called again" not in str(caught.value)

    job = stand([]).client.bulk()

    async def stops_first(order: Order) -> Order:
        job.stop()
        return await until_done(order)

    async with job:
        outcomes = [outcome async for outcome in job.run(["o1"], stops_first)]
    assert [outcome.verdict for outcome in outcomes] == ["not tried"]
    assert job.summary.stopped


@pytest.mark.parametrize("kind", [NotSentError, RejectedError, UnavailableError])
@pytest.mark.parametrize("gave_up", ["closed", "wrong-loop", "stopped", "attempts"])
def test_errors_that_allow_another_call(kind: type[Any], gave_up: GaveUp) -> None:
    """A call may be made again after its attempts ran out, but not on a closed client."""
    status = {"status": 503} if kind is RejectedError else {}
    error = kind("what", operation="GetCheckoutOrder", gave_up=gave_up, **status)
    assert error.may_call_again is (gave_up == "attempts")


async def test_a_page_of_another_server_is_not_an_order() -> None:
    """A 200 with an HTML page more often means a wrong address than an answer of the service."""
    with pytest.raises(UnavailableError, match="check its address"):
        await stand([answer(200, body=b"<html>welcome")] * 3).client.orders.get("o1")

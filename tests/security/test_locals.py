"""The locals that tools show with a traceback hold no token, no secret and no body."""

from __future__ import annotations

import importlib
import inspect
import sqlite3
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from norce_order_async import (
    CallOptions,
    ClientCredentials,
    ConfigurationError,
    Fixed,
    InvalidRequestError,
    JournalError,
    NorceError,
    NorceOrderClient,
    NotSentError,
    Order,
    OrderFilter,
    TokenError,
    UnauthorizedError,
)
from norce_order_async.bulk import actions
from norce_order_async.bulk.journal.sqlite import SqliteStore, file_errors
from norce_order_async.engines.select import ENGINES
from norce_order_async.errors import CallError
from norce_order_async.models import Address, CartDict, Payment, PaymentDict
from norce_order_async.sandbox import Sandbox
from tests.engines.faultserver import FaultServer
from tests.support.engine import Step, answer, lost
from tests.support.pipeline import stand
from tests.support.servers import closed_port
from tests.support.wires import EVERY_ENGINE

pytestmark = pytest.mark.anyio

TESTS = Path(__file__).parents[1]

TOKEN = "t0ken-that-nobody-may-see"
SECRET = "s3cret-that-nobody-may-see"
MARKER = "marker-in-the-body"
PAYMENT: PaymentDict = {"type": "other", "name": MARKER, "amount": 1, "attributes": {"note": MARKER}}
CART: CartDict = {"items": [{"sku": "T1", "name": MARKER, "quantity": 1}], "attributes": {"note": MARKER}}


def chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and all errors behind it, whether or not they would be printed."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def shown(way: TracebackType | None) -> list[tuple[str, str, str]]:
    """Return function, name and text of every local of a traceback, except those of the tests."""
    return [
        (frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name, name, repr(value))
        for frame, _ in traceback.walk_tb(way)
        if not Path(frame.f_code.co_filename).is_relative_to(TESTS)
        for name, value in frame.f_locals.items()
    ]


def walked(error: BaseException) -> Iterator[tuple[str, str, str]]:
    """Yield function, name and text of every local behind an error."""
    for one in chain(error):
        yield from shown(one.__traceback__)


def assert_holds_no_bytes(error: BaseException) -> None:
    """Check that no frame behind the error holds a token, a secret or the bytes of a body."""
    for function, name, text in walked(error):
        assert TOKEN not in text, (function, name)
        assert SECRET not in text, (function, name)
        assert "b'" not in text, (function, name)


def assert_shows_nothing(error: BaseException, *called: str) -> None:
    """Check that no frame behind the error holds a token, a secret or words of a body.

    The frames of the called methods may, because they hold their arguments.
    """
    for one in chain(error):
        assert TOKEN not in str(one)
        assert MARKER not in str(one)
    for function, name, text in walked(error):
        if function not in called:
            assert TOKEN not in text, (function, name)
            assert SECRET not in text, (function, name)
            assert MARKER not in text, (function, name)


CALLS: dict[str, tuple[str, Callable[[NorceOrderClient], Awaitable[object]]]] = {
    "orders.get": ("", lambda norce: norce.orders.get("o1")),
    "orders.create": ("OrderCollection.create", lambda norce: norce.orders.create({"cart": CART}, check_total=False)),
    "cart.put": ("CartPart.put", lambda norce: norce.orders("o1").cart.put(CART, check_total=False)),
    "payments.create": ("RemovableEntries.create", lambda norce: norce.orders("o1").payments.create(PAYMENT)),
    "payments.put": ("RemovableEntries.put", lambda norce: norce.orders("o1").payments.put("p1", PAYMENT)),
    "attributes.update": (
        "AttributesPart.update",
        lambda norce: norce.orders("o1").attributes.update({"note": MARKER}),
    ),
    "customer.set_billing": (
        "CustomerPart.set_billing",
        lambda norce: norce.orders("o1").customer.set_billing({"givenName": MARKER}),
    ),
    "payments.add_transaction": (
        "PaymentsPart.add_transaction",
        lambda norce: norce.orders("o1").payments.add_transaction("p1", {"event": "capture", "errorDetail": MARKER}),
    ),
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """Run a server that plays by the first part of the path."""
    with FaultServer() as server:
        yield server


every_call = pytest.mark.parametrize("call", CALLS)


@every_call
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_after_an_answer(call: str, status: int) -> None:
    """No local shows a secret behind an error of any class that an answer raises."""
    called, ask = CALLS[call]
    said = f"not {MARKER}" if called else "no"
    at = stand(lambda _: answer(status, {"code": "no", "message": said}), token=TOKEN)
    with pytest.raises(NorceError) as caught:
        await ask(at.client)
    assert isinstance(caught.value, CallError)
    assert_shows_nothing(caught.value, called)


@every_call
@pytest.mark.parametrize("play", ["close", "reset", "garbage", "half-body", "half-body-reset", "refuse"])
@pytest.mark.parametrize(("anyio_backend", "engine"), EVERY_ENGINE)
async def test_after_a_lost_answer(call: str, play: str, engine: str, server: FaultServer) -> None:
    """No local shows a secret on either engine and loop, whatever error is behind the lost answer."""
    called, ask = CALLS[call]
    with closed_port() as closed:
        address = closed if play == "refuse" else f"{server.url}/{play}"
    async with NorceOrderClient(
        base_url=address,
        merchant="m",
        channel="c",
        token=TOKEN,
        engine=ENGINES[engine].make(),
        options=CallOptions(max_attempts=1, settling_pause=0, repeat_order_creation=False),
    ) as norce:
        with pytest.raises(NorceError) as caught:
            await ask(norce)
    assert_shows_nothing(caught.value, called)


@pytest.mark.parametrize("bad", [float("nan"), object(), "\ud800"])
@pytest.mark.parametrize("encoded_by", ["fast", "standard"])
async def test_after_a_body_that_cannot_be_sent(bad: Any, encoded_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoded form of a body is not kept. The checks before it hold what they check."""
    if encoded_by == "standard":
        monkeypatch.setattr("norce_order_async._json.orjson", None)
    at = stand([], token=TOKEN)
    with pytest.raises(InvalidRequestError) as caught:
        await at.client.orders("o1").attributes.update({"note": MARKER, "bad": bad})
    assert all(TOKEN not in str(one) for one in chain(caught.value))
    assert_holds_no_bytes(caught.value)


async def sync_token() -> str:
    """Return text that no header accepts as a token."""
    return f"{TOKEN} {TOKEN}"


class Provider:
    """A caller's own provider."""

    async def token(self) -> str:
        """Return text that no header accepts as a token."""
        return f"{TOKEN} {TOKEN}"

    async def refused(self, token: str) -> bool:
        """Return whether there is a token; no test gets here."""
        return bool(token)


async def test_after_an_invalid_token() -> None:
    """No local shows an invalid token from a function, from one that is not async, or from a provider. If it is given
    directly, only the constructor holds it."""
    plain: Any = lambda: TOKEN  # noqa: E731
    for source in (sync_token, plain, Provider()):
        at = stand([], token=source)
        with pytest.raises(TokenError) as caught:
            await at.client.orders.get("o1")
        assert_shows_nothing(caught.value)
    with pytest.raises(ConfigurationError) as refused:
        NorceOrderClient(base_url="https://a.example", merchant="m", channel="c", token=f"{TOKEN} {TOKEN}")
    found = {function for function, _, text in shown(refused.value.__traceback__) if TOKEN in text}
    assert found <= {"NorceOrderClient.__init__"}


@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_after_an_identity_service_that_refuses(status: int) -> None:
    """No local shows the secret, or the token of the answer."""
    account = ClientCredentials(
        client_id="id", client_secret=SECRET, scope="prod", token_url="https://identity.example/token"
    )
    at = stand(lambda _: answer(status, {"access_token": f"{TOKEN} {TOKEN}", "error": SECRET}), token=account)
    with pytest.raises(TokenError) as caught:
        await at.client.orders.get("o1")
    assert_shows_nothing(caught.value)


async def test_the_walk_finds_a_token() -> None:
    """The walk finds the body where it may be, so the tests above can fail."""
    called, ask = CALLS["payments.create"]
    at = stand(lambda _: answer(400, {"code": "no", "message": "no"}), token=TOKEN)
    with pytest.raises(NorceError) as caught:
        await ask(at.client)
    found = [function for function, _, text in shown(caught.value.__traceback__) if MARKER in text]
    assert found == [called]
    assert any(name == "tried" for _, name, _ in shown(caught.value.__traceback__))


# --- every class by its name, and the errors of jobs


def public_errors() -> dict[str, type[BaseException]]:
    """Return the error classes of every module that users import from."""
    modules = ("", ".bulk", ".bulk.actions", ".engines", ".models", ".money", ".sandbox", ".telemetry", ".testing")
    found: dict[str, type[BaseException]] = {}
    for module in (importlib.import_module(f"norce_order_async{name}") for name in modules):
        for name in dir(module):
            kind = None if name.startswith("__") else getattr(module, name)
            if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__.startswith("norce_"):
                found[name] = kind
    return found


NEVER_RAISED = {
    "NorceError": "the base of all",
    "CallError": "the base of the errors of calls",
    "SendError": "the base of an engine's errors",
    "MaybeSentError": "an engine's: what is raised for it is walked in test_after_a_lost_answer, it and all behind it",
    "UnsentError": "an engine's, likewise",
}
"""Classes that a caller of the client never gets, with the reason."""

ORDER: dict[str, Any] = {"id": "o1", "state": {"currentStatus": "checkout"}, "cart": CART, "attributes": {"n": MARKER}}
ONCE = CallOptions(max_attempts=1, settling_pause=0, deadline=10.0)
ONE = Fixed(in_flight=1)
NEW: dict[str, Any] = {"culture": "sv-SE", "currency": "SEK", "country": "SE"}
REFUSED = {"code": "order-bad-request", "message": "no"}


def _client(*steps: Step) -> NorceOrderClient:
    """Make a client of a service with these answers, of which the last one is repeated."""
    said = iter(steps)
    last: list[Step] = []

    def script(_: object) -> Step:
        last[:] = [next(said, last[0] if last else answer(200, ORDER))]
        return last[0]

    return stand(script, token=TOKEN, options=ONCE).client


async def _order(*steps: Step) -> Order:
    return await _client(answer(200, ORDER), *steps).orders.get("o1")


def _in(status: str) -> Step:
    return answer(200, {**ORDER, "state": {"currentStatus": status}})


async def _pays(*steps: Step) -> object:
    return await (await _order(*steps)).payments.create(PAYMENT)


async def _creates_badly() -> object:
    cart: Any = {**CART, "itmes": MARKER}
    return await _client().orders.create(**NEW, cart=cart, check_total=False)


async def _edits(*steps: Step) -> None:
    def edit(cart: Any) -> None:
        cart.items[0].name = MARKER + "!"

    await (await _order(answer(200, ORDER), *steps)).cart.update(edit, check_total=False)


async def _edits_payment(*steps: Step) -> object:
    def edit(payment: Payment) -> None:
        payment.name = MARKER + "!"

    order = await _order(answer(200, {"id": "p1", **PAYMENT}), *steps)
    return await order.payments.update("p1", edit)


async def _edits_address(*steps: Step) -> None:
    def edit(address: Address) -> None:
        address.given_name = MARKER + "!"

    order = await _order(answer(200, {**ORDER, "customer": {"billing": {"givenName": MARKER}}}), *steps)
    await order.customer.update_billing(edit)


async def _moves(*steps: Step) -> object:
    return await (await _order(*steps)).transition_to("completed", explain=True)


async def _waits(timeout: float, *steps: Step) -> object:
    return await (await _order(*steps)).wait_for("processing", timeout=timeout)


async def _twice() -> object:
    listed = {"data": [{"id": each, "cart": {"reference": "c1"}} for each in ("oA", "oB")]}
    empty = answer(200, {"data": []})
    script = iter([lost("read"), empty, empty, empty, empty, answer(201, {"id": "oB"})])
    at = stand(lambda _: next(script, answer(200, listed)), token=TOKEN)
    return await at.client.orders.create(**NEW, cart={**CART, "reference": "c1"}, check_total=False)


async def _validates() -> None:
    report = await (await _order(answer(200, [{"code": "payment-sum", "message": MARKER}]))).validate()
    report.raise_for_errors()


async def _has_no_token() -> object:
    def none() -> str:
        raise OSError(f"{SECRET} is not taken")

    return await stand([], token=none).client.orders.get("o1")  # type: ignore[arg-type]


def _made(**wrong: Any) -> object:
    given: dict[str, Any] = {"base_url": "https://a.example", "merchant": "m", "channel": "c", **wrong}
    return NorceOrderClient(**given)


async def _job(journal: Path, source: Any = ("o1",), *, ends: bool = True) -> object:
    async with _client(answer(200, [])).bulk(journal) as job:
        run = job.run(source, actions.remove())
        if not ends:
            return await anext(run, None)
        return [outcome async for outcome in run]


async def _finished(folder: Path) -> object:
    page = answer(200, {"data": [ORDER]})
    norce = stand(lambda request: page if "orders?" in request.url else answer(200, {}), token=TOKEN).client
    for _ in range(2):
        async with norce.bulk(folder / "j") as job:
            async for _ in job.run(OrderFilter(status="checkout"), actions.set_reference("r1")):
                page = answer(200, {"data": []})
    return None


async def _locked(folder: Path) -> object:
    async with _client().bulk(folder / "j"):
        return await _job(folder / "j")


async def _mismatched(folder: Path) -> object:
    await _job(folder / "j")
    return await _job(folder / "j", ["o2"])


def _sandbox(**wrong: Any) -> object:
    with Sandbox(token=TOKEN, callback_token=SECRET, **wrong):
        return None


def _no_database(folder: Path) -> object:
    (folder / "d").write_text("this is no database at all, and much too long to be an empty one" * 100)
    return _sandbox(database=str(folder / "d"))


def _cannot_start() -> object:
    with Sandbox(token=TOKEN) as first:
        return _sandbox(port=int(first.base_url.rpartition(":")[2].partition("/")[0]))


PROVOKED: dict[str, tuple[set[str], Callable[[Path], object]]] = {
    "ConfigurationError": ({"NorceOrderClient.__init__"}, lambda _: _made(token=TOKEN, secondary_token=f"{TOKEN} x")),
    "InvalidRequestError": (
        {"OrderCollection.create"},
        lambda _: _creates_badly(),
    ),
    "NotLoadedError": (set(), lambda _: _client().orders("o1").plain),
    "ValidationFailedError": (set(), lambda _: _validates()),
    "StatusUnreachableError": (set(), lambda _: _waits(5.0, _in("removed"))),
    "WaitTimeoutError": (set(), lambda _: _waits(1.0)),
    "TokenError": (set(), lambda _: _has_no_token()),
    "RefusedError": ({"RemovableEntries.create"}, lambda _: _pays(answer(418, REFUSED))),
    "BadRequestError": ({"RemovableEntries.create"}, lambda _: _pays(answer(400, {"code": "no", "message": MARKER}))),
    "ChangeRefusedError": (set(), lambda _: _edits(answer(400, REFUSED))),
    "ChangeRefusedError of a payment": (set(), lambda _: _edits_payment(answer(400, REFUSED))),
    "ChangeRefusedError of an address": (set(), lambda _: _edits_address(answer(400, REFUSED))),
    "UnauthorizedError": ({"RemovableEntries.create"}, lambda _: _pays(answer(401, REFUSED))),
    "ForbiddenError": ({"RemovableEntries.create"}, lambda _: _pays(answer(403, REFUSED))),
    "NotFoundError": ({"RemovableEntries.create"}, lambda _: _pays(answer(404, REFUSED))),
    "ConflictError": ({"RemovableEntries.create"}, lambda _: _pays(answer(409, REFUSED))),
    "TransitionRefusedError": (set(), lambda _: _moves(answer(400, REFUSED), answer(400, [{"code": "c"}]))),
    "NotSentError": ({"RemovableEntries.create"}, lambda _: _pays(lost("connect"))),
    "RejectedError": ({"RemovableEntries.create"}, lambda _: _pays(answer(429))),
    "UnavailableError": (set(), lambda _: _pays_nothing()),
    "OutcomeUnknownError": ({"RemovableEntries.create"}, lambda _: _pays(lost("read"), answer(500))),
    "DuplicateOrderError": ({"OrderCollection.create"}, lambda _: _twice()),
    "PendingError": (set(), lambda _: _moves(answer(202), _in("checkout"))),
    "TransitionSupersededError": (set(), lambda _: _moves(lost("read"), _in("removed"))),
    "JournalError": (set(), lambda folder: _job(folder / "none" / "j")),
    "JournalFinishedError": (set(), _finished),
    "JournalLockedError": (set(), _locked),
    "JournalMismatchError": (set(), _mismatched),
    "DatabaseFileError": ({"Sandbox.__init__"}, _no_database),
    "FaultPlanError": ({"Sandbox.__init__"}, lambda _: _sandbox(faults="nonsense")),
    "ReadingsError": ({"Sandbox.__init__"}, lambda _: _sandbox(readings="nonsense")),
    "SandboxStartError": ({"Sandbox.__init__"}, lambda _: _cannot_start()),
    "SeedingError": (set(), lambda _: _seeds()),
}
"""By class: the methods whose frames hold their arguments, and a way to raise it."""


async def _pays_nothing() -> object:
    return await (await _order(answer(500, REFUSED))).refresh()


def _seeds() -> object:
    with Sandbox(token=TOKEN) as sandbox:
        sandbox.seed_orders(-1)
    return None


def test_every_public_error_is_provoked_or_never_raised() -> None:
    """A new class is either raised here, or listed with the reason why it can't be."""
    provoked = {name.partition(" ")[0] for name in PROVOKED}
    assert provoked | NEVER_RAISED.keys() == public_errors().keys()
    assert not provoked & NEVER_RAISED.keys()
    assert all(NEVER_RAISED.values())


@pytest.mark.parametrize("name", PROVOKED)
async def test_every_public_error(name: str, tmp_path: Path) -> None:
    """The error is of its own class and no subclass, and no frame behind it holds a secret."""
    called, provoke = PROVOKED[name]
    kind = public_errors()[name.partition(" ")[0]]

    async def call() -> None:
        came = provoke(tmp_path)
        if inspect.isawaitable(came):
            await came

    with pytest.raises(kind) as caught:
        await call()
    assert type(caught.value) is kind
    assert list(walked(caught.value))
    if kind is InvalidRequestError:
        # The frames of checks hold the dict that they refuse, as SECURITY.md says.
        assert_holds_no_bytes(caught.value)
    else:
        assert_shows_nothing(caught.value, *called)


# The errors of jobs


async def _pays_each(order: Order) -> object:
    return await order.payments.create(PAYMENT)


JOB_ANSWERS: dict[str, Step] = {
    "refused": answer(400, REFUSED),
    "not found": answer(404, REFUSED),
    "lost": lost("read"),
    "broken": answer(500),
    "of another kind": answer(200, 5),
}


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("ends", JOB_ANSWERS)
async def test_the_error_of_an_outcome(ends: str, journaled: bool, tmp_path: Path) -> None:
    """No local shows a secret behind the error of an item that was refused, or whose outcome is unknown."""
    async with _client(JOB_ANSWERS[ends]).bulk(tmp_path / "j" if journaled else None, load=ONE) as job:
        outcomes = [outcome async for outcome in job.run(["o1", "o2"], actions.plain("pays", _pays_each))]
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert outcome.error is not None, outcome
        assert list(walked(outcome.error))
        assert_shows_nothing(outcome.error, "RemovableEntries.create")


async def test_the_error_that_ends_a_run() -> None:
    """A refused token ends the run with an error, and no local behind it shows a secret."""
    async with _client(answer(401, REFUSED)).bulk(load=ONE) as job:
        with pytest.raises(UnauthorizedError) as caught:
            _ = [outcome async for outcome in job.run(["o1", "o2"], actions.plain("pays", _pays_each))]
    assert list(walked(caught.value))
    assert_shows_nothing(caught.value, "RemovableEntries.create")


async def test_the_error_of_a_call_of_a_stopped_job() -> None:
    """The action sees the error, and no local behind it shows a secret."""
    seen: list[NotSentError] = []
    async with _client().bulk(load=ONE) as job:

        async def act(order: Order) -> None:
            job.stop()
            try:
                await order.payments.create(PAYMENT)
            except NotSentError as error:
                seen.append(error)
                raise

        (outcome,) = [outcome async for outcome in job.run(["o1"], actions.plain("acts", act))]
    (error,) = seen
    assert (outcome.verdict, error.gave_up) == ("not tried", "stopped")
    assert list(walked(error))
    assert_shows_nothing(error, "RemovableEntries.create")


async def test_the_error_of_a_journal_that_can_no_longer_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk during a run raises ``JournalError``, and no local behind it shows a secret."""

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        with file_errors(tmp_path / "j"):
            raise error

    async with _client(answer(201, {"id": "p1"})).bulk(tmp_path / "j", load=ONE) as job:
        run = job.run([f"o{number}" for number in range(20)], actions.plain("pays", _pays_each))
        await anext(run)
        monkeypatch.setattr(SqliteStore, "record", full)
        with pytest.raises(JournalError) as caught:
            _ = [outcome async for outcome in run]
    assert list(walked(caught.value))
    assert_shows_nothing(caught.value, "RemovableEntries.create")

"""The local order service keeps to the description: it answers any request as the description says.

schemathesis makes good and bad requests from the description and checks each answer: no server error, a status that the
operation has, and the content type and the schema of that status. Each request gets the same order, in which everything
that a path can name exists. Each operation must have succeeded at least once, because a service that refuses everything
would keep to the description too.

The tests do *not* check whether good data is accepted and bad data refused. The real service accepts values that its
description forbids: its published samples write `Person` and `Intent`, which the enums do not have. The sandbox does
the same, and also refuses well-formed data, such as a status that the order is not ready for.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeAlias

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from norce_order_async.sandbox import Sandbox
from tests.sandbox.callbacks.receiver import receiving
from tests.sandbox.support import API, CART, DOCUMENT, SHIPPING

# It is imported by name, because its types cost the type checkers more than any other library's, and its own signatures
# leave out the parameters of its generic classes.
schemathesis: Any = import_module("schemathesis")
conformance: Any = import_module("schemathesis.specs.openapi.checks")
events: Any = import_module("schemathesis.engine.events")

CHECKS = [
    import_module("schemathesis.checks").not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]

Case: TypeAlias = Any
Operation: TypeAlias = Any


def operations(schema: Any) -> list[Operation]:
    ok = import_module("schemathesis.core.result").Ok
    return [result.ok() for result in schema.get_all_operations() if isinstance(result, ok)]


OPERATIONS = operations(schemathesis.openapi.from_dict(DOCUMENT))

GOOD_AND_BAD = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]

every_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=[operation.definition.raw["operationId"] for operation in OPERATIONS]
)


class Service:
    """A running sandbox with one order, paid in full, that has a part of every kind."""

    def __init__(self, sandbox: Sandbox, session: requests.Session, action_url: str) -> None:
        self._sandbox = sandbox
        self._session = session
        self._known_headers = {"x-merchant": "acme", "x-channel": "se"}
        self._token = {"authorization": f"Bearer {sandbox.token}"}
        order = self._made(
            "/orders",
            cart=CART,
            consents=[{"id": "terms"}],
            hooks=[{"adapterId": "a"}],
            notifications=[{"adapterId": "a"}],
            validations=[{"adapterId": "a"}],
        )
        action = {"adapterId": "a", "type": "capture", "url": action_url}
        payment = self._made(f"/orders/{order}/payments", amount=20, actions=[action])
        shipping = self._made(f"/orders/{order}/shippings", **SHIPPING)
        shown = self._call("GET", f"/orders/{order}")
        self._ids = {
            "order_id": order,
            "payment_id": payment,
            "shipping_id": shipping,
            "consent_id": "terms",
            "hook_id": shown["hooks"][0]["id"],
            "notification_id": shown["notifications"][0]["id"],
            "validation_id": shown["validations"][0]["id"],
            "action_id": shown["payments"][0]["actions"][0]["id"],
        }
        self._beginning = sandbox.snapshot()

    def answer(self, case: Case, *, at_home: bool) -> Any:
        """Return the answer to a request of the order in its first state. With `at_home` the request names that order
        and its parts."""
        self._sandbox.restore(self._beginning)
        if at_home:
            case.path_parameters = {name: self._ids[name] for name in case.path_parameters}
            case.headers.update(self._known_headers)
        return case.call(base_url=self._sandbox.base_url, headers=self._token, session=self._session)

    def _made(self, path: str, **body: Any) -> str:
        return str(self._call("POST", path, body)["id"])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {**self._token, **self._known_headers}
        response = self._session.request(method, self._sandbox.base_url + API + path, json=body, headers=headers)
        response.raise_for_status()
        return response.json()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with receiving() as receiver, Sandbox(seed=1) as sandbox, requests.Session() as session:
        yield Service(sandbox, session, receiver.url)


def play(service: Service, operation: Operation, examples: int) -> Counter[int]:
    """Send good requests and as many bad ones, check every answer, and count the statuses."""
    seen: Counter[int] = Counter()

    def check(case: Case, at_home: bool) -> None:
        response = service.answer(case, at_home=at_home)
        seen[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    for mode in GOOD_AND_BAD:
        requests_of_operation = operation.as_strategy(generation_mode=mode)
        # One in four is sent as it was made, with ids, merchant and channel that do not exist or are missing.
        whose = st.sampled_from([True, True, True, False])
        repeatable(examples)(given(requests_of_operation, whose)(check))()
    return seen


def repeatable(examples: int) -> Callable[[Any], Any]:
    """Draw the same requests whenever the same modules are imported, because Hypothesis draws from their constants too.

    Nothing is shrunk: a wrong answer is reported with the request as it was.
    """
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


def succeeded(seen: Counter[int]) -> bool:
    return any(200 <= status < 300 for status in seen)


@every_operation
def test_every_answer_is_as_described(service: Service, operation: Operation) -> None:
    seen = play(service, operation, examples=5)
    if not succeeded(seen):
        # All of these few may be refused, and they differ between runs.
        seen += play(service, operation, examples=100)
    assert succeeded(seen), seen


@pytest.mark.soak
@pytest.mark.timeout(900)
@every_operation
def test_every_one_of_many_answers_is_as_described(service: Service, operation: Operation) -> None:
    seen = play(service, operation, examples=100)
    assert succeeded(seen), seen


def test_nothing_is_left_out() -> None:
    described = [one for item in DOCUMENT["paths"].values() for one in item.values() if "operationId" in one]
    assert len(OPERATIONS) == len(described) > 0


def explored(sandbox: Sandbox, *phases: str, examples: int = 1) -> list[str]:
    """Return what schemathesis' own engine finds in these of its phases."""
    known = {"authorization": f"Bearer {sandbox.token}", "x-merchant": "acme", "x-channel": "se"}
    settings_of_engine = {
        "base-url": sandbox.base_url,
        "headers": known,
        "seed": 1,
        "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
        "checks": {"enabled": False, **{check.__name__: {"enabled": True} for check in CHECKS}},
        "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
    }
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(settings_of_engine))
    found: list[str] = []
    for event in import_module("schemathesis.engine").from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            failures = (check.failure_info for checks in event.recorder.checks.values() for check in checks)
            found += [f"{event.recorder.label}: {failed.failure}" for failed in failures if failed is not None]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.append(str(event))
    return found


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_bounds_and_sequences_are_as_described() -> None:
    """The engine of schemathesis finds no difference.

    First it tries every parameter and member at, below and above its limits, missing, doubled and of another type. Then
    it sends sequences of requests that use what earlier answers held, so that orders made here are read and changed.
    """
    with Sandbox(seed=1, keep_requests=100_000) as sandbox:
        assert explored(sandbox, "coverage", "stateful", examples=100) == []
        asked = {request.operation for request in sandbox.requests if request.operation}
        read = [request.status for request in sandbox.requests if request.operation == "GetCheckoutOrder"]
    assert len(asked) == len(OPERATIONS)
    assert 200 in read

"""Objects that hold connections or tokens can't be pickled, and the error names what to send instead."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from norce_order_async import CallableToken, ClientCredentials, NorceOrderClient, StaticToken
from norce_order_async.bulk import actions

SECRET = "very-secret-token"


def client(token: Any = SECRET) -> NorceOrderClient:
    return NorceOrderClient(base_url="http://127.0.0.1:1", token=token, merchant="acme", channel="se")


def account() -> ClientCredentials:
    return ClientCredentials(
        client_id="id", client_secret=SECRET, scope="playground", slug="acme", environment="playground"
    )


async def a_token() -> str:
    return SECRET


KEPT: dict[str, Callable[[], object]] = {
    "client": client,
    "client with an account": lambda: client(account()),
    "scope": lambda: client().scoped(channel="no"),
    "orders": lambda: client().orders,
    "order": lambda: client().orders("o1"),
    "payments": lambda: client().orders("o1").payments,
    "iteration": client().orders.iterate,
    "job": lambda: client().bulk(),
    "token": lambda: StaticToken(SECRET, "another"),
    "token function": lambda: CallableToken(a_token),
    "account": account,
}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT)
def test_it_stays_in_its_process(make: Callable[[], object], protocol: int) -> None:
    """The TypeError names what to send instead, and does not show the token."""
    with pytest.raises(TypeError, match=r"can't be pickled, .* make a client in the other process") as caught:
        pickle.dumps(make(), protocol)
    assert SECRET not in str(caught.value)


def test_an_account_can_be_copied() -> None:
    """Copies within one process share the account, because settings are copied whole."""
    given = account()
    assert copy.deepcopy({"token": given})["token"] is given
    assert copy.copy(given) is given


def test_objects_without_secrets_can_be_pickled() -> None:
    """An action can be pickled."""
    action = pickle.loads(pickle.dumps(actions.transition("completed")))
    assert (action.name, action.parameters) == ("transition", {"to": "completed"})

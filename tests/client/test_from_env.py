"""``NorceOrderClient.from_env``: every variable, overrides, and errors that name the variable."""

from __future__ import annotations

from typing import Any

import pytest

from norce_order_async import ConfigurationError, NorceOrderClient
from norce_order_async.client import ENVIRONMENT_VARIABLES

HOSTED = {
    "NORCE_ENVIRONMENT": "stage",
    "NORCE_SLUG": "acme",
    "NORCE_LOCATION": "api-no",
    "NORCE_MERCHANT": "acme-1",
    "NORCE_CHANNEL": "no",
    "NORCE_ADAPTER_ID": "psp",
    "NORCE_TOKEN": "secret-token",
}
LOCAL = {
    "NORCE_BASE_URL": "http://localhost:8700/checkout/order",
    "NORCE_MERCHANT": "acme-1",
    "NORCE_CHANNEL": "no",
    "NORCE_TOKEN": "secret-token",
}


def put(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_two_sets_use_every_variable() -> None:
    """The tests below set every variable, so none is left without a test."""
    assert {*HOSTED, *LOCAL} == set(ENVIRONMENT_VARIABLES.values())


def test_a_hosted_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, slug and location form the address."""
    put(monkeypatch, HOSTED)
    client = NorceOrderClient.from_env()
    assert client.base_url == "https://acme.api-no.stage.norce.tech/checkout/order"
    assert (client.merchant, client.channel, client.adapter_id) == ("acme-1", "no", "psp")


def test_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as not set."""
    put(monkeypatch, {**LOCAL, "NORCE_ENVIRONMENT": "", "NORCE_SLUG": "", "NORCE_ADAPTER_ID": ""})
    client = NorceOrderClient.from_env()
    assert client.base_url == LOCAL["NORCE_BASE_URL"]
    assert client.adapter_id is None


@pytest.mark.parametrize(
    ("variables", "overrides", "address", "channel"),
    [
        (HOSTED, {"channel": "dk"}, "https://acme.api-no.stage.norce.tech/checkout/order", "dk"),
        (HOSTED, {"environment": "playground"}, "https://acme.api-no.playground.norce.tech/checkout/order", "no"),
        (HOSTED, {"base_url": "http://localhost:1/o"}, "http://localhost:1/o", "no"),
        (
            LOCAL,
            {"environment": "stage", "slug": "acme"},
            "https://acme.api-se.stage.norce.tech/checkout/order",
            "no",
        ),
    ],
)
def test_arguments_override_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], overrides: Any, address: str, channel: str
) -> None:
    """If an argument names the service in one way, variables of the other way are ignored."""
    put(monkeypatch, variables)
    client = NorceOrderClient.from_env(**overrides)
    assert (client.base_url, client.channel) == (address, channel)


@pytest.mark.parametrize("name", ["NORCE_SLUG", "NORCE_MERCHANT", "NORCE_CHANNEL", "NORCE_TOKEN"])
def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The error names the variable and the argument."""
    put(monkeypatch, {**HOSTED, name: ""})
    with pytest.raises(ConfigurationError, match=f"{name} is not set, and no {name[6:].lower()} was given"):
        NorceOrderClient.from_env()


def test_without_a_service_both_ways_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both ways: an environment with its slug, or an address."""
    put(monkeypatch, {**LOCAL, "NORCE_BASE_URL": ""})
    with pytest.raises(ConfigurationError, match="set NORCE_ENVIRONMENT and NORCE_SLUG, or NORCE_BASE_URL"):
        NorceOrderClient.from_env()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("NORCE_ENVIRONMENT", "prod", "unknown environment 'prod'"),
        ("NORCE_SLUG", "a/b", "slug must be one host label"),
        ("NORCE_CHANNEL", "a\nb", "channel must be printable"),
        ("NORCE_BASE_URL", "https://a.example", "either base_url or environment"),
        ("NORCE_TOKEN", "secret token", "token must be one word"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    """The error has the complaint and the variables that were read, and never their values."""
    put(monkeypatch, {**HOSTED, name: value})
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        NorceOrderClient.from_env()
    assert name in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_misspelled_argument_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelled argument raises the constructor's own TypeError."""
    put(monkeypatch, HOSTED)
    with pytest.raises(TypeError, match="chanel"):
        NorceOrderClient.from_env(chanel="se")


def test_a_subclass_makes_its_own_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """``from_env`` builds the class that it is called on."""

    class Ours(NorceOrderClient):
        pass

    put(monkeypatch, LOCAL)
    assert type(Ours.from_env()) is Ours

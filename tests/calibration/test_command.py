"""``norce-order calibrate`` as a command: its output, its question, the services that it refuses, and its files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from norce_order_async.calibration.description import Described, addresses, candidates, look_for
from norce_order_async.calibration.wire import Wire
from norce_order_async.engines.base import WireRequest, WireResponse
from norce_order_async.sandbox import Sandbox
from tests.cli.inside import inside
from tests.cli.terminal import on_terminal

from .support import CHANNEL, MERCHANT, SandboxTime, left_in, made_in

ADDRESS = "https://acme.api-se.{}norce.tech/checkout/order"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    sandbox.reset()
    return {
        "NORCE_BASE_URL": sandbox.base_url,
        "NORCE_MERCHANT": MERCHANT,
        "NORCE_CHANNEL": CHANNEL,
        "NORCE_TOKEN": sandbox.token,
    }


def test_it_writes_its_results(
    sandbox: Sandbox, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("norce_order_async.runtime.clock.SystemClock", partial(SandboxTime, sandbox))
    ran = inside("calibrate", "--yes", "--into", str(tmp_path), env=env)
    assert (ran.code, ran.err) == (0, "")
    assert left_in(sandbox) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "calibration.md",
        "calibration.yaml",
    ]
    assert '  reading: "summed-when-missing"\n' in (tmp_path / "calibration.yaml").read_text()
    assert "| cart-total | summed-when-missing |" in (tmp_path / "calibration.md").read_text()
    assert sandbox.token not in ran.out
    assert "cart-total: summed-when-missing\n" in ran.out


@pytest.mark.parametrize(
    "where",
    [
        ["--environment", "production", "--slug", "acme"],
        ["--base-url", ADDRESS.format("")],
        ["--base-url", "https://acme.api-se.norce.tech."],
    ],
)
def test_production_is_refused(where: list[str], env: dict[str, str], tmp_path: Path) -> None:
    """No option changes that."""
    flags = ["--yes", "--allow-completing", "--into", str(tmp_path)]
    for more in (flags, [*flags, "--clean-up"], [*flags, "--dry-run"]):
        ran = inside("calibrate", *where, *more, env=env)
        assert ran.code == 2
        assert "does not run against production" in ran.err
        assert ran.out == ""


def test_production_in_the_environment_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    account = {name: value for name, value in env.items() if name != "NORCE_BASE_URL"}
    given = account | {"NORCE_ENVIRONMENT": "production", "NORCE_SLUG": "acme"}
    ran = inside("calibrate", "--yes", "--into", str(tmp_path), env=given)
    assert ran.code == 2
    assert "does not run against production" in ran.err


@pytest.mark.parametrize(
    "address",
    [
        "https://orders.example.com",
        "http://acme.api-se.playground.norce.tech/x",
        "https://playground.norce.tech.evil.com",
        "https://acme.api-se.norce.tech%2f.playground.norce.tech",
        "https://acme.api-se.norce.tech\\.playground.norce.tech",
        "https://acme.api-se.norce.tech;.playground.norce.tech",
        "https://acme.api-se.norce.tech&.stage.norce.tech",
        "https://.playground.norce.tech",
        "https://acme.api-se..playground.norce.tech",
        "https://acme.api-se.playground\u3002norce.tech",
    ],
)
def test_other_hosts_are_refused(address: str, env: dict[str, str], tmp_path: Path) -> None:
    ran = inside("calibrate", "--base-url", address, "--yes", "--into", str(tmp_path), env=env)
    assert ran.code == 2
    assert "playground or stage" in ran.err


@pytest.mark.parametrize("environment", ["playground", "stage"])
def test_a_dry_run_shows_everything_and_sends_nothing(
    environment: str, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_engine(*_: object, **__: object) -> None:
        raise AssertionError("an engine was made")

    monkeypatch.setattr("norce_order_async.engines.select.choose", no_engine)
    account = {name: value for name, value in env.items() if name != "NORCE_BASE_URL"}
    where = ["--environment", environment, "--slug", "acme"]
    ran = inside("calibrate", *where, "--dry-run", "--into", str(tmp_path), env=account)
    assert (ran.code, ran.err) == (0, "")
    assert ADDRESS.format(f"{environment}.") in ran.out
    assert "40 a minute at most" in ran.out
    assert "20 at most" in ran.out
    assert "none becomes accepted or completed" in ran.out
    assert ran.out.endswith("Nothing was sent.\n")
    assert list(tmp_path.iterdir()) == []


def test_completing_is_announced(env: dict[str, str], tmp_path: Path) -> None:
    ran = inside("calibrate", "--dry-run", "--allow-completing", "--into", str(tmp_path), env=env)
    assert "adapters and exports will run" in ran.out


def test_without_a_terminal_it_does_not_begin(sandbox: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    ran = inside("calibrate", "--into", str(tmp_path), env=env)
    assert ran.code == 2
    assert "give --yes" in ran.err
    assert len(sandbox.requests) == 0


@pytest.mark.skipif(os.name != "posix", reason="terminals")
@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_it_asks(answer: bytes, code: int, sandbox: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    ran = on_terminal(
        "calibrate", "--only", "nulls", "--into", str(tmp_path), env=env, wait_for="Create these orders?", then=answer
    )
    assert ran.code == code, ran.out
    assert bool(made_in(sandbox)) is (code == 0)
    if code:
        assert "nothing was sent" in ran.out
        assert len(sandbox.requests) == 0
        assert list(tmp_path.iterdir()) == []


def test_only_some_rules(sandbox: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    ran = inside("calibrate", "--yes", "--only", "times", "--only", "dates", "--into", str(tmp_path), env=env)
    assert ran.code == 0
    assert made_in(sandbox) == 3
    lines = (tmp_path / "calibration.yaml").read_text().splitlines()
    assert [line for line in lines if line.endswith(":") and line[0] not in " #"] == ["times:", "dates:"]


@pytest.mark.parametrize(("rule", "why"), [("offset", "10,000"), ("cart-totals", "there is no rule cart-totals")])
def test_a_rule_without_a_question(rule: str, why: str, env: dict[str, str], tmp_path: Path) -> None:
    ran = inside("calibrate", "--yes", "--only", rule, "--into", str(tmp_path), env=env)
    assert ran.code == 2
    assert why in ran.err


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--other-channel", CHANNEL], "must be another channel"),
        (["--other-channel", "a\nb"], "must be printable"),
        (["--public-url", "ftp://x"], "must be an http or https address"),
    ],
)
def test_impossible_options(flags: list[str], why: str, env: dict[str, str], tmp_path: Path) -> None:
    ran = inside("calibrate", "--yes", "--into", str(tmp_path), *flags, env=env)
    assert ran.code == 2
    assert why in ran.err


def test_nothing_to_clean_up_after_here(sandbox: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    """The command does not claim that no order is left, because the file may be in another folder. It leaves no lock
    in this one."""
    ran = inside("calibrate", "--clean-up", "--into", str(tmp_path), env=env)
    assert (ran.code, ran.err) == (0, "")
    assert f"There is no calibration.state in {tmp_path}" in ran.out
    assert "Nothing is left" not in ran.out
    assert len(sandbox.requests) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["NORCE_TOKEN", "NORCE_MERCHANT", "NORCE_CHANNEL", "NORCE_BASE_URL"])
def test_a_setting_that_is_missing(missing: str, env: dict[str, str], tmp_path: Path) -> None:
    given = {name: value for name, value in env.items() if name != missing}
    ran = inside("calibrate", "--yes", "--into", str(tmp_path), env=given)
    assert ran.code == 2
    assert ran.err.startswith("Usage:")


# ------------------------------------------------------------------------------------------------ the description


class _Having:
    """An engine to a service that has a description at one address."""

    name = "having"

    def __init__(self, end: str, body: bytes) -> None:
        self.asked: list[WireRequest] = []
        self._end, self._body = end, body

    async def send(self, request: WireRequest) -> WireResponse:
        self.asked.append(request)
        return WireResponse(200, {}, self._body) if request.url.endswith(self._end) else WireResponse(404, {}, b"")

    async def aclose(self) -> None:
        pass


YAML = b"openapi: 3.0.3\ninfo:\n  title: x\npaths: {}\n"
JSON = json.dumps({"openapi": "3.0.3", "paths": {}}).encode()


@pytest.mark.parametrize(("end", "body"), [("/order/docs/v0/openapi.yaml", YAML), ("/swagger/v1/swagger.json", JSON)])
def test_a_description_is_found(end: str, body: bytes) -> None:
    import anyio

    engine = _Having(end, body)
    headers = {"authorization": "Bearer s3cret"}
    base_url = ADDRESS.format("playground.")
    described = anyio.run(look_for, Wire(base_url, headers, engine, SandboxTime(), 40))
    assert described.body == body
    assert described.is_json is (body is JSON)
    assert described.tried[-1] == (engine.asked[-1].url, "found")


def test_a_description_is_kept_with_its_address(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is kept lacks the part that names the customer."""

    async def found(_: Wire) -> Described:
        return Described((), YAML, "https://acme.api-se.stage.norce.tech/docs/v0/openapi.yaml")

    monkeypatch.setattr("norce_order_async.calibration.run.look_for", found)
    ran = inside("calibrate", "--yes", "--only", "errors", "--into", str(tmp_path), env=env)
    assert ran.code == 0
    assert (tmp_path / "calibration.openapi.yaml").read_bytes() == YAML
    noted = (tmp_path / "calibration.openapi.yaml.address").read_text()
    assert noted == "https://{slug}.api-se.stage.norce.tech/docs/v0/openapi.yaml\n"


def test_the_token_goes_only_to_the_host_of_the_service() -> None:
    import anyio

    engine = _Having("/nowhere", b"")
    base_url = ADDRESS.format("playground.")
    described = anyio.run(look_for, Wire(base_url, {"authorization": "Bearer s3cret"}, engine, SandboxTime(), 40))
    assert described.body is None
    assert len(engine.asked) == len(candidates()) == len(described.tried)
    for request in engine.asked:
        own = request.url.startswith("https://acme.api-se.playground.norce.tech/")
        assert ("authorization" in request.headers) is own
        assert request.url.startswith("https://")


def test_no_other_host_is_asked_about_a_local_service() -> None:
    assert all(address.startswith("http://127.0.0.1:8700/") for address, _ in addresses("http://127.0.0.1:8700/x"))


@pytest.mark.parametrize("page", [b"<html>openapi: 3.0</html>", b"{}", b'{"openapi": 1}', b"\xff\x00"])
def test_other_files_are_not_a_description(page: bytes) -> None:
    import anyio

    engine = _Having("", page)
    described = anyio.run(look_for, Wire(ADDRESS.format("stage."), {}, engine, SandboxTime(), 40))
    assert described.body is None
    assert {came_to for _, came_to in described.tried} == {"something else"}

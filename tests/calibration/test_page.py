"""The commands on docs/calibrate.md run, and its tables are true."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

import click
import pytest

from norce_order_async.calibration.bench import MOST_ORDERS
from norce_order_async.calibration.probes import NOT_PROBED, PROBES
from norce_order_async.calibration.wire import PER_MINUTE
from norce_order_async.cli.calibrate import READINGS, REPORT, STATE, calibrate
from norce_order_async.sandbox import Sandbox
from tests.cli.inside import inside

from .support import CHANNEL, MERCHANT, SandboxTime, left_in

PAGE = (Path(__file__).parents[2] / "docs" / "calibrate.md").read_text("utf-8")


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)).splitlines()
    commands = [shlex.split(line) for line in lines if line]
    assert len(commands) == 2
    with Sandbox() as sandbox:
        env = {
            "NORCE_BASE_URL": sandbox.base_url,
            "NORCE_MERCHANT": MERCHANT,
            "NORCE_CHANNEL": CHANNEL,
            "NORCE_TOKEN": sandbox.token,
        }
        monkeypatch.setattr("norce_order_async.runtime.clock.SystemClock", partial(SandboxTime, sandbox))
        for name, *arguments in commands:
            assert name == "norce-order"
            ran = inside(*arguments, "--into", str(tmp_path), env=env)
            assert (ran.code, ran.err) == (0, "")
        assert left_in(sandbox) == 0
    assert {STATE, READINGS, REPORT} <= set(re.findall(r"^\| `(\S+)`", PAGE, re.MULTILINE))


def test_its_options_and_numbers_are_those_of_the_command() -> None:
    known = {name for parameter in calibrate.params for name in parameter.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) - {"--from"} <= known
    assert f"creates {MOST_ORDERS} orders at most" in PAGE
    assert f"{PER_MINUTE} requests a minute at most" in PAGE
    port = next(each for each in calibrate.params if each.name == "receiver_port")
    assert isinstance(port, click.Option)
    assert f"`--receiver-port` ({port.default})" in PAGE


def test_its_tables_name_every_rule() -> None:
    rows = dict(re.findall(r"^\| (nothing more|`--[a-z-]+.*?`) \| (.*?) \|$", PAGE, re.MULTILINE))
    told = {needs: sorted(rule for rule, probe in PROBES.items() if probe.needs == needs)
            for needs in ("nothing", "other-channel", "public-url")}  # fmt: skip
    assert rows["nothing more"].split(", ") == [rule for rule in told["nothing"] if rule != "entry-demands"]
    assert rows["`--allow-completing`"].startswith("entry-demands;")
    assert rows["`--other-channel NAME`"].split(", ") == told["other-channel"]
    assert rows["`--public-url URL`"].split(", ") == told["public-url"]
    assert all(f"`{rule}`" in PAGE for rule in NOT_PROBED)

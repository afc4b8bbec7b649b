"""A file outlives a run that was killed. The next run removes the orders that it names, and never removes any other
order."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from norce_order_async.calibration.run import CalibrationError
from norce_order_async.calibration.state import StateFile, StateFileError
from norce_order_async.sandbox import Sandbox
from tests.cli.inside import inside
from tests.cli.terminal import started
from tests.support.plain import NO_TLS
from tests.support.warm import DEVNULL

from .support import CHANNEL, MERCHANT, SandboxTime, calibrated, left_in, made_in, plan_for

RUN = "norce-calibrate-0123456789ab"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def _headers(sandbox: Sandbox) -> dict[str, str]:
    return {"authorization": f"Bearer {sandbox.token}", "x-merchant": MERCHANT, "x-channel": CHANNEL}


def _order(sandbox: Sandbox, **members: Any) -> str:
    """Create an order that no calibration made. Returns its id."""
    address = f"{sandbox.base_url}/api/v0/checkout/orders"
    created = httpx.post(address, headers=_headers(sandbox), json=members, verify=NO_TLS).raise_for_status()
    return str(created.json()["id"])


def _is_there(sandbox: Sandbox, order_id: str) -> bool:
    address = f"{sandbox.base_url}/api/v0/checkout/orders/{order_id}"
    return httpx.get(address, headers=_headers(sandbox), verify=NO_TLS).status_code == 200


def _file(sandbox: Sandbox, folder: Path, *lines: Any, end: str = "\n") -> Path:
    head = {"format": 1, **plan_for(sandbox, folder).service}
    path = folder / "calibration.state"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in (head, *lines)) + end)
    return path


def _environment(sandbox: Sandbox) -> dict[str, str]:
    return {
        "NORCE_BASE_URL": sandbox.base_url,
        "NORCE_MERCHANT": MERCHANT,
        "NORCE_CHANNEL": CHANNEL,
        "NORCE_TOKEN": sandbox.token,
    }


@pytest.mark.parametrize("orders", [1, 6, 12])
def test_killed_in_the_middle(orders: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``kill -9`` ends a run that has orders. The second run removes them first, and then does its own work."""
    with Sandbox(faults={"rules": [{"fault": {"delay": 0.02}}]}) as sandbox:
        process = started(
            *("calibrate", "--yes", "--into", str(tmp_path)), stdout=DEVNULL, stderr=DEVNULL, env=_environment(sandbox)
        )
        try:
            while made_in(sandbox) < orders and process.poll() is None:
                time.sleep(0.005)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.returncode == -signal.SIGKILL, "it was through before it could be killed"
        before = made_in(sandbox)
        assert left_in(sandbox) > 0
        sandbox.faults.stop()
        monkeypatch.setattr("norce_order_async.runtime.clock.SystemClock", partial(SandboxTime, sandbox))
        ran = inside("calibrate", "--yes", "--into", str(tmp_path), env=_environment(sandbox))
        assert ran.code == 0, ran.err
        assert "An earlier run ended before it had removed its orders" in ran.out
        assert left_in(sandbox) == 0
        assert made_in(sandbox) > before
    assert not (tmp_path / "calibration.state").exists()


def test_after_ctrl_c_the_orders_left_are_named(tmp_path: Path) -> None:
    """The file still names them, and a clean-up removes them."""
    with Sandbox(faults={"rules": [{"fault": {"delay": 0.05}}]}) as sandbox:
        process = started("calibrate", "--yes", "--into", str(tmp_path), env=_environment(sandbox), stdout=DEVNULL)
        while made_in(sandbox) < 2 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
        assert process.returncode == 130
        assert "calibration.state names them" in said
        assert "Traceback" not in said
        sandbox.faults.stop()
        assert inside("calibrate", "--clean-up", "--into", str(tmp_path), env=_environment(sandbox)).code == 0
        assert left_in(sandbox) == 0


def test_killed_between_a_creation_and_its_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    """Only the marker is known. It identifies the order among others."""
    ours = _order(sandbox, reference=RUN, cart={"reference": f"{RUN}-3"})
    changed = _order(sandbox, reference=RUN, attributes={"calibration": f"{RUN}-4"})
    others = [_order(sandbox, reference="4711", cart={"reference": "a"}), _order(sandbox, reference=f"{RUN}-3")]
    _file(sandbox, tmp_path, {"marker": f"{RUN}-3"}, {"marker": f"{RUN}-4"}, {"marker": f"{RUN}-5"})
    calibrated(sandbox, tmp_path, clean_only=True)
    assert not _is_there(sandbox, ours)
    assert not _is_there(sandbox, changed)
    assert all(_is_there(sandbox, order_id) for order_id in others)
    assert not (tmp_path / "calibration.state").exists()


def test_a_torn_last_line_is_ignored(sandbox: Sandbox, tmp_path: Path) -> None:
    """It announced a creation that was not sent, or it was about an answer. In that case the marker of an earlier
    line identifies the order."""
    ours = _order(sandbox, reference=RUN, cart={"reference": f"{RUN}-1"})
    _file(sandbox, tmp_path, {"marker": f"{RUN}-1"}, f'{{"marker":"{RUN}-1","ord', end="")
    calibrated(sandbox, tmp_path, clean_only=True)
    assert not _is_there(sandbox, ours)


def test_an_order_of_another_program_is_left_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file can be edited or copied, so its ids are not enough to remove an order."""
    theirs = _order(sandbox, reference="4711")
    _file(sandbox, tmp_path, {"marker": f"{RUN}-1"}, {"marker": f"{RUN}-1", "order": theirs})
    with pytest.raises(CalibrationError, match="1 orders of an earlier run could not be removed"):
        calibrated(sandbox, tmp_path)
    assert _is_there(sandbox, theirs)
    assert made_in(sandbox) == 1, "nothing more is created before"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["no JSON"], "line 2 is not a JSON object"),
        ([[1]], "line 2 is not a JSON object"),
        ([{"marker": "cart-17"}], "line 2 has no marker of a calibration"),
        ([{"marker": 5}], "line 2 has no marker of a calibration"),
        ([{"marker": f"{RUN}-1"}, {"marker": f"{RUN}-1", "order": "../orders"}], ""),
        ([{"marker": f"{RUN}-1"}, {"marker": f"{RUN}-1", "order": ".."}], "line 3 has no valid id of an order"),
        ([{"marker": f"{RUN}-1"}, {"marker": f"{RUN}-1", "order": {"id": 1}}], "line 3 has no valid id of an order"),
    ],
)
def test_a_bad_file(lines: list[Any], why: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is sent, and the file stays as it is. An id with a slash is one segment of the address."""
    path = _file(sandbox, tmp_path, *lines)
    before = path.read_bytes()
    if not why:
        calibrated(sandbox, tmp_path, clean_only=True)
        assert any("%2F" in each.path or "/orders/../orders" in each.path for each in sandbox.requests)
        assert not sandbox.requests.of("DeleteCheckoutOrder")
        return
    with pytest.raises(StateFileError, match=why):
        calibrated(sandbox, tmp_path)
    assert len(sandbox.requests) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("member", ["base_url", "merchant", "channel"])
def test_a_file_about_another_service(member: str, sandbox: Sandbox, tmp_path: Path) -> None:
    service = plan_for(sandbox, tmp_path).service | {member: "another"}
    path = tmp_path / "calibration.state"
    path.write_text(json.dumps({"format": 1, **service}) + "\n")
    with pytest.raises(StateFileError, match="names another address, merchant or channel"):
        calibrated(sandbox, tmp_path)
    assert len(sandbox.requests) == 0


def test_a_folder_in_its_place(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "calibration.state").mkdir()
    with pytest.raises(StateFileError, match="is not a regular file"):
        calibrated(sandbox, tmp_path)
    assert len(sandbox.requests) == 0


def test_a_bad_file_is_a_line_and_no_traceback(sandbox: Sandbox, tmp_path: Path) -> None:
    _file(sandbox, tmp_path, "no JSON")
    ran = inside("calibrate", "--yes", "--into", str(tmp_path), env=_environment(sandbox))
    assert ran.code == 1
    assert ran.err.startswith("Error: calibration.state can't be used: line 2 is not a JSON object")
    assert len(sandbox.requests) == 0


def test_two_runs_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second run is refused, because it would remove the orders of the first."""
    seen: list[str] = []

    def second(_request: object) -> None:
        if not seen:
            given = partial(inside, "calibrate", "--yes", "--into", str(tmp_path), env=_environment(sandbox))
            with ThreadPoolExecutor() as pool:  # the loop of this thread belongs to the first run
                seen.append(pool.submit(given).result().err)

    calibrated(sandbox, tmp_path, ("nulls",), instead=second)
    assert "another calibration is running" in seen[0]


def test_a_marker_is_on_the_disk_before_its_creation_is_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """The test reads the file at the moment of each creation."""
    announced: list[bool] = []

    def look(request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/orders"):
            marker = json.loads(request.body)["attributes"]["calibration"]
            state = StateFile.open(tmp_path / "calibration.state", plan_for(sandbox, tmp_path).service)
            announced.append(any(made.marker == marker for made in state.left))

    calibrated(sandbox, tmp_path, instead=look)
    assert len(announced) > 10
    assert all(announced)


@pytest.mark.skipif(not hasattr(Path, "chmod"), reason="POSIX")
def test_only_its_owner_can_read_the_file(sandbox: Sandbox, tmp_path: Path) -> None:
    modes: set[int] = set()

    def look(_request: object) -> None:
        path = tmp_path / "calibration.state"
        if path.exists():
            modes.add(path.stat().st_mode & 0o777)

    calibrated(sandbox, tmp_path, ("nulls",), instead=look)
    assert modes == {0o600}


# -------------------------------------------------------------------------------------------------- a disk that is full

_WRITE = os.write


class _FullDisk:
    """A disk with room for a number of lines of state files and then half of one. It takes no more until it has room
    again."""

    def __init__(self, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = lines
        self._rest = b""
        monkeypatch.setattr("norce_order_async.calibration.state.os.write", self.write)

    def write(self, file: int, data: bytes) -> int:
        if data != self._rest and not data.startswith((b'{"format"', b'{"marker"')):
            return _WRITE(file, data)
        self.room -= 1
        if self.room >= 0:
            return _WRITE(file, data)
        if self.room == -1:
            half = len(data) // 2
            self._rest = data[half:]
            return _WRITE(file, data[:half])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("only", [(), ("cart-reference-unique",)], ids=["all", "two at once"])
@pytest.mark.parametrize("lines", range(8))
def test_the_disk_fills(
    lines: int, only: tuple[str, ...], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any line may be the first without space. The run then stops, creates no order without its marker, and leaves
    none."""
    _FullDisk(lines, monkeypatch)
    unmarked: list[str] = []

    def look(request: Any) -> None:
        if request.method == "POST" and request.url.endswith("/orders"):
            marker = json.loads(request.body)["attributes"]["calibration"]
            if f'"{marker}"'.encode() not in (tmp_path / "calibration.state").read_bytes():
                unmarked.append(marker)

    result = calibrated(sandbox, tmp_path, only, instead=look)
    assert result.stopped == "calibration.state can't be written: No space left on device"
    assert unmarked == []
    assert (left_in(sandbox), result.left) == (0, [])
    assert result.orders == made_in(sandbox)
    assert not (tmp_path / "calibration.state").exists()


def test_the_disk_is_full_and_an_order_can_t_be_removed(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command prints the id of the order before it reports that the reports can't be written. The file keeps the
    id for a later clean-up."""
    _FullDisk(2, monkeypatch)
    written = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.suffix in (".yaml", ".md"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(path, data)

    with monkeypatch.context() as changes:
        changes.setattr(Path, "write_bytes", full)
        changes.setattr("norce_order_async.runtime.clock.SystemClock", partial(SandboxTime, sandbox))
        sandbox.faults.play(
            {"rules": [{"operations": ["DeleteCheckoutOrder", "UpdateCheckoutOrderState"], "fault": {"answer": 503}}]}
        )
        ran = inside("calibrate", "--yes", "--into", str(tmp_path), env=_environment(sandbox))
    sandbox.faults.stop()
    (effect,) = sandbox.effects.of(operation="CreateCheckoutOrder")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    said = ran.err.splitlines()
    at = next(number for number, line in enumerate(said) if str(effect.order_id) in line)
    assert "1 test orders may still be there" in ran.err
    assert any("calibration.yaml can't be written: No space left" in line for line in said[at:])
    assert any("calibration.md can't be written: No space left" in line for line in said[at:])
    assert "stopped early: calibration.state can't be written" in ran.err
    monkeypatch.undo()
    assert inside("calibrate", "--clean-up", "--into", str(tmp_path), env=_environment(sandbox)).code == 0
    assert left_in(sandbox) == 0


def test_space_is_freed_while_it_runs(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half line that was written before does not become part of the next one."""
    disk = _FullDisk(2, monkeypatch)
    service = plan_for(sandbox, tmp_path).service
    state = StateFile.open(tmp_path / "calibration.state", service)
    made = state.about_to_create(f"{RUN}-1")
    with pytest.raises(StateFileError, match="can't be written: No space left"):
        state.created(made, "a")
    with pytest.raises(StateFileError, match="can't be written: No space left"):
        state.about_to_create(f"{RUN}-2")
    assert [one.marker for one in state.left] == [f"{RUN}-1"], "what could not be announced is not created"
    disk.room = 100
    state.about_to_create(f"{RUN}-3")
    state.close()
    again = StateFile.open(tmp_path / "calibration.state", service)
    assert [one.marker for one in again.left] == [f"{RUN}-1", f"{RUN}-3"]


def test_a_disk_that_takes_a_line_in_parts(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(file: int, data: bytes) -> int:
        return _WRITE(file, data[:5])

    monkeypatch.setattr("norce_order_async.calibration.state.os.write", write)
    service = plan_for(sandbox, tmp_path).service
    state = StateFile.open(tmp_path / "calibration.state", service)
    state.about_to_create(f"{RUN}-1")
    state.close()
    assert [one.marker for one in StateFile.open(tmp_path / "calibration.state", service).left] == [f"{RUN}-1"]


def test_the_output_can_t_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    """The output is a file on a full disk, or its reader has gone. The run stops and removes its orders all the
    same."""

    def say(line: str) -> None:
        if line.startswith("cart-"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    result = calibrated(sandbox, tmp_path, say=say)
    assert result.stopped == "the output can't be written any more"
    assert made_in(sandbox) > 0
    assert (left_in(sandbox), result.left) == (0, [])

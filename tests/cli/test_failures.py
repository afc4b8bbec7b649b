"""The output of a command that fails, for people and for machines, and of one whose reader is gone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import norce_order_async
from norce_order_async.cli.app import norce_order
from norce_order_async.cli.failures import PHRASES, in_shell
from tests.support.warm import Program

from .inside import inside
from .shop import Shop, shop
from .terminal import started

MEMBERS = {
    "error",
    "message",
    "outcome",
    "status",
    "code",
    "correlation_id",
    "order_id",
    "may_call_again",
    "exit_code",
}
PYTHON = re.compile(r"await |\w=(True|False|None)\b|\w\(\.*\)|\b[a-z]+_[a-z]+ must|\bNone\b|Error\(")
"""Advice for programs, which is of no use in a shell."""


@pytest.fixture(scope="module")
def here() -> Iterator[Shop]:
    with shop() as opened:
        yield opened


def commands(group: click.Group = norce_order, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        assert one is not None
        if isinstance(one, click.Group):
            yield from commands(one, *before, name)
        else:
            yield (*before, name), one


WITH_JSON = [words for words, one in commands() if any("--json" in option.opts for option in one.params)]


def failure(*arguments: str, env: dict[str, str]) -> dict[str, Any]:
    """Return the one JSON object that a failing command writes."""
    ran = inside(*arguments, env=env)
    told: dict[str, Any] = json.loads(ran.err)
    assert told.keys() == MEMBERS
    assert (told["exit_code"], ran.out) == (ran.code, "")
    assert not PYTHON.search(told["message"])
    return told


def test_most_commands_speak_json() -> None:
    names = {" ".join(words) for words in WITH_JSON}
    assert names >= {
        "get",
        "list",
        "transition",
        "doctor",
        "bulk status",
        "bulk results",
        "bulk retry",
        "bulk validate",
    }


@pytest.mark.parametrize("words", WITH_JSON, ids=" ".join)
def test_a_wrong_command_line_is_json(words: tuple[str, ...]) -> None:
    told = failure(*words, "--json", "--nonsense", env={})
    assert (told["outcome"], told["exit_code"]) == ("not sent", 2)
    assert "--nonsense" in told["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "o1"),
        ("list",),
        ("transition", "o1", "--to", "accepted"),
        ("bulk", "validate", "--all"),
        ("bulk", "remove", "--all"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "give --environment and --slug, or --base-url"),
        ({"NORCE_BASE_URL": "http://127.0.0.1:9", "NORCE_CHANNEL": "se"}, "no --merchant was given"),
        ({"NORCE_BASE_URL": "http://127.0.0.1:9", "NORCE_CHANNEL": "se", "NORCE_MERCHANT": "m"}, "--token-file"),
        ({"NORCE_BASE_URL": "x", "NORCE_CHANNEL": "se", "NORCE_MERCHANT": "m", "NORCE_TOKEN": "t"}, "--base-url must"),
    ],
    ids=["service", "merchant", "token", "address"],
)
def test_a_setting_that_is_missing_is_reported_as_an_option(
    arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    told = failure(*arguments, "--json", env=env)
    assert said in told["message"]
    assert (told["outcome"], told["exit_code"]) == ("not sent", 2)


def test_a_refusal_of_the_service(here: Shop) -> None:
    """The object has the code, the status, the correlation id, the order, the service's words and the outcome."""
    told = failure("get", "oNowhere", "--json", env=here.env)
    assert (told["error"], told["outcome"], told["status"], told["code"]) == (
        "NotFoundError",
        "refused",
        404,
        "order-not-found",
    )
    assert told["order_id"] == "oNowhere"
    assert re.fullmatch("[0-9a-f]{32}", told["correlation_id"])
    assert "the service said: " in told["message"]
    order_id = here.ids(1, "completed")[0]
    told = failure("transition", order_id, "--to", "checkout", "--json", env=here.env)
    assert (told["error"], told["status"], told["outcome"]) == ("TransitionRefusedError", 400, "refused")
    assert "the service said: " in told["message"]


@pytest.mark.parametrize("path", ["/wrong", "/checkout/order/api"])
def test_a_wrong_path_is_not_a_wrong_id(here: Shop, path: str) -> None:
    env = here.env | {"NORCE_BASE_URL": here.sandbox.base_url.rsplit("/checkout", 1)[0] + path}
    for arguments in (("get", here.ids(1)[0]), ("list",)):
        told = failure(*arguments, "--json", env=env)
        assert "check its address" in told["message"]
        assert "check the id" not in told["message"]


def test_a_service_that_is_down(here: Shop) -> None:
    told = failure("list", "--json", env=here.env | {"NORCE_BASE_URL": "http://127.0.0.1:9"})
    assert (told["outcome"], told["status"], told["may_call_again"], told["exit_code"]) == ("not sent", None, True, 1)


def test_an_option_asks_for_an_explanation(here: Shop) -> None:
    order_id = here.ids(1, "processing")[0]
    ran = inside("transition", order_id, "--to", "completed", "--explain", "--validate", env=here.env)
    assert ran.code in (0, 1)
    assert not PYTHON.search(ran.err)


def test_people_read_the_service_s_words(here: Shop, tmp_path: Path) -> None:
    """The service's words are shown by single commands and by jobs."""
    order_id = here.ids(1, "completed")[0]
    ran = inside("transition", order_id, "--to", "checkout", env=here.env)
    assert ran.err.startswith("Error: ")
    assert "the service said: " in ran.err
    assert not PYTHON.search(ran.err)
    ids = tmp_path / "ids.csv"
    ids.write_text(f"order_id\n{order_id}\n")
    job = ("bulk", "transition", "--to", "checkout", "--from-file", str(ids), "--explain")
    ran = inside(*job, env=here.env)
    assert (ran.code, "the service said: " in ran.err) == (3, True)
    ran = inside(*job, "--json", env=here.env)
    assert "the service said: " in ran.out


def test_production_is_refused_in_json_too() -> None:
    env = {"NORCE_TOKEN": "t", "NORCE_MERCHANT": "m", "NORCE_CHANNEL": "c"}
    env |= {"NORCE_ENVIRONMENT": "production", "NORCE_SLUG": "acme"}
    told = failure("transition", "o1", "--to", "removed", "--json", env=env)
    assert (told["exit_code"], told["outcome"], "--yes-production" in told["message"]) == (2, "not sent", True)


@pytest.mark.parametrize(
    ("program", "shell"),
    [
        ("base_url must not hold it; give the token as token", "--base-url must not hold it; give the token in"),
        ("or pass resume=True to norce.bulk(...) if that is meant", "or give --resume if that is meant"),
        ("look at the orders, and say send_again=True if", "look at the orders, and give --send-again if"),
        ("billing_names must not be empty", "--billing-name must not be empty"),
        ("order o1: the merchant's channel", "order o1: the merchant's channel"),
    ],
)
def test_texts_for_programs_are_reworded_for_a_shell(program: str, shell: str) -> None:
    assert in_shell(program).startswith(shell)


def test_every_reworded_text_still_exists() -> None:
    source = "".join(path.read_text() for path in Path(norce_order_async.__file__).parent.rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", source)
    for program, _ in PHRASES:
        assert joined.count(program) >= 2 or program == "no token was given", program


class Unread:
    """Runs commands whose reader has closed the pipe before they print."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._running: list[tuple[tuple[str, ...], Program]] = []

    def start(self, *arguments: str) -> None:
        read, write = os.pipe()
        os.close(read)
        process = started(*arguments, env=self._env, stdout=write)
        self._running.append((arguments, process))
        os.close(write)

    def ended(self) -> dict[str, tuple[int, str]]:
        came: dict[str, tuple[int, str]] = {}
        for arguments, process in self._running:
            _, err = process.communicate()
            came[" ".join(arguments)] = (process.wait(), err)
        return came


@pytest.mark.parametrize("forms", ["one form of each", pytest.param("every form", marks=pytest.mark.soak)])
def test_a_reader_that_is_gone_is_not_a_failure(here: Shop, tmp_path: Path, forms: str) -> None:
    """A command whose reader leaves, as in ``norce-order list --json | head -1``, ends without an error, and its
    changes are made all the same."""
    order_id, moved = here.ids(2, "processing")
    journal, out = str(tmp_path / "a.journal"), str(tmp_path / "out.csv")
    ids = tmp_path / "ids.csv"
    ids.write_text("order_id\n" + "\n".join(here.ids(5, "accepted")))
    begun = inside("bulk", "validate", "--from-file", str(ids), "--journal", journal, env=here.env)
    unread = Unread(here.env)
    unread.start("--help")
    unread.start("list", "--json")
    unread.start("get", order_id)
    unread.start("transition", moved, "--to", "declined")
    unread.start("doctor")
    unread.start("bulk", "results", journal, "--csv")
    unread.start("bulk", "status", journal, "--json")
    unread.start("bulk", "validate", "--from-file", str(ids))
    unread.start("bulk", "export", "--from-file", str(ids), "--out", out, "--json")
    unread.start("demo", "--orders", "5")
    if forms == "every form":
        unread.start("list")
        unread.start("get", order_id, "--json")
        unread.start("doctor", "--json")
        for form in ([], ["--json"], ["--jsonl"]):
            unread.start("bulk", "results", journal, *form)
        unread.start("bulk", "status", journal)
        unread.start("bulk", "validate", "--from-file", str(ids), "--json")
    came = unread.ended()
    jobs = {name: code for name, (code, _) in came.items() if name.startswith("bulk validate")}
    assert set(jobs.values()) == {begun.code}
    assert {name: end for name, end in came.items() if name not in jobs and end[0] != 0} == {}
    assert "Traceback" not in "".join(err for _, err in came.values())
    assert "Broken" not in "".join(err for _, err in came.values())
    assert here.status(moved) == "declined"
    assert len(Path(out).read_text().splitlines()) == 6

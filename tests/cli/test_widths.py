"""Tables from 40 to 200 columns, colours, and errors that suggest the word that was probably meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .inside import inside
from .shop import Shop, shop
from .terminal import on_terminal

PROFILES = """
[profiles.stage]
environment = "stage"
slug = "acme-with-a-long-name"
merchant = "acme"
channel = "se"
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Shop]:
    with shop(40) as opened:
        yield opened


@pytest.fixture
def env(here: Shop, tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "norce-order" / "config.toml"
    file.parent.mkdir()
    file.write_text(PROFILES)
    return here.env | {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture(scope="module")
def journal(here: Shop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a journal of a job with a done and a refused order."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "ids").write_text("\n".join([*here.ids(1), "oNowhere"]))
    made = str(folder / "journal")
    wanted = ("--from-file", str(folder / "ids"), "--journal", made)
    assert inside("bulk", "transition", "--to", "accepted", *wanted, env=here.env).code == 3
    return made


@pytest.fixture
def commands(here: Shop, journal: str) -> dict[str, tuple[str, ...]]:
    """Return the commands that print tables."""
    (order,) = here.ids(1, "completed")
    return {
        "list": ("list", "--limit", "3"),
        "get": ("get", order),
        "payments": ("payments", order),
        "profiles": ("profiles",),
        "readings": ("sandbox", "--list-readings"),
        "doctor": ("doctor",),
        "demo": ("demo", "--orders", "1"),
        "status": ("bulk", "status", journal),
    }


TABLES = ["list", "get", "payments", "profiles", "readings", "doctor", "demo", "status"]


@pytest.mark.parametrize("command", ["list", "payments", "profiles", "readings"])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_table_fits_its_terminal(
    commands: dict[str, tuple[str, ...]], env: dict[str, str], command: str, columns: int
) -> None:
    """No line wraps, except for a word that is wider than the terminal, and no word is missing."""
    ran = on_terminal(*commands[command], env=env, columns=columns)
    assert ran.code == 0
    lines = ran.out.replace("\r\n", "\n").splitlines()
    for line in lines:
        assert len(line) <= columns or len(line.split(maxsplit=1)[-1].split()) == 1, line
    piped = inside(*commands[command], env=env).out
    missing = {word for word in piped.split() if word.lower() not in ran.out.lower()}
    assert not missing


@pytest.mark.parametrize("command", TABLES)
def test_no_colours_in_pipes_and_with_no_color(
    commands: dict[str, tuple[str, ...]], env: dict[str, str], command: str
) -> None:
    assert "\x1b" not in inside(*commands[command], env=env).out
    assert "\x1b[3" not in on_terminal(*commands[command], env=env | {"NO_COLOR": "1"}).out


@pytest.mark.parametrize("columns", [40, 200])
def test_facts_are_the_same_at_every_width(
    commands: dict[str, tuple[str, ...]], env: dict[str, str], columns: int
) -> None:
    """Facts are neither cut nor wrapped, so that an id can be copied whole, and have no colours."""
    shown = on_terminal(*commands["status"], env=env, columns=columns)
    assert shown.code == 3
    assert shown.out.replace("\r\n", "\n") == inside(*commands["status"], env=env).out
    assert "\x1b" not in shown.out


def test_colours_on_a_terminal(env: dict[str, str]) -> None:
    """Other output has colours, so the test before this one can fail."""
    assert "\x1b[3" in on_terminal("doctor", env=env).out


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("lst",), "'list'"),
        (("sandbx",), "'sandbox'"),
        (("bulk", "statsu"), "'status'"),
        (("list", "--colums", "id"), "--columns"),
        (("list", "--columns", "cart.item"), "'cart.items'"),
        (("transition", "o1", "--to", "complted"), "did you mean completed?"),
        (("list", "--status", "complted"), "did you mean completed?"),
        (("bulk", "transition", "--all", "--to", "COMPLTED"), "did you mean completed?"),
        (("doctor", "--environment", "stag"), "did you mean stage?"),
        (("list", "--profile", "stag"), "did you mean stage?"),
    ],
)
def test_an_error_names_the_word_that_was_probably_meant(
    env: dict[str, str], arguments: tuple[str, ...], meant: str
) -> None:
    """The error suggests a command, an option, a column, a status or a profile, in JSON too."""
    ran = inside(*arguments, env=env)
    assert (ran.code, ran.out) == (2, "")
    assert meant in ran.err
    if arguments[0] != "bulk":
        told = json.loads(inside(*arguments, "--json", env=env).err)
        assert meant in told["message"]


def test_a_mistyped_word_gets_the_nearest_and_not_all(env: dict[str, str]) -> None:
    ran = inside("transition", "o1", "--to", "complted", env=env)
    assert (
        ran.err.splitlines()[-1] == "Error: Invalid value for '--to': 'complted' is not known; did you mean completed?"
    )


def test_without_a_near_word_all_are_named(env: dict[str, str]) -> None:
    """If no word is near, the error lists all statuses."""
    ran = inside("xyzzy", env=env)
    assert (ran.code, "mean" in ran.err) == (2, False)
    ran = inside("transition", "o1", "--to", "xyzzy", env=env)
    assert (ran.code, "mean" in ran.err) == (2, False)
    assert "'processing', 'accepted'" in ran.err

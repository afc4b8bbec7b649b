"""The command line itself: help, version, missing extras, unexpected failures."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from norce_order_async import ConfigurationError, __version__
from norce_order_async.cli import app
from norce_order_async.cli.failures import cause, one_line
from norce_order_async.display import printable

from .inside import inside
from .terminal import from_the_start


def test_version() -> None:
    ran = from_the_start("--version")
    assert (ran.code, ran.out) == (0, f"norce-order, version {__version__}\n")


@pytest.mark.parametrize("arguments", [("nonsense",), ("demo", "--orders", "0"), ("demo", "--loop", "curio"), ()])
def test_a_wrong_command_line_shows_the_usage(arguments: tuple[str, ...]) -> None:
    """The usage is shown with exit code 2."""
    ran = inside(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: norce-order" in ran.err


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_cli_extra(missing: str) -> None:
    ran = from_the_start("demo", without=(missing,))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "norce-order needs the extra 'cli': install norce-order-async with [cli]\n"


@pytest.mark.parametrize("arguments", [("sandbox", "--port", "0"), ("demo", "--orders", "1")])
@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_sandbox_extra(arguments: tuple[str, ...], missing: str) -> None:
    ran = from_the_start(*arguments, without=(missing,))
    assert (ran.code, ran.out) == (1, "")
    assert "install norce-order-async with [sandbox]" in ran.err
    assert ran.err.count("\n") == 1


def test_without_trio() -> None:
    ran = from_the_start("demo", "--loop", "trio", without=("trio",))
    assert (ran.code, ran.out, ran.err) == (1, "", "Error: --loop trio needs trio: pip install trio\n")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigurationError("slug is\nmissing"), 1, "Error: slug is\\nmissing\n"),
        (OSError("slug is\nmissing"), 1, "Error: OSError: slug is missing\n"),
        (ValueError("\x1b[2J"), 1, "Error: ValueError: \\x1b[2J\n"),
        (ZeroDivisionError(), 1, "Error: ZeroDivisionError\n"),
        (ExceptionGroup("two", [ExceptionGroup("one", [OSError("gone")])]), 1, "Error: OSError: gone\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BaseExceptionGroup("all", [OSError("gone"), KeyboardInterrupt()]), 130, "interrupted\n"),
    ],
)
def test_any_failure_is_one_line(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception of a command becomes one line and an exit code."""

    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.setitem(app.norce_order.commands, "fails", fails)
    assert app.run(["fails"]) == code
    assert capsys.readouterr().err.lstrip("\n") == told


def test_the_list_of_commands_is_complete() -> None:
    """The list has names and lines of its own, because it imports no command. They agree with the commands."""
    group = app.norce_order
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    lines = {name: one.get_short_help_str(limit=1000) for name, one in found.items() if one is not None}
    assert lines.keys() == found.keys()
    assert all(one.name == name for name, one in found.items() if one is not None)
    shown = " ".join(group.get_help(context).partition("Commands:")[2].split())
    assert shown == " ".join(f"{name} {line}" for name, line in lines.items())


HELP_AND_MODULES = """
import sys
from norce_order_async.cli.app import run
run(["--help"])
print(*sys.modules)
"""


def test_the_help_imports_no_command() -> None:
    """The help imports neither a command nor the commands' libraries, because it is typed first and most often."""
    ran = subprocess.run([sys.executable, "-c", HELP_AND_MODULES], capture_output=True, encoding="utf-8", check=True)
    loaded = set(ran.stdout.split())
    assert "Commands:" in ran.stdout
    assert {name for name in loaded if name.startswith("norce_order_async.cli.")} == {
        "norce_order_async.cli.app",
        "norce_order_async.cli.failures",
    }
    assert not loaded & {"asyncio", "anyio", "rich", "attr", "norce_order_async.client", "norce_order_async.pipeline"}


def test_cause_prefers_an_interrupt_at_any_depth() -> None:
    pressed = KeyboardInterrupt()
    group = BaseExceptionGroup("a", [ValueError(), BaseExceptionGroup("b", [OSError(), pressed])])
    assert cause(group) is pressed


def test_text_from_outside_is_spelled_out() -> None:
    assert one_line(ValueError("a\r\nb\x07")) == "ValueError: a b\\x07"
    assert printable("plain, åäö") == "plain, åäö"
    assert printable("\u202etxt") == "\\u202etxt"

"""The page about the command line: its commands run, and its tables are correct."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import click
import pytest

from norce_order_async.cli.app import norce_order

from .shop import shop
from .terminal import environment, on_path

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="its commands are for a shell")
def test_its_commands_run(tmp_path: Path) -> None:
    """The commands run one after the other, each with exit code 0."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    folder = tmp_path / "bin"
    folder.mkdir()
    with shop(200) as opened, on_path(folder) as path:
        ran = subprocess.run(
            ["/bin/sh", "-e", "-c", script],
            cwd=tmp_path,
            env=environment(opened.env | {"PATH": path}),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "completed.jsonl").read_text().count("\n") > 5


def _command(group: click.Group, name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


def _options(command: click.Command) -> set[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        below = (_options(_command(command, one)) for one in command.list_commands(context))
        return _own(command).union(*below)
    return _own(command)


def _own(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}


def test_its_options_exist() -> None:
    known = _options(norce_order) | {"--help"}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= known


def test_its_exit_codes_are_those_of_the_help() -> None:
    bulk = _command(norce_order, "bulk")
    told = re.findall(r"^\s+(\d+)  ", bulk.help or "", re.MULTILINE)
    assert told == re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)

"""docs/spread.md: its code runs in a shell as a reader pastes it, with a database. The files of docs/machines.md are
checked too."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from norce_order_async.bulk.journal import lease as journal
from norce_order_async.bulk.journal.journal import LISTED_AT_ONCE
from norce_order_async.bulk.journal.place import LEASE
from norce_order_async.cli.app import norce_order

from .shell import ROOT, paste, pasted

PAGE = ROOT.joinpath("docs/spread.md").read_text("utf-8")


@pytest.mark.slow(group="postgres")
def test_its_code_runs(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_DATABASE", postgres)
    paste(pasted(PAGE), tmp_path)


def test_its_numbers_are_the_codes() -> None:
    """The page has the code's leases and limits."""
    text = " ".join(PAGE.split())
    assert f"A run has the job for {LEASE:g} s" in text
    assert f"renews the lease every {LEASE / journal.RENEWALS:g} s" in text
    assert f"Listing reads {LISTED_AT_ONCE:,} orders of the source" in text


def test_its_figures_are_those_of_the_measurement() -> None:
    """The page has the figures from the file that the measurement wrote, and they keep its limits."""
    from benchmarks import shards as measured

    results = json.loads(ROOT.joinpath("docs/spread.json").read_text("utf-8"))
    _, _, rest = PAGE.partition("<!-- measured: shards -->\n")
    assert rest.partition("<!-- end -->")[0].strip() == measured.block(results)
    alone, journaled = (results["overhead"]["rounds"][name] for name in (measured.ALONE, measured.JOURNALED))
    split = results["overhead"]["rounds"][measured.SPLIT]
    for ours in (journaled, split):
        assert sum(one["rate"] for one in ours) >= 0.9 * sum(one["rate"] for one in alone)
    made = results["listing"]["rounds"]
    assert sum(one["rate"] for one in made) >= 0.5 * sum(one["copy_rate"] for one in made)


MACHINES = ROOT.joinpath("docs/machines.md").read_text("utf-8")
FOLDER = ROOT / "examples/machines"


def commands_of(text: str) -> list[list[str]]:
    """Return the lines of norce-order on a page, as words."""
    lines = re.findall(r"^norce-order .*$", text, re.MULTILINE)
    return [shlex.split(line)[1:] for line in lines]


def test_the_commands_of_the_first_job_are_accepted() -> None:
    """The command's own parser accepts them."""
    assert len(commands_of(MACHINES)) == 2
    for words in commands_of(MACHINES):
        command: click.Command = norce_order
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None
            command = found
        command.make_parser(click.Context(command)).parse_args(words)


def test_the_package_is_installed_from_the_readers_folder() -> None:
    folder = ROOT
    for went, installed in re.findall(r"^cd (\S+)$|^pip install \"(\S+)\[", MACHINES, re.MULTILINE):
        folder = folder / went
        assert not installed or folder.joinpath(installed, "pyproject.toml").is_file()
    assert folder == FOLDER


def test_the_compose_file_has_the_services() -> None:
    """The page starts each service, and workers get the variables that they need."""
    services: Any = yaml.safe_load(FOLDER.joinpath("compose.yaml").read_text("utf-8"))["services"]
    assert set(services) == {"db", "scheduler", "worker"}
    assert set(services["worker"]["environment"]) == {"NORCE_TOKEN", "PGPASSWORD"}
    for name in services:
        assert re.search(rf"docker compose up .*\b{name}\b", MACHINES), name
    assert f"[{'spread,cli,fast'}]" in FOLDER.joinpath("Dockerfile").read_text("utf-8")


def test_the_kubernetes_job_has_a_pod_for_each_shard() -> None:
    """The job's program compiles, and reads the variables that the page names."""
    job: Any = yaml.safe_load(FOLDER.joinpath("kubernetes.yaml").read_text("utf-8"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (program,) = container["args"]
    assert job["spec"]["completionMode"] == "Indexed"
    compile(program, "kubernetes.yaml", "exec")
    assert {"RECIPE", "JOURNAL", "JOB_COMPLETION_INDEX"} == set(re.findall(r'environ\["(\w+)"\]', program))

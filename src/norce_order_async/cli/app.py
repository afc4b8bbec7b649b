"""The group of commands, and what becomes of everything that goes wrong in one: a line and an exit code.

====  ==================================================
0     done
1     it failed; the line says why
2     the command line itself is wrong
130   interrupted
====  ==================================================

A new command is a module beside this one and a line at the end of this file. Commands import what they need when they
run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from norce_order_async._version import __version__
from norce_order_async.cli.bulk.command import bulk
from norce_order_async.cli.demo.command import demo
from norce_order_async.cli.doctor.command import doctor
from norce_order_async.cli.failures import cause, one_line
from norce_order_async.cli.get import get
from norce_order_async.cli.listing import list_orders
from norce_order_async.cli.sandbox import sandbox
from norce_order_async.cli.transition import transition

NAME = "norce-order"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME)
def norce_order() -> None:
    """Orders of Norce Checkout: look at them, change them one by one or in batches, try it all on a local service."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, this process's own unless given."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that can't show an arrow gets a question mark.
            stream.reconfigure(errors="replace")
    try:
        code: object = norce_order.main(arguments, prog_name=NAME, standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - interrupts are told of as well
        return _told(cause(error))
    return code if isinstance(code, int) else 0


def _told(error: BaseException) -> int:
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, Exception):
        click.echo(f"Error: {one_line(error)}", err=True)
        return 1
    raise error


for _command in (demo, sandbox, get, list_orders, transition, bulk, doctor):
    norce_order.add_command(_command)

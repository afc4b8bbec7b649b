"""The group of commands. Every failure of a command becomes one line and an exit code.

====  ==================================================
0     done, or the reader of the output has gone
1     failed; the line says why
2     the command line itself, or a setting, is wrong
130   interrupted
====  ==================================================

A new command is a module beside this one, and an entry in the loop at the end of this file. Commands import their
modules when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from norce_order_async._version import __version__
from norce_order_async.cli.adapter.command import adapter
from norce_order_async.cli.bulk.command import bulk
from norce_order_async.cli.calibrate import calibrate
from norce_order_async.cli.completion import completion
from norce_order_async.cli.create import create
from norce_order_async.cli.demo.command import demo
from norce_order_async.cli.doctor.command import doctor
from norce_order_async.cli.failures import ReaderGoneError, cause, one_line, record, silence
from norce_order_async.cli.get import get
from norce_order_async.cli.inbox import inbox
from norce_order_async.cli.listing import list_orders
from norce_order_async.cli.parts import attributes, payments, set_reference
from norce_order_async.cli.profiles import list_profiles
from norce_order_async.cli.sandbox import sandbox
from norce_order_async.cli.transition import transition
from norce_order_async.display import printable

NAME = "norce-order"


class _Commands(click.Group):
    """The group of commands. A command ends when the reader of its output has gone."""

    def make_context(self, *args: Any, **named: Any) -> click.Context:
        with _until_reader_leaves():
            return super().make_context(*args, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _until_reader_leaves():
            return super().invoke(ctx)


@contextmanager
def _until_reader_leaves() -> Generator[None]:
    try:
        yield
    except BaseException as error:
        failed = cause(error)
        # rich turns a broken pipe into a SystemExit.
        if isinstance(failed.__context__ if isinstance(failed, SystemExit) else failed, BrokenPipeError):
            raise ReaderGoneError from None
        raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME)
def norce_order() -> None:
    """Read and change orders of Norce Checkout, one by one or many at a time.

    To try it without an account, start a local order service with `norce-order sandbox`, or run `norce-order demo`.

    Name the service and the account with options such as --base-url, or with the variables NORCE_BASE_URL,
    NORCE_MERCHANT, NORCE_CHANNEL and NORCE_TOKEN. `norce-order doctor` checks them.

    \b
    Exit codes:
      0    done; also when the reader of the output has gone (| head -1)
      1    failed; a line on standard error says why, with --json a JSON object
      2    the command line, a setting or a file can't be used; nothing was changed
      3,4  for `bulk`: some orders were not done, or the job was stopped
      130  interrupted
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line: ``arguments``, or those of this process. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that can't show a character gets a question mark.
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _until_reader_leaves():
            code: object = norce_order.main(given, prog_name=NAME, standalone_mode=False)
            sys.stdout.flush()
    except ReaderGoneError:
        silence(sys.stdout)
        return 0
    except BaseException as error:  # noqa: BLE001 - interrupts are reported as well
        try:
            return _report(cause(error), as_json="--json" in given)
        except BrokenPipeError:
            silence(sys.stderr)
            return 1
    return code if isinstance(code, int) else 0


def _report(error: BaseException, *, as_json: bool) -> int:
    if isinstance(error, click.Abort | KeyboardInterrupt):
        code, text = 130, "interrupted"
    elif isinstance(error, click.ClickException):
        code, text = error.exit_code, printable(" ".join(error.format_message().split()))
    elif isinstance(error, Exception):
        code, text = 1, one_line(error)
    else:
        raise error
    if as_json:
        click.echo(json.dumps(record(error, text, code)), err=True)
    elif isinstance(error, click.ClickException):
        error.show()
    else:
        click.echo(text if code == 130 else f"Error: {text}", err=True)
    return code


for _command in (
    demo,
    sandbox,
    adapter,
    get,
    list_orders,
    transition,
    bulk,
    inbox,
    doctor,
    calibrate,
    create,
    set_reference,
    attributes,
    payments,
    list_profiles,
    completion,
):
    norce_order.add_command(_command)

"""The group of commands. Every failure of a command becomes one line and an exit code.

====  ==================================================
0     done, or the reader of the output has gone
1     failed; the line says why
2     the command line, a setting or a file can't be used
130   interrupted
====  ==================================================

A new command is a module beside this one, and an entry in :data:`_COMMANDS`. A command is imported when it is called or
when its help is shown, and imports what it needs when it runs, so that ``--help`` stays fast.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

from norce_order_async._version import __version__
from norce_order_async.cli.failures import ReaderGoneError, cause, one_line, record, silence
from norce_order_async.display import printable

NAME = "norce-order"


_COMMANDS: Final = {
    "adapter": ("adapter.command:adapter", "Work on an adapter, a program that the order service calls."),
    "attributes": ("parts:attributes", "Show or change the attributes of an order."),
    "bulk": ("bulk.command:bulk", "Run one action on many orders."),
    "calibrate": ("calibrate:calibrate", "Find out how the real service behaves where nothing is published."),
    "completion": ("completion:completion", "Print the completion for a shell."),
    "create": ("create:create", "Create an order."),
    "demo": ("demo.command:demo", "Show orders going from checkout to completed."),
    "doctor": ("doctor.command:doctor", "Check settings, network and service."),
    "get": ("get:get", "Show an order."),
    "inbox": ("inbox:inbox", "List, retry and drop notifications that an adapter has stored."),
    "list": ("listing:list_orders", "List the newest orders."),
    "open": ("sandbox.open_page:open_page", "Open the inspector of a local service in a browser."),
    "payments": ("parts:payments", "List the payments of an order."),
    "profiles": ("profiles:list_profiles", "List the profiles."),
    "sandbox": ("sandbox.command:sandbox", "Run a local imitation of the order service."),
    "set-reference": ("parts:set_reference", "Set the reference of an order."),
    "transition": ("transition:transition", "Move an order to another status."),
}
"""The module and name of each command in this package, and its line in the list of commands."""


class _Commands(click.Group):
    """The group of commands. A command ends when the reader of its output has gone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module, _, name = _COMMANDS[cmd_name][0].partition(":")
            self.add_command(getattr(import_module(f"norce_order_async.cli.{module}"), name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            # click knows only the commands that have been imported.
            close = get_close_matches(args[0], self.list_commands(ctx), 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {printable(args[0])!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        # click's own method would import every command for its line.
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(_COMMANDS.items())])

    def make_context(self, *args: Any, **named: Any) -> click.Context:
        with _until_reader_leaves():
            return super().make_context(*args, **named)

    def invoke(self, ctx: click.Context) -> Any:
        with _until_reader_leaves():
            return super().invoke(ctx)


@contextmanager
def _until_reader_leaves() -> Generator[None]:
    """Raise `ReaderGoneError` for the broken pipe of a reader that has gone."""
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
      1    failed; standard error says why, in one line or with --json as a JSON object
      2    the command line, a setting or a file can't be used; nothing was changed
      3,4  for `bulk`: some orders were not done, or the job was stopped
      130  interrupted
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line: ``arguments``, or those of this process. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A question mark replaces a character that the terminal can't show.
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _until_reader_leaves():
            # click itself only checks whether the output is a terminal.
            colour = False if os.environ.get("NO_COLOR") else None
            code: object = norce_order.main(given, prog_name=NAME, standalone_mode=False, color=colour)
            sys.stdout.flush()
    except ReaderGoneError:
        silence(sys.stdout)
        return 0
    except BaseException as error:  # noqa: BLE001 - interrupts are reported too
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

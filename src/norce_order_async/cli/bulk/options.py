"""The options that all jobs share: the orders, the limits, when to stop, and the form of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import click

from norce_order_async.cli.filters import filter_options
from norce_order_async.cli.options import Choice, Command, with_options
from norce_order_async.cli.production import production_option

if TYPE_CHECKING:
    from norce_order_async.orders.filter import OrderFilter

GRACE = 30.0


@dataclass(frozen=True, slots=True)
class Which:
    """Which orders: those of a file, those that a filter finds, or all of them."""

    file: str | None
    column: str | None
    where: OrderFilter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How the job runs and reports."""

    journal: str | None = None
    resume: bool = False
    shards: int | None = None
    dask: str | None = None
    dry_run: bool = False
    partition: tuple[int, int] | None = None
    duplicates: Literal["skip", "allow"] = "skip"
    failure_limit: float | None
    max_in_flight: int | None
    rate: float | None
    grace: float
    as_json: bool
    yes_production: bool = False


def which_options(command: Command) -> Command:
    """Add the options that select orders to a command, which gets them as ``which``."""

    @wraps(command)
    def chosen(
        *, where: OrderFilter | None, from_file: str | None, column: str | None, everything: bool, **others: Any
    ) -> Any:
        said = [
            name for name, given in (("--from-file", from_file), ("filters", where), ("--all", everything)) if given
        ]
        if len(said) != 1:
            if said:
                raise click.UsageError(
                    f"orders selected twice: use only one of --from-file, filters or --all, not {' and '.join(said)}"
                )
            raise click.UsageError("no orders selected: use --from-file, a filter such as --status, or --all")
        if column is not None and from_file is None:
            raise click.UsageError("--column needs --from-file")
        return command(which=Which(from_file, column, where), **others)

    return with_options(
        (
            click.option(
                "--from-file",
                metavar="FILE",
                help="CSV file with a column order_id, or a file with one id per line; - reads standard input.",
            ),
            click.option("--column", metavar="HEAD", help="Name of the column of ids, if it is not order_id or id."),
            click.option("--all", "everything", is_flag=True, help="Every order of the channel."),
            filter_options,
        ),
        chosen,
    )


def how_options(command: Command) -> Command:
    """Add the options of a job to a command that only reads; it gets them as ``how``."""
    return with_options((*_ACCOUNT, *_RUN), _collected(command))


def writing_options(command: Command) -> Command:
    """Add the options of a job to a command that changes orders; it gets them as ``how``."""
    return with_options((*_ACCOUNT, *_RUN, production_option), _collected(command))


def retry_options(command: Command) -> Command:
    """Add the options of a job to a command that continues a journal; ``how`` has no journal then."""
    return with_options((*_RUN, production_option), _collected(command))


_NAMES = tuple(each.name for each in fields(How))


def _collected(command: Command) -> Command:
    """The command, called with one ``how`` in place of these options."""

    @wraps(command)
    def collected(**options: Any) -> Any:
        how = How(**{name: options.pop(name) for name in _NAMES if name in options})
        if how.journal is not None and how.duplicates == "allow":
            raise click.UsageError("--duplicates allow can't be used with --journal, which holds each order once")
        if how.shards is not None:
            check_spread(how)
            _check_journal(how)
        elif how.dask is not None:
            raise click.UsageError("--dask needs --shards")
        return command(how=how, **options)

    return collected


def _check_journal(how: How) -> None:
    if how.journal is None or not how.journal.startswith(("postgresql://", "postgres://")):
        raise click.UsageError("--shards needs --journal postgresql://HOST/DATABASE#JOB")


def check_spread(how: How) -> None:
    """Refuse options that only a job in a single process can have.

    Raises:
        UsageError: An option can't be used with a job that is split into shards.
    """
    for name, given in (
        ("--dry-run", how.dry_run),
        ("--partition", how.partition),
        ("--failure-limit", how.failure_limit is not None),
        ("--json", how.as_json),
    ):
        if given:
            raise click.UsageError(f"{name} can't be used with --shards or a job that is split into them")


def _share_or_count(_context: click.Context, _option: click.Parameter, value: str | None) -> int | float | None:
    """``100`` or ``5%``."""
    if value is None:
        return None
    try:
        value.encode("ascii")  # digits of other scripts are numbers to Python
        limit = float(value[:-1]) / 100 if value.endswith("%") else int(value)
    except ValueError:
        raise click.BadParameter("must be a number such as 100, or a share such as 5%") from None
    if limit < 0 or (isinstance(limit, float) and not 0 < limit <= 1):
        raise click.BadParameter("must be 0 or more, or a share above 0% and up to 100%")
    return limit


def _part(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """``1/4``."""
    if value is None:
        return None
    index, _, of = value.partition("/")
    if not (value.isascii() and index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of)):
        raise click.BadParameter("must be such as 1/4: the first of four parts")
    return int(index), int(of)


_ACCOUNT = (
    click.option(
        "--journal",
        metavar="FILE",
        help="Record progress here, or in postgresql://HOST/DATABASE#JOB. The same command again continues the job.",
    ),
    click.option(
        "--shards",
        type=click.IntRange(min=1),
        metavar="N",
        help="With a journal in PostgreSQL: split the job into N shards for several processes; see bulk work.",
    ),
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="With --shards: run them on the workers of this Dask scheduler, such as tcp://scheduler.example:8786.",
    ),
    click.option("--resume", is_flag=True, help="Accept a finished --journal: end at once, and print its summary."),
    click.option("--dry-run", is_flag=True, help="Only read, and say what would be done."),
    click.option(
        "--duplicates",
        type=Choice(["skip", "allow"]),
        default="skip",
        show_default=True,
        help="An order named twice: skip it the second time, or do it again.",
    ),
    click.option(
        "--partition", metavar="I/N", callback=_part, help="Only a part of the orders: 1/4 is the first quarter."
    ),
)
_RUN = (
    click.option(
        "--failure-limit", metavar="N|P%", callback=_share_or_count, help="Stop after more failures than this."
    ),
    click.option("--max-in-flight", type=click.IntRange(min=1), help="At most this many requests in flight."),
    click.option(
        "--rate",
        type=click.FloatRange(min=0, min_open=True),
        help="At most this many requests a second; with --shards, of all processes together.",
    ),
    click.option(
        "--grace",
        type=click.FloatRange(min=0),
        default=GRACE,
        show_default=True,
        help="Seconds that requests in flight have to end after Ctrl-C.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per order, and the summary last."),
)


def load_of(how: How) -> Mapping[str, Any]:
    """The argument ``load`` of ``bulk`` that the options ask for; empty for the default."""
    if how.max_in_flight is None and how.rate is None:
        return {}
    from norce_order_async.bulk.load.limiters import MAX_IN_FLIGHT, Adaptive
    from norce_order_async.bulk.load.shared import Shared

    if how.shards is not None and how.rate is not None:
        return {"load": Shared(max_in_flight=how.max_in_flight or MAX_IN_FLIGHT, max_rate=how.rate)}
    return {"load": Adaptive(max_in_flight=how.max_in_flight or MAX_IN_FLIGHT, max_rate=how.rate)}

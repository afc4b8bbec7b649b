"""``norce-order calibrate``: finds out which reading of each assumed rule the real service follows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from norce_order_async.cli.connection import Connection, connection_options
from norce_order_async.cli.doctor.settings import Configured
from norce_order_async.cli.failures import in_shell
from norce_order_async.display import printable
from norce_order_async.environments import is_loopback, is_production

if TYPE_CHECKING:
    from norce_order_async.calibration.receiver import Receiver
    from norce_order_async.calibration.run import Plan, Result
    from norce_order_async.engines.base import Engine
    from norce_order_async.runtime.clock import Clock

STATE, READINGS, REPORT, DESCRIPTION = "calibration.state", "calibration.yaml", "calibration.md", "calibration.openapi"

_TRIAL_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+(playground|stage)\.norce\.tech", re.ASCII)
"""Only letters, digits, hyphens and dots, because a resolver or an engine may read other characters differently."""


@click.command(short_help="Find out how the real service behaves where nothing is published.")
@click.option("--only", metavar="RULE", multiple=True, help="Ask about this rule only. Can be repeated.")
@click.option("--dry-run", is_flag=True, help="Show what would be created and asked; send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before orders are created.")
@click.option(
    "--allow-completing",
    is_flag=True,
    help="Let one order become accepted. The channel's adapters and exports will run for it.",
)
@click.option("--other-channel", metavar="NAME", help="Another channel of the merchant, to read from.")
@click.option("--public-url", metavar="URL", help="The address of your tunnel to --receiver-port.")
@click.option(
    "--receiver-port",
    type=click.IntRange(0, 65535),
    default=8701,
    show_default=True,
    help="Port on this machine that receives callbacks, with --public-url.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="Folder for the files it writes. Default: the current folder.",
)
@click.option("--clean-up", "clean_only", is_flag=True, help="Only remove the orders that an earlier run left behind.")
@connection_options
def calibrate(
    connection: Connection,
    only: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    allow_completing: bool,
    other_channel: str | None,
    public_url: str | None,
    receiver_port: int,
    into: Path,
    clean_only: bool,
) -> int:
    """Find out how the real service behaves where nothing is published.

    Creates up to 20 marked test orders in one channel of playground or stage, tests how the service treats them, and
    removes them. Writes calibration.yaml for the local service, and calibration.md, a report without tokens and
    personal data. Refuses to run against production. If the command was killed, run it again: it first removes the
    orders that were left.

    Exit code 0 when every question was asked and every order is gone, 1 otherwise.
    """
    import anyio

    from norce_order_async.calibration.run import CalibrationError
    from norce_order_async.calibration.state import StateFileError

    plan = _plan(connection, only, into / STATE, other_channel, allow_completing=allow_completing)
    if public_url is not None:
        _check_public(public_url)
    if not clean_only:
        for line in _announced(plan, public_url):
            click.echo(line)
    if dry_run:
        click.echo("\nNothing was sent.")
        return 0
    if clean_only and _is_missing(plan.state):
        click.echo(
            f"There is no {STATE} in {printable(str(into.absolute()))}, so it is not known which orders to remove. "
            "Nothing was sent. A run that has removed its orders leaves none. If yours had another --into, name that."
        )
        return 0
    if not (yes or clean_only):
        _ask()
    try:
        result = anyio.run(_calibrated, plan, public_url, receiver_port, clean_only)
    except (CalibrationError, StateFileError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo(
            f"Test orders may still be there; {STATE} names them. Run the command again, or with --clean-up.", err=True
        )
        raise
    if clean_only:
        click.echo("Nothing is left of earlier runs.")
        return 0
    return _written(plan, result, into)


def _is_missing(path: Path) -> bool:
    """Whether there is no such file. False if that can't be seen: opening the file then says why."""
    try:
        path.lstat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def _plan(
    connection: Connection, only: tuple[str, ...], state: Path, other_channel: str | None, *, allow_completing: bool
) -> Plan:
    from norce_order_async.calibration.probes import NOT_PROBED, PROBES
    from norce_order_async.calibration.run import Plan, headers_of
    from norce_order_async.context import Context, check_header_value
    from norce_order_async.errors import ConfigurationError

    if unknown := [rule for rule in only if rule not in PROBES]:
        why = NOT_PROBED.get(unknown[0])
        said = (
            f"{unknown[0]} has no question: {why}"
            if why
            else f"there is no rule {unknown[0]}; there are {', '.join(PROBES)}"
        )
        raise click.BadParameter(printable(said), param_hint="--only")
    settings = Configured(connection)
    try:
        base_url = settings.base_url()
        _check_address(base_url)
        token = settings.token()[0] or ""
        context = Context.create(
            merchant=settings.value("merchant")[0],
            channel=settings.value("channel")[0],
            adapter_id=settings.value("adapter_id")[0],
        )
        headers_of(context, token)
        if other_channel is not None:
            check_header_value("--other-channel", other_channel)
    except ConfigurationError as error:
        raise click.UsageError(in_shell(printable(str(error)))) from error
    if other_channel == context.channel:
        raise click.BadParameter("must be another channel than --channel", param_hint="--other-channel")
    return Plan(
        base_url=base_url,
        context=context,
        token=token,
        state=state,
        only=only,
        other_channel=other_channel,
        allow_completing=allow_completing,
    )


def _check_address(base_url: str) -> None:
    """Accept only playground, stage and this machine."""
    if is_production(base_url):
        raise click.UsageError(
            "a calibration creates orders, so it does not run against production: use playground or stage"
        )
    host = (urlsplit(base_url).hostname or "").rstrip(".").lower()
    if is_loopback(base_url):
        return
    if not _TRIAL_HOST.fullmatch(host) or not base_url.startswith("https:"):
        raise click.UsageError(
            "a calibration runs against Norce playground or stage over https, or a local order service on this machine"
        )


def _check_public(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise click.BadParameter("must be an http or https address without a query", param_hint="--public-url")


def _announced(plan: Plan, public_url: str | None) -> Iterator[str]:
    """The lines that say what will be created and asked."""
    from norce_order_async.calibration.bench import MOST_ORDERS

    probes, unasked = plan.probes(reachable=public_url is not None)
    yield "A calibration creates test orders and asks how the service treats them:\n"
    yield f"  address    {printable(plan.base_url)}"
    yield f"  merchant   {printable(plan.context.merchant)}"
    yield f"  channel    {printable(plan.context.channel)}"
    yield f"  orders     {MOST_ORDERS} at most, without a customer, with articles for a few kronor; removed at the end"
    rate = (
        f"{plan.per_minute} a minute at most" if plan.per_minute else "without a limit: the service is on this machine"
    )
    yield f"  requests   {rate}"
    yield "  status     checkout, processing and removed" + (
        "; ONE ORDER BECOMES ACCEPTED: the channel's adapters and exports will run for it"
        if plan.allow_completing
        else "; none becomes accepted or completed"
    )
    yield f"  callbacks  {printable(public_url) if public_url else 'not tested'}"
    yield f"\n{len(probes)} questions:\n"
    yield from (f"  {probe.rule:<22} {probe.asks}" for probe in probes)
    if unasked:
        yield "\nNot asked:\n"
        yield from (f"  {rule:<22} {why}" for rule, why in unasked.items())


def _ask() -> None:
    click.echo()
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for confirmation: give --yes to continue; nothing was sent")
    if not click.confirm("Create these orders?"):
        raise click.ClickException("not confirmed; nothing was sent")


async def _calibrated(plan: Plan, public_url: str | None, receiver_port: int, clean_only: bool) -> Result:
    from norce_order_async.calibration.run import calibrate as calibrated
    from norce_order_async.engines.select import choose
    from norce_order_async.runtime.clock import SystemClock

    clock: Clock = SystemClock()
    engine: Engine = choose(
        "auto", client=None, verify=True, cert=None, proxy=None, trust_env=False, clock=clock, addresses=[plan.base_url]
    )
    receiver = None if public_url is None else _receiver(public_url, receiver_port, clock)
    try:
        return await calibrated(
            plan, engine, clock, receiver=receiver, say=lambda line: click.echo(printable(line)), clean_only=clean_only
        )
    finally:
        if receiver is not None:
            receiver.close()
        await engine.aclose()


def _receiver(public_url: str, port: int, clock: Clock) -> Receiver:
    from norce_order_async.calibration.receiver import Receiver

    try:
        return Receiver(port, public_url, clock)
    except OSError as error:
        raise click.BadParameter(
            f"can't listen on port {port}: {error.strerror}", param_hint="--receiver-port"
        ) from error


def _written(plan: Plan, result: Result, into: Path) -> int:
    from norce_order_async.calibration.masking import Masking
    from norce_order_async.calibration.report import as_markdown, as_yaml, without_slug

    # Printed before the files are written: if that fails, only these lines name the orders.
    if result.stopped is not None:
        click.echo(f"The run stopped early: {printable(result.stopped)}.", err=True)
    if result.left:
        click.echo(
            f"{len(result.left)} test orders may still be there: run norce-order calibrate --clean-up, which removes "
            f"the orders that {STATE} names.",
            err=True,
        )
        for made in result.left:
            order = "its id is not known" if made.order_id is None else f"order {printable(made.order_id)}"
            click.echo(f"  {made.marker}: {order}", err=True)
    masking = Masking([plan.token.split()[-1]])
    files = {READINGS: as_yaml(result, masking).encode(), REPORT: as_markdown(plan, result, masking).encode()}
    if result.described.body is not None:
        name = f"{DESCRIPTION}.{'json' if result.described.is_json else 'yaml'}"
        files |= {
            name: result.described.body,
            f"{name}.address": f"{without_slug(result.described.address)}\n".encode(),
        }
    written: list[str] = []
    for name, content in files.items():
        try:
            (into / name).write_bytes(content)
            written.append(name)
        except OSError as error:
            click.echo(f"{name} can't be written: {error.strerror}.", err=True)
    if written:
        click.echo(f"\nWritten: {', '.join(written)}. Requests went to the service only.")
    return 1 if result.left or result.stopped is not None or len(written) < len(files) else 0

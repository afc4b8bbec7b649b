"""``norce-order sandbox``: runs a local order service until Ctrl-C, and prints each request."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from norce_order_async.cli.options import secret_in
from norce_order_async.cli.sandbox.running import TOKEN, announced
from norce_order_async.cli.sandbox.tail import print_line, tail
from norce_order_async.cli.tables import table
from norce_order_async.display import printable
from norce_order_async.environments import is_loopback

if TYPE_CHECKING:
    from norce_order_async.sandbox import Readings, ReceivedRequest, Sandbox

MERCHANT, CHANNEL = "demo", "se"

CALLBACK_TOKEN = "NORCE_SANDBOX_CALLBACK_TOKEN"  # noqa: S105 - a name
"""The variable with the token of callbacks, if no file is given."""

EVERY_ADAPTER = "*"
"""The key for all adapters in ``Sandbox(configuration=...)``."""


@click.group(invoke_without_command=True, short_help="Run a local imitation of the order service.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8700, show_default=True, help="Port; 0 picks a free one."
)
@click.option(
    "--token-file",
    metavar="FILE",
    help="A file with the token that clients must send; created with a new token if it does not exist. Default: the "
    "token in NORCE_SANDBOX_TOKEN, or a new one, which is shown at the start.",
)
@click.option("--seed", type=int, help="The same seed gives the same ids, seeded orders and faults.")
@click.option("--db", type=click.Path(), help="A file to keep the orders in; created if it does not exist.")
@click.option("--seed-orders", type=click.IntRange(0, 1_000_000), help="Start with this many orders, in five channels.")
@click.option("--faults", metavar="PLAN", help="Faults to play: the name of a ready-made plan, or a YAML file.")
@click.option(
    "--reading",
    "chosen",
    metavar="RULE=READING",
    multiple=True,
    help="How to behave where Norce publishes nothing, such as cart-total=zero-when-missing. Can be repeated.",
)
@click.option(
    "--readings",
    metavar="FILE|harsh",
    help="The same for many rules: a YAML file from a calibration, or harsh for all that break careless programs.",
)
@click.option("--list-readings", is_flag=True, help="List the rules that have readings, and exit.")
@click.option(
    "--served-as",
    metavar="HOST",
    multiple=True,
    help="A host name besides localhost under which clients reach it, as in a network of containers. Can be repeated.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    metavar="HOST",
    multiple=True,
    help="A host besides loopback that hooks, validations and notifications may go to. Can be repeated.",
)
@click.option(
    "--config",
    "configuration",
    metavar="[ADAPTER:]PATH=VALUE",
    multiple=True,
    help="The value of {config.PATH} in an address, such as adapter.publicUrl=http://127.0.0.1:9000; with ADAPTER: "
    "only for that adapter. Can be repeated.",
)
@click.option(
    "--callback-token-file",
    metavar="FILE",
    help="A file with a bearer token to send with every hook, validation and notification. Default: the token in "
    "NORCE_SANDBOX_CALLBACK_TOKEN, or no token.",
)
@click.option("--admin/--no-admin", default=True, help="Offer endpoints for tests under /__sandbox/, or not.")
@click.option(
    "--inspect", is_flag=True, help="Show requests, orders, callbacks and faults in a browser, and print a link to it."
)
@click.pass_context
def sandbox(
    context: click.Context,
    host: str,
    port: int,
    token_file: str | None,
    seed: int | None,
    db: str | None,
    seed_orders: int | None,
    faults: str | None,
    chosen: tuple[str, ...],
    readings: str | None,
    list_readings: bool,
    served_as: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    configuration: tuple[str, ...],
    callback_token_file: str | None,
    admin: bool,
    inspect: bool,
) -> None:
    """Run a local imitation of the order service until Ctrl-C. It prints its address and token, and how to call it.

    Without --db, the orders are kept in memory and lost when it stops.

    Ready-made plans for --faults: flaky-network, rate-limited, lost-answers, slow, deploy, chaos.

    While it runs, `norce-order sandbox tail` prints its requests, and `norce-order open` opens its inspector.
    """
    if context.invoked_subcommand is not None:
        _check_no_options(context, context.invoked_subcommand)
        return
    try:
        from norce_order_async.sandbox import (
            DatabaseFileError,
            FaultPlan,
            FaultPlanError,
            Sandbox,
            SandboxStartError,
            SeedingError,
            serve,
        )
    except ImportError as missing:
        raise click.ClickException(str(missing)) from missing
    in_force = _readings(chosen, readings)
    if list_readings:
        _show_readings(in_force)
        return
    token = _token(token_file)
    callback_token = os.environ.get(CALLBACK_TOKEN)
    if callback_token_file is not None:
        callback_token = secret_in(callback_token_file, "--callback-token-file")
    try:
        service = Sandbox(
            host=host,
            port=port,
            token=token,
            seed=seed,
            admin=admin,
            inspect=inspect,
            on_request=_request_line,
            database=db or ":memory:",
            faults=FaultPlan() if faults is None else faults,
            readings=in_force,
            served_as=served_as,
            allowed_hosts=allowed_hosts,
            configuration=_configuration(configuration),
            callback_token=callback_token,
        )
    except FaultPlanError as error:
        raise click.BadParameter(printable(str(error)), param_hint="--faults") from error
    except DatabaseFileError as error:
        raise click.BadParameter(printable(str(error)), param_hint="--db") from error
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=CALLBACK_TOKEN) from error
    try:
        if seed_orders:
            service.seed_orders(seed_orders, merchant=MERCHANT)
        with ExitStack() as while_it_runs:

            def started(running: Sandbox) -> None:
                if admin:
                    while_it_runs.enter_context(announced(_callable(running.base_url), running.token))
                _introduce(running, db=db, faults=faults, admin=admin, inspect=inspect)

            serve(service, on_start=started)
    except (SandboxStartError, SeedingError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        service.close()
    click.echo("stopped")


def _check_no_options(context: click.Context, subcommand: str) -> None:
    """Refuse options before a subcommand: they are for a service that is started here."""
    for name in context.params:
        if context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
            option = next(one for one in context.command.params if one.name == name)
            raise click.UsageError(f"{option.opts[0]} is an option of `norce-order sandbox` without {subcommand}")


def _readings(chosen: tuple[str, ...], many: str | None) -> Readings:
    """The readings of ``--readings``, with each ``--reading`` on top."""
    from norce_order_async.sandbox import Readings, ReadingsError

    pairs: dict[str, str] = {}
    for one in chosen:
        rule, equals, reading = one.partition("=")
        if not equals:
            raise click.BadParameter(
                "must be RULE=READING, such as cart-total=zero-when-missing", param_hint="--reading"
            )
        if pairs.setdefault(rule, reading) != reading:
            raise click.BadParameter(f"{printable(rule)} is given two readings", param_hint="--reading")
    try:
        base = Readings.harsh() if many == "harsh" else Readings() if many is None else Readings.load(many)
    except ReadingsError as error:
        raise click.BadParameter(printable(str(error)), param_hint="--readings") from error
    try:
        return base | pairs
    except ReadingsError as error:
        raise click.BadParameter(printable(str(error)), param_hint="--reading") from error


def _show_readings(in_force: Readings) -> None:
    """Print one line for each reading, with a star before those in force."""
    from norce_order_async.sandbox import RULES

    rows = [
        (
            rule.id,
            in_force.certainty(rule.id),
            f"{'*' if in_force[rule.id] == reading.id else ' '} {reading.id}",
            "harsh" if reading.harsh else "",
            reading.notice,
        )
        for rule in RULES
        for reading in rule.readings
    ]
    table(("rule", "certainty", "  reading", "", "what a caller notices"), rows)
    click.echo("\n* in force\nThe first reading is the default.\nHarsh readings break careless programs.")


def _token(file: str | None) -> str | None:
    """The token in the file or in the environment; None for a new one.

    It is never an argument, because the list of processes shows arguments.
    """
    source = TOKEN if file is None else "--token-file"
    if file is None:
        token = os.environ.get(TOKEN)
    else:
        _make(file)
        token = secret_in(file, source)
    if token is not None and (not token or " " in token or not (token.isascii() and token.isprintable())):
        raise click.BadParameter("must be one word of ASCII characters, because a header holds it", param_hint=source)
    return token


def _make(file: str) -> None:
    """Create the file with a new token, readable only by its owner, unless it exists."""
    try:
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise click.BadParameter(f"can't be created: {error.strerror}", param_hint="--token-file") from error
    with os.fdopen(made, "w", encoding="utf-8") as written:
        written.write(secrets.token_urlsafe(24) + "\n")


def _configuration(given: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The settings by adapter id. Each adapter that is named also has the settings for every adapter."""
    parsed = [_setting(one) for one in given]
    adapters = {adapter for adapter, _, _ in parsed} | {EVERY_ADAPTER}
    configuration: dict[str, dict[str, Any]] = {adapter: {} for adapter in adapters}
    for owner, path, value in sorted(parsed, key=lambda one: one[0] != EVERY_ADAPTER):
        for adapter in adapters if owner == EVERY_ADAPTER else {owner}:
            *sections, last = path
            at = configuration[adapter]
            for section in sections:
                below: Any = at.setdefault(section, {})
                if isinstance(below, str):
                    raise click.BadParameter(
                        f"{'.'.join(path)} is below a path that has a value", param_hint="--config"
                    )
                at = below
            at[last] = value
    return configuration


def _setting(given: str) -> tuple[str, list[str], str]:
    """Adapter, path and value of ``[ADAPTER:]PATH=VALUE``."""
    name, equals, value = given.partition("=")
    adapter, colon, path = name.rpartition(":")
    steps = path.split(".")
    if not equals or not all(steps) or (colon and not adapter):
        raise click.BadParameter(
            "must be [ADAPTER:]PATH=VALUE, such as adapter.publicUrl=http://127.0.0.1:9000", param_hint="--config"
        )
    return adapter or EVERY_ADAPTER, steps, value


def _introduce(service: Sandbox, *, db: str | None, faults: str | None, admin: bool, inspect: bool) -> None:
    url = _callable(service.base_url)
    inspector = _callable(service.inspector_link()) if inspect else None
    click.echo(
        f"""\
A local imitation of the Norce Checkout order service, not the real one.
{_where_orders_are(db)} Ctrl-C stops it.

  address    {url}
  token      {service.token}
  merchant   any; {MERCHANT} below
  channel    any; {CHANNEL} below
{_extras(url, faults, service.readings, admin, inspector)}
List the orders with curl:

{_curl(url, service.token)}
Create an order with Python:

{_python(url, service.token)}
Requests, as they come:
"""
    )
    if not is_loopback(service.base_url):
        click.echo("  (Other machines can reach it; the client sends its token over plain http to this one only.)")


def _callable(url: str) -> str:
    """The address with loopback in place of a host that means every address of this machine."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _where_orders_are(db: str | None) -> str:
    return f"The orders are in {printable(db)}." if db else "The orders are in memory, and lost when it stops."


def _extras(url: str, faults: str | None, readings: Readings, admin: bool, inspector: str | None) -> str:
    lines = [f"  faults     {printable(faults)}"] if faults else []
    lines += [f"  reading    {one.rule}={one.id}" for one in readings.changed]
    if admin:
        parts = urlsplit(url)
        lines.append(f"  admin      {parts.scheme}://{parts.netloc}/__sandbox/ (reset, seed, snapshot, requests, ...)")
    if inspector is not None:
        lines.append(f"  inspector  {inspector} (works once)")
    return "".join(f"{line}\n" for line in lines)


def _curl(url: str, token: str) -> str:
    return f"""\
curl -H {shlex.quote(f"Authorization: Bearer {token}")} \\
  -H "x-merchant: {MERCHANT}" -H "x-channel: {CHANNEL}" \\
  {shlex.quote(f"{url}/api/v0/checkout/orders")}
"""


def _python(url: str, token: str) -> str:
    return f"""\
import asyncio
from norce_order_async import NorceOrderClient
from norce_order_async.models import Cart, Item

async def main():
    async with NorceOrderClient(
        base_url="{url}",
        merchant="{MERCHANT}",
        channel="{CHANNEL}",
        token={json.dumps(token)},
    ) as norce:
        order = await norce.orders.create(
            culture="sv-SE",
            currency="SEK",
            country="SE",
            cart=Cart(items=[Item(sku="MUG-01", quantity=1)]),
        )
        print(await order.refresh())

asyncio.run(main())
"""


def _request_line(request: ReceivedRequest) -> None:
    try:
        print_line(request.method, request.path, request.status, request.seconds or 0, request.faults)
    except OSError:
        # The reader of the lines has gone; the service goes on.
        return


sandbox.add_command(tail)

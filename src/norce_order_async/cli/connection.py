"""The options for the service and the account, shared by all commands. They override the ``NORCE_*`` variables.

The token is never an argument, because the list of processes shows arguments. It comes from ``NORCE_TOKEN`` or from a
file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from norce_order_async.cli.failures import in_shell
from norce_order_async.display import printable
from norce_order_async.environments import ENVIRONMENTS

if TYPE_CHECKING:
    from norce_order_async.bulk import Recipe
    from norce_order_async.client import NorceOrderClient

Command = Callable[..., Any]


def secret_in(file: str, option: str) -> str:
    """The text of a file, without the white space around it.

    Raises:
        UsageError: The file can't be read or is empty. The text names ``option``.
    """
    try:
        secret = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"can't be read: {type(error).__name__}", param_hint=option) from error
    if not secret:
        raise click.BadParameter("the file is empty", param_hint=option)
    return secret


@dataclass(frozen=True, slots=True)
class Connection:
    """The service and account as the command line gives them; the environment has the rest."""

    given: Mapping[str, str]
    """Arguments for the client, by name; only those given."""
    token_file: str | None = None

    def token(self) -> str | None:
        """The token in the file; None if no file was given.

        Raises:
            UsageError: The file can't be read or is empty.
        """
        return None if self.token_file is None else secret_in(self.token_file, "--token-file")

    def client(self, **arguments: Any) -> NorceOrderClient:
        """A client for this service.

        Args:
            arguments: Further arguments for the client.

        Raises:
            UsageError: A setting is missing or wrong. The text names its option or variable.
        """
        from norce_order_async.client import NorceOrderClient
        from norce_order_async.errors import ConfigurationError

        token = self.token()
        secret = {} if token is None else {"token": token}
        try:
            return NorceOrderClient.from_env(**self.given, **secret, **arguments)
        except ConfigurationError as error:
            raise click.UsageError(in_shell(printable(str(error)), _ARGUMENTS)) from error

    def recipe(self) -> Recipe:
        """How other processes of this command make the same client. A token of a file goes into their environment.

        Raises:
            UsageError: A setting is missing or wrong.
        """
        from norce_order_async.client import ENVIRONMENT_VARIABLES

        recipe = self.client().recipe()
        if (token := self.token()) is not None:
            os.environ[ENVIRONMENT_VARIABLES["token"]] = token
        return recipe

    def arguments(self) -> list[str]:
        """The same options as words of a command line."""
        words = [word for name, value in self.given.items() for word in (f"--{name.replace('_', '-')}", value)]
        return words if self.token_file is None else [*words, "--token-file", self.token_file]


_ARGUMENTS = ("environment", "slug", "location", "merchant", "channel")
"""Arguments of the client that are options here, and ordinary English words elsewhere."""

_OPTIONS = (
    click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Norce's environment (or NORCE_ENVIRONMENT)."),
    click.option("--slug", metavar="NAME", help="The customer's host name at Norce (or NORCE_SLUG)."),
    click.option("--location", metavar="NAME", help="The region part of the host (or NORCE_LOCATION)."),
    click.option("--base-url", metavar="URL", help="The whole address, instead of these three (or NORCE_BASE_URL)."),
    click.option("--merchant", metavar="NAME", help="The merchant (or NORCE_MERCHANT)."),
    click.option("--channel", metavar="NAME", help="The sales channel (or NORCE_CHANNEL)."),
    click.option("--adapter-id", metavar="NAME", help="Act as this adapter (or NORCE_ADAPTER_ID)."),
    click.option("--token-file", metavar="FILE", help="A file with the token. Default: the token is in NORCE_TOKEN."),
)


def connection_options(command: Command) -> Command:
    """Add the options to a command, which gets them as ``connection``."""

    @wraps(command)
    def connected(
        *,
        environment: str | None,
        slug: str | None,
        location: str | None,
        base_url: str | None,
        merchant: str | None,
        channel: str | None,
        adapter_id: str | None,
        token_file: str | None,
        **others: Any,
    ) -> Any:
        named = {
            "environment": environment,
            "slug": slug,
            "location": location,
            "base_url": base_url,
            "merchant": merchant,
            "channel": channel,
            "adapter_id": adapter_id,
        }
        given = {name: value for name, value in named.items() if value is not None}
        return command(connection=Connection(given, token_file), **others)

    return with_options(_OPTIONS, connected)


def with_options(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    """Add options to a command; its help shows them in this order."""
    for option in reversed(options):
        command = option(command)
    return command

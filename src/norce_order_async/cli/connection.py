"""The options for the service and the account, shared by all commands.

An option wins over the profile. A profile replaces all ``NORCE_*`` variables of the client, so that settings of two
accounts never mix. The token is never an argument, because the list of processes shows arguments.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import click

from norce_order_async.cli.failures import in_shell
from norce_order_async.cli.options import Choice, Command, secret_in, with_options
from norce_order_async.cli.profiles import PROFILE_OPTION, Profile, chosen
from norce_order_async.display import printable
from norce_order_async.environments import ENVIRONMENTS

if TYPE_CHECKING:
    from norce_order_async.bulk import Recipe
    from norce_order_async.client import NorceOrderClient


@dataclass(frozen=True)
class Connection:
    """The service and account from the command line; the environment has the rest."""

    given: Mapping[str, str]
    """Arguments for the client, by name; only those given."""
    token_file: str | None = None
    profile: Profile | None = None

    @cached_property
    def token(self) -> str | None:
        """The token from the file or from the profile; None if neither is given, and it is in ``NORCE_TOKEN``.

        Its source is asked once for all clients of a command: that may take a second, or need the user.

        Raises:
            UsageError: The file can't be read or is empty.
            ClickException: The profile's source gives no token.
        """
        if self.token_file is not None:
            return secret_in(self.token_file, "--token-file")
        return None if self.profile is None else self.profile.token()

    def client(self, **arguments: Any) -> NorceOrderClient:
        """A client for this service.

        Args:
            arguments: Further arguments for the client.

        Raises:
            UsageError: A setting is missing or wrong. The text names its option or variable.
            ClickException: The profile's source gives no token.
        """
        from norce_order_async.client import NorceOrderClient
        from norce_order_async.errors import ConfigurationError

        token = self.token
        secret: dict[str, Any] = {} if token is None else {"token": token}
        if token is not None and self.token_file is None and self.profile is not None:
            secret = {"token": _TokenOfProfile(self.profile, token)}
        try:
            return NorceOrderClient.from_env(**self.given, **secret, **arguments)
        except ConfigurationError as error:
            raise click.UsageError(in_shell(printable(str(error)), _ARGUMENTS)) from error

    def recipe(self) -> Recipe:
        """The recipe by which other processes of this command make the same client.

        The token from a file or a profile is passed on in their environment.

        Raises:
            UsageError: A setting is missing or wrong.
            ClickException: The profile's source gives no token.
        """
        from norce_order_async.client import ENVIRONMENT_VARIABLES

        recipe = self.client().recipe()
        if self.token is not None:
            os.environ[ENVIRONMENT_VARIABLES["token"]] = self.token
        return recipe

    def arguments(self) -> list[str]:
        """The same options as words of a command line."""
        words = [] if self.profile is None else ["--profile", self.profile.name]
        words += [word for name, value in self.given.items() for word in (f"--{name.replace('_', '-')}", value)]
        return words if self.token_file is None else [*words, "--token-file", self.token_file]


class _TokenOfProfile:
    """The token of a profile. If the service refuses it, as may happen in a long job, its source is asked again."""

    def __init__(self, profile: Profile, token: str) -> None:
        self._profile = profile
        self._token = token

    async def token(self) -> str:
        return self._token

    async def refused(self, token: str) -> bool:
        import anyio.to_thread

        if self._token == token:
            asked: str | None = await anyio.to_thread.run_sync(self._profile.token)
            self._token = asked or token
        return self._token != token


_ARGUMENTS = ("environment", "slug", "location", "merchant", "channel")
"""Arguments of the client that are options here and may be plain English words in an error text."""

_OPTIONS = (
    PROFILE_OPTION,
    click.option("--environment", type=Choice(ENVIRONMENTS), help="Norce's environment (or NORCE_ENVIRONMENT)."),
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
        profile: str | None,
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
        used = chosen(profile, given)
        if used is not None:
            _put_in_environment(used, given)
        return command(connection=Connection(given, token_file, used), **others)

    return with_options(_OPTIONS, connected)


def _put_in_environment(profile: Profile, given: Mapping[str, str]) -> None:
    """Replace the variables of this process by the profile, for all code that reads them."""
    from norce_order_async.client import ENVIRONMENT_VARIABLES

    for name, variable in ENVIRONMENT_VARIABLES.items():
        if name == "token" and profile.source is None:
            continue
        os.environ.pop(variable, None)
        if name in profile.settings and name not in given:
            os.environ[variable] = profile.settings[name]

"""The local order services that run on this machine.

Each writes its address and token to a file that only its user may read, so that other commands of this user find it,
and removes the file when it stops.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import click

from norce_order_async.cli.options import Command, secret_in, with_options
from norce_order_async.environments import is_loopback

if TYPE_CHECKING:
    import httpx

TOKEN: Final = "NORCE_SANDBOX_TOKEN"  # noqa: S105 - a name
"""The variable that holds the token if no file is given."""
_USUAL: Final = "http://127.0.0.1:8700"
_ADMIN: Final = "/__sandbox/"
_CONNECTS_WITHIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class LocalService:
    """A local order service that runs, or that the user says runs."""

    address: str
    """Scheme, host and port."""
    token: str = field(repr=False)

    def client(self) -> httpx.AsyncClient:
        """A plain HTTP client for the sandbox's own endpoints."""
        import httpx

        return httpx.AsyncClient(
            base_url=self.address + _ADMIN,
            headers={"authorization": f"Bearer {self.token}"},
            trust_env=False,
            # It speaks no TLS, and loading the usual certificates takes longer than the request.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    async def ask(
        self, client: httpx.AsyncClient, method: str, path: str, not_offered: str = "with --no-admin"
    ) -> dict[str, Any]:
        """Call one of the sandbox's own endpoints, and return the JSON object of the answer.

        Args:
            client: A client from :meth:`client`.
            method: The HTTP method.
            path: The endpoint's path.
            not_offered: The option with which a service does not have this endpoint, for the error.

        Raises:
            NotRunning: The service does not answer.
            ClickException: The answer is not that of the endpoint. The text says what to do.
        """
        import httpx

        try:
            answer = await client.request(method, path)
            found: Any = answer.json() if answer.content else None
        except httpx.ConnectError:
            raise NotRunning(
                f"no local order service answers at {self.address}: `norce-order sandbox` runs one"
            ) from None
        except (httpx.HTTPError, ValueError) as error:
            raise NotRunning(f"{self.address} gave no answer: {type(error).__name__}") from None
        if answer.status_code == 401:
            raise click.ClickException(f"{self.address} refuses the token: give it in {TOKEN} or --token-file")
        if answer.status_code != 200 or not isinstance(found, dict):
            raise click.ClickException(f"{self.address} is not a local order service, or was started {not_offered}")
        return cast("dict[str, Any]", found)


class NotRunning(click.ClickException):
    """No local order service answers."""


@contextmanager
def announced(url: str, token: str) -> Generator[None]:
    """Let other commands find the service inside this block.

    If its file can't be written, the user must give its token to these commands.
    """
    address = _address(url)
    file = _folder() / f"{re.sub('[^0-9a-z]+', '-', address.partition('//')[2])}.json"
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w", encoding="utf-8") as written:
            json.dump({"address": address, "token": token}, written)
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


_OPTIONS = (
    click.argument("url", required=False),
    click.option(
        "--token-file",
        metavar="FILE",
        help=f"A file with the service's token. Default: that of a service on this machine is found, or {TOKEN}.",
    ),
)


def local_service_options(command: Command) -> Command:
    """Add URL and ``--token-file`` to a command, which gets the service as ``service``."""

    @wraps(command)
    def found(*, url: str | None, token_file: str | None, **others: Any) -> Any:
        return command(service=_found(url, token_file), **others)

    return with_options(_OPTIONS, found)


def _found(url: str | None, token_file: str | None) -> LocalService:
    """The service at an address, or the only one that runs.

    Raises:
        UsageError: The address is not on this machine, its token is not known, or several services run and the user
            names none.
        NotRunning: No service runs.
    """
    if url is not None and not (urlsplit(url).scheme == "http" and is_loopback(url)):
        raise click.BadParameter(
            "must be a local order service on this machine, such as http://127.0.0.1:8700", param_hint="URL"
        )
    address = None if url is None else _address(url)
    running = [one for one in _announced() if address in (None, one.address)]
    token = secret_in(token_file, "--token-file") if token_file is not None else None
    if address is None and len(running) > 1:
        raise click.UsageError(f"several local services run: give one of {', '.join(one.address for one in running)}")
    if running:
        return LocalService(running[0].address, token or running[0].token)
    token = token or os.environ.get(TOKEN)
    if token is None and address is None:
        raise NotRunning("no local order service runs here: `norce-order sandbox` runs one")
    if token is None:
        raise click.UsageError(f"the token of {address} is not known: give it in {TOKEN} or --token-file")
    return LocalService(address or _USUAL, token)


def _announced() -> Iterator[LocalService]:
    """The services that have a file and accept connections."""
    for file in sorted(_folder().glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            said: Any = json.loads(file.read_text("utf-8"))
            service = LocalService(str(said["address"]), str(said["token"]))
            if is_loopback(service.address) and _takes_connections(service.address):
                yield service
            else:
                # It was killed, and could not remove its file.
                file.unlink(missing_ok=True)


def _takes_connections(address: str) -> bool:
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECTS_WITHIN).close()
    except OSError:
        return False
    return True


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _folder() -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(folder).expanduser() / "norce-order" / "running"

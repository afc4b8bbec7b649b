"""Checks each setting by itself, so that one run finds all that are wrong."""

from __future__ import annotations

import base64
import os
import platform
import stat
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from norce_order_async._json import UNREADABLE, is_mapping, read_json
from norce_order_async._version import __version__
from norce_order_async.auth.providers import bearer
from norce_order_async.cli.connection import Connection
from norce_order_async.cli.doctor import Finding
from norce_order_async.cli.tables import duration
from norce_order_async.client import ENVIRONMENT_VARIABLES
from norce_order_async.context import Context
from norce_order_async.environments import is_loopback, is_production, resolve_base_url
from norce_order_async.errors import ConfigurationError

_PACKAGES = ("httpx", "anyio", "attrs", "aiohttp", "orjson")
_PUBLISHED_LENGTH = 44


class Configured:
    """The settings, and the option or variable that each comes from."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def value(self, name: str) -> tuple[str | None, str]:
        """The value of one setting, and its option or variable."""
        if name in self._connection.given:
            return self._connection.given[name], f"--{name.replace('_', '-')}"
        profile, variable = self._connection.profile, ENVIRONMENT_VARIABLES[name]
        source = variable if profile is None or name not in profile.settings else f"profile {profile.name}"
        return os.environ.get(variable) or None, source

    def base_url(self) -> str:
        """The service's address by these settings.

        Raises:
            ConfigurationError: The settings are incomplete or contradict each other.
        """
        given = self._connection.given
        address: dict[str, str | None] = {
            name: self.value(name)[0] for name in ("environment", "slug", "location", "base_url")
        }
        # An option overrides the variables for the other way to name a service.
        if "base_url" in given:
            address |= {name: given.get(name) for name in ("environment", "slug", "location")}
        elif given.keys() & {"environment", "slug", "location"}:
            address["base_url"] = None
        return resolve_base_url(
            environment=address["environment"],
            slug=address["slug"],
            location=address["location"],
            base_url=address["base_url"],
        )

    def token(self) -> tuple[str | None, str]:
        """The token, and its option or variable.

        Raises:
            UsageError: The file can't be read.
            ClickException: The profile's source gives no token.
        """
        from_file = self._connection.token
        profile = self._connection.profile
        if from_file and self.token_file is None and profile is not None:
            return from_file, f"profile {profile.name}, {profile.source}"
        return (from_file, "--token-file") if from_file else self.value("token")

    @property
    def token_file(self) -> str | None:
        """The file given with ``--token-file``, or None."""
        return self._connection.token_file


def versions() -> Finding:
    """The versions of this package, Python, and the libraries in use."""
    installed: list[str] = []
    for package in _PACKAGES:
        try:
            installed.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    python = f"Python {platform.python_version()} on {platform.system()}"
    return Finding("versions", "ok", f"norce-order-async {__version__}, {python}, {', '.join(installed)}")


def address(settings: Configured) -> Finding:
    """The service's address."""
    try:
        base_url = settings.base_url()
    except ConfigurationError as error:
        return Finding("environment", "wrong", f"{error}; the variables are NORCE_ENVIRONMENT, NORCE_SLUG, "
                       "NORCE_BASE_URL")  # fmt: skip
    if base_url.startswith("http:") and not is_loopback(base_url):
        return Finding("environment", "wrong", f"{base_url} is plain http: the client does not send a token over it")
    return Finding("environment", "ok", f"{base_url}{', which is production' if is_production(base_url) else ''}")


def headers(settings: Configured) -> Iterator[Finding]:
    """Merchant, channel and adapter id, each by itself."""
    for name in ("merchant", "channel", "adapter_id"):
        value, source = settings.value(name)
        check = name.replace("_", " ")
        if value is None:
            if name != "adapter_id":
                yield Finding(check, "wrong", f"not set: {source}; the service needs it with every call")
            continue
        try:
            Context.create(
                merchant=value if name == "merchant" else "x",
                channel=value if name == "channel" else "x",
                adapter_id=value if name == "adapter_id" else None,
            )
        except ConfigurationError as error:
            yield Finding(check, "wrong", f"{error} ({source})")
        else:
            yield Finding(check, "ok", f"{value}, from {source}")


def token(settings: Configured, now: float) -> Finding:
    """Whether there is a token, and whether it can be one. A JSON Web Token is wrong if it expired before ``now``."""
    try:
        secret, source = settings.token()
    except click.UsageError as error:
        return Finding("token", "wrong", f"--token-file {error.message}")
    except click.ClickException as error:
        return Finding("token", "wrong", error.message)
    if secret is None:
        return Finding("token", "wrong", f"not set: {source}, or --token-file")
    try:
        word = bearer(secret).removeprefix("Bearer ")
    except ConfigurationError as error:
        return Finding("token", "wrong", f"{error} ({source})")
    expires = _expiry(word)
    if expires is not None and expires <= now:
        return Finding("token", "wrong", f"from {source}: it expired {duration(now - expires)} ago")
    if settings.token_file and _others_may_read(settings.token_file):
        return Finding("token", "doubt", f"from {source}: others on this machine may read the file (chmod 600)")
    if expires is not None:
        return Finding("token", "ok", f"from {source}: it expires in {duration(expires - now)}")
    if len(word) < _PUBLISHED_LENGTH // 2:
        return Finding("token", "doubt", f"from {source}: shorter than Norce's, which have {_PUBLISHED_LENGTH} letters")
    return Finding("token", "ok", f"from {source}: one word that a header can hold")


def _expiry(word: str) -> float | None:
    """The time at which a JSON Web Token expires; None for any other token."""
    parts = word.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = read_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    if claims is UNREADABLE or not is_mapping(claims):
        return None
    expires = claims.get("exp")
    return float(expires) if isinstance(expires, int | float) else None


def _others_may_read(path: str) -> bool:
    return os.name == "posix" and bool(Path(path).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))

"""Profiles: settings for a service and an account under a name, in a file, instead of the ``NORCE_*`` variables.

A profile says where the token comes from. The token itself may be in the file only if the file allows it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from norce_order_async.cli.options import meant
from norce_order_async.cli.rows import Form, Rows, document_options
from norce_order_async.display import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

CHOSEN: Final = "NORCE_PROFILE"
"""The variable that names the profile if ``--profile`` does not."""
_FOLDER: Final = "XDG_CONFIG_HOME"
_COMMAND_WITHIN: Final = 60.0
"""Seconds that ``token_command`` may take: the user may have to unlock a password store."""

_SETTINGS: Final = ("environment", "slug", "location", "base_url", "merchant", "channel", "adapter_id")
_SOURCES: Final = ("token_command", "token_keyring", "token_file", "token")
_ADDRESS: Final = {"base_url": "NORCE_BASE_URL", "environment": "NORCE_ENVIRONMENT", "slug": "NORCE_SLUG"}
"""The settings that name a service, with their variables."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile of the file."""

    name: str
    settings: Mapping[str, str]
    """Arguments of the client, by name."""
    source: str | None
    """The key in the file that says where the token comes from; None for ``NORCE_TOKEN``."""
    value: Any = field(default=None, repr=False)
    """The value of that key."""

    def token(self) -> str | None:
        """The token; None if it is in ``NORCE_TOKEN``.

        Raises:
            ClickException: The profile's source gives no token.
        """
        match self.source:
            case "token_command":
                return self._printed(_command(self.value))
            case "token_keyring":
                return self._from_keyring(str(self.value))
            case "token_file":
                return self._from_file(str(self.value))
            case "token":
                return str(self.value)
            case _:
                return None

    def _printed(self, command: list[str]) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the user's own file names it
                command, stdout=subprocess.PIPE, encoding="utf-8", timeout=_COMMAND_WITHIN, check=False
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            # "from None", and only the class: the error may hold what the command printed.
            raise self._no_token(f"{printable(command[0])}: {type(error).__name__}") from None
        if done.returncode:
            raise self._no_token(f"{printable(command[0])} ended with {done.returncode}")
        return self._not_empty(done.stdout, f"{printable(command[0])} printed nothing")

    def _from_keyring(self, place: str) -> str:
        service, _, user = place.rpartition("/")
        try:
            keyring: Any = import_module("keyring")
        except ImportError as missing:
            raise self._no_token("the package keyring is not installed") from missing
        try:
            secret: object = keyring.get_password(service, user)
        except Exception as error:  # noqa: BLE001 - each backend has errors of its own
            raise self._no_token(f"the keyring: {type(error).__name__}") from None
        return self._not_empty(secret, f"the keyring has no password of {user!r} for {service!r}")

    def _from_file(self, file: str) -> str:
        try:
            return self._not_empty(Path(file).expanduser().read_text("utf-8"), f"{printable(file)} is empty")
        except (OSError, UnicodeDecodeError, RuntimeError) as error:  # RuntimeError: ~USER has no home
            raise self._no_token(f"{printable(file)}: {type(error).__name__}") from None

    def _not_empty(self, secret: object, otherwise: str) -> str:
        if isinstance(secret, str) and secret.strip():
            return secret.strip()
        raise self._no_token(otherwise)

    def _no_token(self, why: str) -> click.ClickException:
        return click.ClickException(f"profile {self.name}: {self.source} gives no token: {why}")


class UnusableFile(click.ClickException):
    """The file of profiles can't be used; nothing was sent."""

    exit_code = 2


def config_file() -> Path:
    """The path of the file: ``~/.config/norce-order/config.toml``, or the same below ``XDG_CONFIG_HOME``."""
    folder = os.environ.get(_FOLDER) or "~/.config"
    return Path(folder).expanduser() / "norce-order" / "config.toml"


def profiles() -> tuple[Mapping[str, Profile], str | None]:
    """All profiles by name, and the name of the default profile. Without a file there are none.

    Raises:
        UnusableFile: The file is not TOML, or has an unknown key or a wrong value. The text names the key.
    """
    file = config_file()
    try:
        with file.open("rb") as opened:
            found = tomllib.load(opened)
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        # The error of a decoder may quote the line, and the line may hold a token.
        raise UnusableFile(f"{file} can't be read: {type(error).__name__}") from None
    tokens_allowed = found.pop("token_in_file", False)
    default, named = found.pop("default", None), found.pop("profiles", {})
    for key in found:
        raise _unknown(file, key, ("default", "profiles", "token_in_file"))
    if not isinstance(named, dict):
        raise UnusableFile(f"{file}: profiles must be tables such as [profiles.stage]")
    made: dict[str, Profile] = {}
    for name, one in cast("dict[str, object]", named).items():
        made[name] = _profile(file, name, one, tokens_allowed=tokens_allowed is True)
    if not isinstance(default, str | None):
        raise UnusableFile(f"{file}: default must be the name of a profile, in quotes")
    if default is not None and default not in made:
        raise UnusableFile(f"{file}: default = {default!r} names no profile{meant(default, made)}")
    return made, default


def chosen(name: str | None, given: Mapping[str, str]) -> Profile | None:
    """The profile that this command uses, or None.

    Without ``--profile``, it is the one that ``NORCE_PROFILE`` names. Without either, it is the file's default, unless
    an option or a variable names a service.

    Args:
        name: The value of ``--profile``.
        given: The values of the other options, by name.

    Raises:
        UsageError: There is no such profile.
        UnusableFile: The file can't be used.
    """
    wanted, option = (name, "--profile") if name else (os.environ.get(CHOSEN) or None, CHOSEN)
    made, default = profiles()
    if wanted is None:
        # The default's token must not go to a service that an option or a variable names.
        if default is None or any(name in given or os.environ.get(variable) for name, variable in _ADDRESS.items()):
            return None
        return made[default]
    if wanted not in made:
        where = f"{config_file()} has no profile of that name" if made else f"there is no profile in {config_file()}"
        raise click.UsageError(f"{option} {printable(wanted)}: {where}{meant(wanted, made)}")
    return made[wanted]


def _profile(file: Path, name: str, given_table: object, *, tokens_allowed: bool) -> Profile:
    here = f"{file}: profile {printable(name)}"
    if not isinstance(given_table, dict):
        raise UnusableFile(f"{here} must be a table, [profiles.{printable(name)}]")
    given = cast("dict[str, Any]", given_table)
    settings: dict[str, str] = {}
    sources = [key for key in given if key in _SOURCES]
    for key, value in given.items():
        if key not in (*_SETTINGS, *_SOURCES):
            raise _unknown(f"{here}", key, (*_SETTINGS, *_SOURCES))
        if key == "token_command":
            if not _command(value):
                raise UnusableFile(f"{here}: token_command must be a command, as a text or as a list of words")
            continue
        if not isinstance(value, str) or not value or "\0" in value:
            raise UnusableFile(f"{here}: {key} must be a text that is not empty, without a null character")
        if key in _SETTINGS:
            settings[key] = value
    if len(sources) > 1:
        raise UnusableFile(f"{here} has {' and '.join(sources)}: give one")
    source = sources[0] if sources else None
    if source == "token" and not tokens_allowed:
        raise UnusableFile(
            f"{here} has the token itself: use token_command, token_keyring or token_file, or say token_in_file = true"
            " at the top of the file"
        )
    if source == "token_keyring" and "/" not in given[source]:
        raise UnusableFile(f"{here}: token_keyring must be a service and a user, such as 'norce/acme'")
    return Profile(name, settings, source, given.get(source) if source else None)


def _command(given: object) -> list[str]:
    """The words of a command; empty if it is not a command."""
    words: Sequence[object]
    try:
        words = shlex.split(given) if isinstance(given, str) else list(cast("list[object]", given))
    except (TypeError, ValueError):  # not a list; a quotation mark that is not closed
        return []
    texts = [word for word in words if isinstance(word, str) and "\0" not in word]
    return texts if texts and texts[0] and len(texts) == len(words) else []


def _unknown(where: object, key: str, known: tuple[str, ...]) -> UnusableFile:
    return UnusableFile(f"{where}: {printable(key)} is not a setting{meant(key, known)}")


def _names(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    try:
        made, _ = profiles()
    except UnusableFile:
        return []
    return [CompletionItem(name) for name in made if name.startswith(begun)]


PROFILE_OPTION: Final = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=_names,
    help="Use this profile (or NORCE_PROFILE) instead of all other variables; see `norce-order profiles`.",
)


@click.command("profiles", short_help="List the profiles.")
@document_options
def list_profiles(form: Form) -> None:
    """List the profiles: service, account, and where the token comes from, but never the token.

    Profiles are tables in the file ~/.config/norce-order/config.toml:

    \b
    default = "stage"
    [profiles.stage]
    environment = "stage"
    slug = "acme"
    merchant = "acme"
    channel = "se"
    token_command = "pass show norce/stage"

    Instead of token_command, a profile can have token_keyring = "SERVICE/USER" or token_file = "FILE". Without these,
    the token is taken from NORCE_TOKEN.
    """
    from norce_order_async.environments import resolve_base_url
    from norce_order_async.errors import ConfigurationError

    made, default = profiles()
    records: list[dict[str, Any]] = []
    for name, profile in made.items():
        where = {key: profile.settings.get(key) for key in ("environment", "slug", "location", "base_url")}
        try:
            address = resolve_base_url(**where)
        except ConfigurationError as error:
            address = f"not usable: {error}"
        records.append(
            {
                "profile": name,
                "address": address,
                "merchant": profile.settings.get("merchant"),
                "channel": profile.settings.get("channel"),
                "token_from": profile.source or "NORCE_TOKEN",
                "default": name == default,
            }
        )
    _print(form, records)


def _print(form: Form, records: list[dict[str, Any]]) -> None:
    columns = dict(_COLUMNS)
    if form.kind == "table":
        columns["profile"] = lambda one: f"{one['profile']}{' (default)' if one['default'] else ''}"
    # The table marks the default profile beside its name.
    usual = tuple(name for name in _COLUMNS if form.kind == "csv" or name != "default")
    rows = Rows(form, columns, dict, usual=usual)
    if form.kind == "array":
        names = form.columns or tuple(_COLUMNS)
        shown = [{name: one[name] for name in names} for one in records]
        click.echo(json.dumps({"file": str(config_file()), "profiles": shown}, indent=2))
        return
    for one in records:
        rows.add(one)
    rows.end(f"no profiles: there is nothing in {config_file()}")


_COLUMNS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    name: itemgetter(name) for name in ("profile", "address", "merchant", "channel", "token_from", "default")
}

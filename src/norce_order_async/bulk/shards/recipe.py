"""A recipe: what another process needs to make the same client. It holds no token, only where to find one."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from typing import Any, Final

from norce_order_async._json import is_mapping, read_json
from norce_order_async.checking import check_kind
from norce_order_async.context import Context
from norce_order_async.environments import resolve_base_url
from norce_order_async.errors import ConfigurationError

FROM_ENVIRONMENT: Final = "env:NORCE_TOKEN"

_VARIABLE: Final = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_PROVIDER: Final = re.compile(r"provider:([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What another process needs to make the same client. It holds no token, only where that process finds one.

    ``norce.recipe()`` makes it. It can be pickled, and written as JSON. For example::

        recipe = norce.recipe(token="env:NORCE_TOKEN")
        sent = recipe.to_json()

    Args:
        base_url: the address before ``/api/v0``.
        merchant: sent as ``x-merchant``.
        channel: sent as ``x-channel``.
        adapter_id: sent as ``x-adapterid``.
        token: ``"env:NAME"`` for an environment variable, or ``"provider:package.module:name"`` for an object that a
            client takes as ``token`` (an async function, a provider, ``ClientCredentials``), or for a class of
            providers.

    Raises:
        ConfigurationError: an argument is wrong, or ``token`` is a token.
    """

    base_url: str
    merchant: str
    channel: str
    adapter_id: str | None = None
    token: str = FROM_ENVIRONMENT

    def __post_init__(self) -> None:
        check_kind("base_url", self.base_url, str, "a string", ConfigurationError)
        resolve_base_url(environment=None, slug=None, location=None, base_url=self.base_url)
        Context.create(merchant=self.merchant, channel=self.channel, adapter_id=self.adapter_id)
        check_kind("token", self.token, str, "a string", ConfigurationError)
        if not (_VARIABLE.fullmatch(self.token) or _PROVIDER.fullmatch(self.token)):
            raise ConfigurationError(
                "a recipe holds no token: token must be env:NAME or provider:package.module:name, by which the other "
                "process finds one"
            )

    def to_json(self) -> str:
        """The recipe as JSON text, for a queue or a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Make a recipe of the text that :meth:`to_json` returned.

        Raises:
            ConfigurationError: the text is not a recipe, or holds other members. The error does not show it.
        """
        check_kind("a recipe", text, str, "JSON text", ConfigurationError)
        members: Any = read_json(text.encode(errors="replace"))
        names = {field.name for field in fields(cls)}
        if not is_mapping(members) or not {"base_url", "merchant", "channel"} <= members.keys() <= names:
            raise ConfigurationError(f"a recipe must be a JSON object of {', '.join(sorted(names))}, and nothing else")
        return cls(**members)


def client_of(recipe: Recipe) -> Any:
    """Make a ``NorceOrderClient`` with the token of this process.

    Raises:
        ConfigurationError: this process has no token where the recipe says.
    """
    # By name, because the client is in a layer above jobs.
    make = import_module("norce_order_async.client").NorceOrderClient
    return make(
        base_url=recipe.base_url,
        merchant=recipe.merchant,
        channel=recipe.channel,
        adapter_id=recipe.adapter_id,
        token=_token(recipe.token),
    )


def _token(where: str) -> Any:
    variable = _VARIABLE.fullmatch(where)
    if variable is not None:
        if found := os.environ.get(variable[1]):
            return found
        raise ConfigurationError(f"there is no token in the environment: set {variable[1]}")
    provider = _PROVIDER.fullmatch(where)
    assert provider is not None  # noqa: S101 - checked when it was made
    try:
        found = getattr(import_module(provider[1]), provider[2])
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"there is no {provider[2]} in the module {provider[1]}") from error
    return found() if isinstance(found, type) else found

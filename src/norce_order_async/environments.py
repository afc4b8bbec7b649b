"""The address of the service: from an environment and a slug, or given as a whole.

The published form is ``https://{slug}.{location}[.{environment}].norce.tech/checkout/order``, where production has no
environment part. ``api-se`` is the only location that Norce's documentation names.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Literal, get_args
from urllib.parse import urlsplit

from norce_order_async.checking import as_given
from norce_order_async.errors import ConfigurationError

Environment = Literal["playground", "stage", "production"]
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)
DEFAULT_LOCATION = "api-se"

_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def resolve_base_url(
    *,
    environment: str | None,
    slug: str | None,
    location: str | None,
    base_url: str | None,
) -> str:
    """The address before ``/api/v0``, without a slash at its end.

    Raises:
        ConfigurationError: neither or both of environment and base URL are given, the environment is unknown, the slug
            or location is not a host label, or the base URL is not an http(s) address.
    """
    if base_url is not None:
        if environment is not None or slug is not None or location is not None:
            raise ConfigurationError(
                "give either base_url or environment with slug (and location), not both: "
                "base_url is the whole address already"
            )
        return _checked_base_url(base_url)
    if environment is None:
        raise ConfigurationError(
            f"no service named: give environment (one of {', '.join(ENVIRONMENTS)}) and slug, or base_url"
        )
    return service_url(environment, slug, location, "checkout/order")


def service_url(environment: str | None, slug: str | None, location: str | None, path: str) -> str:
    """The address of one of Norce's services.

    Raises:
        ConfigurationError: the environment is unknown, or the slug or location is not a host label.
    """
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(f"unknown environment {as_given(environment)}; known are {', '.join(ENVIRONMENTS)}")
    slug = _host_label("slug", slug)
    location = _host_label("location", DEFAULT_LOCATION if location is None else location)
    stage = "" if environment == "production" else f".{environment}"
    return f"https://{slug}.{location}{stage}.norce.tech/{path}"


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine (``localhost``, ``127.0.0.0/8``, ``::1``)."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_production(base_url: str) -> bool:
    """Whether an address is a Norce production host: no environment part in front of ``norce.tech``.

    The host is compared as resolvers read it: full-width letters and ideographic full stops count as plain ones, and
    characters that resolvers drop are ignored. A doubtful address counts as production.
    """
    host = unicodedata.normalize("NFKC", urlsplit(base_url).hostname or "").replace("\u3002", ".").lower()
    labels = host.rstrip(".").split(".")
    domain = [label.encode("ascii", "ignore").decode() for label in labels[-2:]]
    return domain == ["norce", "tech"] and labels[-3:-2] not in (["playground"], ["stage"])


def _checked_base_url(base_url: str) -> str:
    if not isinstance(base_url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"base_url must be a string, not {type(base_url).__name__}")
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
        parts = urlsplit("")
    if not valid or any(ord(c) <= 32 or ord(c) == 127 for c in base_url):
        raise ConfigurationError(
            "base_url must be an http or https address such as https://acme.api-se.playground.norce.tech/checkout/order"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url must not hold credentials; give the token as token")
    if "?" in base_url or "#" in base_url:
        raise ConfigurationError("base_url must not have a query or a fragment")
    # Lower case, so that a check for plain http also finds "HTTP://".
    return f"{parts.scheme}{base_url[len(parts.scheme) :]}".rstrip("/")


def _host_label(name: str, value: str | None) -> str:
    if not isinstance(value, str) or not _HOST_LABEL.fullmatch(value):
        raise ConfigurationError(
            f"{name} must be one host label (letters, digits, hyphens), such as "
            f"{'acme' if name == 'slug' else DEFAULT_LOCATION}; got {as_given(value)}"
        )
    return value.lower()

"""The places of names in the documentation of other projects, as inventories for intersphinx.

They are written from this list and never fetched, so that the site builds without those sites, and the same everywhere.
A name that is missing is a warning of Sphinx ("reference target not found"): add it here. httpx publishes no inventory
at all.
"""

from __future__ import annotations

import zlib
from pathlib import Path

PYTHON = "https://docs.python.org/3"
SITES = {
    "python": PYTHON,
    "attrs": "https://www.attrs.org/en/stable",
    "anyio": "https://anyio.readthedocs.io/en/stable",
    "httpx": "https://www.python-httpx.org",
    "opentelemetry": "https://opentelemetry-python.readthedocs.io/en/latest",
}
NAMES: dict[str, dict[str, str]] = {
    "python": {
        "abc": "ABC",
        "asyncio": "CancelledError TaskGroup timeout",
        "collections": "Counter",
        "collections.abc": "AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable Collection Generator "
        "Iterable Iterator Mapping MutableMapping Sequence",
        "concurrent.futures": "Executor",
        "contextlib": "AbstractAsyncContextManager AbstractContextManager",
        "datetime": "date datetime timedelta",
        "decimal": "Decimal",
        "enum": "Enum",
        "os": "PathLike",
        "pathlib": "Path",
        "random": "Random",
        "signal": "Signals",
        "ssl": "SSLContext",
    },
    "attrs": {"attrs": "define evolve asdict fields"},
    "anyio": {"anyio": "CancelScope CapacityLimiter Event fail_after move_on_after"},
    "httpx": {"httpx": "AsyncClient AsyncBaseTransport"},
    "opentelemetry": {"opentelemetry.trace": "TracerProvider", "opentelemetry.metrics": "MeterProvider"},
}
PLACES = {
    "python": "library/{module}.html#{full}",
    "attrs": "api.html#{full}",
    "anyio": "api.html#{full}",
    "httpx": "api/#{lower}",
    "opentelemetry": "api/{last}.html#{full}",
}
"""The place of each name on its site."""
ELSEWHERE = {"httpx.AsyncBaseTransport": "advanced/transports/#custom-transports"}
"""Names that are at another place of their site."""


def uris() -> dict[str, str]:
    """The address of every name."""
    return {full: f"{SITES[site]}/{place}" for site in SITES for full, place in _places(site)}


def write(folder: Path) -> None:
    """An inventory for each site, in Sphinx's form."""
    for site in SITES:
        lines = "".join(f"{full} py:class 1 {place} -\n" for full, place in _places(site))
        head = (
            f"# Sphinx inventory version 2\n# Project: {site}\n# Version: \n# The remainder is compressed using zlib.\n"
        )
        (folder / f"{site}.inv").write_bytes(head.encode() + zlib.compress(lines.encode()))


def _places(site: str) -> list[tuple[str, str]]:
    return [
        (
            f"{module}.{name}",
            ELSEWHERE.get(f"{module}.{name}")
            or PLACES[site].format(
                module=module, last=module.rpartition(".")[2], full=f"{module}.{name}", lower=name.lower()
            ),
        )
        for module, names in NAMES[site].items()
        for name in names.split()
    ]

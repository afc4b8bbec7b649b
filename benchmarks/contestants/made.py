"""Clients from generators that read the description, unchanged.

They are made once for each description and generator version, into ``.cache/benchmarks``.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contestants.base import (
    CHANNEL,
    HEADERS,
    MERCHANT,
    MOST_OVER_HTTPX,
    ORDER_ID,
    PATIENCE,
    TOKEN,
    AbsentError,
    Contestant,
    Read,
    library,
)
from benchmarks.server import Target

STOCK = "openapi-python-client"
OPENAPI_GENERATOR = "openapi-generator"

_ROOT = Path(__file__).parents[2]
_CACHE = _ROOT / ".cache" / "benchmarks"
_DESCRIPTION = _ROOT / "generated" / "norce_order_api" / "openapi.json"
_PINS = _ROOT / "scripts" / "regenerate" / "requirements.txt"
_STOCK_PACKAGE = "stock_order_api"
_OTHER_PACKAGE = "other_order_api"


# openapi-python-client, by the version that makes the generated core of this project


def stock_package() -> Path:
    """The folder with the stock generator's output for the description."""
    return _made(STOCK, _PINS.read_bytes(), _run_stock)


def _run_stock(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "scripts")}
    python = _output([sys.executable, "-m", "regenerate.environment"], environment).strip()
    settings = folder / "settings.yaml"
    settings.write_text(f"package_name_override: {_STOCK_PACKAGE}\npost_hooks: []\n", "utf-8")
    _output(
        [
            *(python, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", str(_DESCRIPTION), "--config", str(settings)),
            *("--output-path", str(folder / _STOCK_PACKAGE)),
        ]
    )


def stock_order() -> Any:
    """The stock generator's model of an order."""
    return _imported(stock_package(), f"{_STOCK_PACKAGE}.models").Order


@asynccontextmanager
async def _stock(target: Target, connections: int) -> AsyncGenerator[Read]:
    import httpx

    folder = stock_package()
    endpoint = _imported(folder, f"{_STOCK_PACKAGE}.api.checkout.get_checkout_order")
    client: Any = _imported(folder, f"{_STOCK_PACKAGE}.client").AuthenticatedClient(
        base_url=target.url,
        token=TOKEN,
        headers={"x-correlation-id": HEADERS["x-correlation-id"]},
        timeout=httpx.Timeout(PATIENCE),
        verify_ssl=target.context() or True,
        httpx_args={"limits": httpx.Limits(max_connections=connections, max_keepalive_connections=connections)},
    )
    async with client:

        async def read() -> object:
            answer = await endpoint.asyncio_detailed(ORDER_ID, client=client, x_merchant=MERCHANT, x_channel=CHANNEL)
            return answer.parsed

        yield read


# openapi-generator, its Python client on aiohttp


def other_package() -> Path:
    """The folder with openapi-generator's output for the description."""
    for needed in ("openapi_generator_cli", "aiohttp_retry", "dateutil", "pydantic"):
        library(needed)
    if shutil.which("java") is None:
        raise AbsentError("openapi-generator needs Java")
    return _made(OPENAPI_GENERATOR, version("openapi-generator-cli").encode(), _run_other)


def _run_other(folder: Path) -> None:
    _output(
        [
            *(
                sys.executable,
                "-m",
                "openapi_generator_cli.__init__",
                "generate",
                "-g",
                "python",
                "--library",
                "asyncio",
            ),
            *("-i", str(_DESCRIPTION), "-o", str(folder), f"--additional-properties=packageName={_OTHER_PACKAGE}"),
        ]
    )


def other_order() -> Any:
    """openapi-generator's model of an order."""
    return _imported(other_package(), f"{_OTHER_PACKAGE}.models.order").Order


@asynccontextmanager
async def _other(target: Target, connections: int) -> AsyncGenerator[Read]:
    package = _imported(other_package(), _OTHER_PACKAGE)
    configuration = package.Configuration(host=target.url, access_token=TOKEN, ssl_ca_cert=target.authority)
    configuration.connection_pool_maxsize = connections
    async with package.ApiClient(configuration) as client:
        client.set_default_header("x-correlation-id", HEADERS["x-correlation-id"])
        api = package.CheckoutApi(client)

        async def read() -> object:
            return await api.get_checkout_order(ORDER_ID, MERCHANT, CHANNEL, _request_timeout=PATIENCE)

        yield read


CONTESTANTS = (
    Contestant(STOCK, "typed order", _stock, stock_package, MOST_OVER_HTTPX),
    Contestant(OPENAPI_GENERATOR, "typed order", _other, other_package),
)


# For both


@functools.cache
def _made(generator: str, pins: bytes, run: Callable[[Path], None]) -> Path:
    """A folder with the generator's output, from the cache or new."""
    key = hashlib.sha256(_DESCRIPTION.read_bytes() + pins).hexdigest()[:16]
    complete = _CACHE / f"{generator}-{key}"
    if not complete.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        # It has another name until it is complete, so that the rest of an interrupted run is never used.
        with tempfile.TemporaryDirectory(dir=_CACHE) as building:
            folder = Path(building, "made")
            folder.mkdir()
            run(folder)
            if not complete.exists():
                folder.rename(complete)
    return complete


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise AbsentError(f"{' '.join(command[1:4])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def _imported(folder: Path, module: str) -> Any:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return importlib.import_module(module)

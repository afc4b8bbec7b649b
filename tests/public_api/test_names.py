"""The public names are exactly these, and each exists."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types

import pytest

import norce_order_api.models as generated
import norce_order_async
from norce_order_api import dicts
from norce_order_async import errors, models
from norce_order_async.sandbox import Sandbox

PUBLIC = [
    "EDGES",
    "ENVIRONMENTS",
    "OMIT",
    "STATUSES",
    "Action",
    "Adaptive",
    "Answer",
    "Attempt",
    "AttemptInfo",
    "AttemptMiddleware",
    "AttemptNext",
    "BadRequestError",
    "CallError",
    "CallEvent",
    "CallInfo",
    "CallMiddleware",
    "CallNext",
    "CallOptions",
    "CallableToken",
    "ChangeRefusedError",
    "ClientCredentials",
    "ConfigurationError",
    "ConflictError",
    "Drift",
    "DriftRecord",
    "DuplicateOrderError",
    "Ensured",
    "Environment",
    "Fixed",
    "ForbiddenError",
    "InvalidRequestError",
    "ItemOutcome",
    "Job",
    "JournalError",
    "JournalFinishedError",
    "JournalLockedError",
    "JournalMismatchError",
    "NewOrder",
    "NorceError",
    "NorceOrderClient",
    "NotFoundError",
    "NotLoadedError",
    "NotSentError",
    "Observer",
    "Order",
    "OrderCollection",
    "OrderFilter",
    "OrderPage",
    "OutcomeUnknownError",
    "PendingError",
    "RefusedError",
    "RejectedError",
    "Scope",
    "Settings",
    "StaticToken",
    "StatusPeriod",
    "StatusUnreachableError",
    "Summary",
    "TokenError",
    "TokenProvider",
    "TransitionRefusedError",
    "TransitionSupersededError",
    "Transitioned",
    "UnauthorizedError",
    "UnavailableError",
    "ValidationFailedError",
    "ValidationProblem",
    "ValidationReport",
    "WaitTimeoutError",
    "WireRequest",
    "WireResponse",
    "__version__",
    "capture_answers",
]
"""A change here is a change of the public API, which the changelog must name."""


def test_the_names_are_fixed() -> None:
    """No name is added or removed unnoticed. The names are sorted as ruff sorts them."""
    assert norce_order_async.__all__ == PUBLIC
    assert dir(norce_order_async) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_exists(name: str) -> None:
    """Each name exists, and a class is one of ours with a docstring."""
    value = getattr(norce_order_async, name)
    if inspect.isclass(value):
        assert value.__module__.startswith("norce_order_async.")
        assert value.__name__ == name
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}(")


def test_every_error_is_public() -> None:
    """Every error class that the package raises on purpose can be imported from the top."""
    raised = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert raised <= set(PUBLIC)


def test_every_error_is_in_the_drawing() -> None:
    """The drawing in the module's docstring names every error."""
    drawing = errors.__doc__ or ""
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.NorceError):
            assert name in drawing, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    modules: list[types.ModuleType] = [norce_order_async, models]
    for module in modules:
        with pytest.raises(AttributeError, match="has no attribute 'Ordr'"):
            module.Ordr  # noqa: B018


def test_the_models_are_the_generated_ones() -> None:
    """Every generated model has the same name here. The handle's name is not among them."""
    assert set(models.__all__) == set(generated.__all__)
    for name in models.__all__:
        assert getattr(models, name) is getattr(generated, name)
    assert "Order" not in models.__all__
    assert "OrderData" in dir(models)


def test_dicts_of_bodies_are_loaded_on_demand() -> None:
    """The dicts have the models' names, and those of answers have none. Importing a model loads no dicts."""
    assert models.CartDict is dicts.CartDict
    assert set(dicts.__all__) <= set(dir(models))
    assert not hasattr(models, "PaginationDict")
    assert "norce_order_api.dicts" not in loaded("from norce_order_async.models import Cart; Cart.from_dict({})")
    assert "norce_order_api.dicts" not in loaded("import norce_order_async.orders.collection")


ENGINES = {"aiohttp", "httpx", "httpx2"}


def loaded(statement: str) -> set[str]:
    """Return the modules that a statement loads in a fresh interpreter."""
    program = (
        f"import sys; before = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before), sep='\\n')"
    )
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def roots(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names


def test_importing_the_package_loads_nothing_else() -> None:
    """The package loads only itself, the module that imports its names at their first use, and the standard library."""
    modules = loaded("import norce_order_async")
    assert roots(modules) == {"norce_order_async"}
    assert {name for name in modules if name.startswith("norce_order_async.")} == {"norce_order_async._exports"}


def test_importing_the_client_loads_no_http_library_and_no_model() -> None:
    """The HTTP library is loaded with the first client, and each model with its first use."""
    modules = loaded("from norce_order_async import NorceOrderClient, CallOptions, NorceError, Order")
    # Of the extras only the JSON codec is loaded, which is small.
    assert roots(modules) - {"orjson"} == {"norce_order_async", "norce_order_api", "anyio", "attr", "attrs"}
    assert not any(name.startswith("anyio._backends.") for name in modules)
    api = {name for name in modules if name.startswith("norce_order_api.")}
    assert api <= {
        "norce_order_api.models",
        "norce_order_api.models.order_status",
        "norce_order_api.types",
    }


def test_importing_a_model_loads_only_its_own() -> None:
    modules = loaded("from norce_order_async.models import Price")
    assert "norce_order_api.models.price" in modules
    assert "norce_order_api.models.order_data" not in modules


def test_building_a_client_loads_only_its_engine() -> None:
    """A client loads no engine before a loop runs, unless the engine is named, and no event loop's backend."""
    build = (
        "from norce_order_async import NorceOrderClient\n"
        "NorceOrderClient(base_url='https://a.example', merchant='a', channel='b', token='t', engine='{}')"
    )
    never = {"trio", "starlette", "uvicorn", "norce_order_api.models.order_data"}
    for engine, loads in (("auto", set[str]()), ("httpx", {"httpx"}), ("aiohttp", {"aiohttp"})):
        modules = loaded(build.format(engine))
        assert modules & ENGINES == loads
        assert not modules & never


WITH_THE_FIRST_CALL = {
    "attr",
    "email",
    "html",
    "urllib.request",
    "norce_order_api.types",
    "norce_order_async.orders.order",
}


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system's proxies are asked there")
def test_building_a_client_loads_nothing_of_orders_and_models() -> None:
    """A program may make a client and never call it, so the modules for a call are loaded with the first one."""
    build = (
        "import os\n"
        "for name in [*os.environ]:\n"
        "    if name[-6:].lower() == '_proxy': del os.environ[name]\n"
        "from norce_order_async import NorceOrderClient\n"
        "NorceOrderClient(base_url='https://a.example', merchant='a', channel='b', token='t'){}"
    )
    assert not loaded(build.format("")) & WITH_THE_FIRST_CALL
    assert "norce_order_async.orders.order" in loaded(build.format(".orders('o1')"))


CALLING = """
import anyio
from norce_order_async import NorceOrderClient, NotFoundError

async def main():
    async with NorceOrderClient(
        base_url="{base_url}", merchant="a", channel="b", token="{token}", engine="{engine}"
    ) as norce:
        try:
            await norce.orders("o1").payments.list()
        except NotFoundError:
            pass

anyio.run(main, backend="{loop}")
"""


@pytest.mark.parametrize(
    ("engine", "loop", "loads"),
    [
        ("auto", "asyncio", "aiohttp"),
        ("httpx", "asyncio", "httpx"),
        ("auto", "trio", "httpx2"),
        ("httpx", "trio", "httpx"),
    ],
)
def test_calling_loads_one_engine_and_what_the_answer_is_made_of(engine: str, loop: str, loads: str) -> None:
    """A call loads neither another engine, nor another operation and its models, nor anything of jobs or the command
    line."""
    with Sandbox() as sandbox:
        modules = loaded(
            CALLING.format(base_url=sandbox.base_url, token=sandbox.token, engine=engine, loop=loop),
        )
    assert modules & ENGINES == {loads}
    assert {name for name in modules if name.startswith("norce_order_api.api.")} == {
        "norce_order_api.api.checkout_payment",
        "norce_order_api.api.checkout_payment.get_order_payments",
    }
    assert "norce_order_api.models.payment" in modules
    assert "norce_order_api.models.order_data" not in modules
    rooms = {name.split(".")[1] for name in modules if name.startswith("norce_order_async.")}
    assert not rooms & {"bulk", "cli", "raw", "sandbox", "telemetry", "testing"}
    assert not roots(modules) & {"starlette", "uvicorn", "opentelemetry", "yaml"}

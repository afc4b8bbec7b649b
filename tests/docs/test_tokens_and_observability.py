"""docs/tokens.md and docs/observability.md: every program on them runs, and their numbers are those of the code."""

from __future__ import annotations

import ast
import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from norce_order_async import oauth
from norce_order_async.pipeline.observe import SHOWN_MEMBERS
from norce_order_async.sandbox import Sandbox
from tests.auth.support import TokenService, token_service

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[2] / "docs"
TOKENS = (DOCS / "tokens.md").read_text("utf-8")
SEEING = (DOCS / "observability.md").read_text("utf-8")
PROGRAMS = [
    pytest.param(program, id=f"{name}-{number}")
    for name, page in (("tokens", TOKENS), ("observability", SEEING))
    for number, program in enumerate(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE), 1)
]


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[Sandbox, TokenService]]:
    with token_service() as tokens, Sandbox(token="tok-1") as sandbox:
        tokens.open.set()
        yield sandbox, tokens


def test_there_are_programs() -> None:
    assert len(PROGRAMS) == 8


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_runs(
    program: str, services: tuple[Sandbox, TokenService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but for the address of the identity service; the order service refuses old tokens alone."""
    sandbox, tokens = services
    sandbox.requests.clear()
    tokens.forms.clear()
    first_is_old = "NORCE_SECONDARY_TOKEN" in program
    variables = {
        "NORCE_BASE_URL": sandbox.base_url,
        "NORCE_MERCHANT": "acme",
        "NORCE_CHANNEL": "se",
        "NORCE_TOKEN": "replaced" if first_is_old else "tok-1",
        "NORCE_SECONDARY_TOKEN": "tok-1",
        "NORCE_CLIENT_ID": "shop",
        "NORCE_CLIENT_SECRET": "s3cret",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logging, "basicConfig", dict[str, str])
    logger = logging.getLogger("norce_order_async")
    level = logger.level
    try:
        await run(program.replace('slug="acme",\n    environment="playground",', f'token_url="{tokens.url}",'))
    finally:
        logger.setLevel(level)
    refused = [request for request in sandbox.requests if request.status == 401]
    assert len(refused) == (first_is_old or "class Vault" in program)
    assert len(sandbox.requests) > len(refused)
    assert len(tokens.forms) == ("ClientCredentials" in program)


async def run(program: str) -> None:
    """Run a program that awaits at its top level."""
    code: CodeType = compile(program, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {"__name__": "page"}
    result = eval(code, names)
    if inspect.isawaitable(result):
        await result


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", text)]


def test_the_numbers_of_tokens() -> None:
    """In the order of the page, all of them."""
    text = TOKENS.partition("## OAuth2 client credentials")[2].partition("## A provider")[0]
    text = re.sub(r"^```python\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE).replace("identity/1.0", "")
    assert "the last quarter" in text
    assert oauth.EARLY_SHARE == 1 / 4
    assert "the last tenth" in text
    assert oauth.DUE_SHARE == 1 / 10
    assert numbers(text) == [
        oauth.EARLY_AT_MOST,
        oauth.DUE_AT_MOST,
        429,
        oauth.TRIES,
        oauth.AFTER_A_FAILURE,
        401,
        oauth.AFTER_A_FAILURE,
        oauth.LIFE,
        oauth.LIMIT_BURST,
        oauth.LIMIT_PER_SECOND * 60,
    ]


def test_tokens_says_what_is_not_known() -> None:
    told = " ".join(TOKENS.replace("**", "").split())
    assert "documents these accounts for Norce Commerce. Whether Norce Checkout" in told
    assert "is not published and has not been tried" in told


def test_the_harmless_members_are_of_the_kinds_told() -> None:
    """Ids, codes, statuses, moments, currency, culture, country, sku: nothing else may be on the list."""
    assert "ids, codes, statuses, moments, currency, culture, country, sku" in " ".join(SEEING.split())
    kinds = {
        "ids": {"id", "orderId", "adapterId", "merchant", "channel"},
        "codes": {"code", "type", "productType", "version", "event"},
        "statuses": {"state", "status", "currentStatus"},
        "moments": {"created", "lastModified", "timeStamp"},
        "as they are": {"currency", "culture", "country", "sku"},
    }
    assert set().union(*kinds.values()) == SHOWN_MEMBERS

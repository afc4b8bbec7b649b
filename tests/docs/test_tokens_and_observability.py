"""docs/tokens.md and docs/observability.md: the calls that their programs make, and numbers that agree with the
code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from norce_order_async.auth import oauth
from norce_order_async.pipeline.events import SHOWN_MEMBERS

from .shell import pages, paste, pasted

DOCS = Path(__file__).parents[2] / "docs"
TOKENS = (DOCS / "tokens.md").read_text("utf-8")
SEEING = (DOCS / "observability.md").read_text("utf-8")

SEEN = "print('seen', [request.status for request in sandbox.requests]); sandbox.requests.clear()"


@pytest.mark.parametrize(
    ("page", "statuses"),
    [
        # The blocks: nothing, a token that was replaced, a function, an account, a provider's older token, the end.
        ("tokens", [[], [401, 200], [200], [200], [401, 200], []]),
        # The blocks: nothing, a creation and a read, one read each, a job over no orders, a read, the end.
        ("observability", [[], [201, 200], [200], [200], [], [200], []]),
    ],
)
def test_the_calls_of_its_programs(page: str, statuses: list[list[int]], tmp_path: Path) -> None:
    """Each block gets the expected answers from the order service, which refuses only old tokens."""
    told = paste([code for block in pasted(pages()[page]) for code in (block, SEEN)], tmp_path)
    assert [ast.literal_eval(found) for found in re.findall(r"seen (\[.*\])", told)] == statuses


def test_the_account_s_token_is_fetched_once(tmp_path: Path) -> None:
    *blocks, leaving = pasted(TOKENS)
    told = paste([*blocks, "print(len(identity.calls), 'asked for')", leaving], tmp_path)
    assert "1 asked for" in told


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", text)]


def test_the_numbers_of_tokens() -> None:
    """All numbers of the section, in its order, are those of the code."""
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


def test_tokens_says_what_is_not_published() -> None:
    text = " ".join(TOKENS.replace("**", "").split())
    assert "documents these accounts for Norce Commerce. This package is about Norce Checkout." in text
    assert "It is not published whether Norce Checkout accepts tokens of these accounts" in text


def test_the_harmless_members_are_of_the_kinds_on_the_page() -> None:
    """The list has only ids, codes, statuses, times, currency, culture, country and sku."""
    assert "ids, codes, statuses, times, currency, culture, country, sku" in " ".join(SEEING.split())
    kinds = {
        "ids": {"id", "orderId", "adapterId", "merchant", "channel"},
        "codes": {"code", "type", "productType", "version", "event"},
        "statuses": {"state", "status", "currentStatus"},
        "times": {"created", "lastModified", "timeStamp"},
        "as they are": {"currency", "culture", "country", "sku"},
    }
    assert set().union(*kinds.values()) == SHOWN_MEMBERS

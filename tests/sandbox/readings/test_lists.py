"""Lists of orders under each reading."""

from __future__ import annotations

from typing import Any

import pytest

from .support import Wire, under

pytestmark = pytest.mark.anyio


@under("pagination-size", {"returned": (1, 2), "matches": (2, 3), "requested": (1, 2)})
async def test_what_the_sizes_of_a_page_count(wire: Wire, expected: tuple[int, int]) -> None:
    for reference in ("a", "a", "b"):
        await wire.order(reference=reference)
    page = (await wire.listed(limit=1, reference="a"))["pagination"]
    assert (page["size"], page["totalSize"]) == expected


@under("pagination-size", {"returned": (0, 0), "matches": (0, 1), "requested": (5, 0)})
async def test_the_sizes_of_an_empty_page(wire: Wire, expected: tuple[int, int]) -> None:
    await wire.order(reference="a")
    page = (await wire.listed(limit=5, reference="b"))["pagination"]
    assert (page["size"], page["totalSize"]) == expected


@under(
    "dates",
    {
        "created": [("first", "second"), ("second",), ("first",)],
        "last-modified": [("second", "changed"), ("second", "changed"), ()],
        "to-inclusive": [("first", "second"), ("second",), ("first", "second")],
    },
)
async def test_what_dates_look_at(wire: Wire, expected: Any) -> None:
    """Two orders a minute apart; the first is changed when the second is made."""
    paths: list[str] = []
    moments: list[str] = []
    for name in ("first", "second"):
        wire.clock.advance(60)
        paths.append(await wire.order(reference=name))
        moments.append((await wire.read(paths[-1]))["created"])
    if wire.reading == "last-modified":
        await wire.ok("PUT", f"{paths[0]}/reference", "changed")

    async def found(**params: str) -> set[str]:
        return {order["reference"] for order in (await wire.listed(**params))["data"]}

    for params, names in zip(
        ({"date_from": moments[0]}, {"date_from": moments[1]}, {"date_to": moments[1]}), expected, strict=True
    ):
        assert await found(**params) == set(names)

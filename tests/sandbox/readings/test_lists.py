"""Lists of orders under each reading."""

from __future__ import annotations

from typing import Any

import pytest

from .support import Wire, under

pytestmark = pytest.mark.anyio


@under("pagination-size", {"returned": (1, 2), "matches": (2, 3), "requested": (1, 2)})
async def test_the_sizes_of_a_page(wire: Wire, expected: tuple[int, int]) -> None:
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
async def test_the_times_that_dates_filter_by(wire: Wire, expected: Any) -> None:
    """Two orders are created a minute apart. The first is then changed at the time of the second."""
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


@under("list-lag", {"none": ({"new", "changed"}, {"new", "changed"}), "3-s": ({"old"}, {"new", "changed"})})
async def test_when_a_list_shows_a_change(wire: Wire, expected: tuple[set[str], set[str]]) -> None:
    """One order is old and is changed twice, another is new, and a third is deleted. Read by its id, each order is
    as it is now."""
    old = await wire.order(reference="old")
    gone = await wire.order(reference="gone")
    wire.clock.advance(10)
    await wire.ok("PUT", f"{old}/reference", "between")
    wire.clock.advance(1)
    await wire.ok("PUT", f"{old}/reference", "changed")
    await wire.order(reference="new")
    await wire.ok("DELETE", gone)

    async def found() -> set[str]:
        page = await wire.listed()
        references = {order["reference"] for order in page["data"]} - {"gone"}
        assert len(page["data"]) == page["pagination"]["totalSize"]
        assert (await wire.listed(reference="new"))["pagination"]["totalSize"] == ("new" in references)
        return references

    assert await found() == expected[0]
    assert (await wire.read(old))["reference"] == "changed"
    assert await wire.status("GET", gone) == 404
    assert (await wire.listed(reference="gone"))["pagination"]["totalSize"] == (wire.reading == "3-s")
    wire.clock.advance(3)
    assert await found() == expected[1]
    assert (await wire.listed(reference="gone"))["pagination"]["totalSize"] == 0


@under("list-lag", {"none": 1, "3-s": 0})
async def test_a_change_undone_by_a_snapshot_is_not_listed(wire: Wire, expected: int) -> None:
    taken = wire.sandbox.snapshot()
    await wire.order()
    assert (await wire.listed())["pagination"]["totalSize"] == expected
    full = wire.sandbox.snapshot()
    wire.sandbox.restore(taken)
    wire.sandbox.restore(full)
    assert (await wire.listed())["pagination"]["totalSize"] == 1


@under("page-limit", {"100-at-most": (60, 100), "over-50-refused": (None, None), "50-at-most": (50, 50)})
async def test_a_limit_of_more_than_fifty(wire: Wire, expected: tuple[int | None, int | None]) -> None:
    wire.sandbox.seed_orders(700, merchant="acme")
    for limit, most in zip((60, 120), expected, strict=True):
        response = await wire.send("GET", "/orders", params={"limit": limit})
        if most is None:
            assert response.status_code == 400
        else:
            assert (len(response.json()["data"]), response.json()["pagination"]["limit"]) == (most, most)
    assert len((await wire.listed(limit=50))["data"]) == 50
    assert "page-limit" not in wire.last()


@under("offset", {"honoured": (0, 10_001), "ignored-beyond-10000": (1, 0)})
async def test_an_offset_beyond_ten_thousand(wire: Wire, expected: tuple[int, int]) -> None:
    await wire.order()
    page = await wire.listed(offset=10_001)
    assert (len(page["data"]), page["pagination"]["offset"]) == expected
    assert (await wire.listed(offset=10_000))["data"] == []
    assert "offset" not in wire.last()

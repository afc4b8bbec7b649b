"""Probes of lists: what they show, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from norce_order_async._json import mapping_or_empty
from norce_order_async.calibration.bench import LIST, Bench, TestOrder
from norce_order_async.calibration.probes.base import CouldNotTell, Follows, Neither, Probe, Verdict, alike
from norce_order_async.calibration.wire import Exchange, NoEvidenceError

AT_ONCE: Final = 1.0
"""Seconds after a creation within which a list must be read to see whether it shows the order at once."""
_LAGS: Final = (1.0, 5.0)
"""Lags in seconds, from and to, that count as the reading of 3 s."""
_APART: Final = 3.0
"""Seconds between creating an order and changing it."""


def _shows(page: Exchange, order: TestOrder) -> bool:
    return any(one.get("id") == order.id for one in page.orders)


# ------------------------------------------------------------------------------------------------------ list-lag


async def list_lag(bench: Bench) -> Verdict:
    """Two orders, each looked for in a list as soon as it was created."""
    lags: list[float] = []
    shown_by: list[Exchange] = []
    for name in ("dated", "second-listed"):
        await bench.wire.rate.room(3)
        began = bench.wire.clock.monotonic()
        order = await bench.create()
        bench.share(name, order)
        page = await bench.listed_once(limit="50")
        if page.status != 200:
            return CouldNotTell(f"a list is answered {page.status}")
        asked = page.began - began
        shown_by += [order.creation, page]
        if _shows(page, order):
            if asked > AT_ONCE:
                return CouldNotTell("the answers took too long to see what a list shows at once", may_ask_again=True)
            if not _shows(await bench.listed(limit="50"), order):
                bench.doubt(LIST)
                return CouldNotTell("a list does not show an order any more")
            lags.append(0.0)
            continue
        await bench.read(order)
        page = await bench.until_listed(order)
        lags.append(page.began - began)
        shown_by.append(page)
    if lags == [0.0, 0.0]:
        return Follows("none", shown_by)
    if all(_LAGS[0] <= lag <= _LAGS[1] for lag in lags):
        return Follows("3-s", shown_by)
    return Neither(f"a new order shows in lists after {' and '.join(f'{lag:.1f} s' for lag in lags)}", shown_by)


# --------------------------------------------------------------------------------------------------------- dates


async def dates(bench: Bench) -> Verdict:
    """An order that was changed some seconds after it was created is looked for by dates between, and by its own."""
    order = await bench.shared("dated", bench.create)
    await bench.wire.clock.sleep(_APART)
    patched, read = await bench.patch(order, {"dated": "yes"})
    if not patched.succeeded:
        return CouldNotTell(f"an order can't be changed: {patched.status}")
    created, modified = (_moment(read.mapping.get(name)) for name in ("created", "lastModified"))
    if created is None or modified is None or (modified - created).total_seconds() < 1:
        return CouldNotTell("an order does not show when it was created and changed")
    await _until_shown(bench, order, str(read.mapping["lastModified"]))
    between = _text(created + (modified - created) / 2)
    pages = [
        await bench.listed(limit="50", **query)
        for query in (
            {"date_from": between},
            {"date_to": between},
            {"date_from": _exactly(read, "created")},
            {"date_to": _exactly(read, "created")},
            {"date_to": _exactly(read, "lastModified")},
        )
    ]
    if any(page.status != 200 for page in pages):
        return CouldNotTell("a list does not take dates as they are written in orders")
    after, before, from_created, to_created, to_modified = (_shows(page, order) for page in pages)
    shown_by = [read, *pages]
    match (after, before):
        case (False, True) if from_created:
            if to_created:
                return Follows("to-inclusive", shown_by)
            if len(str(read.mapping["created"]).partition(".")[2].rstrip("Z")) < 6:
                return CouldNotTell("times are written too roughly to say whether date_to is inclusive")
            return Follows("created", shown_by)
        case (True, False) if not to_modified:
            return Follows("last-modified", shown_by)
        case _:
            return Neither("date_from and date_to choose in another way", shown_by)


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _exactly(read: Exchange, name: str) -> str:
    """A time as the order has it, with the offset that it lacks."""
    text = str(read.mapping[name])
    return f"{text}Z" if datetime.fromisoformat(text).tzinfo is None else text


async def _until_shown(bench: Bench, order: TestOrder, modified: str) -> None:
    for _ in range(8):
        page = await bench.until_listed(order)
        if any(one.get("id") == order.id and one.get("lastModified") == modified for one in page.orders):
            return
        await bench.wire.clock.sleep(1.0)
    raise NoEvidenceError("a list does not show a change of an order")


# ---------------------------------------------------------------------------------------------------- pagination


async def pagination_size(bench: Bench) -> Verdict:
    """One order a page, and more than there are."""
    orders = [await bench.sample(), await bench.shared("second-listed", bench.create)]
    for order in orders:
        await bench.until_listed(order)
    for _ in range(4):
        matches = len((await bench.listed(limit="50")).orders)
        one, many = await bench.listed(limit="1"), await bench.listed(limit=str(matches + 7))
        if len(one.orders) == 1 and len(many.orders) == matches:
            break
        # An order of another probe has come into the list meanwhile.
        await bench.wire.clock.sleep(1.0)
    else:
        return CouldNotTell("a list does not hold as many orders as were asked for")
    if one.status != 200 or many.status != 200:
        return CouldNotTell("a list is sometimes refused")
    sizes = (_figure(one, "size"), _figure(many, "size"))
    totals = {_figure(one, "totalSize"), _figure(many, "totalSize")}
    shown_by = [one, many]
    if sizes == (matches, matches):
        return Follows("matches", shown_by)
    if totals == {matches}:
        if sizes == (1, matches):
            return Follows("returned", shown_by)
        if sizes == (1, matches + 7):
            return Follows("requested", shown_by)
    return Neither("size and totalSize count something else", shown_by)


def _figure(page: Exchange, name: str) -> int | None:
    figure = mapping_or_empty(page.mapping.get("pagination")).get(name)
    return figure if isinstance(figure, int) else None


async def page_limit(bench: Bench) -> Verdict:
    """Pages of 50, 51 and 101: the figures in the answer show the limit. There are at most 20 orders."""
    await bench.until_listed(await bench.sample())
    control = await bench.listed(limit="50")
    if control.status != 200:
        return CouldNotTell(f"a page of 50 is refused with {control.status}")
    more = [await bench.listed(limit="51"), await bench.listed(limit="51")]
    if all(page.status == 400 for page in more):
        return Follows("over-50-refused", [control, *more])
    if not alike(*more) or more[0].status != 200:
        return CouldNotTell("a page of 51 is sometimes refused")
    most = await bench.listed(limit="101")
    shown_by = [more[0], most]
    if most.status == 400:
        return Neither("a limit of 101 is refused, and one of 51 is not", shown_by)
    match (_figure(more[0], "limit"), _figure(most, "limit")):
        case (51, 100):
            return Follows("100-at-most", shown_by)
        case (50, 50):
            return Follows("50-at-most", shown_by)
        case _:
            return CouldNotTell(
                "the figures of a page repeat the requested limit; only many orders could show the real one"
            )


PROBES = (
    Probe(
        "list-lag",
        "Lists this run's orders right after one was created, twice.",
        {"none": "the list shows it both times", "3-s": "it can be read at once, and the list shows it 1 to 5 s later"},
        list_lag,
    ),
    Probe(
        "dates",
        "Lists by dates before, between and after an order's creation and its change, and by these moments themselves.",
        {
            "created": "a list up to a time between creation and change has it, one up to its creation does not",
            "last-modified": "a list from a time between creation and change has it, one up to its change does not",
            "to-inclusive": "a list up to a time between creation and change has it, one up to its creation too",
        },
        dates,
    ),
    Probe(
        "pagination-size",
        "Lists one of several orders, and all of them with a higher limit.",
        {
            "returned": "size is the number of orders on the page, totalSize that of this run's",
            "matches": "size is the number of this run's orders both times",
            "requested": "size is the limit both times",
        },
        pagination_size,
    ),
    Probe(
        "page-limit",
        "Lists this run's few orders with the limits 50, 51 and 101, and looks at the page's figures.",
        {
            "100-at-most": "the limit in the figures of the last is 100",
            "over-50-refused": "51 is 400, twice, and 50 is not",
            "50-at-most": "the limit in the figures is 50 for both",
        },
        page_limit,
    ),
)

"""From bytes to an order and back, against the JSON libraries alone and against other ways to have types."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any

import orjson

from benchmarks.contestants import made
from benchmarks.contestants.base import AbsentError, library
from benchmarks.figures import Figures, Table, Tell, interleaved, median, spread
from benchmarks.orders import BODIES
from benchmarks.scale import Scale
from benchmarks.schemas import msgspec_order, pydantic_order
from benchmarks.worker import apart
from norce_order_api.models import OrderData
from norce_order_async._json import read_json, write_json

TITLE = "Decoding and encoding"

OURS = "norce-order-async"
ORJSON = "orjson alone"
_STEPS = ("decode", "encode")

Codec = tuple[Callable[[bytes], Any], Callable[[Any], Any]]


def decode_ours(body: bytes) -> OrderData:
    """As the pipeline does it."""
    return OrderData.from_dict(read_json(body))


def _encode_ours(order: OrderData) -> bytes:
    return write_json(order.to_dict())


def _json() -> Codec:
    return json.loads, lambda data: json.dumps(data, ensure_ascii=False).encode()


def _orjson() -> Codec:
    return orjson.loads, orjson.dumps


def _ours() -> Codec:
    return decode_ours, _encode_ours


def _stock() -> Codec:
    order = made.stock_order()
    return lambda body: order.from_dict(json.loads(body)), lambda model: json.dumps(model.to_dict()).encode()


def _openapi_generator() -> Codec:
    order = made.other_order()
    return order.from_json, lambda model: model.to_json().encode()


def _pydantic() -> Codec:
    order = pydantic_order()
    return order.model_validate_json, lambda model: model.model_dump_json(by_alias=True, exclude_none=True).encode()


def _msgspec() -> Codec:
    msgspec = library("msgspec")
    return msgspec.json.Decoder(msgspec_order()).decode, msgspec.json.Encoder().encode


CODECS: dict[str, Callable[[], Codec]] = {
    ORJSON: _orjson,
    "json alone": _json,
    OURS: _ours,
    "msgspec": _msgspec,
    "pydantic": _pydantic,
    made.STOCK: _stock,
    made.OPENAPI_GENERATOR: _openapi_generator,
}
GENERATED = (made.STOCK, made.OPENAPI_GENERATOR)


def measure(scale: Scale, tell: Tell) -> Figures:
    """Blocks of every codec, over every size."""
    names: list[str] = []
    absent: dict[str, str] = {}
    for name, prepare in CODECS.items():
        if (name in GENERATED and not scale.generated) or (scale.codecs and name not in scale.codecs):
            continue
        try:
            prepare()
            names.append(name)
        except AbsentError as absence:
            absent[name] = str(absence)
    tell(f"{scale.blocks} blocks of each")
    sizes = ["typical"] if scale.codecs else list(BODIES)
    return {**apart(_measured, names, sizes, scale.blocks, scale.block_seconds), "absent": absent}


def _measured(names: list[str], sizes: list[str], blocks: int, least: float) -> Figures:
    codecs = {name: CODECS[name]() for name in names}
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for size in sizes:
        body = BODIES[size]
        steps = {
            "decode": {name: _bound(decode, body) for name, (decode, _) in codecs.items()},
            "encode": {name: _bound(encode_, decode(body)) for name, (decode, encode_) in codecs.items()},
        }
        found[size] = {step: _blocks(doing, blocks, least) for step, doing in steps.items()}
    return {"us": found, "bytes": {size: len(BODIES[size]) for size in sizes}}


def _bound(function: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
    return lambda: function(argument)


def _blocks(doing: dict[str, Callable[[], Any]], blocks: int, least: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in doing}
    counts = {name: _count(run, least) for name, run in doing.items()}
    for _, name in interleaved(list(doing), blocks):
        found[name].append(_timed(doing[name], counts[name]) * 1e6)
    return found


def _count(run: Callable[[], Any], least: float) -> int:
    """The number of runs in the shortest time of a block."""
    run()
    return max(1, round(least / _timed(run, 1)))


def _timed(run: Callable[[], Any], times: int) -> float:
    """Seconds for one run, the mean; with the collector on, as in a program."""
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        run()
    # A clock that has not moved yet counts as its smallest step.
    return max(time.process_time() - began, 1e-9) / times


def against(figures: Figures, size: str, step: str, one: str = OURS, other: str = ORJSON) -> list[float]:
    """Time over time, block by block."""
    found = figures["us"][size][step]
    return [mine / its for mine, its in zip(found[one], found[other], strict=True)]


def tables(figures: Figures) -> list[Table]:
    """Microseconds, and as multiples of orjson's time."""
    sizes = list(figures["us"])
    names = list(figures["us"][sizes[0]]["decode"])
    shown: list[Table] = []
    for step in _STEPS:
        rows = [[name, *(_cell(figures, size, step, name) for size in sizes)] for name in names]
        columns = [f"{step}, µs (times orjson)", *(f"{size}, {figures['bytes'][size]:,} bytes" for size in sizes)]
        shown.append(Table(columns, rows))
    ratios = [[step, *(spread(against(figures, size, step), "{:.1f}") for size in sizes)] for step in _STEPS]
    absent = [f"{name} was left out: {why}." for name, why in figures["absent"].items()]
    before = "This client's models against orjson alone, median of the blocks and its range:"
    shown.append(Table(["", *sizes], ratios, before, absent))
    return shown


def _cell(figures: Figures, size: str, step: str, name: str) -> str:
    micros = median(figures["us"][size][step][name])
    times = median(against(figures, size, step, name))
    return f"{micros:,.1f} ({times:.1f})" if micros < 100 else f"{micros:,.0f} ({times:.1f})"

"""A job's report as one HTML file that needs no network and no other file.

Ids and texts of the service are not trusted: each is escaped, and the data for the charts holds only numbers and fixed
words. The page's policy allows its own script alone, by a hash.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from norce_order_async.bulk.journal.place import PostgresJob
from norce_order_async.bulk.journal.results import ItemResult
from norce_order_async.bulk.report.drawing import Line, drawn
from norce_order_async.bulk.report.figures import PERCENTILES, UNKNOWN, Figures, Moment, figures_of, percentile
from norce_order_async.checking import path_of
from norce_order_async.display import printable
from norce_order_async.errors import ConfigurationError

_COLOURS: Final = {"done": "#2e7d32", "refused": "#c77700", "unknown": "#c62828"}
_ADVICE: Final = {
    "unknown": "The answer was lost, and a read could not show what happened. Check these orders, or run "
    "<code>norce-order bulk retry --only unknown</code>, which reads each order first.",
    "left": "Run the same job again: it continues where it ended.",
}


@dataclass(frozen=True, slots=True)
class HtmlReport:
    """A job's report as an HTML page. A notebook shows it if it is the value of a cell.

    For example::

        html_report("close.journal").write("close.html")
    """

    html: str
    """The whole page."""

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the page to a file that only its owner may read: it holds order ids and messages of the service.

        The file appears when the page is complete. If writing fails, a file of that name stays as it was.

        Args:
            path: the file.
            overwrite: whether to replace an existing file.

        Raises:
            ConfigurationError: the file exists and ``overwrite`` was not given, or it can't be written.
        """
        file = path_of("path", path)
        try:
            if overwrite and file.exists() and not file.is_file():
                # A pipe or a terminal; a folder raises here.
                file.write_text(self.html, "utf-8")
            else:
                _write_whole(file.resolve() if overwrite else file, self.html, overwrite=overwrite)
        except FileExistsError:
            raise ConfigurationError(f"{file} is there already: name another file, or give overwrite=True") from None
        except OSError as error:
            raise ConfigurationError(f"{file} can't be written: {error.strerror}") from error

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame of its own, so that its styles stay in it."""
        return (
            '<iframe sandbox="allow-scripts" style="width:100%;height:640px;border:0" '
            f'srcdoc="{escape(self.html, quote=True)}"></iframe>'
        )


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write_whole(file: Path, text: str, *, overwrite: bool) -> None:
    """Write a file aside and move it into place, so that it is whole or not there.

    Raises:
        FileExistsError: the file exists, and is not to be overwritten.
        OSError: it can't be written.
    """
    if not overwrite and os.path.lexists(file):
        raise FileExistsError
    aside = file.with_name(f"{file.name}.{os.getpid()}.new")
    aside.unlink(missing_ok=True)
    try:
        with open(aside, "x", encoding="utf-8", opener=_for_its_owner) as opened:
            opened.write(text)
        if not overwrite:
            # Take the name, unless another program has taken it meanwhile. Not every disk has links for this.
            open(file, "x", opener=_for_its_owner).close()
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def html_report(journal: str | Path | PostgresJob) -> HtmlReport:
    """Return a report of what a job's journal holds, also while the job runs. Blocking; reads every order once.

    Args:
        journal: the journal.

    Raises:
        JournalError: there is no journal, it is damaged, or the file is something else.
    """
    place = journal if isinstance(journal, PostgresJob) else path_of("journal", journal)
    return HtmlReport(_page(figures_of(place)))


def _page(figures: Figures) -> str:
    charts = list(_charts(figures))
    script = _script(charts)
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    title = f"{_words(figures.job.action)}: {_words(Path(figures.journal).name)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{_static("uplot.min.css")}{_static("report.css")}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{_head(figures)}
{_totals(figures)}
{"".join(chart.html for chart in charts)}
{_durations(figures)}
{_refusals(figures)}
{_unknown(figures)}
{_slowest(figures)}
<footer>Made {_moment(datetime.now(UTC).timestamp())} from {_words(figures.journal)}. Times are UTC.</footer>
</main>
<script>{script}</script>
</body>
</html>
"""


def _head(figures: Figures) -> str:
    job = figures.job
    facts = [
        ("service", job.service),
        ("merchant", job.merchant),
        ("channel", job.channel),
        ("began", _moment(figures.began) if figures.began is not None else "not yet"),
        ("took", f"{figures.seconds:,.0f} s" + (", and is running" if job.running else "")),
    ]
    if figures.seconds >= 1:
        finished = sum(job.counts[state] for state in ("confirmed", "refused", "unknown"))
        facts.append(("rate", f"{finished / figures.seconds:,.1f} orders a second"))
    if job.shards:
        unfinished = sum(1 for shard in job.shards if shard.left)
        facts.append(("shards", f"{len(job.shards)}, {unfinished} of them not finished"))
    rows = "".join(f"<div><dt>{name}</dt><dd>{_words(value)}</dd></div>" for name, value in facts)
    return f"<dl>{rows}</dl>"


def _totals(figures: Figures) -> str:
    counts = figures.job.counts
    totals = [
        ("done", counts["confirmed"]),
        ("refused", counts["refused"]),
        ("unknown", counts["unknown"]),
        ("left", counts["planned"] + counts["sent"]),
    ]
    whole = sum(count for _, count in totals) or 1
    cells = "".join(
        f'<li class="{name}"><strong>{count:,}</strong> {name} <small>{count / whole:.1%}</small></li>'
        for name, count in totals
    )
    advice = "".join(f"<p>{_ADVICE[name]}</p>" for name, count in totals if count and name in _ADVICE)
    return f'<ul class="totals">{cells}</ul>{advice}'


@dataclass(frozen=True, slots=True)
class _Chart:
    """One chart: its HTML, and the data that the script draws."""

    html: str
    data: dict[str, Any]


def _charts(figures: Figures) -> Iterable[_Chart]:
    buckets = list(figures.over_time())
    if len(buckets) > 1:
        times = [float(at) for at, _ in buckets]
        moments = [moment for _, moment in buckets]
        per = figures.width
        verdicts = [
            Line(name, colour, [moment.verdicts[name] / per for moment in moments]) for name, colour in _COLOURS.items()
        ]
        yield _chart("verdicts", "Orders a second", times, verdicts, "/s")
        yield _chart("in-flight", "In flight", times, [_in_flight(moments)], "")
        colours = ("#5e35b1", "#00838f", "#9e9d24")
        spread = [
            Line(f"{share:.0%} within", colour, [percentile(moment.durations, share) for moment in moments])
            for share, colour in zip(PERCENTILES[:3], colours, strict=True)
        ]
        yield _chart("durations", "Seconds from sending to the verdict", times, spread, "s")
    samples = figures.job.samples
    if len(samples) > 1:
        times = [sample.at for sample in samples]
        limit: list[float | None] = [float(sample.limit) for sample in samples]
        yield _chart("limit", "Attempts allowed at once", times, [Line("limit", "#1565c0", limit)], "")
        held: list[float | None] = [0.0]
        for before, now in pairwise(samples):
            # Each run counts from 0.
            waited = now.throttled - before.throttled if now.throttled >= before.throttled else now.throttled
            held.append(min(waited / (now.at - before.at), 1.0) * 100)
        yield _chart("held", "Held back by the service", times, [Line("share of time", "#ad1457", held)], "%")


def _in_flight(moments: Sequence[Moment]) -> Line:
    """How many orders were sent and had no verdict yet, at the end of each bucket."""
    now = 0
    values: list[float | None] = []
    for moment in moments:
        now = max(now + moment.sent - sum(moment.verdicts.values()), 0)
        values.append(float(now))
    return Line("in flight", "#1565c0", values)


def _chart(name: str, title: str, times: Sequence[float], lines: Sequence[Line], unit: str) -> _Chart:
    html = f'<section><h2>{title}</h2><div class="chart" id="{name}"></div>{drawn(title, times, lines, unit)}</section>'
    series = [{"name": line.name, "colour": line.colour, "values": [_short(v) for v in line.values]} for line in lines]
    return _Chart(html, {"id": name, "times": times, "series": series, "unit": unit})


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _durations(figures: Figures) -> str:
    found = [(share, figures.percentile(share)) for share in PERCENTILES]
    if not figures.durations:
        return ""
    rows = ((f"{share:.0%}" if share < 1 else "all", f"{took:,.3g} s") for share, took in found if took is not None)
    text = "Orders that were done, from their last send to the verdict in the journal. Precise to two percent."
    return f"<section><h2>How long it took</h2><p>{text}</p>{_table(('of the orders', 'within'), rows)}</section>"


def _refusals(figures: Figures) -> str:
    if not figures.refusals:
        return ""
    rows = ((each.verdict, f"{each.count:,}", each.reason, each.message) for each in figures.refusals)
    heads = ("verdict", "orders", "reason", "the service's message for one of them")
    return f"<section><h2>Refused and unknown, by reason</h2>{_table(heads, rows)}</section>"


def _unknown(figures: Figures) -> str:
    if not figures.unknown:
        return ""
    count = figures.job.counts["unknown"]
    more = f"<p>The first {UNKNOWN} of {count:,}.</p>" if count > UNKNOWN else ""
    rows = ((each.key, each.reason, str(each.attempts), each.correlation_id) for each in figures.unknown)
    heads = ("order", "reason", "attempts", "correlation id")
    return f"<section><h2>Orders with an unknown outcome</h2>{more}{_table(heads, rows)}</section>"


def _slowest(figures: Figures) -> str:
    if not figures.slowest:
        return ""
    rows = ((each.key, f"{took:,.3f} s", str(each.attempts), _at(each)) for took, each in figures.slowest)
    return f"<section><h2>The slowest</h2>{_table(('order', 'took', 'attempts', 'done'), rows)}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_words(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _at(result: ItemResult) -> str:
    return "" if result.changed is None else _moment(result.changed.timestamp())


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _words(text: str) -> str:
    return escape(printable(text), quote=True)


def _script(charts: Sequence[_Chart]) -> str:
    # HTML has no escapes inside a script, and "</" would end it. The data is numbers and fixed words.
    data = json.dumps([chart.data for chart in charts]).replace("<", "\\u003c")
    return f"{_static('uplot.min.js')}\nconst CHARTS = {data};\n{_static('report.js')}"


@cache
def _static(name: str) -> str:
    return files("norce_order_async.bulk.report").joinpath("static", name).read_text("utf-8")

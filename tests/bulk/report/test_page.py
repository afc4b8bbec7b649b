"""The page of a report is complete and safe for any text of the service. The command and notebooks show it."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from norce_order_async import ConfigurationError
from norce_order_async.bulk import html_report
from norce_order_async.sandbox import Sandbox
from tests.bulk.support import client_of
from tests.cli.inside import inside
from tests.support.browser import VIEWS, View, browser, page, sticking_out

from .made import Done, journal_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m\" onload='x'"


def job(folder: Path, said: str = "sold out", key: str = "o") -> Path:
    orders = [Done(f"o{number}", number / 10, number / 10 + 0.3) for number in range(60)]
    orders += [
        Done(f"{key}r", 1.0, 2.0, "refused", "400 sold-out", "sold-out", said),
        Done("ou", 2.0, 4.0, "unknown", said),
    ]
    loads: dict[str, Any] = {f"sample {slot}": [1_800_000_000.0 + slot, 4, 2, slot / 2] for slot in range(6)}
    return journal_of(folder / "close.journal", orders, **loads)


class Elements(HTMLParser):
    """The elements of a page, roughly as a browser would read them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_it_shows_the_job_and_needs_nothing_else(tmp_path: Path) -> None:
    html = html_report(job(tmp_path)).html
    for shown in (
        "transition: close.journal",
        "<strong>60</strong> done",
        "sold out",
        "unknown outcome",
        "The slowest",
    ):
        assert shown in html
    found = Elements(html)
    assert not found.addresses
    assert found.tags.count("script") == 1
    assert len(re.findall(r'<div class="chart" id="', html)) == 5
    assert html.count('<svg class="paper"') == 5


def test_texts_of_the_service_and_ids_are_escaped(tmp_path: Path) -> None:
    html = html_report(job(tmp_path, HOSTILE, HOSTILE)).html
    found = Elements(html)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert not found.handlers
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", html)


def test_only_its_owner_can_read_a_page(tmp_path: Path) -> None:
    """A page quotes texts of the service, as a journal does, so it has the same rights."""
    file = tmp_path / "a.html"
    html_report(journal_of(tmp_path / "a.journal", [Done("o1", 1.0, 2.0)])).write(file)
    assert file.stat().st_mode & 0o777 == 0o600


@contextmanager
def _room(size: int) -> Generator[None]:
    """Let no file of this process grow beyond this many bytes, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_page_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """No half page is left, and an existing page of that name stays as it was."""
    report, file = html_report(job(tmp_path)), tmp_path / "out.html"
    before = sorted(tmp_path.iterdir())
    with _room(10_000), pytest.raises(ConfigurationError, match=r"out\.html can't be written: File too large"):
        report.write(file)
    assert sorted(tmp_path.iterdir()) == before
    report.write(file)
    with _room(10_000), pytest.raises(ConfigurationError, match="can't be written"):
        report.write(file, overwrite=True)
    assert file.read_text("utf-8") == report.html
    assert sorted(tmp_path.iterdir()) == sorted([*before, file])


def test_a_page_may_be_written_where_a_link_leads_or_into_a_pipe(tmp_path: Path) -> None:
    report, link, pipe = html_report(job(tmp_path)), tmp_path / "link.html", tmp_path / "pipe"
    (tmp_path / "out.html").write_text("old")
    link.symlink_to("out.html")
    with pytest.raises(ConfigurationError, match="is there already"):
        report.write(link)
    report.write(link, overwrite=True)
    assert link.is_symlink()
    assert (tmp_path / "out.html").read_text("utf-8") == report.html
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as readers:
        read = readers.submit(pipe.read_text, "utf-8")
        report.write(pipe, overwrite=True)
        assert read.result() == report.html


def test_the_command_writes_it_and_replaces_nothing(tmp_path: Path) -> None:
    journal, out = job(tmp_path), tmp_path / "out.html"
    ran = inside("bulk", "report", str(journal), "--html", str(out))
    assert (ran.code, ran.out, ran.err) == (0, f"{out}\n", "")
    first = out.read_text("utf-8")
    assert first.startswith("<!doctype html>")
    again = inside("bulk", "report", str(journal), "--html", str(out))
    assert again.code == 2
    assert "--force" in again.err
    assert inside("bulk", "report", str(journal), "--html", str(out), "--force").code == 0
    absent = inside("bulk", "report", str(tmp_path / "no.journal"), "--html", str(out), "--force")
    assert (absent.code, out.read_text("utf-8")[:15]) == (2, first[:15])
    nowhere = inside("bulk", "report", str(journal), "--html", str(tmp_path / "no" / "out.html"))
    assert (nowhere.code, "can't be written" in nowhere.err) == (2, True)


def _in_notebook(value: object) -> str:
    """What a notebook shows for the value of a cell."""
    made: Callable[[], str] = getattr(value, "_repr_html_")  # noqa: B009 - found by its name, as a notebook does
    return made()


@pytest.mark.anyio
async def test_a_notebook_shows_the_report_of_a_job(tmp_path: Path) -> None:
    place = job(tmp_path)
    with Sandbox() as sandbox:
        async with client_of(sandbox) as norce:
            shown = _in_notebook(norce.bulk(place).report())
            assert shown.startswith('<iframe sandbox="allow-scripts"')
            assert Elements(shown).tags == ["iframe"]
            with pytest.raises(ConfigurationError, match="a job without a journal has no report"):
                norce.bulk().report()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    html_report(job(folder, HOSTILE)).write(folder / "out.html")
    return folder / "out.html"


@pytest.mark.slow(group="browser")
def test_in_a_browser_every_chart_is_drawn_and_nothing_sticks_out(written: Path) -> None:
    with browser() as opened:
        for view in VIEWS:
            _looked_at(opened, view, written)


def _looked_at(opened: Browser, view: View, written: Path) -> None:
    with page(opened, view) as shown:
        said: list[str] = []
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto(written.as_uri())
        assert shown.locator(".chart canvas").count() == 5
        assert not said
        assert not sticking_out(shown)
        assert not shown.locator(".paper").first.is_visible()
        shown.emulate_media(media="print")
        assert shown.locator(".paper").first.is_visible()

"""The command: runs the steps in order."""

import argparse
import fcntl
import os
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from regenerate import document, overlay, provenance, review, swap
from regenerate.audit import audit
from regenerate.compare import differences
from regenerate.complete import check_complete
from regenerate.failure import RegenerationError
from regenerate.generate import generate
from regenerate.layout import HERE, Layout
from regenerate.limits import STEP, within
from regenerate.obtain import Obtained, obtain
from regenerate.stamp import stamp

DEFAULT_ADDRESS = "NORCE_OPENAPI_URL"
PLACES_LEFT = 2
"""The exit status if the package was generated, and places are left to change by hand."""


def main(arguments: list[str], layout: Layout = HERE) -> int:
    options = _parser().parse_args(arguments)
    try:
        obtained = None if options.source is None else obtain(options.source or _default_address())
        with _alone(layout.work):
            return _regenerate(layout, obtained, check=options.check, folder=options.report or layout.report)
    except RegenerationError as error:
        print(f"regenerate: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"regenerate: {error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("regenerate: interrupted, nothing changed", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="regenerate.sh",
        description="Makes generated/norce_order_api anew.",
        epilog="Exit status: 0 all fits, 1 refused and nothing changed (with --check: files would change), "
        f"{PLACES_LEFT} done, and the places named are left to change by hand.",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="URL|FILE",
        nargs="?",
        const="",
        help=f"take this description into the repository; by itself: the one at ${DEFAULT_ADDRESS}",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and name the files that would")
    parser.add_argument(
        "--report",
        metavar="FOLDER",
        type=Path,
        help="where report.md and report.json go when a description has changed (.cache/regeneration-report)",
    )
    return parser


def _default_address() -> str:
    address = os.environ.get(DEFAULT_ADDRESS)
    if not address:
        raise RegenerationError(
            f"--from needs an address or a file, or {DEFAULT_ADDRESS} set; the vendor's reference is at docs.norce.io "
            "under api-reference/nco/openapi/order, but the address behind its download link is not known"
        )
    return address


def _regenerate(layout: Layout, obtained: Obtained | None, *, check: bool, folder: Path) -> int:
    present = _read(layout.description)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=layout.work))
    package = run / layout.package.name
    corrected, stale = _build(layout, obtained.content if obtained else present, run, package, new=bool(obtained))
    with within(STEP, "the description can't be held against the code"):
        reviewed = _reviewed(layout, obtained, present, (corrected, stale), package, folder)
    different = differences(layout.package, package)
    if check:
        return _report(different) or _print_places(reviewed.places)
    moves = [swap.Move(package, layout.package)] if different else []
    if obtained:
        moves += _description_moves(layout, obtained, run)
    if moves:
        swap.commit(layout.work, moves)
    wrote = [str(move.place.relative_to(layout.root)) for move in moves]
    print(f"regenerate: wrote {', '.join(wrote)}" if wrote else "regenerate: nothing to change")
    return _print_places(reviewed.places)


def _reviewed(
    layout: Layout,
    obtained: Obtained | None,
    present: bytes,
    made: tuple[document.Document, list[str]],
    package: Path,
    folder: Path,
) -> review.Report:
    """Writes the report of the changes. Returns the places to change by hand."""
    corrected, stale = made
    reviewed = review.review(layout, corrected, stale, package, obtained.address if obtained else "the repository")
    if obtained and obtained.content != present:
        review.compare(layout, reviewed, present, corrected)
        review.write(reviewed, folder)
        print(f"regenerate: advice {reviewed.headline()}\nregenerate: the report is {folder / review.PAGE}")
    return reviewed


def _build(
    layout: Layout, description: bytes, scratch: Path, package: Path, *, new: bool
) -> tuple[document.Document, list[str]]:
    """Writes the package. Returns the corrected description, and the corrections that match nothing any more."""
    described = document.read(description, "the description")
    document.validate(described, "the description")
    stale: list[str] = []
    corrections = document.read(_read(layout.overlay), "the overlay")
    with within(STEP, "the description can't be corrected"):
        corrected = overlay.apply(described, corrections, stale=stale if new else None)
    document.validate(corrected, "the corrected description")
    generate(corrected, layout, scratch, package)
    with within(STEP, "the generated code can't be read"):
        audit(package, layout.templates)
        check_complete(corrected, package)
    (package / "STAMP").write_bytes(stamp(layout, description))
    return corrected, stale


def _print_places(places: list[review.Place]) -> int:
    if places:
        print(f"regenerate: places to change by hand: {len(places)}", file=sys.stderr)
        print("\n".join(f"  {place}" for place in places), file=sys.stderr)
    return PLACES_LEFT if places else 0


def _description_moves(layout: Layout, obtained: Obtained, scratch: Path) -> list[swap.Move]:
    """The names of the files that would change."""
    noted = provenance.updated(_read(layout.provenance).decode(), obtained).encode()
    moves: list[swap.Move] = []
    for content, place in ((obtained.content, layout.description), (noted, layout.provenance)):
        if content != _read(place):
            ready = scratch / place.name
            ready.write_bytes(content)
            moves.append(swap.Move(ready, place))
    return moves


def _report(lines: list[str]) -> int:
    if lines:
        print("regenerate: generated/ is not what scripts/regenerate.sh makes:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in lines), file=sys.stderr)
    return 1 if lines else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RegenerationError(f"{path.name} can't be read: {error.strerror}") from error


@contextmanager
def _alone(work: Path) -> Generator[None, None, None]:
    """Allows one run at a time. Finishes or clears the remains of a killed run first, and clears its own at the end."""
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        swap.finish(work)
        work.mkdir(exist_ok=True)
        try:
            yield
        finally:
            swap.finish(work)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    sys.exit(main(sys.argv[1:]))

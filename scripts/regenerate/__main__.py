"""The command: the steps in a row."""

import argparse
import fcntl
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from regenerate import document, overlay, provenance, swap
from regenerate.compare import differences
from regenerate.failure import RegenerationError
from regenerate.generate import generate
from regenerate.layout import HERE, Layout
from regenerate.obtain import Obtained, obtain
from regenerate.stamp import stamp


def main(arguments: list[str], layout: Layout = HERE) -> int:
    parser = argparse.ArgumentParser(prog="regenerate.sh", description="Makes generated/norce_order_api anew.")
    parser.add_argument("--from", dest="source", metavar="URL|FILE", help="take this description into the repository")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and name the files that would")
    options = parser.parse_args(arguments)
    try:
        obtained = obtain(options.source) if options.source else None
        with _alone(layout.work):
            return _regenerate(layout, obtained, check=options.check)
    except RegenerationError as error:
        print(f"regenerate: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"regenerate: {error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("regenerate: interrupted, nothing changed", file=sys.stderr)
        return 130


def _regenerate(layout: Layout, obtained: Obtained | None, *, check: bool) -> int:
    description = obtained.content if obtained else _read(layout.description)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=layout.work))
    package = run / layout.package.name
    _build(layout, description, run, package)
    if check:
        return _report(differences(layout.package, package))
    moves = [swap.Move(package, layout.package)]
    if obtained:
        moves += _description_moves(layout, obtained, run)
    swap.commit(layout.work, moves)
    print(f"regenerate: wrote {layout.package.relative_to(layout.root)}")
    return 0


def _build(layout: Layout, description: bytes, scratch: Path, package: Path) -> None:
    described = document.read(description, "the description")
    document.validate(described, "the description")
    corrected = overlay.apply(described, document.read(_read(layout.overlay), "the overlay"))
    document.validate(corrected, "the corrected description")
    generate(corrected, layout, scratch, package)
    (package / "STAMP").write_bytes(stamp(layout, description))


def _description_moves(layout: Layout, obtained: Obtained, scratch: Path) -> list[swap.Move]:
    description, noted = scratch / "description", scratch / "provenance"
    description.write_bytes(obtained.content)
    noted.write_text(provenance.updated(_read(layout.provenance).decode(), obtained), encoding="utf-8")
    return [swap.Move(description, layout.description), swap.Move(noted, layout.provenance)]


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
    """One run at a time; what a killed one has left is finished or cleared first, what this one leaves is cleared."""
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

"""The store opens its own file again, and never a file of another program."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from norce_order_async.sandbox import DatabaseFileError, Sandbox


def seeded(file: Path) -> bytes:
    sandbox = Sandbox(database=str(file), seed=1)
    sandbox.seed_orders(200)
    sandbox.close()
    return file.read_bytes()


def test_a_new_or_empty_file_is_made_one_and_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    file.touch()
    taken = seeded(file)
    assert [path.name for path in tmp_path.iterdir()] == ["new.db"], "nothing is left beside it"
    again = Sandbox(database=str(file))
    assert len(again.snapshot()) == len(taken)
    again.close()


def text(file: Path) -> None:
    file.write_bytes(b"hello")


def long_text(file: Path) -> None:
    file.write_bytes(b"x" * 10_000)


def foreign(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE orders (key INTEGER)")
    database.close()


def other_form(file: Path) -> None:
    seeded(file)
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def cut(file: Path) -> None:
    file.write_bytes(seeded(file)[:50_000])


def overwritten(file: Path) -> None:
    content = bytearray(seeded(file))
    content[8192:90_000] = b"\xaa" * (90_000 - 8192)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (text, "is not a database"),
        (long_text, "is not a database"),
        (foreign, "is another program.s database"),
        (other_form, r"another version of the sandbox \(format 99, not \d+\)"),
        (cut, "damaged"),
        (overwritten, "damaged"),
    ],
)
def test_a_file_of_something_else_is_refused_and_left_as_it_is(
    make: Callable[[Path], None], complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "there.db"
    make(file)
    before = file.read_bytes()
    with pytest.raises(DatabaseFileError, match=complaint) as caught:
        Sandbox(database=str(file))
    assert "\n" not in str(caught.value)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]


def test_a_file_that_another_sandbox_uses(tmp_path: Path) -> None:
    file = str(tmp_path / "used.db")
    first = Sandbox(database=file)
    with pytest.raises(DatabaseFileError, match="another sandbox is using it"):
        Sandbox(database=file)
    first.close()
    Sandbox(database=file).close()


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFileError, match="it is a folder"):
        Sandbox(database=str(tmp_path))
    with pytest.raises(DatabaseFileError, match="unable to open"):
        Sandbox(database=str(tmp_path / "no" / "such.db"))

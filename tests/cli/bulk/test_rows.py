"""The file of a job: the rows that are read from it, and the errors before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from norce_order_async.cli.bulk.rows import BadInput, OrderFile


def _file(tmp_path: Path, content: str | bytes, column: str | None = None, needs: tuple[str, ...] = ()) -> OrderFile:
    path = tmp_path / "orders.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return OrderFile(path, column, needs, "orders.csv")


@pytest.mark.parametrize(
    "content",
    [
        "o1\no2\n",
        "o1\r\n\r\no2",
        "order_id\no1\no2\n",
        "Order ID\no1\n o2 \n",
        "name,id\nAda,o1\nBo,o2\n",
        "name;order_id\nAda;o1\n\nBo;o2\n",
        "order_id\tname\no1\tAda\no2\tBo\n",
        '\ufefforder_id,name\no1,"Ada, of\nSome"\no2,Bo\n',
    ],
)
def test_ids_are_found(tmp_path: Path, content: str) -> None:
    """The ids are found in a plain list, and in CSV as programs and spreadsheets write it, with any of the usual
    heads."""
    file = _file(tmp_path, content)
    assert [row["order_id"] for row in file.rows()] == ["o1", "o2"]
    assert file.check() == 2


def test_the_column_may_be_named(tmp_path: Path) -> None:
    file = _file(tmp_path, "id,Order Number\n1,o1\n", column="order number")
    assert [row["order_id"] for row in file.rows()] == ["o1"]


def test_other_columns_are_kept(tmp_path: Path) -> None:
    file = _file(tmp_path, "order_id,reference\no1, erp-1 \n", needs=("reference",))
    assert list(file.rows()) == [{"order_id": "o1", "reference": "erp-1"}]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "names no orders"),
        ("order_id\n", "names no orders"),
        ("name,age\nAda,36\n", "has no column order_id"),
        ("order_id\no1\n../x\n", "line 3: "),
        ("order_id,b\no1,x\no2\n", "line 3: 1 columns instead of 2"),
        ("order_id,b\n,x\n", "line 2: "),
        ('order_id\n"o1\n', "is not a CSV file"),
        (b"order_id\n\xff\xfe\n", "is not UTF-8 text"),
    ],
)
def test_an_invalid_row_is_reported_with_its_line(tmp_path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        _file(tmp_path, content).check()
    assert told in refused.value.message
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [("order_id\no1\n", "has no column reference"), ("order_id,reference\no1,\n", "line 2: reference is empty")],
)
def test_a_missing_column(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        _file(tmp_path, content, needs=("reference",)).check()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be read: No such file"):
        OrderFile(tmp_path / "none", None, (), "none").check()

"""Shared by the tests of exports over shards: the contents of an export's folder."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

MANIFEST = "_manifest.json"


def manifest(folder: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(folder.joinpath(MANIFEST).read_bytes())
    return found


def ids_in(folder: Path) -> list[str]:
    """The sorted ids of the orders in the parts. Fails if a part is not as the manifest says."""
    said = manifest(folder)
    found: list[str] = []
    for part in said["parts"]:
        path = folder / part["file"]
        content = path.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part["bytes"], part["sha256"])
        ids = READ[said["format"]](path)
        assert len(ids) == part["rows"]
        found += ids
    assert said["rows"] == len(found)
    return sorted(found)


def parts_in(folder: Path) -> list[str]:
    """The files that the manifest names."""
    return [part["file"] for part in manifest(folder)["parts"]]


def names_in(folder: Path) -> list[str]:
    """The files that programs see which read a folder as one table."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", "_")))


def hidden_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def written(folder: Path) -> dict[str, int]:
    """When each of the folder's files was last written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def put(path: Path, words: str) -> None:
    path.write_text(words)


def lines_in(folder: Path) -> list[str]:
    """The lines of all parts."""
    return [line for name in names_in(folder) for line in folder.joinpath(name).read_text().splitlines()]


def move(path: Path, to: Path) -> None:
    path.rename(to)


def link(path: Path, to: Path) -> None:
    path.symlink_to(to)


def size(path: Path) -> int:
    return path.stat().st_size


def make(folder: Path) -> None:
    folder.mkdir()


def remove(path: Path) -> None:
    path.rmdir() if path.is_dir() else path.unlink()


def only_owner_may_read(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o077 == 0 for path in [folder, *folder.iterdir()])


def as_one_table(folder: Path, format: str) -> Any:
    dataset: Any = import_module("pyarrow.dataset")
    return dataset.dataset(folder, format="json" if format == "jsonl" else format).to_table()


def _jsonl(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


def _csv(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row["id"] for row in csv.DictReader(file)]


def _parquet(path: Path) -> list[str]:
    ids: list[str] = as_one_table(path, "parquet")["id"].to_pylist()
    return ids


READ: Mapping[str, Callable[[Path], list[str]]] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}

"""Compares two folders byte by byte."""

from pathlib import Path


def differences(kept: Path, fresh: Path) -> list[str]:
    """One line for each file of `kept` that a fresh generation would change, add or remove."""
    old, new = _files(kept), _files(fresh)
    lines = [f"missing  {name}" for name in new.keys() - old.keys()]
    lines += [f"extra    {name}" for name in old.keys() - new.keys()]
    lines += [
        f"differs  {name}" for name in old.keys() & new.keys() if old[name].read_bytes() != new[name].read_bytes()
    ]
    return sorted(lines, key=lambda line: line.split()[1])


def _files(folder: Path) -> dict[str, Path]:
    """All files, except those that Python writes on import."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

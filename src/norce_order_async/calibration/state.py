"""The file that names the orders of a run, so that the next run can remove them if this one is killed.

Each creation is written to disk before it is sent. So the next run finds the orders that a killed run has left: by
their ids if the answers came, otherwise by their markers. The file has one JSON object on each line. The last line of a
killed run may be incomplete; then its request was not sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from norce_order_async._json import UNREADABLE, is_mapping, read_json, text_or_none, write_json

FORMAT: Final = 1
MARK: Final = "norce-calibrate-"
"""The start of the reference and the cart reference of every order of a calibration."""

_MARKER = re.compile(rf"({MARK}[0-9a-f]{{12}})-[0-9]{{1,3}}\Z", re.ASCII)
_ID = re.compile(r"(?!\.{1,2}\Z)[!-~]{1,200}\Z")
_MOST_BYTES = 1024 * 1024


def is_order_id(text: str) -> bool:
    """Whether a text may be the id of an order in the path of a request."""
    return _ID.fullmatch(text) is not None


class StateFileError(Exception):
    """The file can't be used; the text says why, and what to do."""


@dataclass(slots=True)
class Made:
    """An order that was created, or may have been created."""

    marker: str
    order_id: str | None = None
    gone: bool = False
    refused: bool = False
    """Whether its creation was refused in this run, so that the order should not exist."""

    @property
    def run(self) -> str:
        """The reference of all orders of its run."""
        return self.marker.rpartition("-")[0]


@dataclass(slots=True)
class StateFile:
    """The file, open for one run against one service.

    Args:
        path: the path of the file.
        service: address, merchant and channel.
        made: the orders that it names.
    """

    path: Path
    service: Mapping[str, str]
    made: list[Made] = field(default_factory=list[Made])
    _file: int | None = None

    @classmethod
    def open(cls, path: Path, service: Mapping[str, str]) -> StateFile:
        """The file of an earlier run, or a new one. Nothing is written before the first creation.

        Raises:
            StateFileError: the file can't be read, is not a state file, or belongs to another service.
        """
        found = cls(path, service)
        try:
            if not path.is_file():
                if path.exists():
                    raise StateFileError(f"{path.name} is not a regular file: name another folder with --into")
                return found
            with path.open("rb") as file:
                body = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise StateFileError(f"{path.name} can't be read: {error.strerror}") from None
        if len(body) > _MOST_BYTES:
            raise StateFileError(f"{path.name} is larger than any that a calibration writes: use another --into")
        whole, _, _torn = body.rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
            found._take(read_json(line), number)
        return found

    @property
    def left(self) -> list[Made]:
        """The orders that may still exist."""
        return [one for one in self.made if not one.gone]

    def about_to_create(self, marker: str) -> Made:
        """Record that an order with this marker may exist from now on.

        Raises:
            StateFileError: the file can't be written. Then the order must not be created.
        """
        self._write({"marker": marker})
        made = Made(marker)
        self.made.append(made)
        return made

    def created(self, made: Made, order_id: str) -> None:
        """Record the id of a created order.

        Raises:
            StateFileError: the file can't be written; `made` has the id nevertheless.
        """
        made.order_id = order_id
        self._write({"marker": made.marker, "order": order_id})

    def gone(self, made: Made) -> None:
        """Record that the order does not exist, or does not exist any more.

        If the file can't be written, that is ignored: the next run looks for the order and finds none.
        """
        made.gone = True
        with suppress(StateFileError):
            self._write({"marker": made.marker, "gone": True})

    def close(self) -> None:
        """Close the file, and remove it if no order is left."""
        self._let_go()
        if not self.left:
            # If the file stays, it only names orders that are gone.
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            if self._file is None:
                self._file = self._opened()
            _append(self._file, line)
        except OSError as error:
            # The file is opened again for the next line; this cuts off the incomplete line.
            self._let_go()
            raise StateFileError(f"{self.path.name} can't be written: {error.strerror}") from None

    def _opened(self) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            body = os.read(file, _MOST_BYTES)
            # An incomplete last line is cut off, so that the next line does not become a part of it.
            end = body.rfind(b"\n") + 1
            os.ftruncate(file, end)
            os.lseek(file, end, os.SEEK_SET)
            if end == 0:
                _append(file, {"format": FORMAT, **self.service})
        except OSError:
            os.close(file)
            raise
        return file

    def _take(self, line: object, number: int) -> None:
        def bad(why: str) -> StateFileError:
            return StateFileError(
                f"{self.path.name} can't be used: line {number} {why}. It names the orders that an earlier run left; "
                "nothing was sent. If you are sure that there are none, delete the file"
            )

        if line is UNREADABLE or not is_mapping(line):
            raise bad("is not a JSON object")
        if number == 1:
            if line.get("format") != FORMAT:
                raise bad("is not the first line of a calibration's state")
            if {name: line.get(name) for name in self.service} != dict(self.service):
                raise bad("names another address, merchant or channel: calibrate there first, or use another --into")
            return
        marker = text_or_none(line.get("marker"))
        if marker is None or not _MARKER.fullmatch(marker):
            raise bad("has no marker of a calibration")
        made = next((one for one in self.made if one.marker == marker), None)
        if made is None:
            self.made.append(made := Made(marker))
        if "order" in line:
            order_id = text_or_none(line["order"])
            if order_id is None or not is_order_id(order_id):
                raise bad("has no valid id of an order")
            made.order_id = order_id
        made.gone = line.get("gone") is True


def _append(file: int, line: Mapping[str, Any]) -> None:
    rest = write_json(line) + b"\n"
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)

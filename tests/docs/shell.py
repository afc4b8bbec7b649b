"""Pastes code into ``python -m asyncio``, as a reader of a page does."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.support.warm import OURS, module

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INTO_A_FILE = re.compile(r"\bPaste it into a file,?\s(?:say\s)?`([\w/.]+)`")
SHELL = ("-X", "utf8", "-W", "error", "-m", "asyncio")
WRONG = re.compile(r"Traceback|\w*(?:Error|Warning)\b: |Unclosed")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z@]|\x1b[=>]|\r")
END = "pasted to the end"
ROOT = Path(__file__).parents[2]


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and code of each block of a page. A program for a file has the language ``file``."""
    found: list[tuple[str, str]] = []
    before = 0
    # Code inside a longer fence is quoted, and not code of the page.
    text = re.sub(r"^(`{4,})\w*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    for match in FENCED.finditer(text):
        paragraph = text[before : match.start()].rstrip().rpartition("\n\n")[2]
        before = match.end()
        found.append(("file" if INTO_A_FILE.search(paragraph) else match[1], match[2]))
    assert text.count("```") == 2 * len(found)
    return found


def pasted(text: str) -> list[str]:
    """Return the code of a page that goes into a Python shell."""
    return [code for language, code in blocks(text) if language == "python"]


def pages() -> dict[str, str]:
    """Return the pages with code for a Python shell, by name, except files of tests and pages that need a database."""
    found = {path.stem: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]}
    return {name: text for name, text in found.items() if name not in ("spread", "testing") and pasted(text)}


def files(text: str) -> dict[str, str]:
    """Return the programs of a page, by the names of the files that it says to paste them into."""
    names = INTO_A_FILE.findall(text)
    codes = [code for language, code in blocks(text) if language == "file"]
    return dict(zip(names, codes, strict=True))


def commands(text: str) -> list[list[str]]:
    """Return each line of the blocks for a Unix shell as words, without its comment."""
    return [
        shlex.split(line, comments=True)
        for language, code in blocks(text)
        if language == "bash"
        for line in code.splitlines()
        if line.strip()
    ]


def reader_s_environment(folder: Path) -> dict[str, str]:
    """Return an environment without our variables, with its temporary folders where a test can look at them."""
    return {"TMPDIR": str(folder)} | {
        name: value for name, value in os.environ.items() if not name.startswith(("NORCE_", "PYTHON", "TMPDIR"))
    }


def paste(codes: Sequence[str], folder: Path) -> str:
    """Paste the blocks one after the other, with Enter after each, and return the shell's output.

    Any failure shows as a traceback, and there must be none: no exception, no syntax error, no warning.
    """
    if sys.version_info >= (3, 13):
        # With a pipe this shell behaves as no reader sees it, and 3.13.0 accepts only single lines.
        return paste_in_a_terminal(codes, folder, sys.executable)
    typed = "".join(f"{code.rstrip()}\n\n" for code in [*codes, f"print({END!r})"])
    status, out, err = OURS.run(
        module("asyncio", "error"), given=typed, timeout=120, cwd=folder, env=reader_s_environment(folder)
    )
    # The prompts and the shell's banner are on standard error in one version and not in another.
    assert not WRONG.search(err + out), err
    assert status == 0, err
    assert END in out
    return out


def paste_in_a_terminal(codes: Sequence[str], folder: Path, python: str) -> str:
    """Do the same in the shell of Python 3.13 and newer, and return what a terminal shows, with the code in it.

    This shell has an editor. A terminal pastes a block as one piece, and an empty line runs it.
    """
    with Terminal([python, *SHELL], reader_s_environment(folder)) as terminal:
        terminal.wait_for(r">>> $")
        for code in [*codes, f"print({END!r})"]:
            terminal.type(f"\x1b[200~{code.rstrip()}\x1b[201~")
            terminal.wait_for(re.escape(code.rstrip().split("\n")[-1][-8:]))
            terminal.type("\n\n")
            # After a block of one line the empty line gets a prompt of its own.
            terminal.wait_for(r">>> $")
        terminal.wait_for(rf"\n{END}\n(?s:.*)>>> $")
    assert not WRONG.search(terminal.shown), terminal.shown
    return terminal.shown


class Terminal:
    """A program in a terminal that is wide enough for every line."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.shown = ""
        self._since = 0
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 250, 0, 0))
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=environment["TMPDIR"],
            # A width in the environment overrides that of the terminal.
            env=environment | {"TERM": "xterm", "NO_COLOR": "1", "LINES": "200", "COLUMNS": "250"},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def type(self, text: str) -> None:
        self._since = len(self.shown)
        os.write(self._ours, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Wait until the terminal shows this after the last input."""
        end = time.monotonic() + 120
        while True:
            found = re.search(pattern, self.shown[self._since :])
            assert time.monotonic() < end, f"no {pattern!r} in:\n{self.shown}"
            # The terminal may still be drawing a longer line.
            more = select.select([self._ours], [], [], 0.05 if found else 1)[0]
            if found and not more:
                return
            if more:
                piece = os.read(self._ours, 65536).decode("utf-8", "replace")
                self.shown += CONTROL.sub("", piece)

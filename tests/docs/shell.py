"""Pastes code into ``python -m asyncio``, as a reader of a page does."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INTO_A_FILE = re.compile(r"\bPaste it into a file,?\s(?:say\s)?`([\w/.]+)`")
END = "pasted to the end"
ROOT = Path(__file__).parents[2]


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and code of each block of a page; the language of a program for a file is ``file``."""
    found: list[tuple[str, str]] = []
    before = 0
    # What is quoted inside a longer fence is no code of the page.
    text = re.sub(r"^(`{4,})\w*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    for match in FENCED.finditer(text):
        paragraph = text[before : match.start()].rstrip().rpartition("\n\n")[2]
        before = match.end()
        found.append(("file" if INTO_A_FILE.search(paragraph) else match[1], match[2]))
    assert text.count("```") == 2 * len(found)
    return found


def pasted(text: str) -> list[str]:
    """The code of a page that goes into a Python shell."""
    return [code for language, code in blocks(text) if language == "python"]


def pages() -> dict[str, str]:
    """The pages with code for a Python shell, by name; those on how to test have files of tests."""
    found = {path.stem: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]}
    return {name: text for name, text in found.items() if name != "testing" and pasted(text)}


def files(text: str) -> dict[str, str]:
    """The programs of a page, by the names of the files that it says to paste them into."""
    names = INTO_A_FILE.findall(text)
    codes = [code for language, code in blocks(text) if language == "file"]
    return dict(zip(names, codes, strict=True))


def commands(text: str) -> list[list[str]]:
    """Each line of the blocks for a Unix shell, without its comment, as words."""
    return [
        shlex.split(line, comments=True)
        for language, code in blocks(text)
        if language == "bash"
        for line in code.splitlines()
        if line.strip()
    ]


def reader_s_environment(folder: Path) -> dict[str, str]:
    """With nothing of ours in it; temporary folders lie where a test can look at them."""
    return {"TMPDIR": str(folder)} | {
        name: value for name, value in os.environ.items() if not name.startswith(("NORCE_", "PYTHON", "TMPDIR"))
    }


def paste(codes: Sequence[str], folder: Path, python: str = sys.executable) -> str:
    """What the shell printed after the blocks were pasted one after the other, with Enter after each.

    Whatever goes wrong shows as a traceback, and nothing may: no exception, no syntax error, no warning.
    """
    environment = reader_s_environment(folder)
    typed = "".join(f"{code.rstrip()}\n\n" for code in [*codes, f"print({END!r})"])
    done = subprocess.run(
        [python, "-X", "utf8", "-W", "error", "-m", "asyncio"],
        input=typed,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        cwd=folder,
        env=environment,
        check=False,
    )
    # The prompts and what the shell says of itself are among the errors in one version and not in another.
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert not re.search(r"\w*(Error|Warning)\b: |Unclosed", done.stderr), done.stderr
    assert done.returncode == 0, done.stderr
    assert END in done.stdout
    return done.stdout

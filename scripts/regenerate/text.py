"""Makes texts of a description safe for docstrings, literals, a terminal and a report.

A description is not trusted. Its texts get into generated code only through `prose` and `quoted`, which return code
that no text can break out of. The same text gives the same bytes on every Python.
"""

import re
import textwrap
import unicodedata

_NEW_LINES = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
# Controls, formats (among them what turns the direction of reading), halves of surrogate pairs, private use.
_UNSEEN = {"Cc", "Cf", "Cs", "Co"}
_SPACES = {"Zs", "Zl", "Zp"}
# Noncharacters, by which `said` sets words apart; nothing that is shown has them in it.
_BEGIN, _END = _MARKS = "\ufdd0", "\ufdd1"


_MARKED = re.compile(f"({_BEGIN}[^{_END}]*{_END})")


def prose(text: str, width: int, indent: int = 0, end: str = "") -> str:
    """The text between the quotes of a docstring. It is wrapped first and escaped then, so that no wrap cuts an escape.

    Args:
        text: The description's text. Every kind of space becomes a plain one; invisible characters are removed.
        width: The length of a line, before escapes and indent.
        indent: The indent of all lines except the first.
        end: The end of the text, such as a full stop.
    """
    seen = "\n".join(map(_seen, _NEW_LINES.split(text))).strip()
    if end:
        seen = seen.removesuffix(end) + end
    lines = [part for line in seen.split("\n") for part in textwrap.wrap(line, width) or [""]]
    return "\n".join(" " * indent * (number > 0 and bool(line)) + _inert(line) for number, line in enumerate(lines))


def quoted(text: str) -> str:
    """The text as a Python literal in double quotes, with nothing lost."""
    return f'"{in_quotes(text)}"'


def in_quotes(text: str) -> str:
    """The text between the double quotes of a literal."""
    return "".join(_CHARACTERS.get(c) or (c if _is_plain(c) else _escape(c)) for c in text)


def shown(text: str, length: int = 200) -> str:
    """The text for people: one line of limited length, without invisible or control characters."""
    line = "".join(" " if c.isspace() else c if _is_seen(c) and c not in _MARKS else _escape(c) for c in text[:length])
    return f"{line}..." if len(text) > length else line


def _seen(line: str) -> str:
    spaced = (" " if c == "\t" or unicodedata.category(c) in _SPACES else c for c in line)
    return "".join(c for c in spaced if _is_seen(c)).rstrip()


def _is_seen(c: str) -> bool:
    return unicodedata.category(c) not in _UNSEEN


def _inert(line: str) -> str:
    """Breaks up repeated quotes, and quotes at the end, so that three of them never close a docstring."""
    return re.sub(r'"(?="|\Z)', r'\\"', line.replace("\\", r"\\"))


_CHARACTERS = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _is_plain(c: str) -> bool:
    """Visible ASCII, and Latin letters. For other characters, the answer would depend on the version of Python."""
    return " " <= c <= "~" or "\u00c0" <= c <= "\u024f"


def _escape(c: str) -> str:
    number = ord(c)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def said(words: object, length: int = 200) -> str:
    """Marks a description's words in a sentence of ours, so that a page can show them as code: see `parts`."""
    return f"{_BEGIN}{shown(str(words), length)}{_END}"


def parts(sentence: str) -> list[tuple[bool, str]]:
    """The parts of a sentence, each with whether it comes from a description."""
    return [(piece[:1] == _BEGIN, piece.strip(_BEGIN + _END)) for piece in _MARKED.split(sentence) if piece]


def unmarked(sentence: str) -> str:
    """The sentence without the marks."""
    return sentence.replace(_BEGIN, "").replace(_END, "")

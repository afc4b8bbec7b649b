"""The templates, with the only two ways by which words of a description get into code."""

from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from regenerate import text
from regenerate.failure import RegenerationError


def environment(folder: Path) -> Environment:
    """What renders the templates of a folder; those of the generator are not in it."""
    made = Environment(  # noqa: S701 - it is Python that is written
        loader=FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )
    made.filters.update(prose=_prose, quoted=_quoted)
    made.globals.update(refuse=refuse, word=_word)
    return made


def raw(words: Any) -> str:
    """The words themselves, out of the wrapper that the generator keeps them in."""
    told: str = words if isinstance(words, str) else words.get_untrusted_value()
    return told


def refuse(where: str, what: str, which: Any = "") -> NoReturn:
    told = f" ({text.shown(raw(which))})" if which else ""
    raise RegenerationError(f"{where}: {what}{told}: there is no template for that")


def _prose(words: Any, width: int, indent: int = 0, before: str = "", end: str = "") -> str:
    return text.prose(before + raw(words), width, indent, end)


def _quoted(words: Any, before: str = "") -> str:
    return text.quoted(before + raw(words))


def _word(value: str | int) -> str:
    return text.quoted(value) if isinstance(value, str) else repr(int(value))


def _finalize(value: object) -> object:
    """What a template is about to write by itself."""
    if hasattr(value, "get_untrusted_value"):
        msg = "a template writes words of the description by another way than prose and quoted"
        raise TypeError(msg)
    return value

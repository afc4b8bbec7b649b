"""Loads the templates, with the only filters by which texts of a description get into code."""

import keyword
import re
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from regenerate import text
from regenerate.failure import RegenerationError


@cache
def environment(folder: Path) -> Environment:
    """The renderer for the templates of a folder, without those of the generator. Each template is compiled once."""
    made = Environment(  # noqa: S701 - it is Python that is written
        loader=FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )
    made.filters.update(prose=_prose, quoted=_quoted, bare=_bare)
    made.globals.update(refuse=refuse, word=_word, about=_about)
    return made


def raw(words: Any) -> str:
    """The text itself, without the generator's wrapper."""
    text: str = words if isinstance(words, str) else words.get_untrusted_value()
    return text


def refuse(where: str, what: str, which: Any = "") -> NoReturn:
    which_one = f" ({text.shown(raw(which))})" if which else ""
    raise RegenerationError(f"{where}: {what}{which_one}: there is no template for that")


def _prose(words: Any, width: int, indent: int = 0, before: str = "", end: str = "") -> str:
    return text.prose(before + raw(words), width, indent, end)


def _quoted(words: Any, before: str = "") -> str:
    return text.quoted(before + raw(words))


def own(model: Any, member: Any) -> Any:
    """A member's schema, if the model's own schema has one and not a reference."""
    found = (model.data.properties or {}).get(member.name)
    return found if hasattr(found, "description") else None


def is_bare(name: str) -> bool:
    """Whether a text is a valid Python name and not a keyword."""
    return re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) is not None and not keyword.iskeyword(name)


def _about(model: Any, member: Any) -> Any:
    """The description of a member. For a reference it is the member's own, which says more than its schema's."""
    schema = own(model, member)
    return (schema and schema.description) or member.description


def _bare(words: Any) -> str:
    name = raw(words)
    if not is_bare(name):
        msg = "a template writes a name as code that is none"
        raise ValueError(msg)
    return name


def _word(value: str | int) -> str:
    return text.quoted(value) if isinstance(value, str) else repr(int(value))


def _finalize(value: object) -> object:
    """Checks a value that a template writes without a filter."""
    if hasattr(value, "get_untrusted_value"):
        msg = "a template writes words of the description by another way than prose and quoted"
        raise TypeError(msg)
    return value

"""What the options of all commands share: adding them to a command, a choice of words, and a secret in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from norce_order_async.display import printable

if TYPE_CHECKING:
    BaseChoice = click.Choice[str]
else:
    BaseChoice = click.Choice

Command = Callable[..., Any]


def with_options(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    """Add options to a command; its help shows them in this order."""
    for option in reversed(options):
        command = option(command)
    return command


class Choice(BaseChoice):
    """One of a few words. The error for a mistyped word names the nearest one instead of all of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word, as it is spelled among the choices."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            word = str(value)
            near = meant(word if self.case_sensitive else word.lower(), self.choices)
            if not near:
                raise
            self.fail(f"{printable(word)!r} is not known{near}", param, ctx)


def meant(word: str, words: Iterable[str]) -> str:
    """The end of an error about a mistyped word: the nearest of the words, or nothing if none is near."""
    near = get_close_matches(word, list(words), 1)
    return f"; did you mean {printable(near[0])}?" if near else ""


def secret_in(file: str, option: str) -> str:
    """The text of a file, without the white space around it.

    Raises:
        UsageError: The file can't be read or is empty. The text names ``option``.
    """
    try:
        secret = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"can't be read: {type(error).__name__}", param_hint=option) from error
    if not secret:
        raise click.BadParameter("the file is empty", param_hint=option)
    return secret

"""Reads YAML from a file that a user names: a regular file of bounded size, without aliases."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from norce_order_async.sandbox.arguments import shown

if TYPE_CHECKING:
    import yaml

MOST_BYTES = 256 * 1024
_DEEPEST = 20
_MOST_DIGITS = 400
_LONG_NUMBER = re.compile(rf"[-+.0-9][-+.:_0-9a-fxA-FX]{{{_MOST_DIGITS}}}", re.ASCII)


class UnreadableError(ValueError):
    """The file can't be used; the text begins with its path and says why."""


class MissingFileError(UnreadableError):
    """There is no such file."""


def read(path: Path) -> object:
    """The content of the file as plain data.

    Raises:
        UnreadableError: The file can't be read, is not YAML, or has aliases, repeated keys, or too deep or long values.
    """
    try:
        import yaml
    except ImportError:
        raise UnreadableError(
            f"{path} can't be read without the extra 'sandbox': install norce-order-async with [sandbox]"
        ) from None
    text = _text(path)
    try:
        _refuse_what_grows(yaml.parse(text, Loader=yaml.SafeLoader), path)
        _refuse_twice(yaml.compose(text, Loader=yaml.SafeLoader), path)
        data: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        raise UnreadableError(f"{path} is not YAML{place}: {getattr(error, 'problem', None) or error}") from None
    except UnreadableError:
        raise
    except ValueError as error:
        raise UnreadableError(f"{path} has a value that can't be read: {error}") from None
    except (ArithmeticError, LookupError, AttributeError):
        # PyYAML's constructors raise these for a value that its tag does not allow, such as `!!bool maybe`.
        raise UnreadableError(f"{path} has a value that its type does not allow") from None
    return data


def _refuse_what_grows(events: Iterable[object], path: Path) -> None:
    """Refuse YAML that takes more time or memory than the file's size suggests: deep nesting, aliases, long numbers."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise UnreadableError(f"{path} is nested more than {_DEEPEST} deep")
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableError(f"{path} has the alias *{event.anchor}: write out what it stands for")
        if isinstance(event, yaml.ScalarEvent) and _LONG_NUMBER.match(event.value):
            raise UnreadableError(f"{path} has a number of more than {_MOST_DIGITS} characters")


def _refuse_twice(node: object, path: Path) -> None:
    """Refuse a mapping that has a key twice, because YAML would silently take the later value."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        seen: set[tuple[str, str]] = set()
        for key in _keys(node):
            if (key.tag, key.value) in seen:
                line = key.start_mark.line + 1
                raise UnreadableError(f"{path} names {shown(key.value)} twice, the second time in line {line}")
            seen.add((key.tag, key.value))
        for _, value in node.value:
            _refuse_twice(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(value, path)


def _keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    """The keys of a mapping, including those that ``<<`` adds. A key that is not a scalar is refused later."""
    import yaml

    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for each in merged:
                if isinstance(each, yaml.MappingNode):
                    yield from _keys(each)
        elif isinstance(key, yaml.ScalarNode):
            yield key


def _text(path: Path) -> str:
    if "\0" in str(path) or any("\ud800" <= character <= "\udfff" for character in str(path)):
        raise UnreadableError(f"{str(path)!r} is not a path")
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError(f"{path} is not a regular file")
            body = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise MissingFileError(f"there is no file called {path}") from None
    except OSError as error:
        raise UnreadableError(f"can't read {path}: {error.strerror}") from None
    if len(body) > MOST_BYTES:
        raise UnreadableError(f"{path} is larger than {MOST_BYTES} bytes")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(f"can't read {path}: it is not UTF-8 text") from None

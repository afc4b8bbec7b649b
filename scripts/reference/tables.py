"""Tables of the pages in `docs/` that are made from the code; a test compares the pages with them.

A table is between two comments of the page, `<!-- operations -->` and `<!-- end -->`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, assert_never, cast

import norce_order_async
from norce_order_async import NorceError, NorceOrderClient, Settings, adapter
from norce_order_async.cli.profiles import CHOSEN
from norce_order_async.cli.sandbox.command import CALLBACK_TOKEN
from norce_order_async.cli.sandbox.running import TOKEN
from norce_order_async.client import ENVIRONMENT_VARIABLES
from norce_order_async.pipeline.operations import OPERATIONS, Kind, Operation
from norce_order_async.pipeline.retry import Outcome, Step, step_after

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CALLS = ROOT / "tests" / "orders" / "test_every_operation.py"
"""The method of each operation, as it is tested on every engine."""

SHELL_VARIABLES = {
    CHOSEN: ("`norce-order`", "A profile of the file of profiles, in place of all other variables."),
    TOKEN: ("`norce-order sandbox`", "The token that the local order service asks for; left out: it makes one."),
    CALLBACK_TOKEN: (
        "`norce-order sandbox`, `norce-order adapter dev`",
        "Sent as bearer to the hooks, notifications and validations that the local order service calls.",
    ),
    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY": (
        "a client with `trust_env=True`",
        "The proxy for an address, and the hosts that go without. In small letters too.",
    ),
    "SSL_CERT_FILE, SSL_CERT_DIR": (
        "a client with `trust_env=True`",
        "Certificates to trust instead of the built-in ones.",
    ),
    "NO_COLOR": ("`norce-order`", "Set to anything: no colours."),
}
"""The variables beyond those of a client: which program reads them, and their meaning."""

VARIABLE_TEXTS = {"token": "The token, with or without `Bearer`."}
"""The text of a variable that can hold less than its argument."""

PREFIX = "/api/v0/checkout"
"""The beginning of the paths of all operations."""

OF_AN_ORDER = "/orders/{order_id}"
"""What follows in most paths."""

EMPTY = inspect.Parameter.empty


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; ``head`` has its columns, with ``|`` between them."""
    columns = head.split("|")
    cells = [[" ".join(cell.split()).replace("|", r"\|") for cell in row] for row in rows]
    lines = [f"| {' | '.join(line)} |".replace("|  |", "| |") for line in [columns, *cells]]
    return "\n".join([lines[0], f"|{'---|' * len(columns)}", *lines[1:]])


def operations() -> str:
    """Each operation: the method, the request, its kind, and what happens when the answer is lost."""
    return table(
        "call, and operation|request|kind|after a lost answer",
        (
            (
                f"`{_methods()[operation.id]}`<br>{operation.id}",
                f"`{method} {path.removeprefix(PREFIX).replace(OF_AN_ORDER, '…')}`",
                operation.kind.value,
                after_a_lost_answer(operation),
            )
            for operation in OPERATIONS
            for method, path in [_described()[operation.id]]
        ),
    )


def kinds() -> str:
    """The meaning of the kinds."""
    texts = attribute_texts(Kind)
    return table("kind|what it is", ((kind.value, texts[kind.name]) for kind in Kind))


def after_a_lost_answer(operation: Operation) -> str:
    """What the client does after a lost answer, in words."""
    match step_after(operation.kind, Outcome.UNKNOWN, None):
        case Step.REPEAT:
            return f"repeated{'; a 404 to the repeat means that it is gone' if operation.removes else ''}"
        case Step.SETTLE:
            return _settled(operation)
        case Step.STOP:
            return "`OutcomeUnknownError`, never repeated"
        case Step.RETURN | Step.REFUSE as other:
            raise AssertionError(other)
        case other:
            assert_never(other)


def _settled(operation: Operation) -> str:
    """What a read of the order decides."""
    if operation.kind is Kind.STATE:
        return (
            "the order is read: there already → done; where it was → repeated; elsewhere → "
            "`TransitionSupersededError`, and left there"
        )
    if operation.kind is Kind.CREATE_ORDER:
        return (
            "looked for by `cart.reference`: found → adopted; shown not to be there → repeated once; without a "
            "reference → `OutcomeUnknownError`"
        )
    key = operation.natural_key
    if key is None:
        return "`OutcomeUnknownError`, never repeated"
    names = " and ".join(f"`{name}`" for name in key.keys)
    new = f"one new entry of `{key.member}` with the same {names}"
    return f"the order is read: {new} → adopted; else → `OutcomeUnknownError`"


def _described() -> dict[str, tuple[str, str]]:
    """Method and path of each operation of the description."""
    description = json.loads(files("norce_order_api").joinpath("openapi.json").read_text("utf-8"))
    return {
        one["operationId"]: (method.upper(), path)
        for path, methods in description["paths"].items()
        for method, one in methods.items()
        if isinstance(one, dict) and "operationId" in one
    }


def _methods() -> dict[str, str]:
    """The method that makes each operation, as ``order.payments.create``."""
    found = re.findall(r'"(\w+)": Call\(\s*lambda on: on\.([\w.]+)\(', CALLS.read_text("utf-8"))
    return dict(found)


def public_errors() -> list[type[NorceError]]:
    """The errors that a program can import, parents first."""
    modules = (norce_order_async, adapter)
    values: list[Any] = [getattr(module, name) for module in modules for name in module.__all__]
    found = {value for value in values if isinstance(value, type) and issubclass(value, NorceError)}
    return [one for one in _walked(NorceError) if one in found]


def _walked(error: type[NorceError]) -> list[type[NorceError]]:
    children = sorted(error.__subclasses__(), key=_place)
    return [error, *(deeper for child in children for deeper in _walked(child))]


def _place(error: type[NorceError]) -> tuple[bool, str, int]:
    """As they stand in the source: those of errors.py first."""
    own = error.__module__ == NorceError.__module__
    return (not own, error.__module__, inspect.getsourcelines(error)[1])


def tree() -> str:
    """The errors drawn as a tree."""
    shown = public_errors()

    def lines(error: type[NorceError], before: str, inner: str) -> list[str]:
        children = [
            child for child in shown if child.__base__ is error or (error in child.__bases__ and child is not error)
        ]
        found = [f"{before}{error.__name__}{_also(error)}"]
        for child in children:
            last = child is children[-1]
            found += lines(child, f"{inner}{'└── ' if last else '├── '}", f"{inner}{'    ' if last else '│   '}")
        return found

    return "\n".join(["```text", *lines(NorceError, "", ""), "```"])


def _also(error: type[NorceError]) -> str:
    """The exception of Python's that it also is."""
    names = [base.__name__ for base in error.__bases__ if not issubclass(base, NorceError) and base is not Exception]
    return f"  ({', '.join(names)})" if names else ""


def errors() -> str:
    """Each error: where it is imported from, when it is raised, and whether the call may be made again."""
    return table(
        "error|when|the call may be made again",
        (
            (
                f"`{error.__name__}`" + ("" if hasattr(norce_order_async, error.__name__) else ", of `.adapter`"),
                first_sentence(inspect.getdoc(error) or ""),
                _may_call_again(error),
            )
            for error in public_errors()
            if error is not NorceError
        ),
    )


def _may_call_again(error: type[NorceError]) -> str:
    answers: list[bool] = []
    for gave_up in (None, "closed"):
        one = error.__new__(error)
        vars(one)["gave_up"] = gave_up
        answers.append(one.may_call_again)
    match answers:
        case [True, True]:
            return "yes"
        case [True, False]:
            return "yes, unless the client is closed or of another event loop, or the job was stopped"
        case _:
            return "no"


def settings() -> str:
    """The settings of calls, with their defaults."""
    texts = attribute_texts(Settings)
    return table(
        "setting|default|what it does",
        ((f"`{one.name}`", f"`{one.default!r}`", plain(texts[one.name])) for one in dataclasses.fields(Settings)),
    )


def client() -> str:
    """The arguments of a client, with their defaults and variables."""
    texts = argument_texts(NorceOrderClient)
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(NorceOrderClient.__init__).parameters
    return table(
        "argument|default|variable|what it is",
        (
            (
                f"`{name}`",
                "required" if one.default is EMPTY else f"`{one.default!r}`",
                f"`{ENVIRONMENT_VARIABLES[name]}`" if name in ENVIRONMENT_VARIABLES else "",
                plain(texts[name]),
            )
            for name, one in parameters.items()
            if name != "self"
        ),
    )


def variables() -> str:
    """The environment variables, what reads them, and what they do."""
    texts = argument_texts(NorceOrderClient)
    own = [
        (
            f"`{variable}`",
            "`NorceOrderClient.from_env()`, `norce-order`",
            f"`{name}`. {VARIABLE_TEXTS.get(name) or plain(texts[name])}",
        )
        for name, variable in ENVIRONMENT_VARIABLES.items()
    ]
    others = [
        (", ".join(f"`{one}`" for one in names.split(", ")), reader, text)
        for names, (reader, text) in SHELL_VARIABLES.items()
    ]
    return table("variable|read by|what it is", [*own, *others])


def attribute_texts(of: type) -> dict[str, str]:
    """The texts under the members of a class, by name."""
    body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(of))).body[0])
    texts: dict[str, str] = {}
    for node, after in zip(body.body, body.body[1:], strict=False):
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts[target.id] = inspect.cleandoc(str(after.value.value))
    return texts


def argument_texts(of: object) -> dict[str, str]:
    """The texts of a docstring's arguments, by name."""
    section = (inspect.getdoc(of) or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w[\w, ]*): (.*(?:\n     .*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in found for name in names.split(", ")}


def first_sentence(text: str) -> str:
    """Without its roles and line breaks."""
    return plain(re.split(r"(?<=[.])(?:\s|$)", text, maxsplit=1)[0])


def plain(text: str) -> str:
    """A docstring's text as Markdown: roles and double quotes become code."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    text = " ".join(text.replace("``", "`").split())
    return text[0].upper() + text[1:] if text else text


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "operations": ("operations", operations),
    "kinds": ("operations", kinds),
    "tree": ("errors", tree),
    "errors": ("errors", errors),
    "settings": ("settings", settings),
    "client": ("settings", client),
    "variables": ("settings", variables),
}
"""Each table's page, and what makes it."""


def with_tables(page: str, text: str) -> str:
    """The page's text with its tables as the code has them."""
    for name, (home, make) in TABLES.items():
        if home == page:
            before, begin, rest = text.partition(f"<!-- {name} -->\n")
            end = rest.partition("<!-- end -->")[1:]
            if not begin or not end[0]:
                raise LookupError(f"docs/{page}.md has no place for the table {name}")
            text = f"{before}{begin}\n{make()}\n\n{''.join(end)}"
    return text


def pages() -> list[str]:
    """The pages with tables."""
    return list(dict.fromkeys(page for page, _ in TABLES.values()))

"""Pages of the Python API: what `api/guard.py` guards, a page for each part, in reStructuredText for autodoc.

Each name stands on one page, at its shortest public name. Classes that users meet without importing them, such as that
of `order.payments`, stand on the page of their folder.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import griffe

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "norce_order_async"
GENERATED = "norce_order_api"


@dataclass(frozen=True)
class Page:
    """A page of the API, and the modules that it is about."""

    name: str
    title: str
    homes: tuple[str, ...]
    """Modules and folders of the package; of two that fit, the longer counts."""
    text: str
    """Its first lines."""


PAGES = (
    Page(
        "client",
        "The client, scopes and tokens",
        ("client", "scope", "context", "environments", "auth", "_version"),
        "A client is one service, one account and its connections; a scope is a light view of it.",
    ),
    Page(
        "orders",
        "Orders",
        ("orders",),
        "``norce.orders`` is an :class:`OrderCollection`; what it finds and creates is an :class:`Order`.",
    ),
    Page(
        "parts",
        "Parts of an order",
        ("orders.parts",),
        "What ``order.payments`` and the other parts of an order are. These classes are not imported.",
    ),
    Page(
        "calls",
        "Settings, answers, middleware and drift",
        ("pipeline", "runtime"),
        "How calls are bounded and watched, and what was seen in their answers. All defaults: :doc:`/docs/settings`.",
    ),
    Page(
        "errors",
        "Errors",
        ("errors", "bulk.journal.errors"),
        ":doc:`/docs/errors` has them as a tree, with what to do.",
    ),
    Page(
        "models",
        "Models",
        (GENERATED,),
        "With the texts of the API's description. :doc:`/docs/orders` shows their use.",
    ),
    Page("money", "Money", ("money",), "Decimals where the API has floats."),
    Page("bulk", "Jobs", ("bulk",), ":doc:`/docs/jobs` shows their use, :doc:`/docs/spread` that of several machines."),
    Page("actions", "Actions of jobs", ("bulk.actions",), "What a job does to each order."),
    Page("adapter", "Adapters", ("adapter",), ":doc:`/docs/adapter` shows their use."),
    Page("sandbox", "The local order service", ("sandbox",), ":doc:`/docs/sandbox` shows its use."),
    Page("testing", "Testing", ("testing",), ":doc:`/docs/testing` shows its use, and the fixtures."),
    Page("engines", "Engines", ("engines",), ":doc:`/docs/engines` shows their use, and how one is written."),
    Page("telemetry", "Telemetry", ("telemetry",), ":doc:`/docs/observability` shows its use."),
)


@dataclass
class Entry:
    """One public name, or one class that users meet."""

    module: str
    """Where it is imported from; for a class that users only get, where it is defined."""
    name: str
    value: object
    text: str = ""
    """The docstring of a name that has none of its own at run time."""
    aliases: set[str] = field(default_factory=set[str])
    """Its other full names."""
    imported: bool = True

    @property
    def full(self) -> str:
        """The full name."""
        return f"{self.module}.{self.name}"


def guard() -> ModuleType:
    """`api/guard.py`, which knows the public face."""
    spec = importlib.util.spec_from_file_location("guard", ROOT / "api" / "guard.py")
    if spec is None or spec.loader is None:
        raise ImportError("api/guard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def entries() -> dict[str, list[Entry]]:
    """The entries of each page, by the page's name; in the order of the pages, each sorted."""
    imported, met = guard().public(ROOT)
    by_home: dict[str, Entry] = {}
    for public, found in sorted(imported.items(), key=lambda item: (item[0].count("."), item[0])):
        module, _, name = f"{PACKAGE}.{public}".rpartition(".")
        value = getattr(importlib.import_module(module), name)
        home = _home(value, name, found, module)
        if home in by_home:
            by_home[home].aliases.add(f"{module}.{name}")
            continue
        text = found.docstring.value if found is not None and found.docstring else ""
        by_home[home] = Entry(module, name, value, text, {home})
    for name, found in met.items():
        module = found.path.rpartition(".")[0]
        if found.path not in by_home:
            # Some are there for type checkers alone.
            value = getattr(importlib.import_module(module), name, found)
            by_home[found.path] = Entry(module, name, value, imported=False)
    pages: dict[str, list[Entry]] = {page.name: [] for page in PAGES}
    for home, entry in by_home.items():
        pages[_page(home).name].append(entry)
    for found in pages.values():
        found.sort(key=lambda entry: (not entry.imported, entry.name.lower()))
    return pages


def internal_names(*, classes_alone: bool = False) -> set[str]:
    """The names at the top of all modules of the package, where they are made."""
    names: set[str] = set()
    for path in [*(ROOT / "src" / PACKAGE).rglob("*.py"), ROOT / "generated" / GENERATED / "client.py"]:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and not classes_alone):
                names.add(node.name)
            elif not classes_alone and isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


def _home(value: Any, name: str, found: Any, module: str) -> str:
    """The full name where it is defined."""
    if isinstance(value, type) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return found.path if found is not None else f"{module}.{name}"


def _page(home: str) -> Page:
    if home.startswith(f"{GENERATED}."):
        return next(page for page in PAGES if GENERATED in page.homes)
    inside = home.removeprefix(f"{PACKAGE}.")
    fitting = [(len(one), page) for page in PAGES for one in page.homes if f"{inside}.".startswith(f"{one}.")]
    if not fitting:
        raise LookupError(f"no page of scripts/reference/api.py takes {home}")
    return max(fitting, key=lambda pair: pair[0])[1]


def source(page: Page, found: list[Entry]) -> str:
    """The page's text."""
    head = [page.title, "=" * len(page.title), "", ".. highlight:: python", "", page.text, ""]
    return "\n".join([*head, *_sections(page, found)]) + "\n"


def _sections(page: Page, found: list[Entry]) -> Iterator[str]:
    imported = [entry for entry in found if entry.imported]
    for module in dict.fromkeys(sorted(entry.module for entry in imported)):
        yield from (f".. py:currentmodule:: {module}", "")
        mine = [entry for entry in imported if entry.module == module]
        names = ", ".join(f":py:obj:`{entry.name}`" for entry in mine)
        yield from (
            (f"Imported from ``{module}``: {names}.", "")
            if page.name != "models"
            else (
                f"Imported from ``{module}``.",
                "",
            )
        )
        for entry in mine:
            yield from directive(entry)
    met = [entry for entry in found if not entry.imported]
    if met:
        title = "Met, not imported" if imported else "Classes"
        yield from (title, "-" * len(title), "", "What attributes and methods of others return.", "")
        yield from (f".. py:currentmodule:: {PACKAGE}", "")
        for entry in met:
            yield from directive(entry)


def directive(entry: Entry) -> Iterator[str]:
    """The directive that documents one name."""
    value = entry.value
    if isinstance(value, griffe.Class):
        yield from _for_checkers(entry, value)
    elif typing.is_typeddict(value):
        yield from _typed_dict(entry)
    elif isinstance(value, type):
        kind = "exception" if issubclass(value, BaseException) else "class"
        yield f".. auto{kind}:: {entry.full}"
        yield "   :members:"
        if _is_plain(value):
            yield "   :undoc-members:"
        if kind == "class" and _inherits_hidden(value):
            yield f"   :inherited-members: {_where_inheriting_ends(value)}"
        if shown_bases(value):
            yield "   :show-inheritance:"
        yield ""
    elif inspect.isroutine(value):
        yield from (f".. autofunction:: {entry.full}", "")
    else:
        yield f".. py:data:: {entry.name}"
        if re.match(r"(typing\.)?(Literal|Union|Optional)\b", str(value)) or " | " in str(value):
            yield f"   :value: {_short(str(value))}"
        yield ""
        yield from (f"   {line}".rstrip() for line in inspect.cleandoc(entry.text).splitlines())
        yield ""


def _for_checkers(entry: Entry, found: griffe.Class) -> Iterator[str]:
    """A class that does not exist when a program runs."""
    yield from (f".. py:class:: {entry.full}", "")
    yield from (f"   {line}".rstrip() for line in (found.docstring.value if found.docstring else "").splitlines())
    yield from ("", f"   Bases: {', '.join(f':class:`{base}`' for base in found.bases)}", "")
    for attribute in found.attributes.values():
        yield from (f"   .. py:attribute:: {attribute.name}", f"      :type: {attribute.annotation}", "")


def _typed_dict(entry: Entry) -> Iterator[str]:
    """The keys as a line, since a dict's members are those of the model."""
    keys = ", ".join(f"``{key}``" for key in vars(entry.value)["__annotations__"])
    text = inspect.cleandoc(entry.text).splitlines()
    if entry.name.endswith("Dict"):
        text = [f"``{entry.name.removesuffix('Dict')}`` as a dict, in the API's spelling."]
    yield from (f".. py:class:: {entry.name}", "")
    yield from (f"   {line}".rstrip() for line in [*text, "", f"Keys: {keys}.", ""])


def _is_plain(value: type) -> bool:
    """Whether its members are its fields, which may have no docstrings."""
    return hasattr(value, "__dataclass_fields__")


def _inherits_hidden(value: type) -> bool:
    return any(
        base.__module__.startswith(PACKAGE) and base.__name__.startswith(("_", "Removable", "Deletable"))
        for base in value.__mro__[1:]
    )


def shown_bases(value: type) -> list[type]:
    """The bases that a reader can use: public ones, and Python's."""
    return [
        base
        for base in value.__bases__
        if base is not object
        and base.__name__ not in ("Generic", "ABC", "Protocol", "Exception")
        and not (base.__module__.startswith(PACKAGE) and not _is_public(base))
    ]


def _is_public(value: type) -> bool:
    return any(entry.value is value for page in entries().values() for entry in page)


def _where_inheriting_ends(value: type) -> str:
    """Where inheriting ends: classes of others."""
    return ", ".join(
        base.__name__ for base in value.__mro__[1:] if not base.__module__.startswith((PACKAGE, GENERATED))
    )


def _short(text: str) -> str:
    return re.sub(r"\b(?:[a-z_]\w*\.)+", "", text)

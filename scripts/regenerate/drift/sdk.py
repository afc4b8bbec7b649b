"""Reads the hand-written code that depends on the description. It parses the files and imports none of them.

The table of operations connects everything: a facade method uses the constant of its row, a sandbox handler is
registered under the operation id, and tests and pages are found by these two and by the name of the method.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from regenerate.failure import RegenerationError

SOURCE = Path("src/norce_order_async")
TABLE = SOURCE / "pipeline" / "operations.py"
CONTEXT = SOURCE / "context.py"
REQUEST = SOURCE / "pipeline" / "request.py"
LIFECYCLE = SOURCE / "orders" / "lifecycle.py"
FILTER = SOURCE / "orders" / "filter.py"
INPUTS = SOURCE / "orders" / "checking.py"
HANDLERS = SOURCE / "sandbox" / "service" / "handlers"
_FACADE = ("orders", "bulk", "client.py", "scope.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Row:
    """A row of the table of operations."""

    constant: str
    operation: str
    tag: str
    keys: tuple[str, ...]
    """Members of the natural key, when it is given by name or in place."""
    line: int


@dataclass(frozen=True)
class Method:
    """A facade method that calls an operation."""

    file: str
    name: str
    """With its class."""
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.name}"


@dataclass(frozen=True)
class Sdk:
    """The facts about the code that the checks and the report need."""

    root: Path
    rows: tuple[Row, ...] = ()
    methods: Mapping[str, tuple[Method, ...]] = field(default_factory=dict)
    """By constant of the table."""
    handlers: Mapping[str, str] = field(default_factory=dict)
    """The function that answers, as `file function`, by operation id."""
    headers: frozenset[str] = frozenset()
    """Headers that the pipeline gives to every builder, by the builder's names."""
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Every name and text in the facade files that name an operation, by its constant."""
    statuses: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()
    patterns: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By schema and member."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Generated models that hand-written code uses, each with one place where it does."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Tests and pages: content by path."""
    _found: dict[str, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)

    def pages_with(self, pattern: str) -> frozenset[str]:
        """The tests and pages in which a pattern is found. The same few are asked for with every change, so each is
        looked for once."""
        if pattern not in self._found:
            found = re.compile(pattern)
            self._found[pattern] = frozenset(path for path, text in self.texts.items() if found.search(text))
        return self._found[pattern]


def read_sdk(root: Path) -> Sdk:
    """The facts about the code below `root`."""
    trees = {file: _parse(root / file) for file in (TABLE, CONTEXT, REQUEST, LIFECYCLE, FILTER, INPUTS)}
    rows = tuple(_rows(trees[TABLE]))
    methods: dict[str, list[Method]] = {row.constant: [] for row in rows}
    words: dict[str, frozenset[str]] = {row.constant: frozenset() for row in rows}
    facade = {file: _parse(root / file) for file in _facade_files(root)}
    for file, tree in facade.items():
        held = _words(tree)
        for constant, method in _callers(tree, file.as_posix(), frozenset(methods)):
            methods[constant].append(method)
            words[constant] |= held
    for constant, method in _callers_from_elsewhere(facade, frozenset(methods)):
        methods[constant].append(method)
    for constant, method in _callers_by_inheritance(facade, frozenset(methods)):
        methods[constant].append(method)
        words[constant] |= _words(facade[Path(method.file)])
    return Sdk(
        root=root,
        rows=rows,
        methods={constant: tuple(dict.fromkeys(found)) for constant, found in methods.items()},
        handlers=dict(_handlers(root)),
        headers=frozenset(_headers(trees[REQUEST])),
        words=words,
        statuses=frozenset(_statuses(trees[LIFECYCLE])),
        filters=frozenset(_filters(trees[FILTER])),
        patterns=dict(_patterns(trees[INPUTS])),
        models=dict(_models(root)),
        texts=dict(_texts(root)),
    )


def line_of(root: Path, file: Path, text: str) -> int:
    """The line of a text in a file; 1 if the file does not have it."""
    for number, line in enumerate((root / file).read_text(encoding="utf-8").splitlines(), start=1):
        if text in line:
            return number
    return 1


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise RegenerationError(f"the code beside the description can't be read: {path.name}: {error}") from error


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr, int]]:
    """The constants of a module, with their values and lines."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value, statement.lineno
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield statement.target.id, statement.value, statement.lineno


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _rows(tree: ast.Module) -> Iterator[Row]:
    keys = {
        name: tuple(text for part in ast.walk(value) if isinstance(part, ast.expr) and (text := _text(part)))
        for name, value, _ in _assigned(tree)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "NaturalKey"
    }
    for name, value, line in _assigned(tree):
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Operation":
            given = [*value.args, *(keyword.value for keyword in value.keywords)]
            named = [keys[part.id] for part in given if isinstance(part, ast.Name) and part.id in keys]
            operation, tag = (_text(part) for part in value.args[:2])
            yield Row(name, operation or "", tag or "", named[0] if named else (), line)


def _facade_files(root: Path) -> Iterator[Path]:
    for name in _FACADE:
        place = root / SOURCE / name
        found = sorted(place.rglob("*.py")) if place.is_dir() else [place] if place.exists() else []
        yield from (path.relative_to(root) for path in found)


def _callers(tree: ast.Module, file: str, constants: frozenset[str]) -> Iterator[tuple[str, Method]]:
    """The functions that use a constant. If one is private, also the functions of the file that use it."""
    functions = list(_functions(tree))
    used = {name: set(_used(node)) for name, node in functions}
    for constant in sorted(constants):
        reached = {name for name, names in used.items() if constant in names}
        while True:
            private = {name.rpartition(".")[2] for name in reached} - _public(reached)
            grown = reached | {name for name, names in used.items() if names & private}
            if grown == reached:
                break
            reached = grown
        public = [(name, node) for name, node in functions if name in reached and not _is_private(name)]
        for name, node in public or [(name, node) for name, node in functions if name in reached]:
            yield constant, Method(file, name, node.lineno)


def _used(function: Function) -> Iterator[str]:
    """The names that a function has, and the private ones that it has of something."""
    for part in ast.walk(function):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute) and part.attr.startswith("_"):
            yield part.attr


def _callers_from_elsewhere(
    facade: Mapping[Path, ast.Module], constants: frozenset[str]
) -> Iterator[tuple[str, Method]]:
    """The public methods that have an operation performed by a function of any file."""
    functions = [(file.as_posix(), name, node) for file, tree in facade.items() for name, node in _functions(tree)]
    # Each function is walked once, and not once for each constant.
    performing = [(name, _performed(node)) for _, name, node in functions if "." not in name]
    methods = [
        (Method(file, name, node.lineno), {part.id for part in ast.walk(node) if isinstance(part, ast.Name)})
        for file, name, node in functions
        if "." in name and not _is_private(name)
    ]
    for constant in sorted(constants):
        performers = {name for name, performed in performing if constant in performed}
        yield from ((constant, method) for method, used in methods if used & performers)


def _callers_by_inheritance(
    facade: Mapping[Path, ast.Module], constants: frozenset[str]
) -> Iterator[tuple[str, Method]]:
    """The public methods that a class has from its bases, and that use a constant which the class sets: with
    `_creating = CREATE_HOOK` in it, those that use `self._creating`."""
    classes = {
        node.name: (file.as_posix(), node)
        for file, tree in facade.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    for file, node in classes.values():
        set_to = {
            one.targets[0].id: one.value.id
            for one in node.body
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and isinstance(one.value, ast.Name)
            if one.value.id in constants
        }
        # What performs an operation waits for it; other methods only look something up in its row.
        used = {
            one.name: {part.attr for part in ast.walk(one) if isinstance(part, ast.Attribute)}
            for one in _methods_of(node, classes)
            if isinstance(one, ast.AsyncFunctionDef)
        }
        for attribute, constant in set_to.items():
            private = {attribute}
            while found := {name for name, names in used.items() if name.startswith("_") and names & private} - private:
                private |= found
            for name, names in used.items():
                if names & private and not name.startswith("_"):
                    yield constant, Method(file, f"{node.name}.{name}", node.lineno)


def _methods_of(node: ast.ClassDef, classes: Mapping[str, tuple[str, ast.ClassDef]]) -> Iterator[Function]:
    """The methods of a class and of its bases."""
    yield from (one for one in node.body if isinstance(one, Function))
    for base in node.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(name, ast.Name) and name.id in classes:
            yield from _methods_of(classes[name.id][1], classes)


def _performed(function: Function) -> frozenset[str]:
    """The names that a function passes to the session: session.call(LIST_ORDERS, ...)."""
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    performing = (node for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr == "call")
    return frozenset(given.id for node in performing for given in node.args if isinstance(given, ast.Name))


def _public(names: set[str]) -> set[str]:
    return {last for name in names if not (last := name.rpartition(".")[2]).startswith("_")}


def _is_private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("."))


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{one.name}", one) for one in node.body if isinstance(one, Function))


def _words(tree: ast.Module) -> frozenset[str]:
    return frozenset(text for node in ast.walk(tree) if isinstance(node, ast.expr) and (text := _text(node)))


def _handlers(root: Path) -> Iterator[tuple[str, str]]:
    """Each module of the handlers has a table of its own, from operation ids to its functions."""
    for path in sorted((root / HANDLERS).glob("*.py")):
        file = path.relative_to(root).as_posix()
        tables = [value for name, value, _ in _assigned(_parse(path)) if name == "HANDLERS"]
        for table in tables:
            if isinstance(table, ast.Dict):
                for key, handler in zip(table.keys, table.values, strict=True):
                    operation = _text(key)
                    # A function, or a method of what handles several alike: Reads(page), Reads(_PAYMENTS.fetch).
                    names = [part.id if isinstance(part, ast.Name) else part.attr for part in ast.walk(handler)
                             if isinstance(part, ast.Name | ast.Attribute)]  # fmt: skip
                    functions = [name for name in names if name.islower()]
                    if operation and functions:
                        yield operation, f"{file} {functions[0]}"


def _headers(tree: ast.Module) -> Iterator[str]:
    """The keys that `prepare` sets for every operation: arguments["x_merchant"] = ..."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            text = _text(node.targets[0].slice)
            if text and text.startswith("x_"):
                yield text


def _statuses(tree: ast.Module) -> Iterator[str]:
    for name, value, _ in _assigned(tree):
        if name == "EDGES" and isinstance(value, ast.Dict):
            yield from (text for key in value.keys if (text := _text(key)))


def _filters(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "OrderFilter":
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    yield part.target.id


def _patterns(tree: ast.Module) -> Iterator[tuple[tuple[str, str], str]]:
    values = {name: value for name, value, _ in _assigned(tree)}
    table = values.get("PATTERNS")
    if not isinstance(table, ast.Dict):
        return
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Tuple) and isinstance(value, ast.Tuple) and isinstance(value.elts[0], ast.Name):
            schema, member = (_text(part) or "" for part in key.elts)
            yield (schema, member), _text(values.get(value.elts[0].id)) or ""


_PACKAGE = "norce_order_async"
_MODELS = "models"


def _models(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / SOURCE).rglob("*.py")):
        # Most files use no model, and a search in the text is quicker than parsing.
        text = path.read_bytes()
        whole = f"from {_PACKAGE} import {_MODELS}".encode() in text
        if not whole and f"{_PACKAGE}.{_MODELS} import".encode() not in text:
            continue
        file = path.relative_to(root).as_posix()
        for node in ast.walk(_parse(path)):
            place = f"{file}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and node.module == f"{_PACKAGE}.{_MODELS}":
                yield from ((name.name, place) for name in node.names)
            elif (
                whole
                and isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == _MODELS
            ):
                yield node.attr, place


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    places = [*sorted((root / "tests").rglob("test_*.py")), *sorted((root / "docs").glob("*.md")), root / "README.md"]
    for path in places:
        if path.exists():
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Touched:
    """The places to look at after a change."""

    methods: tuple[str, ...]
    handlers: tuple[str, ...]
    tests: tuple[str, ...]
    pages: tuple[str, ...]


def touched(sdk: Sdk, operations: tuple[str, ...], schema: str | None) -> Touched:
    """The code, tests and pages that a change of these operations, or of this schema, affects.

    Nearly every operation contains some schemas. So for a schema, only the tests and pages that name it are listed.
    """
    rows = [row for row in sdk.rows if row.operation in operations]
    methods = [method for row in rows for method in sdk.methods[row.constant]]
    handlers = [sdk.handlers[row.operation] for row in rows if row.operation in sdk.handlers]
    if schema:
        patterns = [rf"\b{re.escape(schema)}\b"]
    else:
        patterns = [rf"\b{re.escape(operation)}\b" for operation in operations]
        patterns += [rf"\b{row.constant}\b" for row in rows]
        patterns += [_called(method) for method in methods]
    named = frozenset[str]().union(*map(sdk.pages_with, patterns))
    found = [path for path in sdk.texts if path in named]
    return Touched(
        methods=tuple(dict.fromkeys(map(str, methods))),
        handlers=tuple(dict.fromkeys(handlers)),
        tests=tuple(path for path in found if path.startswith("tests/")),
        pages=tuple(path for path in found if not path.startswith("tests/")),
    )


def _called(method: Method) -> str:
    """A call of the method as code: `payments.create(`, `order.delete(`, `orders.list(`."""
    room = Path(method.file).stem
    room = {"collection": "orders", "record": "order"}.get(room, room)
    return rf"\b{room}\.{method.name.rpartition('.')[2]}\("

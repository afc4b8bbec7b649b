"""Checks a generated package before it is put in place: it may hold only code that the templates write.

`text` makes sure that the texts of a description stay inside docstrings and literals. This module does not rely on
that. It parses the finished code and allows only known forms: imports from a list, definitions and literals in modules
and classes, the templates' own calls on import, and in functions calls of `types` and of the same module. Files that do
not depend on the description must equal their template. Everything else is refused. A template with a new form needs a
new line here.
"""

import ast
import builtins
import io
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import EllipsisType
from typing import NoReturn

from regenerate.failure import RegenerationError
from regenerate.templates import environment

_FIXED = {
    "types.py": "types",
    "client.py": "client",
    "errors.py": "errors",
    "__init__.py": "package_init",
    "api/__init__.py": "api_init",
    "models/__init__.py": "models_init",
}
"""Files that are the same for every description, except for a docstring and the names of the models."""
_DATA = {"STAMP", "py.typed", "openapi.json"}

_IMPORTS = {
    "__future__": {"annotations"},
    "collections.abc": {"Mapping", "Sequence"},
    "datetime": {"datetime"},
    "decimal": {"Decimal"},
    "typing": {"TYPE_CHECKING", "Any", "ClassVar", "Final", "Literal", "Self", "TypeAlias", "TypedDict"},
    "attrs": {"define", "field"},
}
_OWN_IMPORTS = {"errors": {"UnexpectedStatus"}, "client": {"AuthenticatedClient", "Client"}}
"""Names that may be imported from elsewhere, and from the package itself."""

_STATEMENTS = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.For, ast.Return, ast.Raise)
_EXPRESSIONS = (
    *(ast.Attribute, ast.Await, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.IfExp),
    *(ast.FormattedValue, ast.JoinedStr, ast.List, ast.ListComp, ast.Name, ast.NamedExpr, ast.Set, ast.Starred),
    *(ast.Subscript, ast.Tuple, ast.UnaryOp, ast.comprehension, ast.keyword),
    *(ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)
_TYPES = (ast.Name, ast.Subscript, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub, ast.expr_context)
_BUILTINS = {"bool", "bytes", "dict", "float", "frozenset", "int", "isinstance", "len", "list", "object", "str"}
_CALLED_BUILTINS = {"isinstance", "len", "list"}
_METHODS = {"append", "get", "request", "request_async", "to_dict", "__fill__"}
_UNDERSCORED = {"__class__", "__fill__", "__new__", "_came", "_rest"}
_MODEL = {"to_dict", "from_dict", "__fill__"}
_ENDPOINT = {"_get_kwargs", "_build_response", "parse", "sync", "sync_detailed", "asyncio", "asyncio_detailed"}
_FIELDS = {"None", "field(repr=False)", "field(default=None, repr=False)"}
_USED_IN_A_CLASS = {"define", "field", "frozenset", "classmethod"}

Import = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef


def audit(package: Path, templates: Path) -> None:
    """Refuses a package that holds anything that no template writes."""
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise RegenerationError(f"the generated code is refused: {name}: neither file nor folder")
        if path.is_dir() or name in _DATA:
            continue
        module = _Module(package, name, _parsed(path, name))
        if name in _FIXED:
            module.check_fixed(_rendered(templates, _FIXED[name]))
        elif name.startswith("models/") and name.count("/") == 1:
            module.check_model()
        elif name == "dicts.py":
            module.check_dicts()
        elif name.startswith("api/") and name.count("/") == 2:
            module.check_endpoint()
        else:
            raise RegenerationError(f"the generated code is refused: {name}: no template makes such a file")


def _parsed(path: Path, name: str) -> ast.Module:
    content = path.read_bytes()
    try:
        # A comment could give the file another encoding, and with it another meaning.
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        tree = ast.parse(content.decode())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise RegenerationError(f"the generated code is refused: {name}: {error}") from error
    if path.suffix != ".py" or encoding != "utf-8":
        raise RegenerationError(f"the generated code is refused: {name}: no template makes such a file, in {encoding}")
    return tree


def _rendered(templates: Path, template: str) -> ast.Module:
    """The code that a template makes of an empty description."""
    classes = [{"name": "Model", "module_name": "model"}]
    written: str = environment(templates).get_template(f"{template}.py.jinja").render(about="", classes=classes)
    return ast.parse(written)


class _Module:
    """One module, and what it has bound so far."""

    def __init__(self, package: Path, name: str, tree: ast.Module) -> None:
        self._package = package
        self._name = name
        self._tree = tree
        self._bound: set[str] = set()

    def check_fixed(self, expected: ast.Module) -> None:
        """The code equals the template's. Its imports are some of the template's, or import models for type
        checkers."""
        known = {binding for node in ast.walk(expected) for binding in _bindings(node)}
        for node in ast.walk(self._tree):
            for module, name, here in _bindings(node) - known:
                is_model = module.startswith(".") and self._is_model(module[1:]) and name == here
                if self._name != "models/__init__.py" or not is_model:
                    self._refuse(node)
        for node in self._tree.body:
            if _is_listing(node) and not all(map(_is_text, _listed(node))):
                self._refuse(node)
        if [*_skeleton(self._tree)] != [*_skeleton(expected)]:
            self._refuse(self._tree)

    def check_model(self) -> None:
        """A class and what it needs, or an enum, or free-form data under a name."""
        for node in self._tree.body:
            match node:
                case ast.ClassDef(
                    decorator_list=[ast.Name(id="define")], bases=[ast.Name(id="Model")], keywords=[], name=name
                ):
                    self._bind(name, node)
                    self._check_class(node)
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(func=ast.Name(id="_supply"), args=[ast.Name()], keywords=[]),
                ) if name.startswith("_new_"):
                    self._bind(name, node)
                case _:
                    self._check_common(node)
        self._check_functions()

    def check_dicts(self) -> None:
        """Types of dicts and their names."""
        for node in self._tree.body:
            match node:
                case ast.ClassDef(
                    decorator_list=[],
                    bases=[ast.Name(id="TypedDict")],
                    keywords=[ast.keyword(arg="total", value=ast.Constant(value=False))],
                    name=name,
                ):
                    self._bind(name, node)
                    self._check_dict(node)
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(
                        func=ast.Name(id="TypedDict"),
                        args=[ast.Constant(value=called), ast.Dict(keys=keys, values=values)],
                        keywords=[ast.keyword(arg="total", value=ast.Constant(value=False))],
                    ),
                ) if called == name and all(map(_is_text, (*keys, *values))):
                    self._bind(name, node)
                    for value in values:
                        self._check_type(_type_in(value))
                case ast.Assign() if _is_listing(node) and all(map(_is_text, _listed(node))):
                    pass
                case _:
                    self._check_common(node)

    def check_endpoint(self) -> None:
        """Functions known by name, and the statuses."""
        for node in self._tree.body:
            if isinstance(node, Function):
                self._bind(node.name, node)
                if node.name not in _ENDPOINT or node.decorator_list:
                    self._refuse(node)
            else:
                self._check_common(node)
        self._check_functions()

    # --- what runs on import ---

    def _check_common(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
                for held in node.body:
                    self._check_import(held, typing_only=True)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._bind(name, node)
                self._check_type(node.annotation)
                self._check_constant(value)
            case _:
                self._check_import(node)

    def _check_import(self, node: ast.stmt, *, typing_only: bool = False) -> None:
        match node:
            case ast.Import(names=[ast.alias(name="httpx", asname=None)]) if typing_only:
                self._bind("httpx", node)
            case ast.ImportFrom():
                for one in node.names:
                    if one.asname not in (None, f"_{one.name}") or not self._is_importable(node, one.name):
                        self._refuse(node)
                    self._bind(one.asname or one.name, node)
            case _:
                self._refuse(node)

    def _is_importable(self, node: ast.ImportFrom, name: str) -> bool:
        module = node.module or ""
        if node.level == 0:
            return name in _IMPORTS.get(module, ())
        if node.level == 1 and self._name.startswith("models/"):
            return self._is_model(module)
        if node.level != self._name.count("/") + 1:
            return False
        if module.startswith("models."):
            return self._is_model(module.removeprefix("models."))
        return module == "types" or name in _OWN_IMPORTS.get(module, ())

    def _is_model(self, module: str) -> bool:
        return module.isidentifier() and (self._package / "models" / f"{module}.py").is_file()

    def _check_constant(self, value: ast.expr) -> None:
        """Words, statuses and names of types: literals without expressions."""
        match value:
            case ast.Call(func=ast.Name(id="frozenset"), args=[ast.Set(elts=elements)], keywords=[]):
                if not all(_is_literal(one) or _is_range(one) for one in elements):
                    self._refuse(value)
            case ast.Dict():
                if not all(map(_is_text, (*value.keys, *value.values))):
                    self._refuse(value)
            case _:
                self._check_type(value)

    def _check_class(self, node: ast.ClassDef) -> None:
        bound = set(_USED_IN_A_CLASS)
        for held in node.body:
            match held:
                case ast.Expr(value=ast.Constant(value=str())):
                    continue
                case ast.AnnAssign(target=ast.Name(id=name)):
                    self._check_type(held.annotation)
                    self._check_member(name, held)
                case ast.FunctionDef(name=name) if name in _MODEL:
                    if [*map(ast.unparse, held.decorator_list)] != ["classmethod"] * (name == "from_dict"):
                        self._refuse(held)
                case _:
                    self._refuse(held)
            if name in bound:
                self._refuse(held, f"{name} is already the name of something else")
            bound.add(name)

    def _check_dict(self, node: ast.ClassDef) -> None:
        names: set[str] = set()
        for held in node.body:
            match held:
                case ast.Expr(value=ast.Constant(value=str())):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=None) if name not in names:
                    names.add(name)
                    self._check_type(held.annotation)
                case _:
                    self._refuse(held)

    def _check_member(self, name: str, node: ast.AnnAssign) -> None:
        """With None or a field after it; or the names of all members."""
        match node.value:
            case None:
                pass
            case ast.Call(func=ast.Name(id="frozenset"), args=[ast.Set() | ast.Dict() as names], keywords=[]):
                held = [*names.keys, *names.values] if isinstance(names, ast.Dict) else names.elts
                if name != "MEMBERS" or not all(map(_is_text, held)):
                    self._refuse(node)
            case _:
                if ast.unparse(node.value) not in _FIELDS:
                    self._refuse(node)

    def _check_type(self, node: ast.expr) -> None:
        """Names, unions and parameters of types: forms that run no code when they are evaluated."""
        for part in ast.walk(node):
            match part:
                case (
                    ast.Constant(value=None | str() | int() | EllipsisType())
                    | ast.Attribute(value=ast.Name(id="httpx"))
                ):
                    pass
                case _ if not isinstance(part, _TYPES):
                    self._refuse(node)

    # --- the body of a function: it does not run on import, and calls only known functions ---

    def _check_functions(self) -> None:
        """Last, because they use what is bound below them."""
        for node in self._tree.body:
            for one in node.body if isinstance(node, ast.ClassDef) else [node]:
                if isinstance(one, Function):
                    self._check_function(one)

    def _check_function(self, node: Function) -> None:
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        local = {one.arg for one in given}
        if node.args.vararg or node.args.kwarg or len(local) != len(given):
            self._refuse(node)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None and not _is_name(default, "UNSET"):
                self._refuse(default)
        for annotation in (*(one.annotation for one in given), node.returns):
            if annotation is not None:
                self._check_type(annotation)
        local |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        for part in _parts(node.body):
            self._check_part(part, local)

    def _check_part(self, part: ast.AST, local: set[str]) -> None:
        match part:
            case ast.Expr(value=value):
                good = isinstance(value, ast.Call) or _is_text(value)
            case ast.Raise(exc=error):
                good = isinstance(error, ast.Call) and _is_name(error.func, "UnexpectedStatus")
            case ast.Name(id=name):
                good = name in local or name in self._bound or name in _BUILTINS
            case ast.Attribute(value=value, attr=name, ctx=context):
                good = not name.startswith("_") or name in _UNDERSCORED
                good = good and (isinstance(context, ast.Load) or _is_name(value, "self"))
            case ast.Call(func=ast.Name(id=name)):
                good = name not in local and (name in self._bound or name in _CALLED_BUILTINS)
            case ast.Call(func=ast.Attribute(attr=name)):
                good = name in _METHODS or ast.unparse(part) == "object.__new__(cls)"
            case ast.Call():
                good = False
            case ast.FormattedValue(value=value, conversion=conversion, format_spec=form):
                good = isinstance(value, ast.Name) and conversion == -1 and form is None
            case _:
                good = isinstance(part, (*_STATEMENTS, *_EXPRESSIONS))
        if not good:
            self._refuse(part)

    # --- refusing ---

    def _bind(self, name: str, node: ast.AST) -> None:
        if name in self._bound or hasattr(builtins, name):
            self._refuse(node, f"{name} is already the name of something else")
        self._bound.add(name)

    def _refuse(self, node: ast.AST, why: str = "no template writes that") -> NoReturn:
        where = f"{self._name}:{getattr(node, 'lineno', 1)}"
        raise RegenerationError(f"the generated code is refused: {where}: {type(node).__name__}: {why}")


def _parts(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node of a function's body, except annotations of local names, which are never evaluated."""
    for node in body:
        yield node
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        yield from _parts(one for one in ast.iter_child_nodes(node) if one is not annotation)


def _is_name(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _type_in(node: ast.AST | None) -> ast.expr:
    """The type that a text names. Other texts stay texts, which are harmless as types."""
    try:
        return ast.parse(node.value, mode="eval").body  # type: ignore[union-attr]
    except (SyntaxError, ValueError):
        return node  # type: ignore[return-value]


def _is_literal(node: ast.expr) -> bool:
    """A text or a whole number."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, str | int)


def _is_range(node: ast.expr) -> bool:
    """*range(200, 300)"""
    match node:
        case ast.Starred(value=ast.Call(func=ast.Name(id="range"), args=[first, last], keywords=[])):
            return _is_literal(first) and _is_literal(last)
    return False


def _is_listing(node: ast.stmt) -> bool:
    """The names of all models and their modules. Other assignments do not occur in these files."""
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.Tuple()):
            return True
        case ast.Assign(targets=[ast.Name(id="_MODULES")], value=ast.Dict()):
            return True
    return False


def _listed(node: ast.AST) -> list[ast.AST]:
    return [one for one in ast.iter_child_nodes(node.value) if isinstance(one, ast.expr)]  # type: ignore[attr-defined]


def _bindings(node: ast.AST) -> set[tuple[str, str, str]]:
    """Module, name and name here, of an import."""
    if isinstance(node, ast.ImportFrom):
        return {("." * node.level + (node.module or ""), one.name, one.asname or one.name) for one in node.names}
    return {("", one.name, one.asname or one.name) for one in node.names} if isinstance(node, ast.Import) else set()


def _skeleton(tree: ast.Module) -> Iterator[str]:
    """The code without the harmless parts that differ: docstrings, imports, and the names of models."""
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom():
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=[]):
                if all(isinstance(one, Import | ast.Pass) for one in body):
                    continue
            case _ if _is_listing(node):
                continue
        for part in ast.walk(node):
            match part:
                case ast.Expr(value=ast.Constant(value=str()) as words):
                    words.value = ""
        yield ast.dump(node)

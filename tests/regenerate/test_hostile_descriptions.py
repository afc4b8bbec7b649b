"""A description is input: its text never becomes code that the templates do not write, and nothing of it is lost."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.regenerate import hostile, running

pytestmark = pytest.mark.slow(group="regeneration")

text: Any = importlib.import_module("regenerate.text")

ROOT = Path(__file__).parents[2]
COUNTS = [
    pytest.param(250, id="250"),
    pytest.param(20_000, id="20000", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]


def attack(code: str, width: int = 110) -> str:
    """Return a text that leaves a docstring if it is escaped before it is wrapped.

    The wrap then comes between a backslash and its quote, twice: once to end the docstring, and once, in a comment, to
    begin the text that the template's own quotes end.
    """
    first = "x" * (width - 6) + '\u00a0"""""'
    line = f'""";{code};#\u00a0'
    return first + line[3:] + "y" * (width - len(line) - 6) + '\u00a0"""""z'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the command works on. Every test brings another description."""
    return hostile.tree(tmp_path_factory.mktemp("tree"))


def test_a_text_that_leaves_its_docstring_when_it_is_wrapped_stays_in_it(tree: Path) -> None:
    """Code in the description of a model or a member, or in a title, does not run on import."""
    described = hostile.description()
    cart = described["components"]["schemas"]["Cart"]
    cart["description"] = attack("CANARY()")
    cart["properties"]["reference"]["description"] = attack("CANARY()", 106)
    described["info"]["title"] = attack('"""\nCANARY()\n"""')
    described["components"]["schemas"]["Attributes"]["description"] = '"""\nCANARY()\n"""'

    done = hostile.regenerate(tree, described)

    assert done.returncode in (0, 2), done.stderr
    seen = hostile.imported(tree)
    assert seen["effects"] == []
    assert sorted(seen["operations"].values()) == hostile.operations(described)
    report = json.loads((tree / ".cache/regeneration-report/report.json").read_text(encoding="utf-8"))
    assert report["advice"] == "none"
    assert [(one["subject"], one["where"]) for one in report["texts"]] == [
        ("schema Cart", "description"),
        ("schema Cart", "properties.reference.description"),
        ("schema Attributes", "description"),
        ("description", "info.title"),
    ]
    page = (tree / ".cache/regeneration-report/report.md").read_text(encoding="utf-8")
    assert "## Changed texts (4)" in page
    assert "only words for people have changed (4 texts)" in page


@pytest.mark.parametrize("number", COUNTS)
def test_texts_of_any_kind_have_no_effect(number: int, tree: Path) -> None:
    """Different texts are tried in every place of a description, as many in one as it has places."""
    described = hostile.description()
    spots = [*hostile.places(described)]
    waiting = hostile.drawn(hostile.texts, number)
    tried = 0
    while waiting:
        for held, key in spots:
            held[key] = waiting.pop() if waiting else "plain"
            tried += held[key] != "plain"
        done = hostile.regenerate(tree, described)
        assert done.returncode in (0, 2), done.stderr
        seen = hostile.imported(tree)
        assert seen["effects"] == []
        assert sorted(seen["operations"].values()) == hostile.operations(described)
    assert tried >= number


@given(st.text() | hostile.texts)
@settings(deadline=None)
def test_a_quoted_text_is_a_literal_of_it(value: str) -> None:
    """The literal loses nothing, surrogates included. It is one line of ASCII and Latin letters."""
    for one in (value, value + "\ud800"):
        literal = text.quoted(one)
        assert ast.literal_eval(literal) == one
        assert all(" " <= c <= "~" or "\u00c0" <= c <= "\u024f" for c in literal)


@given(st.text() | hostile.texts, st.sampled_from([76, 106, 110]), st.sampled_from(["", "."]))
@settings(deadline=None)
def test_prose_is_a_docstring_and_nothing_else(value: str, width: int, end: str) -> None:
    """The text between the quotes stays one docstring of visible characters, whatever is around it."""
    written = text.prose(value, width, 4, end=end)
    module = ast.parse(f'class A:\n    """{written}"""\n    """{written} {written}\n    """\n')
    assert isinstance(module.body[0], ast.ClassDef)
    assert len(module.body) == 1
    assert [type(one) for one in module.body[0].body] == [ast.Expr, ast.Expr]
    assert all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in module.body[0].body)
    read = ast.literal_eval(f'"""{written}"""')
    kept = [c for c in value if c.isascii() and c.isprintable() and c != " "]
    assert [c for c in read if c.isascii() and c.isprintable() and c != " "][: len(kept) - 1] == kept[: len(kept) - 1]


# --- the audit: the finished code, however it was made ---

AUDIT = r"""
import shutil, sys
from pathlib import Path
from regenerate.audit import audit
from regenerate.failure import RegenerationError

root, scratch = Path(sys.argv[1]), Path(sys.argv[2])
made, templates = root / "generated" / "norce_order_api", root / "openapi" / "templates"
# Without the bytecode of whoever imported it meanwhile, which no regeneration leaves.
shutil.copytree(made, scratch / "package", ignore=shutil.ignore_patterns("__pycache__"))
package = scratch / "package"
audit(package, templates)

def hide(path):
    # Other files may import a model, so its name stays.
    if path.parent.name == "models" and path.name != "__init__.py":
        path.write_text("", "utf-8")
    else:
        path.unlink()

# Each file is judged by itself, and judging all of them takes long.
good = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
for path in good:
    hide(path)
cases, passed = eval(sys.stdin.read()), set()
for name, old, new in cases:
    path = package / name
    before = good.get(path)
    assert before is None or old in before, (name, old)
    if before is not None and path not in passed:
        path.write_text(before, "utf-8")
        audit(package, templates)
        passed.add(path)
    path.write_text(new if before is None else before.replace(old, new, 1), "utf-8")
    try:
        audit(package, templates)
    except RegenerationError as error:
        assert "refused" in str(error) and name in str(error), (name, new, str(error))
    else:
        raise AssertionError(f"passed: {name}: {new}")
    path.unlink() if before is None else hide(path)
audit(package, templates)
(package / "models" / "link.py").symlink_to(package / "models" / "cart.py")
try:
    audit(package, templates)
except RegenerationError:
    print(len(cases) + 1)
"""

CART, LIST, DICTS = "models/cart.py", "api/checkout/get_checkout_orders.py", "dicts.py"
INTRUDERS: list[tuple[str, str, str]] = [
    *(
        (CART, "@define\n", f"{code}\n\n\n@define\n")
        for code in [
            "print()",
            "import os",
            "from os import system as define",
            "from os import system",
            "from .. import client",
            "from .cart import open",
            "from ..types import os as field",
            "x = 1",
            "x = print()",
            "x: int = print()",
            "x: print() = 1",
            "_new_x = print(Cart)",
            "_new_x = _supply(print())",
            "_new_x = _supply(Model, Model)",
            "del Model",
            "for x in []: pass",
            "while False: pass",
            "with field: pass",
            "try:\n    pass\nfinally:\n    pass",
            "if TYPE_CHECKING:\n    print()",
            "if print():\n    import httpx",
            "if TYPE_CHECKING:\n    import httpx\nelse:\n    print()",
            "assert print()",
            "lambda: 1",
            "f'{print()}'",
            "b'bytes'",
            "[print() for x in [1]]",
            "async def f(): pass",
            "def f(): pass",
            "class A: pass",
            "class Any(Model): pass",
            "global x",
        ]
    ),
    (CART, "@define\n", "@print\n@define\n"),
    (CART, "@define\n", "@define(print())\n"),
    (CART, "class Cart(Model):", "class Cart(Model, metaclass=print):"),
    (CART, "class Cart(Model):", "class Cart(print()):"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    print()"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    x = print()"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    x: int = print()"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    x: print() = None"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    x: int = field(default=print())"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    x: int = field(factory=print)"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    field: int = None"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    reference: int = None"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    to_dict: int = None"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    def more(self): pass"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    class Inner: pass"),
    (CART, "class Cart(Model):", "class Cart(Model):\n    import os"),
    (CART, "    @classmethod\n", "    @print\n    @classmethod\n"),
    (CART, "    def to_dict(self)", "    @property\n    def to_dict(self)"),
    (CART, "def from_dict(cls, src_dict: Any)", "def from_dict(cls, src_dict: Any = print())"),
    (CART, "def from_dict(cls, src_dict: Any)", "def from_dict(cls, src_dict: print())"),
    (CART, "def from_dict(cls, src_dict: Any)", "def from_dict(cls, src_dict: Any, *rest)"),
    (CART, "_result: dict[str, Any] = {}", "_result: dict[str, Any] = __builtins__"),
    *(
        (CART, "_places = len(src_dict)", f"_places = {code}")
        for code in [
            "print()",
            "eval('1')",
            "open('/etc/passwd')",
            "getattr(self, 'x')()",
            "self.__class__.__mro__",
            "src_dict.get.__globals__",
            "src_dict.get('x')()",
            "(lambda: 1)()",
            "src_dict.pop('x')",
            "object.__new__(Cart)",
            "f'{src_dict!r}'",
            "f'{src_dict:{src_dict}}'",
            "self.to_dict.__code__",
            "[one for one in print()]",
            "(yield)",
            "__import__",
            "unknown",
        ]
    ),
    *(
        (CART, "_places = len(src_dict)", code)
        for code in [
            "import os",
            "global Model",
            "raise ValueError(1)",
            "del self",
            "Model.to_dict = None",
            "Model.x: int = 1",
            "def f(): pass",
            "class A: pass",
            "src_dict == 1",
            "with self: pass",
            "len = src_dict\n        len()",
            "while True: pass",
        ]
    ),
    ("models/order_status.py", '"removed"', '"removed" + print()'),
    ("models/order_status.py", "frozenset(", "print("),
    ("models/order_status.py", '"removed": "removed"', '"removed": print()'),
    ("models/attributes.py", "dict[str, Any]", "dict[str, print()]"),
    (DICTS, "class CartDict(TypedDict, total=False):", "class CartDict(TypedDict, total=print()):"),
    (DICTS, "class CartDict(TypedDict, total=False):", "class CartDict(TypedDict, metaclass=print):"),
    (DICTS, "class CartDict(TypedDict, total=False):", "class CartDict(print()):"),
    (DICTS, "class CartDict(TypedDict, total=False):", "@print\nclass CartDict(TypedDict, total=False):"),
    (DICTS, "class CartDict(TypedDict, total=False):", "class ItemDict(TypedDict, total=False):"),
    *(
        (DICTS, "class CartDict(TypedDict, total=False):", f"class CartDict(TypedDict, total=False):\n    {code}")
        for code in [
            "print()",
            "x = 1",
            "x: int = print()",
            "x: print()",
            "reference: int",
            "def f(self): pass",
            "import os",
            "class Inner: pass",
        ]
    ),
    (DICTS, '"class": "str"', '"class": print()'),
    (DICTS, '"class": "str"', '"class": "print()"'),
    (DICTS, '"class": "str"', "**print()"),
    (DICTS, '"class": "str"', 'print(): "str"'),
    (DICTS, "DeliveryDetailsDict = TypedDict(\n", "DeliveryDetailsDict = print(\n"),
    (DICTS, '"DeliveryDetailsDict",\n    {', '"Other",\n    {'),
    (DICTS, '    "AddonDict",\n', "    print(),\n"),
    (DICTS, "from .models.cart import Cart\n", "from .client import Cart\n"),
    (DICTS, "from decimal import Decimal\n", "from os import system as Decimal\n"),
    (DICTS, "__all__ = (", "print()\n__all__ = ("),
    (LIST, "async def asyncio(", "@print\nasync def asyncio("),
    (LIST, "async def asyncio(", "def other(): pass\n\n\nasync def asyncio("),
    (LIST, "UNSET,\n) -> dict", "print(),\n) -> dict"),
    (LIST, '"url": "', '"url": print() or "'),
    (LIST, '"url": "/', '"url": f"{print()}/'),
    (LIST, "import httpx", "import os"),
    (LIST, "frozenset({", "frozenset({*print(), "),
    (LIST, '"method": "get"', '"method": UNSET.__class__.__bases__'),
    (LIST, "raise UnexpectedStatus(", "raise print("),
    ("types.py", "import json\n", "import json\nimport os\n"),
    ("types.py", "class Unset:", "print()\n\n\nclass Unset:"),
    ("types.py", "return json.loads(content)", "return eval(content)"),
    ("client.py", '"follow_redirects": False', '"follow_redirects": True'),
    ("errors.py", "self.content = content", "print(content)"),
    ("__init__.py", 'import_module(".client", __name__)', 'import_module("os")'),
    ("__init__.py", "__all__ = (", "__all__ = (print(), "),
    ("models/__init__.py", '"Cart": ".cart"', '"Cart": print()'),
    ("models/__init__.py", "from .cart import Cart", "from os import Cart"),
    ("models/__init__.py", "    from .cart import Cart", "    print()\n    from .cart import Cart"),
    ("api/__init__.py", '"""Contains', 'print()\n"""Contains'),
    ("api/checkout/__init__.py", '"""Contains', 'print()\n"""Contains'),
    ("models/bytes.py", "", "# coding: latin-1\nx: int = 1\n"),
    ("models/nonsense.py", "", "def (:\n"),
    ("models/null.py", "", "\x00"),
    ("models/data.pyd", "", "x: int = 1\n"),
    ("models/cart.pyc", "", ""),
    ("more.py", "", ""),
    ("conftest.pth", "", "import os\n"),
]


def test_code_that_no_template_writes_is_refused(tmp_path: Path) -> None:
    """The audit finds such code in modules, classes, decorators, defaults, annotations, functions and files that never
    change."""
    done = running.in_its_environment(AUDIT, str(ROOT), str(tmp_path), given=repr(INTRUDERS))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(INTRUDERS) + 1


def test_templates_write_words_of_a_description_in_two_ways_only() -> None:
    """The templates use no filter or function of the generator that escapes in another way."""
    for path in (ROOT / "openapi" / "templates").glob("*"):
        written = path.read_text(encoding="utf-8")
        for word in (
            "safe_for_docstring",
            "in_double_quote_literal",
            "in_f_string_literal",
            "get_untrusted_value",
            "wordwrap",
        ):
            assert word not in written, f"{path.name} uses {word}"


# --- what can't be written, and names that collide ---

OBJECT = {"type": "object", "properties": {"x": {"type": "string"}}}


def reading(*parameters: hostile.Document, path: str = "/a", **more: Any) -> hostile.Document:
    return hostile.small({path: {"get": hostile.operation("getA", *parameters, **more)}})


def writing(body: hostile.Document) -> hostile.Document:
    return hostile.small({"/a": {"post": hostile.operation("postA", body=body)}})


REFUSED = {
    "a cookie parameter": (
        reading(hostile.parameter("cookie", "session", required=True)),
        "GetA: a cookie parameter (session)",
    ),
    "an optional cookie parameter": (
        reading(hostile.parameter("cookie", "session")),
        "GetA: a cookie parameter (session)",
    ),
    "a form": (
        writing({"application/x-www-form-urlencoded": {"schema": OBJECT}}),
        "PostA: a body that is not JSON alone (application/x-www-form-urlencoded)",
    ),
    "a multipart body": (
        writing({"multipart/form-data": {"schema": OBJECT}}),
        "PostA: a body that is not JSON alone (multipart/form-data)",
    ),
    "an octet-stream": (
        writing({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}),
        "PostA: a body that is not JSON alone (application/octet-stream)",
    ),
    "JSON or a form": (
        writing(
            {
                "application/json": {"schema": OBJECT},
                "application/x-www-form-urlencoded": {"schema": OBJECT},
            }
        ),
        "PostA: a body that is not JSON alone",
    ),
    "a union answer with an integer": (
        reading(answer={"anyOf": [OBJECT, {"type": "integer"}]}),
        "GetA: an answer that is one of several, of which one is neither object nor list nor text",
    ),
    "an answer that is no JSON": (
        reading(answer={"text/plain": {"schema": {"type": "string"}}}),
        "GetA: an answer that is not JSON (200)",
    ),
    "a header that is a number": (
        reading(hostile.parameter("header", "x-n", {"type": "integer"})),
        "GetA: an id or a header that is no text (x-n)",
    ),
    "an id that is a number": (
        reading(hostile.parameter("path", "n", {"type": "integer"}), path="/a/{n}"),
        "GetA: an id or a header that is no text (n)",
    ),
    "a query parameter that is an object": (
        reading(hostile.parameter("query", "q", OBJECT)),
        "GetA: a query parameter that is no text, number, truth value or time, nor a list of them (q)",
    ),
    "a query parameter in another style": (
        reading(hostile.parameter("query", "q", {"type": "array", "items": {"type": "string"}}, explode=False)),
        "GET /a: the parameter q is to be written in a style that no template knows",
    ),
    "a parameter by content": (
        reading({"in": "query", "name": "q", "content": {"application/json": {"schema": OBJECT}}}),
        "GET /a: the parameter q has something other than a schema",
    ),
    "operations that have one name": (
        hostile.small({"/a": {"get": hostile.operation("getThing")}, "/b": {"get": hostile.operation("get_thing")}}),
        "the operations GET /a and GET /b would both be api/t/get_thing.py",
    ),
    "operations that differ by case": (
        hostile.small({"/a": {"get": hostile.operation("GETTHING")}, "/b": {"get": hostile.operation("getthing")}}),
        "the operations GET /a and GET /b would both be api/t/getthing.py",
    ),
    "operations that Python reads as one": (
        hostile.small({"/a": {"get": hostile.operation("\ufb01nd")}, "/b": {"get": hostile.operation("find")}}),
        "the operations GET /a and GET /b would both be api/t/find.py",
    ),
    "a schema that Python reads as another": (
        hostile.small(schemas={"A": {"type": "object", "properties": {"x\u00aa": OBJECT}}}),
        "which Python reads as another name",
    ),
    "schemas of one class": (hostile.small(schemas={"get_thing": OBJECT, "GetThing": OBJECT}), "GetThing"),
    "schemas of one module": (
        hostile.small(schemas={"AbCd": OBJECT, "ABCd": OBJECT}),
        "models/ab_cd.py",
    ),
    "a schema and an enum of one class": (
        hostile.small(schemas={"thing": OBJECT, "Thing": {"type": "string", "enum": ["a"]}}),
        "Thing",
    ),
    "a schema called like the name it would get": (
        hostile.small(schemas={"ClassVar": OBJECT, "ClassVarData": OBJECT}),
        "ClassVarData",
    ),
    "a schema called like the dict of another": (
        hostile.small(schemas={"Cart": OBJECT, "CartDict": OBJECT}),
        "the schema CartDict has the name of the dict type of Cart",
    ),
    "path parameters of one name": (
        hostile.small(
            {
                "/a/{x}/{x_segment}": {
                    "get": hostile.operation(
                        "getA", hostile.parameter("path", "x"), hostile.parameter("path", "x_segment")
                    )
                }
            }
        ),
        "path parameters whose names collide",
    ),
    "a path with braces of its own": (
        hostile.small({"/a/{x}/{}": {"get": hostile.operation("getA", hostile.parameter("path", "x"))}}),
        "brace",
    ),
    "a path that is described elsewhere": (
        {
            **hostile.small({"/a": {"$ref": "#/components/pathItems/P"}}),
            "openapi": "3.1.0",
            "components": {"pathItems": {"P": {"get": hostile.operation("getB")}}},
        },
        "a path that is described elsewhere",
    ),
}
QUERY = [
    *["headers", "params", "kwargs", "client", "body", "url", "self", "cls", "data", "response", "plain", "answer"],
    *["isinstance", "class", "None", "Unset", "header_value", "_get_kwargs", "x_segment", "id", "path_segment"],
]
MEMBERS = [
    *["to_dict", "from_dict", "additional_properties", "MEMBERS", "field", "define", "self", "cls", "class"],
    *["datetime", "_rest", "__fill__"],
    *["__init__", "__class__", "Any", "any", "id", "Model", "_v", "src_dict", "none", "2", "", "-", "\u00e5"],
]
KEPT = {
    "query parameters": hostile.small(
        {
            "/a/{x}": {
                "get": hostile.operation(
                    "getA", hostile.parameter("path", "x"), *(hostile.parameter("query", name) for name in QUERY)
                )
            },
            "/b/{body}/{client}/{headers}": {
                "post": hostile.operation(
                    "postB",
                    *(hostile.parameter("path", name) for name in ("body", "client", "headers")),
                    hostile.parameter("header", "headers"),
                    hostile.parameter("query", "headers"),
                    body=OBJECT,
                )
            },
        }
    ),
    "members": hostile.small(
        schemas={"Odd": {"type": "object", "properties": {name: {"type": "string"} for name in MEMBERS}}}
    ),
    "schemas": hostile.small(
        schemas=dict.fromkeys(["Any", "Client", "ClassVar", "Final", "Literal", "Mapping", "Model", "NULL"], OBJECT)
        | {"Self": {"type": "string", "enum": ["a", "b"]}, "int": OBJECT, "Exception": OBJECT, "None": OBJECT}
        | {"Holder": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/ClassVar"}}}}
        | {"Next": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Self"}}}}
    ),
    "words": hostile.small(
        schemas={"Word": {"type": "string", "enum": ["", "a", "A", '"', "\\", "\n", "\u2028", "{x}", "None", "1"]}}
    ),
}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Generate a package from each description, and return the folder with the reasons why some have none."""
    folder = tmp_path_factory.mktemp("generated")
    return folder, hostile.generate(folder, {**{name: one for name, (one, _) in REFUSED.items()}, **KEPT})


@pytest.mark.parametrize("name", REFUSED)
def test_a_part_that_can_not_be_written_is_refused(name: str, generated: tuple[Path, dict[str, str]]) -> None:
    """The error names the part and its place, and nothing is silently left out."""
    assert name in generated[1], "it was written"
    assert REFUSED[name][1] in generated[1][name]
    assert "Traceback" not in generated[1][name]


def test_arguments_get_names_of_their_own(generated: tuple[Path, dict[str, str]]) -> None:
    """Every parameter arrives, whatever names the function around it uses."""
    folder, refused = generated
    assert "query parameters" not in refused, refused["query parameters"]
    called = textwrap.dedent("""
        import inspect, json, sys
        from norce_order_api.api.t import get_a, post_b
        names = list(inspect.signature(get_a._get_kwargs).parameters)
        told = get_a._get_kwargs("i", **{name: name + "!" for name in names[1:]})
        other = post_b._get_kwargs("1", "2", "3", body={}, **{name: name for name in
            list(inspect.signature(post_b._get_kwargs).parameters)[4:]})
        json.dump([sorted(told["params"]), len(set(told["params"].values())), told["url"], other], sys.stdout)
    """)
    params, different, url, other = json.loads(_run(called, folder / "query parameters"))
    assert params == sorted(QUERY)
    assert different == len(QUERY)
    assert url == "/a/i"
    assert other["url"] == "/b/1/2/3"
    assert other["headers"]["headers"] != other["params"]["headers"]


def test_members_get_names_of_their_own(generated: tuple[Path, dict[str, str]]) -> None:
    """A member with the name of a method, or of a name that a class uses, is read and written like any other."""
    folder, refused = generated
    assert "members" not in refused, refused["members"]
    read = textwrap.dedent("""
        import json, sys
        from norce_order_api.models import Odd
        given = {name: name + "!" for name in Odd.MEMBERS}
        odd = Odd.from_dict({**given, "more": 1})
        json.dump([given, odd.to_dict(), odd.additional_properties], sys.stdout)
    """)
    given, written, rest = json.loads(_run(read, folder / "members"))
    assert set(given) == set(MEMBERS)
    assert written == {**given, "more": 1}
    assert rest == {"more": 1}


@pytest.mark.parametrize("name", KEPT)
def test_nothing_is_lost_because_of_a_name(name: str, generated: tuple[Path, dict[str, str]]) -> None:
    """Each schema has its model and each word its place, and importing them has no other effect."""
    folder, refused = generated
    assert name not in refused, refused[name]
    seen = hostile.imported(folder / name)
    assert seen["effects"] == []
    described = KEPT[name]
    assert sorted(seen["operations"].values()) == hostile.operations(described)
    assert len(seen["models"]) >= len(described["components"]["schemas"])
    for held in seen["names"].values():
        assert len(held) == len(set(held))
    if name == "words":
        assert sorted(seen["words"]["Word"]) == sorted(described["components"]["schemas"]["Word"]["enum"])


def _run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder / "generated")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_reserved_names_are_all_that_the_functions_use() -> None:
    """A parameter can have any name except those that the functions which take it use."""
    names = ast.parse((ROOT / "scripts" / "regenerate" / "names.py").read_text(encoding="utf-8"))
    reserved = {
        one.value for one in ast.walk(names) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    } | set(dir(builtins))
    for path in (ROOT / "generated" / "norce_order_api").glob("api/*/*.py"):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if function.name in ("parse", "_build_response"):
                continue
            given = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
            used = {one.id for part in function.body for one in ast.walk(part) if isinstance(one, ast.Name)} - given
            public = {one for one in used if not one.startswith("_") and not one.endswith("_segment")}
            assert public <= reserved, f"{path.name}: {function.name} uses {public - reserved}"


@pytest.mark.parametrize("number", COUNTS)
def test_names_of_any_kind_have_no_effect_and_lose_nothing(number: int, tmp_path: Path) -> None:
    """The names are those of members, words, parameters, operations, schemas and tags. Each has a number, so that none
    collide."""
    waiting = hostile.drawn(hostile.names, number)
    tried = 0
    descriptions: dict[str, Any] = {}
    while waiting:
        taken = [f"{waiting.pop()}x{at}" for at in range(min(len(waiting), 250))]
        tried += len(taken)
        descriptions[f"d{len(descriptions)}"] = hostile.named(taken)
    refused = hostile.generate(tmp_path, descriptions)
    assert refused == {}
    for name, described in descriptions.items():
        seen = hostile.imported(tmp_path / name)
        assert seen["effects"] == []
        assert sorted(seen["operations"].values()) == hostile.operations(described)
        schemas = described["components"]["schemas"].values()
        members = [sorted(one["properties"]) for one in schemas if "properties" in one]
        assert sorted(seen["members"].values()) == sorted(members)
        words = [sorted(one["enum"]) for one in schemas if "enum" in one]
        assert sorted(map(sorted, seen["words"].values())) == sorted(words)
    assert tried == number

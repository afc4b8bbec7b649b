"""A description is input: whatever it says, no code comes of it but what the templates write, and nothing is lost."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import hostile

environment: Any = importlib.import_module("regenerate.environment")
text: Any = importlib.import_module("regenerate.text")

ROOT = Path(__file__).parents[2]


def attack(code: str, width: int = 110) -> str:
    """Text that leaves a docstring when it is escaped before it is wrapped.

    The wrap then comes between a backslash and its quote, twice: once to end the docstring, and once, in a comment, to
    begin the text that the template's own quotes end.
    """
    first = "x" * (width - 6) + '\u00a0"""""'
    line = f'""";{code};#\u00a0'
    return first + line[3:] + "y" * (width - len(line) - 6) + '\u00a0"""""z'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the command works on; every test brings another description."""
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


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(500, id="500"),
        pytest.param(20_000, id="20000", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_texts_of_any_kind_have_no_effect(number: int, tree: Path) -> None:
    """So many different texts, as many in one description as it has places for, each of them in its place."""
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
def test_a_quoted_text_is_a_literal_of_it(value: str) -> None:
    """With nothing lost, on one line, in ASCII and Latin letters; surrogates too."""
    for one in (value, value + "\ud800"):
        literal = text.quoted(one)
        assert ast.literal_eval(literal) == one
        assert all(" " <= c <= "~" or "\u00c0" <= c <= "\u024f" for c in literal)


@given(st.text() | hostile.texts, st.sampled_from([76, 106, 110]), st.sampled_from(["", "."]))
def test_prose_is_a_docstring_and_nothing_else(value: str, width: int, end: str) -> None:
    """Whatever stands around it, what is between the quotes is one text, of the words that can be seen."""
    written = text.prose(value, width, 4, end=end)
    module = ast.parse(f'class A:\n    """{written}"""\n    """{written} {written}\n    """\n')
    assert isinstance(module.body[0], ast.ClassDef)
    assert len(module.body) == 1
    assert [type(one) for one in module.body[0].body] == [ast.Expr, ast.Expr]
    assert all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in module.body[0].body)
    read = ast.literal_eval(f'"""{written}"""')
    kept = [c for c in value if c.isascii() and c.isprintable() and c != " "]
    assert [c for c in read if c.isascii() and c.isprintable() and c != " "][: len(kept) - 1] == kept[: len(kept) - 1]


# --- the audit: what stands in the finished code, however it came there ---

AUDIT = r"""
import shutil, sys
from pathlib import Path
from regenerate.audit import audit
from regenerate.failure import RegenerationError

root, scratch = Path(sys.argv[1]), Path(sys.argv[2])
good, templates = root / "generated" / "norce_order_api", root / "openapi" / "templates"
audit(good, templates)
shutil.copytree(good, scratch / "package", ignore=shutil.ignore_patterns("__pycache__"))
package = scratch / "package"
for path in package.glob("api/*/*.py"):  # one is like the other
    if path.name not in ("__init__.py", "get_checkout_orders.py"):
        path.unlink()
cases = eval(sys.stdin.read())
for name, old, new in cases:
    path = package / name
    before = path.read_text("utf-8") if path.exists() else None
    assert before is None or old in before, (name, old)
    path.write_text(new if before is None else before.replace(old, new, 1), "utf-8")
    try:
        audit(package, templates)
    except RegenerationError as error:
        assert "refused" in str(error) and name in str(error), (name, new, str(error))
    else:
        raise AssertionError(f"passed: {name}: {new}")
    path.unlink() if before is None else path.write_text(before, "utf-8")
audit(package, templates)
(package / "models" / "link.py").symlink_to(package / "models" / "cart.py")
try:
    audit(package, templates)
except RegenerationError:
    print(len(cases) + 1)
"""

CART, LIST = "models/cart.py", "api/checkout/get_checkout_orders.py"
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
    """In a module or class, in decorators, defaults, annotations, functions, and files that are always the same."""
    done = subprocess.run(
        [str(environment.ensure(ROOT / ".venv-regenerate")), "-c", AUDIT, str(ROOT), str(tmp_path)],
        input=repr(INTRUDERS),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(INTRUDERS) + 1


def test_templates_write_words_of_a_description_in_two_ways_alone() -> None:
    """No filter or function of the generator that escapes in another way, and no way around the two."""
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

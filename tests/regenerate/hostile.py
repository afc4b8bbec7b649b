"""Hostile words for a description, and the effects of importing a package made from them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.regenerate import miniature, running

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]

TEXT_KEYS = ("description", "summary", "title", "example")

FRAGMENTS = [
    *('"', '""', '"""', '""""', '"""""', "'", "'''", "\\", "\\\\", '\\"', '\\"""', "\\N{", "\\x", "\\u12", "\\U0000"),
    *(
        "\n",
        "\r",
        "\r\n",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1d",
        "\x1e",
        "\x85",
        "\u2028",
        "\u2029",
        "\t",
        "\x00",
        "\x1b",
        "\x7f",
    ),
    *(
        "\u00a0",
        "\u2003",
        "\u202f",
        "\u3000",
        "\u200b",
        "\u200d",
        "\u2060",
        "\u00ad",
        "\ufeff",
        "\u202e",
        "\u2066",
        "\ufffe",
    ),
    *(
        "#",
        "# ",
        "#\u00a0",
        ";",
        "%s",
        "{",
        "}",
        "{}",
        "{{",
        "}}",
        "{% raw %}",
        "{{ 7 * 7 }}",
        "{#",
        "${{ github.token }}",
    ),
    *(";CANARY();", "CANARY()", "{CANARY()}", "\n    CANARY()\n", '""");CANARY();("""', "']);CANARY();(['"),
    *(
        "__import__('os')",
        "# coding: utf-7",
        "# type: ignore",
        "# fmt: off",
        "@property",
        "\nimport os\n",
        "<!--",
        "]]>",
    ),
    *(
        "-",
        "--",
        ">>> CANARY()",
        "...",
        ".",
        "\u00e5",
        "\u00df",
        "\ufb01",
        "\u0130",
        "\u017f",
        "\u6570",
        "\U0001f600",
        "e\u0301",
    ),
]


def _aligned(width: int) -> st.SearchStrategy[str]:
    """Draw letters that bring quotes to the end of a wrapped line, behind a space at which a line is not wrapped."""
    letters = st.integers(width - 9, width - 2).map("x".__mul__)
    return st.tuples(letters, st.sampled_from("\u00a0\u2003\u202f"), st.integers(1, 6).map('"'.__mul__)).map("".join)


characters = st.characters(codec="utf-8")
_parts = st.sampled_from(FRAGMENTS) | characters | st.sampled_from([" ", "word", "y" * 40])
_lines = st.sampled_from(["", "", "\n"]).flatmap(
    lambda begun: st.sampled_from([76, 106, 110]).flatmap(_aligned).map(begun.__add__)
)
texts: st.SearchStrategy[str] = st.tuples(
    st.just("") | _lines, st.lists(_parts, min_size=1, max_size=6).map("".join), st.just("") | _lines
).map("".join)
names: st.SearchStrategy[str] = st.lists(
    st.sampled_from(FRAGMENTS) | characters | st.sampled_from(["a", "B", "_", "self", "class"]), min_size=1, max_size=5
).map("".join)


def drawn(strategy: st.SearchStrategy[str], number: int) -> list[str]:
    """Return a number of different values. They are tried together, because each generation takes seconds."""
    found: dict[str, None] = {}
    for seed in range(10):

        @settings(
            # Only a few are missing after the first round.
            max_examples=max(50, number - len(found)),
            database=None,
            # With CI set, Hypothesis would draw the same values in each round.
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            deadline=None,
        )
        @given(strategy)
        def collect(value: str) -> None:
            found[value] = None

        collect()
        if len(found) >= number:
            return list(found)[:number]
        assert seed < 9, f"only {len(found)} different values"
    raise AssertionError


def description() -> Document:
    """Return the corrected description."""
    described: Document = json.loads((ROOT / "generated/norce_order_api/openapi.json").read_text(encoding="utf-8"))
    return described


def places(value: Any, names: bool = False) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every object and key with a text for people. Below `names` the keys are names."""
    if isinstance(value, list):
        for one in value:  # pyright: ignore[reportUnknownVariableType]
            yield from places(one)
    elif isinstance(value, dict):
        held = cast("dict[str, Any]", value)
        for key, one in held.items():
            if key in TEXT_KEYS and isinstance(one, str) and not names:
                yield held, key
            else:
                yield from places(
                    one, key in ("properties", "schemas", "paths", "responses", "parameters") and not names
                )


def tree(folder: Path) -> Path:
    """Copy what the command works on, with the corrections made in the description and little code beside it, so that
    any other description can be used."""
    for name in ("openapi", "scripts", "generated"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    miniature.write_code(folder)
    plain = "overlay: 1.0.0\ninfo: {title: none, version: '1'}\nactions: []\n"
    (folder / "openapi/overlay.yaml").write_text(plain, encoding="utf-8")
    (folder / "openapi/order-management.v0.yaml").write_text(json.dumps(description()), encoding="utf-8")
    return folder


def regenerate(folder: Path, described: Document | bytes) -> subprocess.CompletedProcess[str]:
    """Run the whole command on a description from a file."""
    source = folder / "description.json"
    source.write_bytes(described if isinstance(described, bytes) else json.dumps(described).encode())
    return running.regenerated(folder, "--from", str(source))


# This program imports every module, and prints what else happened meanwhile and what the package has.
_IMPORTER = r"""
import builtins, importlib, json, pkgutil, sys
import attrs, datetime, httpx, typing, urllib.parse  # what the package itself needs

effects, watching = [], False
HARMLESS = {"import", "compile", "exec", "marshal.loads", "object.__getattr__", "os.listdir", "os.scandir",
            "sys._getframe", "sys._getframemodulename", "code.__new__"}

def watch(event, arguments):
    if not watching or event in HARMLESS or (event == "open" and arguments[1] in ("r", "rb")):
        return
    effects.append(event)

builtins.CANARY = lambda *given: effects.append("canary")
before = set(vars(builtins))
sys.addaudithook(watch)
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import norce_order_api
watching = True
found = [one.name for one in pkgutil.walk_packages(norce_order_api.__path__, "norce_order_api.")]
modules = [importlib.import_module(name) for name in found]
from norce_order_api import models
kinds = {name: getattr(models, name) for name in models.__all__}
watching = False

operations = {}
for module in modules:
    if hasattr(module, "_get_kwargs"):
        code = module._get_kwargs.__code__
        needed = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        told = module._get_kwargs(**{name: {} if name == "body" else "v" for name in needed})
        operations[module.__name__] = [told["method"], told["url"]]
json.dump(
    {
        "effects": effects + sorted(set(vars(builtins)) - before),
        "operations": operations,
        "members": {name: sorted(one.MEMBERS) for name, one in kinds.items() if hasattr(one, "MEMBERS")},
        "names": {name: [one.name for one in attrs.fields(kind)] for name, kind in kinds.items() if attrs.has(kind)},
        "words": {name: typing.get_args(one) for name, one in kinds.items() if str(one).startswith("typing.Literal")},
        "models": sorted(kinds),
        "docs": [module.__doc__ for module in modules],
    },
    sys.stdout,
)
"""


def imported(folder: Path) -> dict[str, Any]:
    """Return the effects of importing the package below `folder`, and its contents."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTER, str(folder / "generated")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:surrogatepass"},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def operations(described: Document) -> list[list[str]]:
    """Return method and path of every operation, with an id in each place of the path."""
    return sorted(
        [method, "/".join("v" if part.startswith("{") else part for part in path.split("/"))]
        for path, item in described["paths"].items()
        for method in item
        if method in ("get", "put", "post", "patch", "delete")
    )


def generate(folder: Path, described: dict[str, Document]) -> dict[str, str]:
    """Generate a package for each description in a folder of its name, and return the reasons why some have none."""
    for name, one in described.items():
        (folder / f"{name}.json").write_text(json.dumps(one), encoding="utf-8")
    code = f"import runpy; runpy.run_path({str(Path(__file__).with_name('generating.py'))!r}, run_name='__main__')"
    done = running.in_its_environment(code, str(ROOT), str(folder))
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def small(paths: Document | None = None, schemas: Document | None = None, **more: Any) -> Document:
    """Build a description with little in it."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "t", "version": "1"},
        "paths": paths or {"/a": {"get": operation("getA")}},
        "components": {"schemas": schemas or {"A": {"type": "object", "properties": {"b": {"type": "string"}}}}},
        **more,
    }


def operation(name: str, *parameters: Document, body: Any = None, answer: Any = None, **more: Any) -> Document:
    """Build an operation that answers 200. `body` and `answer` are content by media type, or the schema of JSON."""

    def content(told: Any) -> Document:
        return told if any("/" in key for key in told) else {"application/json": {"schema": told}}

    return {
        "operationId": name,
        "tags": ["t"],
        "parameters": list(parameters),
        "responses": {"200": {"description": "d", **({"content": content(answer)} if answer else {})}},
        **({"requestBody": {"required": True, "content": content(body)}} if body else {}),
        **more,
    }


def parameter(place: str, name: str, schema: Document | None = None, **more: Any) -> Document:
    return {"in": place, "name": name, "required": place == "path", "schema": schema or {"type": "string"}, **more}


def named(given: list[str]) -> Document:
    """Build a description in which each of these is the name of something."""
    waiting = iter(given)
    paths: Document = {}
    schemas: Document = {}
    for at, name in enumerate(waiting):
        kind = at % 5
        if kind == 0:
            # A parameter of a path and a header have a smaller alphabet, because they are written into a path and a
            # head.
            paths[f"/a{at}/{{id}}"] = {
                "get": {
                    **operation(f"{name}o", parameter("path", "id"), parameter("query", next(waiting, f"q{at}"))),
                    "tags": [next(waiting, "t")],
                }
            }
        elif kind == 1:
            schemas[_component(name)] = {"type": "object", "properties": {f"m{at}": {"type": "string"}}}
        elif kind == 2:
            words = [name, next(waiting, f"w{at}"), next(waiting, f"v{at}")]
            schemas[f"E{at}"] = {"type": "string", "enum": words}
        else:
            members = [name, *(next(waiting, f"m{at}n{more}") for more in range(4))]
            model = {"$ref": "#/components/schemas/Z"}
            kinds = [{"type": "string"}, {"type": "number"}, model, {"type": "array", "items": model}]
            schemas[f"M{at}"] = {
                "type": "object",
                "required": members[:1],
                "properties": {member: kinds[more % 4] for more, member in enumerate(members)},
            }
    schemas["Z"] = {"type": "object", "properties": {"z": {"type": "string"}}}
    return small(paths, schemas)


def _component(name: str) -> str:
    """Replace letters that the validator does not allow in the name of a component."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)

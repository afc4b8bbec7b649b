"""The rules are a complete list, and the sandbox is a program that shares nothing with the client."""

import ast
import re
from pathlib import Path

import norce_order_async.sandbox as sandbox_package
from norce_order_async.sandbox import RULES, Rule
from norce_order_async.sandbox.service.handlers import HANDLERS

from .support import DOCUMENT

HERE = Path(__file__).parent
PACKAGE = Path(str(sandbox_package.__file__)).parent


def test_rules_have_ids_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES) > 40
    assert all(isinstance(rule, Rule) and rule.text.endswith(".") for rule in RULES)
    assert {rule.certainty for rule in RULES} == {"certain", "assumed"}


def test_every_rule_is_named_by_a_test() -> None:
    named: set[str] = set()
    for file in HERE.rglob("test_*.py"):
        for call in re.findall(r"^@rule\(([^)]*)\)", file.read_text("utf-8"), re.MULTILINE):
            named.update(re.findall(r'"([^"]+)"', call))
    assert named == {rule.id for rule in RULES}


def test_every_operation_has_a_handler() -> None:
    described = {
        operation["operationId"]
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
        if "operationId" in operation
    }
    assert described == HANDLERS.keys()


def test_it_imports_nothing_of_the_client() -> None:
    """A server that shares the client's code can't catch its mistakes."""
    for file in PACKAGE.rglob("*.py"):
        depth = len(file.relative_to(PACKAGE).parts)
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, file
                names = [node.module or ""] if node.level == 0 else []
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            ours = [name for name in names if name.startswith("norce")]
            assert all(name.startswith("norce_order_async.sandbox") for name in ours), file


def test_it_says_what_it_is() -> None:
    assert "imitation" in (sandbox_package.__doc__ or "")

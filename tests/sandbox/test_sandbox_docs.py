"""The page about the sandbox: its plan can be played, its rules are those of the sandbox.

Its programs are run by ``tests/docs``. Run as a program, this writes the rules into the page.
"""

import re
from pathlib import Path

import yaml

from norce_order_async.sandbox import READY, RULES
from norce_order_async.sandbox.faults import plan_from_data
from norce_order_async.sandbox.faults.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
TEXT = PAGE.read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def section() -> str:
    lines = [f"| `{rule.id}` | {'assumed' if rule.assumed else 'certain'} | {rule.text} |" for rule in RULES]
    return "\n".join(["| rule | | what the sandbox does |", "|---|---|---|", *lines])


def with_rules(text: str) -> str:
    begin, end = re.findall(r"^<!-- rules: .*-->$", text, re.MULTILINE)
    return f"{text.partition(begin)[0]}{begin}\n{section()}\n{end}{text.partition(end)[2]}"


def test_the_plan_can_be_played() -> None:
    (plan,) = [code for language, code in BLOCKS if language == "yaml"]
    assert len(plan_from_data(yaml.safe_load(plan)).rules) == 5


def test_every_fault_and_every_ready_made_plan_is_explained() -> None:
    for name in (*KINDS, *READY):
        assert f"\n| `{name}` | " in TEXT


def test_every_rule_is_listed_with_its_certainty() -> None:
    assert with_rules(TEXT) == TEXT, f"run: python tests/sandbox/{Path(__file__).name}"


if __name__ == "__main__":
    PAGE.write_text(with_rules(TEXT), "utf-8")

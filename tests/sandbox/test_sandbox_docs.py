"""The page about the sandbox: its plan can be played, its faults and rules are those of the sandbox.

Its programs are run by ``tests/docs``. Run as a program, this writes the faults and the rules into the page.
"""

import dataclasses
import inspect
import re
from pathlib import Path

import yaml

from norce_order_async.sandbox import READY, RULES
from norce_order_async.sandbox.faults import Fault, plan_from_data
from norce_order_async.sandbox.faults.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
TEXT = PAGE.read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def settings(form: type[Fault]) -> str:
    names = [f"`{field.name}`" for field in dataclasses.fields(form)]
    return ", ".join([*names[:-2], " and ".join(names[-2:])])


def first_sentence(form: type[Fault]) -> str:
    return re.split(r"\.(?:\s|$)", inspect.getdoc(form) or "", maxsplit=1)[0]


def faults() -> str:
    rows = [
        f"| `{name}` | {', or '.join(map(settings, kind.forms))} | {first_sentence(kind.forms[0])} |"
        for name, kind in KINDS.items()
    ]
    head = ["| fault | settings; the first may be given alone | what the caller meets |", "|---|---|---|"]
    return "\n".join(head + [row.replace("|  |", "| |") for row in rows])


def rules() -> str:
    lines = [f"| `{rule.id}` | {rule.certainty} | {rule.text} |" for rule in RULES]
    return "\n".join(["| rule | | what the sandbox does |", "|---|---|---|", *lines])


def with_tables(text: str) -> str:
    for name, table in (("faults", faults()), ("rules", rules())):
        begin, end = re.findall(rf"^<!-- {name}: .*-->$", text, re.MULTILINE)
        text = f"{text.partition(begin)[0]}{begin}\n{table}\n{end}{text.partition(end)[2]}"
    return text


def test_the_plan_can_be_played() -> None:
    (plan,) = [code for language, code in BLOCKS if language == "yaml"]
    assert len(plan_from_data(yaml.safe_load(plan)).rules) == 5


def test_every_ready_made_plan_is_explained() -> None:
    for name in READY:
        assert f"\n| `{name}` | " in TEXT


def test_every_fault_is_listed_with_its_settings_and_every_rule_with_its_certainty() -> None:
    assert with_tables(TEXT) == TEXT, f"run: python tests/sandbox/{Path(__file__).name}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(TEXT), "utf-8")

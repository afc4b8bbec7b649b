"""The pages about the sandbox and its readings are true: plans can be played, and faults, rules and readings are those
of the sandbox.

``tests/docs`` runs their programs. Run as a program, this module writes faults, rules and readings into the pages.
"""

import dataclasses
import inspect
import re
from pathlib import Path

import yaml

from norce_order_async.sandbox import READY, RULES, Readings
from norce_order_async.sandbox.faults import Fault, plan_from_data
from norce_order_async.sandbox.faults.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
READINGS_PAGE = PAGE.with_name("readings.md")
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


def readings() -> str:
    lines: list[str] = []
    for rule in RULES:
        for reading in rule.readings:
            first = reading is rule.readings[0]
            name = f"**`{reading.id}`**" if reading.harsh else f"`{reading.id}`"
            of = f"`{rule.id}` | {rule.certainty}" if first else " | "
            lines.append(f"| {of} | {name} | {reading.text} | {reading.notice} |".replace("|   |", "| |"))
    head = ["| rule | | reading | what the service does | what a caller notices |", "|---|---|---|---|---|"]
    return "\n".join(head + lines)


def with_tables(text: str, *names: str) -> str:
    tables = {"faults": faults, "rules": rules, "readings": readings}
    for name in names:
        begin, end = re.findall(rf"^<!-- {name}: .*-->$", text, re.MULTILINE)
        text = f"{text.partition(begin)[0]}{begin}\n{tables[name]()}\n{end}{text.partition(end)[2]}"
    return text


def test_the_plan_can_be_played() -> None:
    (plan,) = [code for language, code in BLOCKS if language == "yaml"]
    assert len(plan_from_data(yaml.safe_load(plan)).rules) == 5


def test_every_ready_made_plan_is_explained() -> None:
    for name in READY:
        assert f"\n| `{name}` | " in TEXT


def test_every_fault_is_listed_with_its_settings_and_every_rule_with_its_certainty() -> None:
    assert with_tables(TEXT, "faults", "rules") == TEXT, f"run: python tests/sandbox/{Path(__file__).name}"


def test_every_reading_is_listed_with_what_a_caller_notices() -> None:
    text = READINGS_PAGE.read_text("utf-8")
    assert with_tables(text, "readings") == text, f"run: python tests/sandbox/{Path(__file__).name}"


def test_the_file_of_readings_can_be_loaded(tmp_path: Path) -> None:
    """Its rules have the certainty that the page names."""
    (code,) = re.findall(r"^```yaml\n(.*?)^```$", READINGS_PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    file = tmp_path / "readings.yaml"
    file.write_text(code, "utf-8")
    loaded = Readings.load(file)
    assert [loaded.certainty(rule) for rule in ("cart-total", "list-lag", "times")] == [
        "assumed",
        "observed",
        "assumed",
    ]
    assert {reading.rule for reading in loaded.changed} == {"cart-total", "list-lag"}


if __name__ == "__main__":
    PAGE.write_text(with_tables(TEXT, "faults", "rules"), "utf-8")
    READINGS_PAGE.write_text(with_tables(READINGS_PAGE.read_text("utf-8"), "readings"), "utf-8")

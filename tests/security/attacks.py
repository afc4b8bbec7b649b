"""The attacks that docs/security.md counts, with the files of their tests. A new file of tests is one more path
here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "security.md"
BEGIN: Final = "<!-- measured: attacks -->"
END: Final = "<!-- end -->"

ATTACKS: Final[Mapping[str, tuple[str, ...]]] = {
    "A description of the API with code in its words, names that collide, forms that no template knows": (
        "tests/regenerate/test_hostile_descriptions.py",
        "tests/regenerate/test_gates.py",
    ),
    "Headers, ids and addresses with line breaks, slashes, control characters, look-alikes": (
        "tests/pipeline/test_headers.py",
        "tests/pipeline/test_requests.py",
        "tests/client/test_construction.py",
    ),
    "Certificates of other hosts, expired or unknown; plain http": ("tests/engines/test_tls.py",),
    "Answers with bytes left over, two answers for one request": ("tests/engines/test_extra_bytes.py",),
    "Answers that are another order's": ("tests/orders/test_identity.py",),
    "Answers without end, or that unpack to gigabytes": (
        "tests/engines/test_answer_bounds.py",
        "tests/pipeline/test_answer_bounds.py",
    ),
    "Answers with any number of new or odd members": (
        "tests/pipeline/test_drift.py",
        "tests/generated/test_generated_reading.py",
    ),
    "Words of the service that steer a terminal or quote the request": (
        "tests/orders/bodies/test_foreign_words.py",
        "tests/pipeline/test_words.py",
    ),
    "Tokens, bodies and personal data in logs, errors and reprs": ("tests/pipeline/test_secrecy.py",),
    "Tokens, secrets and bodies in the locals of a traceback": ("tests/security/test_locals.py",),
    "Cookies and headers of one merchant sent for another": ("tests/client/test_raw.py",),
    "Journals that are damaged, by hand or by a full disk": ("tests/bulk/journal/test_damaged_journal.py",),
    "Exports that others can read, that follow a link, or that a spreadsheet runs": (
        "tests/bulk/actions/test_export.py",
    ),
    "Strangers and pages of other sites at the inspector, and markup in all that it shows": (
        "tests/sandbox/inspector/test_access.py",
        "tests/sandbox/inspector/test_escaping.py",
    ),
    "A test suite that reaches real hosts": ("tests/testing/test_guard.py",),
}
"""The files of each attack's tests. Missing paths count nothing."""


def attack_of(nodeid: str) -> str | None:
    """Return the attack of a test, or None."""
    path = nodeid.partition("::")[0]
    return next((attack for attack, paths in ATTACKS.items() if path in paths), None)


def paths() -> list[str]:
    """Return all files with such tests."""
    return [path for held in ATTACKS.values() for path in held if (ROOT / path).is_file()]


def table(counts: Mapping[str, int]) -> str:
    """Return the table of the attacks and the number of their cases."""
    rows = [f"| {attack} | {counts.get(attack, 0):,} |" for attack in ATTACKS]
    return "\n".join(["| attack | cases |", "|---|---:|", *rows, f"| all | {sum(counts.values()):,} |"])


def write(counts: Mapping[str, int]) -> None:
    """Write the table into the page."""
    before, rest = PAGE.read_text("utf-8").split(f"{BEGIN}\n", 1)
    after = rest.split(f"{END}\n", 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(counts)}\n\n{END}\n{after}", "utf-8")


def written() -> dict[str, int]:
    """Return the counts in the page."""
    block = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \|$", block, re.MULTILINE)
    return {attack: int(count.replace(",", "")) for attack, count in rows}

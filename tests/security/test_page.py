"""docs/security.md claims no more cases than there are."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from .attacks import ATTACKS, ROOT, attack_of, paths, written


def test_the_table_names_the_attacks_and_their_sum() -> None:
    """The table has the attacks of the list in its order, and each was tried."""
    *rows, last = written().items()
    assert [attack for attack, _ in rows] == [*ATTACKS]
    assert last == ("all", sum(count for _, count in rows))
    assert all(count for _, count in rows)


def test_no_more_cases_are_claimed_than_exist() -> None:
    """The cases are counted by collecting the tests, without running them."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *paths()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    there = Counter(attack_of(line) for line in collected.stdout.splitlines() if "::" in line)
    for attack in ATTACKS:
        assert written()[attack] <= there[attack], attack

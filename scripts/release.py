"""Before a release is built: do the tag, the version, the changelog and the repository's address agree?

python scripts/release.py v1.2.3 https://github.com/OWNER/NAME    exit 1, and what does not
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def disagreements(tag: str, repository: str, root: Path = ROOT) -> list[str]:
    """The problems to fix first; empty if the release may be built."""
    problems: list[str] = []
    source = root.joinpath("src", "norce_order_async", "_version.py").read_text(encoding="utf-8")
    version = re.findall(r'^__version__ = "(.*)"$', source, re.MULTILINE)[0]
    if tag != f"v{version}":
        problems.append(f"the tag is {tag}, the version {version}: one of them is wrong")
    changelog = root.joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        problems.append(f"CHANGELOG.md has no section {version}")
    project = tomllib.loads(root.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    known = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    if known != repository:
        problems.append(f"this repository is {repository}, pyproject.toml has {known or 'none'}")
    return problems


if __name__ == "__main__":
    problems = disagreements(*sys.argv[1:3])
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.exit(1 if problems else 0)

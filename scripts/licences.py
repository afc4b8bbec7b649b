"""Lists the licences of all packages in an environment, and fails if one is not allowed.

It also lists the files of others that this project ships, and fails if one differs from the list beside it. `nox -s
licences` runs it in an environment with this package and all extras, and in that of the generator.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from itertools import chain
from pathlib import Path

AGREED = frozenset(
    [
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0"),
        *("PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    ]
)
"""SPDX names of licences that only demand that they are named; MPL-2.0 also makes demands on changes of its own
files."""

AGREED_FOR = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    # MIT, by the text of its LICENSE.
    "taskiq-dependencies": "not said",
    "docutils": "BSD-3-Clause AND GNU General Public License (GPL) AND Public Domain",
}
"""Single packages whose licence demands more, each allowed for itself alone.

psycopg comes with an extra only, is used unchanged as a library that a user can replace, and is not part of what this
project ships. docutils builds the documentation site and is installed for nothing else; its part under the GPL is a
mode for Emacs.
"""

VENDORED = sorted((Path(__file__).parents[1] / "src").rglob("static/LICENCES.md"))
"""The lists of the files of others that are part of what this project ships; each stands beside these files."""

_OWN = {"norce-order-async", "pip", "setuptools", "wheel"}
# The words of packages without an SPDX expression, in classifiers or free text.
_SPELLINGS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "modified bsd license": "BSD-3-Clause",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "new bsd license": "BSD-3-Clause",
    "psf": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}


def licence(package: Distribution) -> str:
    """The licence as an SPDX expression if the package allows to find it, otherwise in the package's words."""
    metadata = package.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return expression
    classifiers = [
        one.rpartition(" :: ")[2] for one in metadata.get_all("Classifier", []) if one.startswith("License ::")
    ]
    said = [one for one in classifiers if one not in ("OSI Approved", "DFSG approved")] or (
        metadata.get("License") or "not said"
    ).splitlines()[:1]
    return " AND ".join(sorted({_SPELLINGS.get(one.strip().lower(), one.strip()) for one in said}))


def is_agreed(expression: str) -> bool:
    """Whether the licence is allowed: both sides of an AND, or one side of an OR."""
    words = re.findall(r"[()]|[^\s()]+", expression)
    try:
        agreed = _either(words)
    except IndexError:  # it ends where more should follow
        return False
    return agreed and not words


def _either(words: list[str]) -> bool:
    agreed = _all(words)
    while words[:1] == ["OR"]:
        words.pop(0)
        agreed = _all(words) or agreed
    return agreed


def _all(words: list[str]) -> bool:
    agreed = _one(words)
    while words[:1] == ["AND"]:
        words.pop(0)
        agreed = _one(words) and agreed
    return agreed


def _one(words: list[str]) -> bool:
    name = words.pop(0)
    if name == "(":
        return _either(words) and words.pop(0) == ")"
    if words[:1] == ["WITH"]:  # an exception gives more rights, not fewer
        del words[:2]
    return name in AGREED


def listed(packages: Iterable[Distribution]) -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of each, by name."""
    found = {package.metadata["Name"].lower().replace("_", "-"): package for package in packages}
    for name in sorted(found.keys() - _OWN):
        yield name, found[name].version, licence(found[name])


def shipped(notes: Path) -> Iterator[tuple[str, str, str]]:
    """Name, version and licence of each file of others, by the table beside them; one that differs has no licence."""
    row = re.compile(r"^\| `(.+?)` \| (\S+) \| (\S+) \| (\S+) \| `([0-9a-f]{64})` \|$", re.MULTILINE)
    for file, package, version, said, digest in row.findall(notes.read_text("utf-8")):
        same = hashlib.sha256(notes.with_name(file).read_bytes()).hexdigest() == digest
        yield f"{package} ({file})", version, said if same else "not the file that is listed"


def main(folders: list[str]) -> int:
    """Prints the list for these folders, or for this environment. Returns 1 if a licence is not allowed."""
    places = [str(place) for folder in folders for place in Path(folder).glob("lib/python*/site-packages")]
    packages = chain.from_iterable(distributions(path=[place]) for place in places) if folders else distributions()
    refused: list[str] = []
    for name, version, said in chain(listed(packages), *([] if folders else map(shipped, VENDORED))):
        good = is_agreed(said) or AGREED_FOR.get(name) == said
        print(f"{'' if good else '! '}{name} {version}: {said}")
        if not good:
            refused.append(name)
    if refused:
        print(f"licences that were not agreed to: {', '.join(refused)}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

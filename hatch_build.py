"""What the build adds to the package's description: its addresses, and the README as a package index can show it.

The address of the repository is in one place, as ``repository`` under ``[tool.hatch.metadata.hooks.custom]`` in
pyproject.toml. Everything that needs it is made from it here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]\n]*)\]\((?![a-z]+:|#)(?P<path>[^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)


def urls(repository: str) -> dict[str, str]:
    """The addresses that an index shows beside the package; none before there is a repository."""
    if not repository:
        return {}
    return {
        "Repository": repository,
        "Documentation": f"{repository}/tree/main/docs",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def for_an_index(readme: str, repository: str, version: str) -> str:
    """The README with links that work away from the repository: to the files as they are in this version.

    Without a repository there is no target; then the text of each link stays, and the link is removed. Code blocks are
    not changed.
    """

    def link(found: re.Match[str]) -> str:
        if not repository:
            return found["text"]
        form = "raw" if found["image"] else "blob"
        return f"{found['image']}[{found['text']}]({repository}/{form}/v{version}/{found['path']})"

    parts = FENCE.split(readme)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)


class Description(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root)
        repository = self.config["repository"].rstrip("/")
        readme = (root / "README.md").read_text(encoding="utf-8")
        metadata["urls"] = urls(repository)
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_an_index(readme, repository, metadata["version"]),
        }

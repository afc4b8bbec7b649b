"""The parts of a release: the repository's address, links that work on an index's page, and the check before it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.packaging.support import ROOT

REPOSITORY = "https://code.example/shop/norce"
PROJECT = ROOT.joinpath("pyproject.toml").read_text("utf-8")


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the build's hook without the build backend."""
    base = type("MetadataHookInterface", (), {})
    interface = SimpleNamespace(MetadataHookInterface=base)
    for name in ("hatchling", "hatchling.metadata", "hatchling.metadata.plugin"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, "hatchling.metadata.plugin.interface", interface)
    return loaded(ROOT / "hatch_build.py")


def described(build: Any, repository: str) -> dict[str, Any]:
    hook = build.Description()
    hook.root, hook.config = str(ROOT), {"repository": repository}
    metadata: dict[str, Any] = {"version": "1.2.3"}
    hook.update(metadata)
    return metadata


def test_the_readme_s_links_lead_to_the_files_of_this_version(build: Any) -> None:
    """Every relative link becomes an address. A trailing slash in the repository's address does no harm."""
    relative = re.findall(r"\]\((?![a-z]+:|#)([^)]+)\)", ROOT.joinpath("README.md").read_text("utf-8"))
    text = described(build, REPOSITORY + "/")["readme"]["text"]
    assert len(relative) > 20
    for path in relative:
        assert f"]({REPOSITORY}/blob/v1.2.3/{path})" in text
        assert ROOT.joinpath(path.partition("#")[0]).exists()
    assert not re.search(r"\]\((?![a-z]+:|#)", text)


def test_without_a_repository_nothing_is_linked(build: Any) -> None:
    """No address is invented."""
    metadata = described(build, "")
    assert metadata["urls"] == {}
    assert "](docs/" not in metadata["readme"]["text"]
    assert "reliability" in metadata["readme"]["text"]


def test_code_and_links_elsewhere_stay_as_they_are(build: Any) -> None:
    """Code that looks like a link, full addresses and headings of the page stay unchanged. A picture is linked as a
    file."""
    page = "[a](b.md) [c](https://d.example) [e](#f) ![g](h.svg)\n```python\ni[j](k)\n```\n[l](m/n.md#o)\n"
    assert build.for_an_index(page, REPOSITORY, "1.0") == (
        f"[a]({REPOSITORY}/blob/v1.0/b.md) [c](https://d.example) [e](#f) ![g]({REPOSITORY}/raw/v1.0/h.svg)\n"
        f"```python\ni[j](k)\n```\n[l]({REPOSITORY}/blob/v1.0/m/n.md#o)\n"
    )
    assert build.for_an_index(page, "", "1.0").startswith("a [c](https://d.example) [e](#f) g\n```python\ni[j](k)\n")


def test_the_index_shows_the_addresses(build: Any) -> None:
    urls = described(build, REPOSITORY)["urls"]
    assert urls["Repository"] == REPOSITORY
    assert all(address.startswith(REPOSITORY) for address in urls.values())
    assert urls.keys() == {"Repository", "Documentation", "Changelog", "Issues"}


def checkout(folder: Path, version: str, changelog: str, repository: str) -> Path:
    source = folder / "src" / "norce_order_async" / "_version.py"
    source.parent.mkdir(parents=True)
    source.write_text(f'__version__ = "{version}"\n', "utf-8")
    folder.joinpath("CHANGELOG.md").write_text(changelog, "utf-8")
    assert PROJECT.count('\nrepository = "') == 1
    filled = re.sub(r'^repository = ".*"$', f'repository = "{repository}"', PROJECT, flags=re.MULTILINE)
    folder.joinpath("pyproject.toml").write_text(filled, "utf-8")
    return folder


def test_a_release_is_built_if_all_agree(tmp_path: Path) -> None:
    root = checkout(tmp_path, "1.2.3", "# Changelog\n\n## 1.2.3\n", REPOSITORY)
    assert loaded(ROOT / "scripts" / "release.py").disagreements("v1.2.3", REPOSITORY, root) == []


def test_each_disagreement_is_named(tmp_path: Path) -> None:
    """A wrong tag, a missing section of the changelog and a missing address are each named."""
    root = checkout(tmp_path, "1.2.3", "# Changelog\n\n## Unreleased\n\n## 1.2.30\n", "")
    told = loaded(ROOT / "scripts" / "release.py").disagreements("v1.2.4", REPOSITORY, root)
    assert told == [
        "the tag is v1.2.4, the version 1.2.3: one of them is wrong",
        "CHANGELOG.md has no section 1.2.3",
        f"this repository is {REPOSITORY}, pyproject.toml has none",
    ]


def test_the_command_fails_with_the_disagreements() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "release.py"), "v0.0.0", REPOSITORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("the tag is v0.0.0, ")


def test_the_sdist_names_only_existing_files() -> None:
    """The build silently leaves out files that are missing."""
    for path in tomllib.loads(PROJECT)["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        assert ROOT.joinpath(path.removeprefix("/")).exists(), path

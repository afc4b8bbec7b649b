"""The paths of the files and folders."""

from dataclasses import dataclass
from pathlib import Path

PACKAGE = "norce_order_api"


@dataclass(frozen=True)
class Layout:
    """The paths of one checkout."""

    root: Path

    @property
    def description(self) -> Path:
        return self.root / "openapi" / "order-management.v0.yaml"

    @property
    def provenance(self) -> Path:
        return self.root / "openapi" / "PROVENANCE.md"

    @property
    def overlay(self) -> Path:
        return self.root / "openapi" / "overlay.yaml"

    @property
    def generator(self) -> Path:
        return self.root / "openapi" / "generator.yaml"

    @property
    def templates(self) -> Path:
        return self.root / "openapi" / "templates"

    @property
    def package(self) -> Path:
        return self.root / "generated" / PACKAGE

    @property
    def work(self) -> Path:
        """Ignored by git, and on the same file system as the files to replace, so that renaming is enough."""
        return self.root / ".cache" / "regenerate"

    @property
    def report(self) -> Path:
        """Ignored by git too: people read a report, or copy it into a pull request."""
        return self.root / ".cache" / "regeneration-report"


HERE = Layout(Path(__file__).resolve().parents[2])

"""axe-core finds obstacles for people who use a page. It comes from the npm registry, and is kept between runs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

VERSION = "4.14.1"
_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def source(folder: Path) -> str | None:
    """The source of axe-core, kept in this folder. None if the registry can't be reached."""
    kept = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not kept.exists():
        if shutil.which("npm") is None:
            return None
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        if subprocess.run([*npm, f"axe-core@{VERSION}"], capture_output=True, check=False).returncode:
            return None
    content = kept.read_bytes()
    assert hashlib.sha256(content).hexdigest() == _SHA256
    return content.decode()

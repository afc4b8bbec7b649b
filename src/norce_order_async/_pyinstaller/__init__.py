"""For PyInstaller, which finds this by an entry point: what of our packages is imported by name or read as a file.

The hooks beside this file are read by PyInstaller alone. A frozen program needs no options for them.
"""

from __future__ import annotations

from pathlib import Path


def hook_dirs() -> list[str]:
    """Where the hooks are."""
    return [str(Path(__file__).parent)]

"""The environment for the regeneration: its own, with pinned hashes, made when it is first needed.

It is in `.venv-regenerate/`, under a hash of its requirements and its Python, so new pins make a new one. It is built
under another name and renamed when it is complete, so the remains of an interrupted build are never used. This module
uses only the standard library. It prints the path of the environment's Python.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from regenerate.layout import HERE

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_STALE = 3600.0  # seconds; no build takes that long, so what is older was left by a killed one


def ensure(home: Path) -> Path:
    """The Python of a complete environment below `home`."""
    python = f"{sys.version} {sys.base_prefix}"
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + python.encode()).hexdigest()[:16]
    complete = home / key
    if not complete.exists():
        home.mkdir(parents=True, exist_ok=True)
        _build(complete)
    return complete / "bin" / "python"


def _build(complete: Path) -> None:
    print("regenerate: making the environment of the generator, once", file=sys.stderr)
    for left in complete.parent.glob("building-*"):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix="building-", dir=complete.parent))
    try:
        python = str(building / "bin" / "python")
        # A pip that is here already installs there too: an own one takes as long to install as half of the rest.
        ours = find_spec("pip") is not None
        make = [sys.executable, "-m", "venv", *(["--without-pip"] if ours else []), str(building)]
        subprocess.run(make, check=True, stdout=sys.stderr, timeout=_STALE)
        # Only wheels, with hashes: no package runs code of its own during the installation.
        install = [sys.executable, "-m", "pip", "--python", python] if ours else [python, "-m", "pip"]
        install += ["install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        install += ["--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
        subprocess.run(install, check=True, stdout=sys.stderr, timeout=_STALE)
        try:
            building.rename(complete)
        except OSError:
            if not complete.exists():  # otherwise another run was quicker, with the same content
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


if __name__ == "__main__":
    try:
        print(ensure(Path(os.environ.get("NORCE_REGENERATE_ENV") or HERE.root / ".venv-regenerate")))
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"regenerate: the environment of the generator could not be made: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

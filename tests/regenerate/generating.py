"""Packages from many descriptions, made in the environment of the regeneration by all steps of the command except
formatting.

Run it there as a program, with the repository and a folder. For every NAME.json in the folder it makes a package in
NAME/generated, or a line with the reason why there is none. It prints these lines by name.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# By name, because the scripts are type-checked in an environment of their own.
audit: Any = importlib.import_module("regenerate.audit")
complete: Any = importlib.import_module("regenerate.complete")
document: Any = importlib.import_module("regenerate.document")
failure: Any = importlib.import_module("regenerate.failure")
render: Any = importlib.import_module("regenerate.render")


def main(root: Path, folder: Path) -> None:
    told: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        package = folder / path.stem / "generated" / "norce_order_api"
        package.parent.mkdir(parents=True)
        try:
            described = document.read(path.read_bytes(), "the description")
            document.validate(described, "the description")
            render.main(path, root / "openapi" / "generator.yaml", root / "openapi" / "templates", package)
            audit.audit(package, root / "openapi" / "templates")
            complete.check_complete(described, package)
        except failure.RegenerationError as error:
            told[path.stem] = str(error)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

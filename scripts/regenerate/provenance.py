"""Updates the block for machines in PROVENANCE.md: address, date, hashes of the description."""

import hashlib
import json
import re
from datetime import UTC, datetime

from regenerate.failure import RegenerationError
from regenerate.obtain import Obtained

_BLOCK = re.compile(r"(?<=```json\n).*?(?=\n```)", re.DOTALL)


def updated(text: str, obtained: Obtained) -> str:
    """The text with the block for this description; unchanged if the same bytes came from the same address."""
    found = _BLOCK.search(text)
    if found is None:
        raise RegenerationError("PROVENANCE.md has lost its block for machines (a json code block)")
    now = {
        "address": obtained.address,
        "date": datetime.now(UTC).date().isoformat(),
        "sha256": hashlib.sha256(obtained.content).hexdigest(),
        "sha512": hashlib.sha512(obtained.content).hexdigest(),
    }
    before = json.loads(found.group())
    if all(before.get(key) == now[key] for key in ("address", "sha256")):
        return text
    return text[: found.start()] + json.dumps(now, indent=2, ensure_ascii=False) + text[found.end() :]

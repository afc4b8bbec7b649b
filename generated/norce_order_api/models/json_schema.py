"""Free-form data."""

from typing import Any, TypeAlias

JsonSchema: TypeAlias = dict[str, Any]
"""A JSON Schema, draft 2020-12."""

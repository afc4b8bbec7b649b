"""Free-form data."""

from typing import Any, TypeAlias

Attributes: TypeAlias = dict[str, Any]
"""Free-form extra data; a null in it is a value."""

"""The coverages of intervals and sets that a model supports, by its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table_of(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The table that they are made of; None where the build has made none."""
    table = manifest.get("conformal")
    return table if isinstance(table, Mapping) and table.get("ranks") else None


def highest(table: Mapping[str, Any]) -> float:
    """The highest coverage that a table supports, to six digits and rounded down."""
    return int(table["ranks"][-1] * 10**6 // (table["rows"] + 1)) / 10**6

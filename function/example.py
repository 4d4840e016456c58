"""A request made up from a manifest: medians and frequent categories, never anybody's row."""

from __future__ import annotations

from typing import Any

from function.model import Model
from function.signature import Column


def example_instance(model: Model) -> dict[str, Any]:
    """One instance by column name that the model answers."""
    known = model.manifest["statistics"]["columns"]
    return {
        column.name: _value(column, known.get(column.name, {}))
        for column in model.signature.columns
        if column.required
    }


def _value(column: Column, about: dict[str, Any]) -> Any:
    if about.get("frequent"):
        return about["frequent"][0][0]
    if column.categories is not None:
        return column.categories[0] if column.categories else None
    if "median" in about:
        return about["median"]
    return {"string": "text", "bool": False}.get(column.type, 0)

"""Prediction intervals and sets in the document, for the models that were built with the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnxlet.function.models.coverage import highest
from onnxlet.function.openapi.forms import Schema, listed, or_null

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

ABOUT = "beside each prediction an interval or a set that holds the truth in this share of cases"
END: Schema = {"type": ["number", "null"]}  # NaN and infinities are null


def _table(model: Model) -> Mapping[str, Any] | None:
    table = model.manifest.get("conformal")
    return table if isinstance(table, Mapping) and table.get("ranks") else None


def _schema(models: Sequence[Model]) -> Schema:
    tables = [table for table in map(_table, models) if table is not None]
    return {"type": "number", "exclusiveMinimum": 0, "maximum": min(map(highest, tables))}


def parameters(models: Sequence[Model]) -> list[Schema]:
    """The query parameter `coverage`, where some model has a table."""
    if not any(map(_table, models)):
        return []
    form = {"name": "coverage", "in": "query", "description": ABOUT, "schema": _schema(models)}
    return [form]


def member(model: Model) -> dict[str, Schema]:
    """The member `coverage` of a body."""
    if _table(model) is None:
        return {}
    return {"coverage": or_null({**_schema([model]), "description": ABOUT})}


def region(model: Model) -> dict[str, Schema]:
    """What a coverage adds to an answer: one row's entry, by the output's name."""
    if _table(model) is None:
        return {}
    if model.classes is not None:
        return {"set": listed({"enum": model.classes}, 1, len(model.classes))}
    sizes = model.signature.outputs[0].shape[1:]
    interval = listed(END, 2, 2)
    return {"interval": listed(interval, *sizes, *sizes) if sizes else interval}

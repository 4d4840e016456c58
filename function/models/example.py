"""What a manifest says for requests: examples, of medians and frequent categories, and coverages.

An example is nobody's own row. Intervals and sets have the coverages that their table supports.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import Model

TEXT = "a few words of text"
DATE = datetime(2026, 3, 25, 14, 30)
# A PNG of 8 x 8 pixels, all of the grey 128.
IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAA"
    "DklEQVR42mNogAIGyhgAgIQgARDoahcAAAAASUVORK5CYII="
)
FEW = 3  # entries of a list that may have any length
RATED = 3
SIZES = ("height", "width", "mode")
# Of a number; its least and greatest are one person's. An example is nobody's.
PUBLISHED = ("example", "median", "quantiles")


def example_instance(model: Model) -> dict[str, Any]:
    """One instance by column name that the model answers; of items to rate it has a few."""
    known = statistics_of(model)
    columns = [column for column in model.signature.columns if column.required]
    row = {column.name: _value(column, known.get(column.name, {})) for column in columns}
    if model.manifest["task"] == "recommendation":  # who has rated everything gets nothing
        return {name: row[name] if at < RATED else None for at, name in enumerate(row)}
    return row


def typical_values(model: Model) -> dict[str, dict[str, Any]]:
    """By column, what a form may suggest: `median` and `quantiles`, or `frequent` values."""
    known = statistics_of(model)
    return {
        column.name: _typical(known.get(column.name, {}))
        | ({"example": _value(column, {})} if column.date or column.image else {})
        | (_brightness(model, column.name) if column.image else {})
        for column in model.signature.columns
        if column.required
    }


def _brightness(model: Model, name: str) -> dict[str, float]:
    """Of an image that is usual in this column, 0 to 255: whether it is rather dark or light."""
    for feature in (model.manifest.get("reference") or {}).get("features", ()):
        if feature.get("column") == name and feature["measure"] == "brightness":
            edges = feature["edges"]
            return {"brightness": edges[(len(edges) - 1) // 2]} if edges else {}
    return {}


def described_signature(model: Model) -> dict[str, Any]:
    """The manifest's signature, where images have the size that the graph takes, as `image`."""
    sizes = {
        tensor["columns"][0]: {key: tensor["image"][key] for key in SIZES}
        for tensor in model.manifest["graph"]["inputs"]
        if "image" in tensor
    }
    signature: dict[str, Any] = model.manifest["signature"]
    inputs = [
        {**each, "image": sizes[each["name"]]} if each["name"] in sizes else each
        for each in signature["inputs"]
    ]
    return {**signature, "inputs": inputs} if sizes else signature


def statistics_of(model: Model) -> Mapping[str, Mapping[str, Any]]:
    """By column, what the manifest says of the rows that it was built with."""
    about: Mapping[str, Mapping[str, Any]] = model.manifest.get("statistics", {})
    return about.get("columns", {})


def _typical(about: Mapping[str, Any]) -> dict[str, Any]:
    typical = {key: about[key] for key in PUBLISHED if key in about}
    if about.get("frequent"):
        typical["frequent"] = [value for value, _ in about["frequent"]]
    return typical


def _value(column: Column, about: Mapping[str, Any]) -> Any:
    if column.cell:
        return _nested(column)
    if column.image:
        return IMAGE
    candidates = [about["example"]] if "example" in about else []
    candidates += [value for value, _ in about.get("frequent", ())]
    candidates += [about["median"]] if "median" in about else []
    if column.categories is not None:
        known = [value for value in candidates if value in column.categories]
        return next(iter(known or column.categories), None)
    if candidates:
        return _within(column, candidates[0])
    if column.date:
        return _date(column)
    if column.type in ("string", "bool"):
        return TEXT if column.type == "string" else False
    return _within(column, 0)


def _nested(column: Column) -> Any:
    value: Any = False if column.type == "bool" else _within(column, 0)
    for size in reversed(column.cell):
        value = [value] * (size if isinstance(size, int) else min(column.longest, FEW))
    return value


def _within(column: Column, value: Any) -> Any:
    """The nearest value that the column takes."""
    if column.minimum is not None and value < column.minimum:
        return column.minimum
    if column.maximum is not None and value > column.maximum:
        return column.maximum
    return value


def _date(column: Column) -> str:
    if column.format is not None:
        return DATE.strftime(column.format.replace("%z", "+0000"))
    return DATE.isoformat() + "Z" * (column.zone is not None)


def table_of(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The table that intervals and sets are made of; None where the build has made none."""
    table = manifest.get("conformal")
    return table if isinstance(table, Mapping) and table.get("ranks") else None


def highest(table: Mapping[str, Any]) -> float:
    """The highest coverage that a table supports, to six digits and rounded down."""
    return int(table["ranks"][-1] * 10**6 // (table["rows"] + 1)) / 10**6

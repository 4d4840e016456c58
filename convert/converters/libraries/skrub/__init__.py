"""Converters of skrub's estimators: frames, cells, texts, numbers, dates, joins, and refusals."""

from __future__ import annotations

from onnxlet.convert.converters.libraries.skrub import (
    categories,
    cells,
    columns,
    dates,
    joins,
    numbers,
    refused,
    texts,
    topics,
)
from onnxlet.convert.graph.converter import Converter

CONVERTERS: dict[type, Converter] = {
    kind: convert
    for family in (columns, cells, categories, dates, texts, topics, numbers, joins, refused)
    for kind, convert in family.CONVERTERS.items()
}

"""Converters of scikit-lego's estimators, by kind."""

from __future__ import annotations

from onnxlet.convert.converters.libraries.scikit_lego import columns, groups, meta, models
from onnxlet.convert.graph.converter import Converter

CONVERTERS: dict[type, Converter] = {
    **columns.CONVERTERS,
    **groups.CONVERTERS,
    **meta.CONVERTERS,
    **models.CONVERTERS,
}

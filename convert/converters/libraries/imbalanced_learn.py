"""Converters of imbalanced_learn's estimators."""

from __future__ import annotations

from onnxlet.convert.graph.converter import Converter

CONVERTERS: dict[type, Converter] = {}

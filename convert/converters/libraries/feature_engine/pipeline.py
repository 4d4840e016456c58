"""feature-engine's Pipeline, whose steps may remove rows in `fit`; it answers as scikit-learn's.

Source: `feature_engine/pipeline/pipeline.py`.
"""

from __future__ import annotations

from feature_engine.pipeline import Pipeline

from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.graph.converter import Converter

CONVERTERS: dict[type, Converter] = {Pipeline: pipeline}

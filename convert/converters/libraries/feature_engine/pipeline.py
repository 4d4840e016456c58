"""feature-engine's Pipeline, whose steps may remove rows in `fit`; it answers as scikit-learn's.

Source: `feature_engine/pipeline/pipeline.py`.
"""

from __future__ import annotations

from feature_engine.pipeline import Pipeline

from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.converters.registration import Converters, exact

CONVERTERS: Converters = {Pipeline: exact(pipeline)}

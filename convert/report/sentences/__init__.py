"""What to see in each figure, in one sentence that is computed from its numbers.

Each function takes the findings (report.json), or one part of them, and gives a sentence without
markup; an empty text where the figure is not there.
"""

from onnxlet.convert.report.sections.common import BASELINES, neutral
from onnxlet.convert.report.sections.curves import calibration, precision_recall, roc, threshold
from onnxlet.convert.report.sections.errors import by_prediction, confusion, residuals, worst
from onnxlet.convert.report.sections.fairness import fairness, mitigation
from onnxlet.convert.report.sections.importance import dependence, importance, learning, search
from onnxlet.convert.report.sections.scores import answer, data, scores, target
from onnxlet.convert.report.sections.served import parity, serving

__all__ = [
    "BASELINES",
    "answer",
    "by_prediction",
    "calibration",
    "confusion",
    "data",
    "dependence",
    "fairness",
    "importance",
    "learning",
    "mitigation",
    "neutral",
    "parity",
    "precision_recall",
    "residuals",
    "roc",
    "scores",
    "search",
    "serving",
    "target",
    "threshold",
    "worst",
]

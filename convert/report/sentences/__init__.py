"""What to see in each figure, in one sentence that is computed from its numbers.

Each function takes the findings (report.json), or one part of them, and gives a sentence without
markup; an empty text where the figure is not there.
"""

from onnxlet.convert.report.sentences.answers import answer, data, scores, target
from onnxlet.convert.report.sentences.common import BASELINES, neutral
from onnxlet.convert.report.sentences.curves import calibration, precision_recall, roc, threshold
from onnxlet.convert.report.sentences.errors import by_prediction, confusion, residuals, worst
from onnxlet.convert.report.sentences.groups import fairness, mitigation
from onnxlet.convert.report.sentences.reasons import dependence, importance, learning, search
from onnxlet.convert.report.sentences.served import parity, serving

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

"""What a report says, as plain JSON: every figure of a served model, and nobody's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from onnxlet.convert.report import FORMAT
from onnxlet.convert.report.evaluation.calibration import calibration
from onnxlet.convert.report.evaluation.call import call
from onnxlet.convert.report.evaluation.curves import precision_recall, roc, threshold
from onnxlet.convert.report.evaluation.data import data
from onnxlet.convert.report.evaluation.dependence import dependence
from onnxlet.convert.report.evaluation.errors import confusion, residuals, worst
from onnxlet.convert.report.evaluation.evaluation import Subject, subject
from onnxlet.convert.report.evaluation.fairness import fairness
from onnxlet.convert.report.evaluation.importance import importance
from onnxlet.convert.report.evaluation.learning import learning
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.refitting import Refits
from onnxlet.convert.report.evaluation.scores import scores
from onnxlet.convert.report.evaluation.serving import serving

DIGITS = 6  # significant ones, of every number


def findings(measured: Measured) -> dict[str, Any]:
    """Every figure of the report.

    The same data and seed give the same figures, except for the times below `serving`; and where
    refitting takes longer than `seconds`, for what is left out then.

    Args:
        measured: the model, and the rows to measure it on.

    Returns:
        Plain JSON: what can't be said is None. Numbers have six significant digits.

    Raises:
        Refusal: the model's answers can't be right or wrong, or y_test is not what it answers.
    """
    about = subject(measured)
    example = call(about)
    served = serving(about, example["row"])  # first: a second process needs memory while it lasts
    found = scores(about)
    leaning = importance(about)
    refits = Refits(about)
    wrong, error = worst(about)
    parts = {
        **_head(about),
        "data": data(about),
        "scores": found,
        "confusion": confusion(about),
        "residuals": residuals(about),
        "roc": roc(about, found),
        "precision_recall": precision_recall(about, found),
        "calibration": calibration(about),
        "threshold": threshold(about),
        "importance": leaning,
        "dependence": dependence(about, leaning["columns"]),
        "learning": learning(about, refits),
        "worst": wrong,
        "worst_error": error,
        "search": measured.search,
        "fairness": fairness(about, refits),
        "parity": parity(measured.model.manifest),
        "serving": served,
        "call": example,
        "use": None,
    }
    parts["notes"] = about.notes
    plain: dict[str, Any] = _plain(parts)
    return plain


def _head(about: Subject) -> dict[str, Any]:
    measured, measure = about.measured, about.measure
    labels = about.measured.model.classes if about.task != "regression" else None
    return {
        "format": FORMAT,
        "name": measured.name,
        "version": measured.version,
        "task": about.task,
        "outputs": about.outputs,
        "target": measured.target,
        "positive": about.positive,
        "classes": labels,
        "origin": measured.origin,
        "estimator": measured.described or one_line(measured.estimator),
        "metric": {
            "name": measure.name,
            "title": measure.title,
            "greater_is_better": measure.greater_is_better,
        },
    }


def one_line(estimator: Any) -> str:
    """The names of an estimator and of the ones it is made of; no parameter, which may be data."""
    name = type(estimator).__name__
    if name == "FrozenEstimator":  # it keeps what it holds from being refitted
        return one_line(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return " → ".join(one_line(step) for _, step in estimator.steps)
    inner = getattr(estimator, "estimators", None)
    if isinstance(inner, list) and all(isinstance(e, tuple) and len(e) == 2 for e in inner):
        return f"{name} of {', '.join(_named(label, part) for label, part in inner)}"
    wrapped = getattr(estimator, "estimator", None)
    return f"{name} of {one_line(wrapped)}" if hasattr(wrapped, "get_params") else name


def _named(label: str, part: Any) -> str:
    part = getattr(part, "estimator", part)
    last = part.steps[-1][1] if isinstance(part, Pipeline) else part
    return one_line(last) if hasattr(last, "get_params") else label


ROWS = ("held_out_rows", "hard_rows", "drawn_rows", "judging_rows")
COUNTED = (
    *ROWS,
    "differing_rows",
    "tied_rows",
    "tolerance",
    "reference",
    "recipe",
)


def parity(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parity certificate in short: on how many rows, and the largest differences."""
    if not (certificate := manifest.get("parity")):
        return None
    labels = {"prediction"} if manifest["task"] == "classification" else set()
    names = [name for name in certificate["outputs"] if name not in labels]
    measure = {n: "absolute" if n == "probabilities" else "relative" for n in names}
    off = {name: certificate["outputs"][name][f"largest_{measure[name]}"] for name in names}
    return {
        "rows": sum(certificate[key] for key in ROWS),
        **{key: certificate[key] for key in COUNTED},
        "worst": off,
        "measure": measure,
    }


def _plain(value: Any) -> Any:
    """As JSON has it: no NumPy types, no NaN, numbers with few digits."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value

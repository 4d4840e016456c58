"""NannyML's estimates of performance without labels, of its public `CBPE` on given chunks.

NannyML is given raw scores, predicted labels, and a calibrator which is a step function of the raw
score (`calibrated[sum(score > edges)]`): its own, isotonic regression, interpolates between the
steps. What it makes of calibrated probabilities p, with TP the sum of p over rows predicted as the
class, FP of 1 - p over these, FN of p over the others, TN of 1 - p over the others:

- accuracy: (TP + TN) / rows of two classes; of more, the mean of p of the predicted class.
- precision TP / (TP + FP), recall TP / (TP + FN), f1 TP / (TP + (FP + FN) / 2); 0 where the
  denominator is 0. Of two classes they are those of label 1; of more, the mean over all classes,
  those that no row is predicted as included, with 0.
- roc_auc: rows in falling order of the raw score, not of p; the area by the trapezoid rule under
  the sums of p and of 1 - p up to each row, both rounded to five decimals. Ties are not grouped:
  rows of one raw score come in whichever order an unstable sort leaves them. Where p is a function
  of the raw score this makes no difference, since rows of one p are one straight line. NaN where
  all p are 0, or all are 1. Of more than two classes, the mean over classes, each against the rest.
- Of more than two classes, the calibrated probabilities of a row are divided by their sum before
  all this, or are 1 / classes each where it is 0. So p isn't a function of the class's own score,
  unless the calibrated probabilities of each row have the sum 1, as those of `of_sum_one` have.

Reference rows have their effect on whether NannyML calibrates, and on alarms; not on estimates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # read as NannyML is imported

import numpy as np
import pandas as pd
from nannyml import CBPE
from sklearn.isotonic import IsotonicRegression

from tools.evaluation.references.writing import figure, write

METRICS = ["accuracy", "precision", "recall", "f1", "roc_auc"]
CLASSES = "abc"
REFERENCE_ROWS = 2000
STEPS = (
    [0.06, 0.15, 0.22, 0.3, 0.41, 0.5, 0.58, 0.66, 0.79, 0.9, 0.96],
    [0.21, 0.26, 0.3, 0.34, 0.41, 0.48, 0.5, 0.57, 0.63, 0.68, 0.72, 0.8],
)


class Steps:
    """A calibrator that is a given step function."""

    def __init__(self, edges: Sequence[float], calibrated: Sequence[float]) -> None:
        self.edges = np.array(edges)
        self.calibrated = np.array(calibrated)

    def fit(self, scores: Any, truth: Any) -> None:
        """Nothing is to be fitted."""

    def calibrate(self, scores: Any) -> Any:
        """The probabilities of scores, float64 of shape (rows,)."""
        return self.calibrated[np.searchsorted(self.edges, np.asarray(scores))]


class IsotonicSteps(Steps):
    """The step function of isotonic regression: a step changes halfway between two scores."""

    def __init__(self) -> None:
        super().__init__([], [0.0])

    def fit(self, scores: Any, truth: Any) -> None:
        """Fit to raw scores and to truths of 0 and 1."""
        known = np.unique(np.asarray(scores))
        levels = IsotonicRegression().fit(np.asarray(scores), np.asarray(truth)).predict(known)
        new = np.flatnonzero(np.diff(levels) > 1e-9)
        self.edges = np.round((known[new] + known[new + 1]) / 2, 6)
        self.calibrated = np.round(levels[np.r_[new, len(levels) - 1]], 6)


def main() -> None:
    """Write tests/references/nannyml.json."""
    figures = {"two_classes": two_classes(), "of_sum_one": of_sum_one(), "divided": divided()}
    write("nannyml", ["nannyml", "numpy", "pandas", "scikit-learn"], figures)


def two_classes() -> dict[str, Any]:
    """Of two classes: one step function, and chunks of which the last has no row predicted as 1."""
    steps = Steps(*STEPS)
    random = Random(1)  # noqa: S311 - no secrets
    scores = [random.randrange(1001) / 1000 for _ in range(REFERENCE_ROWS)]
    truth = [int(random.random() < p) for p in steps.calibrate(scores)]
    reference = pd.DataFrame({"score": scores, "predicted": [int(s > 0.5) for s in scores]})
    chunks = []
    for power, least in ((1.0, 0.5), (0.5, 0.5), (2.0, 0.35), (3.0, 1.1)):
        scores = [round(random.random() ** power, 3) for _ in range(200)]
        scores[:5] = STEPS[0][:5]  # on an edge, which is in the lower bin
        chunks.append(
            pd.DataFrame({"score": scores, "predicted": [int(s >= least) for s in scores]})
        )
    estimator = _estimator("classification_binary", "score", steps, 200)
    estimator.fit(reference.assign(truth=truth))
    if not estimator.needs_calibration:
        raise ValueError("expected the reference to need calibration")
    return {
        "classes": [{"edges": STEPS[0], "calibrated": STEPS[1]}],
        "chunks": _chunks(estimator, chunks, lambda chunk: {"score": chunk["score"].tolist()}),
    }


def of_sum_one() -> dict[str, Any]:
    """Of three classes whose calibrated probabilities have the sum 1 in each row.

    NannyML has copies of one calibrator for all classes. Scores of another range for each class
    make it another step function for each: below 0.1, below 0.2, and above 0.8.
    """
    random = Random(2)  # noqa: S311 - no secrets
    edges = [[round(start + i / 100, 2) for i in range(1, 10)] for start in (0.0, 0.1, 0.8)]
    calibrated = [[round(i / 10 + more, 2) for i in range(10)] for more in (0.0, 0.05, 0.05)]
    steps = Steps(
        [*edges[0], 0.1, *edges[1], 0.5, *edges[2]],
        [p for of_class in calibrated for p in of_class],
    )

    def row() -> list[float]:
        first = random.randrange(10)
        second = random.randrange(10 - first)
        a = round((first + random.uniform(0.02, 0.48)) / 100, 5)
        b = round(0.1 + (second + random.uniform(0.02, 0.48)) / 100, 5)
        return [a, b, round(1 - a - b, 5)]

    def predicted(scores: list[float]) -> str:
        shifted = [scores[0], scores[1] - 0.1, scores[2] - 0.8]
        return CLASSES[int(np.argmax([s + random.uniform(0, 0.03) for s in shifted]))]

    reference = _frame([row() for _ in range(REFERENCE_ROWS)], predicted)
    truth = [random.choices(CLASSES, p)[0] for p in _calibrated(steps, reference)]
    chunks = [_frame([row() for _ in range(150)], predicted) for _ in range(2)]
    chunks += [
        _frame([row() for _ in range(150)], lambda scores: "ab"[scores[0] + 0.1 < scores[1]])
    ]
    for chunk in chunks:
        np.testing.assert_allclose(np.sum(_calibrated(steps, chunk), axis=1), 1, rtol=1e-12)
    entries = [{"edges": e, "calibrated": c} for e, c in zip(edges, calibrated, strict=True)]
    return _of_three(steps, entries, reference.assign(truth=truth), chunks)


def _calibrated(steps: Steps, frame: pd.DataFrame) -> Any:
    return np.column_stack([steps.calibrate(frame[name]) for name in CLASSES]).tolist()


def divided() -> dict[str, Any]:
    """Of three classes, each calibrated against the rest: NannyML divides by the row's sum."""
    random = Random(3)  # noqa: S311 - no secrets

    def row() -> list[float]:
        parts = [random.expovariate(1) ** 1.5 for _ in CLASSES]
        return [round(part / sum(parts), 5) for part in parts]

    def predicted(scores: list[float]) -> str:
        return CLASSES[int(np.argmax(scores))]

    rows = [row() for _ in range(REFERENCE_ROWS)]
    truth = [random.choices(CLASSES, [p**0.5 + 0.1 for p in row])[0] for row in rows]
    reference = _frame(rows, predicted)
    entries = []
    for name in CLASSES:
        steps = IsotonicSteps()
        steps.fit(reference[name], [int(label == name) for label in truth])
        entries.append({"edges": steps.edges.tolist(), "calibrated": steps.calibrated.tolist()})
    chunks = [_frame([row() for _ in range(150)], predicted) for _ in range(3)]
    return _of_three(IsotonicSteps(), entries, reference.assign(truth=truth), chunks)


def _frame(rows: list[list[float]], predicted: Callable[[list[float]], str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(CLASSES))
    return frame.assign(predicted=[predicted(row) for row in rows])


def _of_three(
    steps: Steps, entries: list[dict[str, Any]], reference: pd.DataFrame, chunks: list[pd.DataFrame]
) -> dict[str, Any]:
    names = {name: name for name in CLASSES}
    estimator = _estimator("classification_multiclass", names, steps, len(chunks[0]))
    estimator.fit(reference)

    def scores(chunk: pd.DataFrame) -> dict[str, Any]:
        return {"scores": chunk[list(CLASSES)].to_numpy().tolist()}

    return {"classes": entries, "chunks": _chunks(estimator, chunks, scores)}


def _estimator(problem: str, scores: str | dict[str, str], steps: Steps, rows: int) -> CBPE:
    return CBPE(
        metrics=METRICS,
        y_pred_proba=scores,
        y_pred="predicted",
        y_true="truth",
        problem_type=problem,
        chunk_size=rows,
        calibrator=steps,
    )


def _chunks(
    estimator: CBPE,
    chunks: list[pd.DataFrame],
    scores: Callable[[pd.DataFrame], dict[str, Any]],
) -> list[dict[str, Any]]:
    """The chunks as they are written, each with NannyML's estimates."""
    result = estimator.estimate(pd.concat(chunks, ignore_index=True))
    found = result.filter(period="analysis").to_df()
    written = []
    for index, chunk in enumerate(chunks):
        labels = chunk["predicted"].tolist()
        if isinstance(labels[0], str):
            labels = [CLASSES.index(label) for label in labels]
        estimated = {name: figure(found[(name, "value")].iloc[index]) for name in METRICS}
        written.append({**scores(chunk), "predicted": labels, "estimated": estimated})
    return written


if __name__ == "__main__":
    main()

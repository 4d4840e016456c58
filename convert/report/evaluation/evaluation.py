"""What all figures are computed from: checked test rows, what was true, the function's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from onnxlet.convert.errors import Refusal
from onnxlet.convert.metrics.metrics import Metric, fitting
from onnxlet.convert.metrics.resampled import ScoredAnswers, Truth
from onnxlet.convert.reference.answers import flat
from onnxlet.convert.reference.inputs import Cells, InputColumn, read_inputs
from onnxlet.convert.reference.row_forms import known_keys
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.statistics import DRAWS, FEW, generator, resamples
from onnxlet.convert.report.form.wording import listed, name, plural
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.serving.predict import run_the_good

MOST_ROWS = 50_000  # of the test set
SAME = "y_test: expected what the model could answer for X_test's rows"


@dataclass(frozen=True)
class Evaluation:
    """A model with its answered test rows."""

    measured: Measured  # what it was made of
    task: str  # binary, multiclass or regression
    outputs: int  # numbers or labels of an answer
    rows: Array  # positions in X_test of the rows below, in order
    columns: Sequence[InputColumn]  # of X_test
    cells: list[Cells]  # the rows as clients send them, in the order of these columns
    table: CheckedBatch  # the same, as the function reads them
    truth: Truth
    answered: ScoredAnswers  # the function's answers
    metric: Metric  # the score that was optimised
    trained: Array | None  # answers of the training rows
    groups: Array | None = None  # numbers of the rows' groups from 0, int64 (rows,)
    notes: list[str] = field(default_factory=list)  # gets what was left out, and why

    @property
    def model(self) -> Model:
        """The model as it is served."""
        return self.measured.model

    @property
    def positive(self) -> Any:
        """The label that rates are of; None where there are not two."""
        return self.truth.labels[self.truth.positive] if self.task == "binary" else None

    @cached_property
    def trained_truth(self) -> Array | None:
        """Answers of the training rows as what was true has them, without labels that it lacks."""
        if self.trained is None or self.task == "regression":
            return None if self.trained is None else self.trained.astype(np.float64)
        known, trained = set(self.truth.labels), self.trained
        if trained.ndim == 1:
            trained = trained[[value in known for value in trained.tolist()]]
        return indices_of(trained, self.truth.labels)

    @property
    def inputs(self) -> Any:
        """The rows in the form that the estimator takes."""
        return some_rows(self.measured.X_test, self.rows)

    @property
    def units(self) -> int:
        """How many rows, or groups of rows, there are that say something of their own."""
        return self.units_of(np.arange(len(self.rows)))

    def units_of(self, rows: Array) -> int:
        """The same of some rows, by index."""
        return len(rows) if self.groups is None else len(np.unique(self.groups[rows]))

    def resamples(self, rows: Array | None = None, draws: int = DRAWS) -> Iterator[Array]:
        """How often each row is drawn, as `resamples`; of some rows, by index, or of all."""
        count = len(self.rows) if rows is None else len(rows)
        groups = self.groups
        if groups is not None and rows is not None:
            groups = _numbered(groups[rows])
        return resamples(self.measured.seed, count, draws, groups)

    def ask(self, table: CheckedBatch) -> tuple[ScoredAnswers, Array]:
        """The function's answers to other rows, and which of them it answers, bool (rows,).

        Those that it does not answer have a neighbour's; where it answers none, that of a test row.
        """
        left_out = LeftOut(range(table.rows))
        _, outputs = run_the_good(self.model, table, left_out)
        if not left_out.kept:
            outputs = self.model.run(CheckedBatch(1, [array[:1] for array in self.table.arrays]))
        good = np.zeros(table.rows, dtype=bool)
        good[left_out.kept] = True
        if not good.all():
            spread = np.maximum(np.cumsum(good) - 1, 0)
            outputs = {name: array[spread] for name, array in outputs.items()}
        return as_answered(outputs, self.truth, self.task), good

    def sample(self, most: int, part: str) -> Array:
        """Indices of at most so many of the rows, in order."""
        return some(len(self.rows), most, self.measured.seed, part)


def some(rows: int, most: int, seed: int, part: str) -> Array:
    """Indices of at most so many of some rows, in order, int64."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(generator(seed, part).choice(rows, most, replace=False))


def some_rows(data: Any, rows: Array) -> Any:
    """Some rows, or answers of theirs, in the form that all of them have."""
    return _safe_indexing(data, rows)


def answer_test_rows(measured: Measured) -> Evaluation:
    """Read, check and answer the test rows.

    Raises Refusal where the model's answers have no score, y_test is not what it answers, or no row
    is.
    """
    model = measured.model
    if model.manifest["task"] not in ("regression", "classification"):
        raise Refusal(
            f"a report is of answers that can be right or wrong, and this model's task is "
            f"{model.manifest['task']}",
            "Build it without --report.",
        )
    notes: list[str] = []
    known = _rows_with_truth(measured, notes)
    keys = known_keys(measured.estimator, measured.X_train)
    images = any(column.image for column in model.signature.columns)
    inputs, X = read_inputs(some_rows(measured.X_test, known), keys=keys, images=images)
    cells = inputs.rows(X)
    left_out = LeftOut()
    sent = _in_order(cells, inputs.columns, model)
    table = validate_rows(sent, model.signature, left_out=left_out)
    table, outputs = run_the_good(model, table, left_out)
    if not outputs:
        raise Refusal("X_test: the model refuses every row", "Give rows that it was built for.")
    kept = np.array(left_out.kept, dtype=np.int64)
    if len(kept) < len(cells):
        notes.append(f"{len(cells) - len(kept)} test rows are refused by the model: not measured")
    rows = known[kept]
    values = flat(some_rows(measured.y_test, rows))
    groups = None if measured.groups is None else _numbered(some_rows(measured.groups, rows))
    if groups is not None and (count := len(np.unique(groups))) < FEW:
        notes.append(f"the test rows are of {plural(count, 'group')}: too few for intervals")
    task = _task(measured, outputs, values)
    truth = _truth(measured, task, values, outputs, notes)
    answered = as_answered(outputs, truth, task)
    if truth.values.shape != answered.prediction.shape:
        raise Refusal(f"{SAME}: the shapes {truth.values.shape} and {answered.prediction.shape}")
    return Evaluation(
        measured,
        task,
        answered.prediction.shape[1] if answered.prediction.ndim > 1 else 1,
        rows,
        inputs.columns,
        [cells[index] for index in kept.tolist()],
        table,
        truth,
        answered,
        _metric(measured, task, answered),
        None if measured.y_train is None else flat(measured.y_train),
        groups,
        notes,
    )


def _rows_with_truth(measured: Measured, notes: list[str]) -> Array:
    """Positions of the test rows to measure."""
    y = flat(measured.y_test)
    count = _num_samples(measured.X_test)
    if len(y) != count:
        raise Refusal(
            f"y_test: expected {count} values, as many as X_test has rows, got {len(y)}",
            "Give the answers of X_test's own rows, in their order.",
        )
    gaps = pd.isna(y)
    known = np.flatnonzero(~(gaps if gaps.ndim == 1 else gaps.any(axis=1)))
    if len(known) < count:
        notes.append(f"{count - len(known)} test rows have no known answer: they are not measured")
    if not len(known):
        raise Refusal("y_test has no known answer", "Give test rows with theirs.")
    if len(known) > MOST_ROWS:
        notes.append(f"measured on {MOST_ROWS:,} of {len(known):,} test rows, drawn at random")
    return known[some(len(known), MOST_ROWS, measured.seed, "test rows")]


def _numbered(groups: Array) -> Array:
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _in_order(cells: list[Cells], columns: Sequence[InputColumn], model: Model) -> list[Any]:
    """Lists in signature order, or objects by name where the order is another one."""
    names = [column.name for column in columns]
    if names == [column.name for column in model.signature.columns]:
        return cells
    return [dict(zip(names, row, strict=True)) for row in cells]


def some_of(table: CheckedBatch, rows: Array) -> CheckedBatch:
    """Some rows of a batch, by index."""
    return CheckedBatch(len(rows), [array[rows] for array in table.arrays])


def _task(measured: Measured, outputs: Mapping[str, Array], values: Array) -> str:
    if measured.task is not None:
        return measured.task
    if measured.model.manifest["task"] == "regression":
        return "regression"
    classes = measured.model.classes or []
    flat = outputs["prediction"].ndim == 1 and not any(isinstance(c, list) for c in classes)
    return "binary" if flat and len(classes) == 2 else "multiclass"


def _truth(
    measured: Measured, task: str, values: Array, outputs: Mapping[str, Array], notes: list[str]
) -> Truth:
    """What was true, as indices of labels: the model's classes and those it does not know."""
    if task == "regression":
        try:
            return Truth(values.astype(np.float64), [])
        except (TypeError, ValueError) as error:
            raise Refusal(f"{SAME}, numbers", "Give numbers.") from error
    classes = measured.model.classes or []
    if any(isinstance(known, list) for known in classes) or outputs["prediction"].ndim > 1:
        classes = list(dict.fromkeys(outputs["prediction"].ravel().tolist()))
    unknown = [v for v in dict.fromkeys(values.ravel().tolist()) if v not in set(classes)]
    if len(unknown) and not set(values.ravel().tolist()) & set(classes):
        raise Refusal(
            f"{SAME}: none of its values is one of the classes",
            "Give labels as the estimator was fitted on.",
        )
    labels = [*classes, *sorted(unknown, key=str)]
    indices = indices_of(values, labels)
    if unknown:
        count = int((indices >= len(classes)).sum())
        shown = listed([name(label, 40) for label in labels[len(classes) :]])
        notes.append(f"true labels of test rows that the model never answers: {shown} ({count})")
    said = measured.positive
    if said is None:
        said = measured.model.manifest.get("positive")
    positive = classes.index(said) if said in classes else 1
    return Truth(indices, labels, positive, len(unknown))


def indices_of(values: Array, labels: Sequence[Any]) -> Array:
    """The index of each label, int64, in the shape of the values."""
    index = {label: number for number, label in enumerate(labels)}
    flat = [index[value] for value in values.ravel().tolist()]
    return np.array(flat, dtype=np.int64).reshape(values.shape)


def as_answered(outputs: Mapping[str, Array], truth: Truth, task: str) -> ScoredAnswers:
    """The outputs of a function in the form that scores take."""
    prediction = outputs["prediction"]
    if task == "regression":
        return ScoredAnswers(prediction.astype(np.float64))
    indices = indices_of(prediction, truth.labels)
    if prediction.ndim > 1:
        return ScoredAnswers(indices)
    probabilities = outputs.get("probabilities")
    if probabilities is not None:  # 0 for the labels that the model does not know
        more = len(truth.labels) - probabilities.shape[1]
        probabilities = np.pad(probabilities.astype(np.float64), ((0, 0), (0, more)))
    return ScoredAnswers(
        indices, probabilities, _ranking(probabilities, outputs.get("score"), truth)
    )


def _ranking(probabilities: Array | None, score: Array | None, truth: Truth) -> Array | None:
    if probabilities is not None:
        return probabilities[:, truth.positive] if len(truth.labels) >= 2 else None
    if score is None or score.ndim > 1:
        return None
    return score.astype(np.float64) * (1 if truth.positive == 1 else -1)


def _metric(measured: Measured, task: str, answered: ScoredAnswers) -> Metric:
    """The score that was optimised."""
    found = fitting(task, answered)
    if measured.metric is None:
        return found[0]
    for metric in found:
        if metric.name == measured.metric:
            return metric
    known = ", ".join(metric.name for metric in found)
    raise Refusal(f"metric: the answers have no '{measured.metric}'", f"They have {known}.")


def estimators_answers(estimator: Any, X: Any, case: Evaluation) -> ScoredAnswers:
    """An estimator's own answers, in the form that scores take: of a refit, or a baseline.

    It may know fewer labels than the model, having seen fewer rows.
    """
    truth = case.truth
    prediction = flat(estimator.predict(X))
    if case.task == "regression" or prediction.ndim > 1:
        return as_answered({"prediction": prediction}, truth, case.task)
    indices = indices_of(prediction, truth.labels)
    probabilities = score = None
    if hasattr(estimator, "predict_proba"):
        at = indices_of(np.asarray(estimator.classes_), truth.labels)
        probabilities = np.zeros((len(prediction), len(truth.labels)))
        probabilities[:, at] = estimator.predict_proba(X)
    elif case.task == "binary" and hasattr(estimator, "decision_function"):
        score = np.asarray(estimator.decision_function(X))
    return ScoredAnswers(indices, probabilities, _ranking(probabilities, score, truth))

"""What a report is made of: a served model, its test rows, and what is known of its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model


class Metric(Protocol):
    """A score of answers; `onnxlet.convert.train.metrics.Metric` is one.

    `score` takes what was true of shape (rows,), predictions (rows,) or probabilities (rows,
    classes), and the classes in their order.
    """

    @property
    def name(self) -> str:
        """Such as roc_auc."""

    @property
    def title(self) -> str:
        """As people read it."""

    @property
    def greater_is_better(self) -> bool:
        """Whether more of it is better."""

    @property
    def needs(self) -> str:
        """`prediction` or `probabilities`."""

    @property
    def score(self) -> Callable[[Any, Any, Any], float]:
        """The metric of what was true, answers and classes."""


class Baseline(NamedTuple):
    """What another model answers to X_test's rows.

    Attributes:
        answers: predictions (rows,), or probabilities (rows, classes).
        threshold: of the positive class' probability, from which it is answered; None where the
            most probable class is.
    """

    answers: Array
    threshold: float | None = None


@dataclass(frozen=True)
class Measured:
    """A served model and the rows to measure it on.

    Attributes:
        name: the model's.
        model: as it is served: all figures are of its answers.
        estimator: fitted; it is refitted for the learning curve, and timed.
        X_test: rows that the estimator has not seen.
        y_test: what they should be answered with, one entry a row.
        version: of the model.
        origin: the command that it comes from.
        task: binary, multiclass or regression; None is read from the model.
        target: the name of what is answered.
        described: the estimator in one line; None is made of its parts' names.
        positive: the class that rates are of; None is the second of two.
        X_train: the rows that it was fitted on, or None.
        y_train: their answers, or None.
        fit: refits it on rows and their answers; None is scikit-learn's `clone` and `fit`.
        baselines: by name (`linear`). A constant is always there; a linear model is fitted where
            none is given and the training rows are known. None where there is nothing but the
            constant to compare with, as the model is itself a plain linear one.
        groups: numbers of X_test's rows' groups, int64, where rows of one group are alike:
            intervals are by groups. None where each row is by itself.
        sensitive: by column, the groups of X_test's rows.
        sensitive_train: the same of X_train's rows.
        out_of_fold: probabilities of X_train's rows by models that have not seen them, of shape
            (rows, classes), or None.
        metric: that was optimised, or its name; None is the task's usual one.
        threshold: of the positive class' probability, that was chosen; None is read from answers.
        threshold_metric: the name of the metric that the threshold was chosen for.
        search: as the findings have it.
        columns: as the findings have them; None is made of X_test.
        split: how test rows were chosen, in a sentence.
        notes: what the reader should know of the data.
        rows: in the whole table; None is those of X_train and X_test.
        seed: of all samples and draws.
        seconds: that refitting may take.
    """

    name: str
    model: Model
    estimator: Any
    X_test: Any
    y_test: Any
    version: int | None = None
    origin: Literal["train", "build"] = "build"
    task: str | None = None
    target: str | None = None
    described: str | None = None
    positive: Any = None
    X_train: Any = None
    y_train: Any = None
    fit: Callable[[Any, Any], Any] | None = None
    baselines: Mapping[str, Baseline] | None = field(default_factory=dict)
    groups: Array | None = None
    sensitive: Mapping[str, Array] = field(default_factory=dict)
    sensitive_train: Mapping[str, Array] = field(default_factory=dict)
    out_of_fold: Array | None = None
    metric: str | Metric | None = None
    threshold: float | None = None
    threshold_metric: str | None = None
    search: Mapping[str, Any] | None = None
    columns: Sequence[Mapping[str, Any]] | None = None
    split: str | None = None
    notes: Sequence[str] = ()
    rows: int | None = None
    seed: int = 0
    seconds: float = 10.0

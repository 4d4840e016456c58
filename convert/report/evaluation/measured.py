"""What a report is made of: a served model, its test rows, and what is known of its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from onnxlet.convert.describe import Descriptions
from onnxlet.convert.report.form.findings import Column, Search
from onnxlet.convert.tables.places import Places
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model


@dataclass(frozen=True)
class Measured:
    """A served model and the rows to measure it on."""

    name: str  # the model's
    model: Model  # as it is served: all figures are of its answers
    estimator: Any  # fitted; it is refitted for the learning curve, and timed
    X_test: Any  # rows that the estimator has not seen
    y_test: Any  # what they should be answered with, one entry a row
    origin: Literal["train", "build"] = "build"  # the command that it comes from
    task: str | None = None  # binary, multiclass or regression; None is read from the model
    target: str | None = None  # the name of what is answered
    described: str | None = None  # the estimator in one line; None is made of its parts' names
    positive: Any = None  # the class that rates are of; None is the manifest's, or the second
    X_train: Any = None  # the rows that it was fitted on
    y_train: Any = None  # their answers
    # What is served, where that was fitted on X_test as well, once it was measured; None: `model`.
    served: Model | None = None
    unrefitted: str | None = None  # why it was not; None where nobody has asked for it
    # Refits it on rows and their answers; None is scikit-learn's `clone` and `fit`.
    fit: Callable[[Any, Any], Any] | None = None
    # Fitted estimators by name (`linear`). A constant is always there; a linear model is fitted
    # where none is given and the training rows are known. None where there is nothing but the
    # constant to compare with, as the model is itself a plain linear one.
    baselines: Mapping[str, Any] | None = field(default_factory=dict)
    # Numbers of X_test's rows' groups, int64, where rows of one group are alike: intervals are by
    # groups. None where each row is by itself.
    groups: Array | None = None
    sensitive: Mapping[str, Array] = field(default_factory=dict)  # groups of X_test, by column
    sensitive_train: Mapping[str, Array] = field(default_factory=dict)  # the same of X_train
    # Probabilities of X_train's rows by models that have not seen them: (rows, classes).
    out_of_fold: Array | None = None
    # Where X_test is in the order of time, after X_train: how far answers to rows of that were off
    # by models that had seen earlier rows only; float64 (some rows,), of classes what the right
    # one's probability lacks of 1. None where it is in no order.
    earlier_errors: Array | None = None
    metric: str | None = None  # that was optimised; None is the task's usual one
    # Of the positive class' probability, that was chosen for the metric; None is read from answers.
    threshold: float | None = None
    search: Search | None = None
    columns: Sequence[Column] | None = None  # None is made of X_test
    split: str | None = None  # how test rows were chosen, in a sentence
    notes: Sequence[str] = ()  # what the reader should know of the data
    descriptions: Descriptions | None = None  # what is said of the target and of columns
    rows: int | None = None  # in the whole table; None is those of X_train and X_test
    # Where X_test's rows stand in the user's own table; None where only their positions are known.
    places: Places | None = None
    decimal: str = ""  # "comma" where that table has decimal commas: the table of test rows, too
    seed: int = 0  # of all samples and draws
    seconds: float = 10.0  # that refitting may take

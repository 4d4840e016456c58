"""Figures of report.json, typed: how right the answers are, of all rows and by group.

Members come in the order of the fields. `None` is what can't be said. Fields with a default are
not in the reports of each version that wrote this format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value, and the ends of its interval of 95 %, where it has one."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What was optimised."""

    name: str
    title: str
    greater_is_better: bool


@dataclass(frozen=True, kw_only=True)
class Baseline(Estimate):
    """What a trivial or a linear model scores."""

    name: str
    gain: Estimate | None = None  # of the model over it


@dataclass(frozen=True, kw_only=True)
class PartInTime:
    """Some of the test rows, one after the other."""

    rows: int
    value: float | None  # of the metric that was optimised
    coverage: float | None  # of intervals or sets by the errors before


@dataclass(frozen=True, kw_only=True)
class OverTime:
    """The first and the last fifth of test rows in the order of time."""

    asked: float  # coverage
    first: PartInTime
    last: PartInTime


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric, of the model and of what it has to beat."""

    metric: str
    title: str
    greater_is_better: bool
    rows: int
    model: Estimate
    baselines: list[Baseline]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How often each label (rows) is answered as which."""

    labels: list[Any]
    counts: list[list[int]]
    other: bool = False  # the last label stands for all rare ones


@dataclass(frozen=True, kw_only=True)
class PredictionBin:
    """Errors of the rows whose prediction lies between two numbers."""

    low: float
    high: float
    rows: int
    mean: float
    p05: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class Within:
    """The error that a share of the answers does not exceed."""

    share: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What really was, less what the model said."""

    rows: int | None = None
    bins: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    beyond: list[int] | None = None
    by_prediction: list[PredictionBin] = field(default_factory=list)
    within: list[Within] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Roc:
    """Points of false positive rate, true positive rate and threshold, which is null for none."""

    points: list[list[Any]]
    auc: Estimate
    positives: int | None = None
    negatives: int | None = None


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """Points of recall, precision and threshold, which is null for none."""

    points: list[list[Any]]
    average_precision: Estimate
    share: float | None = None  # of the positive label among the test rows


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """What rows of similar probabilities were given, and what was so."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: float
    observed_low: float | None
    observed_high: float | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Bins of probabilities; the error is the expected calibration error."""

    of: str | None = None  # the positive class, or the top one: that which is predicted
    rows: int | None = None
    bins: list[CalibrationBin]
    error: float
    brier: float


@dataclass(frozen=True, kw_only=True)
class ThresholdRow:
    """Shares of rows, of those selected from a threshold on."""

    threshold: float
    selected: float
    precision: float | None
    recall: float | None
    false_positive_rate: float | None = None
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What thresholds of the positive class' probability select."""

    chosen: float | None
    metric: str | None = None  # that it was chosen for
    rows: int | None = None
    positives: int | None = None
    table: list[ThresholdRow]


@dataclass(frozen=True, kw_only=True)
class WorstRow:
    """A row by its position in X_test."""

    row: int
    place: int | None = None  # in the user's own table, from 1, where that is known
    error: float


@dataclass(frozen=True, kw_only=True)
class Group:
    """The rates of a group; those that its task does not have are null."""

    group: str
    rows: int
    small: bool
    selection_rate: float | None = None
    true_positive_rate: float | None = None
    false_positive_rate: float | None = None
    accuracy: float | None = None
    mean_error: float | None = None
    mean_absolute_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """How far groups are apart in one measure."""

    measure: str
    title: str
    between: list[str] | None = None

    @property
    def neutral(self) -> float:
        """Where groups are equal: a ratio of 1, a difference of 0."""
        return 1.0 if self.measure.endswith("_ratio") else 0.0


@dataclass(frozen=True, kw_only=True)
class MitigationScores:
    """The score of the model, and that of its mitigation."""

    before: Estimate
    after: Estimate


@dataclass(frozen=True, kw_only=True)
class Mitigation:
    """Fairer answers beside the model's."""

    how: str
    differences: list[Difference]
    metric: str
    title: str | None = None
    scores: MitigationScores


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """The groups of one sensitive column."""

    column: str
    groups: list[Group]
    differences: list[Difference]
    mitigation: Mitigation | None = None
    notes: list[str] = field(default_factory=list)

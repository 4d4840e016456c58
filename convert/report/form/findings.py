"""What report.json holds as a whole, and how it is read and written.

Facts of the table, its columns, the search and serving are here, typed as `figures` are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onnxlet.convert.report.form.figures import (
    Calibration,
    Confusion,
    Estimate,
    Fairness,
    Metric,
    OverTime,
    PrecisionRecall,
    Residuals,
    Roc,
    Score,
    Threshold,
    WorstRow,
)
from onnxlet.convert.report.form.plain_json import read_as

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the table, and what it was taken for."""

    name: str
    kind: str
    why: str | None
    used: bool
    missing: int  # rows
    distinct: int
    unit: str | None = None  # as its owner writes it
    description: str | None = None  # likewise


@dataclass(frozen=True, kw_only=True)
class TargetBins:
    """How many rows have a number of each bin; what lies beyond is in the outer ones."""

    bins: list[float]  # edges
    counts: list[int]
    train_counts: list[int] | None = None
    beyond: list[int] | None = None  # below and above


@dataclass(frozen=True, kw_only=True)
class TargetLabels:
    """How many rows have each label."""

    labels: list[Any]
    counts: list[int]
    train_counts: list[int] | None = None
    other: bool = False  # the last one stands for all rare ones


@dataclass(frozen=True, kw_only=True)
class Data:
    """The table."""

    rows: int
    train_rows: int | None = None
    test_rows: int | None = None
    rows_measured: int | None = None
    split: str | None = None
    refitted_rows: int | None = None  # that the served model has learned from, test rows included
    unrefitted: str | None = None  # why it has not learned from test rows
    notes: list[str] = field(default_factory=list)
    target: TargetBins | TargetLabels | None = None
    columns: list[Column] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ColumnImportance(Estimate):
    """What shuffling a column costs."""

    value: float
    column: str


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Permutation importance, the most important column first."""

    metric: str
    title: str | None = None
    columns: list[ColumnImportance]
    repeats: int | None
    rows: int | None = None


@dataclass(frozen=True, kw_only=True)
class DependencePoint(Estimate):
    """The mean answer as all rows have one value."""

    at: Any
    rows: int | None = None  # that have it, or are nearest to it


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """How the mean answer moves with a column."""

    column: str
    kind: str  # number or category
    answer: str | None = None
    rows: int | None = None
    points: list[DependencePoint]


@dataclass(frozen=True, kw_only=True)
class LearningPoint(Estimate):
    """The score of a fit on so many training rows."""

    rows: int


@dataclass(frozen=True, kw_only=True)
class LearningGain(Estimate):
    """What the last doubling of training rows brought."""

    from_: int
    to: int


@dataclass(frozen=True, kw_only=True)
class Learning:
    """The learning curve."""

    metric: str
    title: str | None = None
    greater_is_better: bool | None = None
    repeats: int | None = None
    points: list[LearningPoint]
    gain: LearningGain | None = None
    more_data_helps: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A candidate of the search."""

    number: int
    name: str
    family: str
    score: float | None
    error: float | None  # standard error of the score
    seconds: float
    state: str


@dataclass(frozen=True, kw_only=True)
class EnsembleMember:
    """A candidate that is served, and its weight."""

    name: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class AugmentationGain:
    """Scores of a candidate on the same folds, with copies and without."""

    name: str
    with_: float | None
    without: float | None


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Copies of rows with images."""

    copies: int
    shift: int  # pixels
    noise: float  # standard deviation, of 255
    compared: AugmentationGain | None
    weight: float  # of what was fitted with copies


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a training has tried."""

    seconds: float
    seed: int
    metric: str
    how_ended: str | None = None
    trials: list[Trial]
    ensemble: list[EnsembleMember] | None = None
    augmentation: Augmentation | None = None
    plainer: str | None = None  # why a linear model is served, not what scored best


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The parity certificate in short."""

    rows: int | None = None
    held_out_rows: int | None = None
    replayed: bool = False  # the served model has learned from these, once it was measured
    hard_rows: int | None = None
    drawn_rows: int | None = None
    judging_rows: int | None = None
    differing_rows: int | None = None
    tied_rows: int | None = None
    tolerance: float | None = None
    reference: str | None = None
    recipe: str | None = None
    worst: Mapping[str, float | None] = field(default_factory=dict)  # by output
    measure: Mapping[str, str] = field(default_factory=dict)  # absolute or relative


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """A file that the model was made from, or several of a folder."""

    file: str
    sha256: str
    files: int | None = None  # how many, of a folder


@dataclass(frozen=True, kw_only=True)
class MadeFrom:
    """What the model was made from, as its manifest says."""

    code: list[MadeFile] = field(default_factory=list)
    tables: list[MadeFile] = field(default_factory=list)
    estimator: list[MadeFile] = field(default_factory=list)
    held_out: list[MadeFile] = field(default_factory=list)
    versions: Mapping[str, str] = field(default_factory=dict)  # by tool


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Bytes and times of the served model and of the estimator, where they could be measured."""

    bytes: int | None
    estimator_bytes: int | None = None
    load_ms: float | None
    estimator_load_ms: float | None = None
    cold_start_ms: float | None = None
    estimator_cold_start_ms: float | None = None
    one_row_us: float | None
    estimator_one_row_us: float | None
    runs: int | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """An example request."""

    path: str
    row: Mapping[str, Any]  # by column name
    columns: list[str]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The whole report."""

    format: int
    name: str
    version: int | None = None
    task: str  # binary, multiclass or regression
    outputs: int | None = None
    target: str | None = None
    unit: str | None = None  # of the target, as its owner writes it
    description: str | None = None  # likewise
    positive: Any = None  # the label that rates are of
    classes: list[Any] | None = None
    origin: str | None = None  # the command that it comes from
    estimator: str | None = None
    metric: Metric | None = None
    data: Data | None = None
    scores: list[Score] | None = None  # the one that was optimised first
    confusion: Confusion | None = None
    residuals: Residuals | None = None
    over_time: OverTime | None = None
    roc: Roc | None = None
    precision_recall: PrecisionRecall | None = None
    calibration: Calibration | None = None
    threshold: Threshold | None = None
    importance: Importance | None = None
    dependence: list[Dependence] | None = None
    learning: Learning | None = None
    worst: list[WorstRow] | None = None
    worst_error: str | None = None  # what the error of the worst rows is
    rows_file: str | None = None  # beside the report, with all test rows and their answers
    worst_unit: str | None = None  # line, row, ...: what the places of the worst rows count
    worst_file: str | None = None  # the name of the file that they stand in
    search: Search | None = None
    fairness: list[Fairness] | None = None
    made_from: MadeFrom | None = None
    parity: Parity | None = None
    serving: Serving | None = None
    call: Call | None = None
    use: None = None
    notes: list[str] | None = None  # what was left out, and why


def from_json(found: Mapping[str, Any]) -> Findings:
    """Findings from plain JSON; KeyError, TypeError or AttributeError where a part is damaged."""
    made: Findings = read_as(Findings, found)
    return made

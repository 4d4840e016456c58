"""Columns that give the target away: what is known only when the answer is.

Each column is asked for the target by itself: its values, or 64 ranges of them, are looked up in
two thirds of a sample and tried on the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import Profile, TableColumn
from onnxlet.convert.train.kinds.registry import KINDS
from onnxlet.function.arrays import Array

SAMPLE = 5000  # rows
FOLDS = 3
RANGES = 64
ROWS_A_RANGE = 8
GIVES_AWAY = 0.995  # AUC or R²; of irises, petals reach 0.985
STRONG = 0.98
NOTICEABLE = {"AUC": 0.7, "R²": 0.2}  # what a number that only names rows is said to go with
LEAST_OF_A_CLASS = 10  # rows in the sample, for an AUC to mean something
CHANCE = 1e-9


class Leak(NamedTuple):
    """How much of the target a column gives away."""

    certain: bool  # it is so much that no honest column does
    why: str  # in a short sentence, with the number


def leaks(columns: Sequence[tuple[Profile, TableColumn]], y: Array, task: str) -> dict[str, Leak]:
    """Columns that give the target of the same rows away, or nearly."""
    rows, folds = _sample(y)
    answers = _Answers(y[rows], task)
    found: dict[str, Leak] = {}
    for seen, column in columns:
        kind = KINDS[column.kind]
        if not kind.is_looked_up:
            continue
        if why := _only_beside_one_class(seen, y, task):
            found[seen.name] = Leak(True, why)
        elif answers.enough:
            numbers = kind.in_order(seen.column.iloc[rows], column.format)
            if numbers is not None:
                score = answers.of_numbers(numbers, folds)
            else:  # a missing value is one of its own
                score = answers.score(pd.factorize(seen.codes[rows])[0], folds)
            if score >= STRONG:
                found[seen.name] = _said(score, answers.measure)
    return found


def goes_with(seen: Profile, y: Array, task: str) -> str:
    """How well a column's numbers go with the target, as "R² 0.57"; '' where hardly.

    The model is not given them, as they are names of rows.
    """
    rows, folds = _sample(y)
    answers = _Answers(y[rows], task)
    if seen.column.dtype.kind not in "iuf" or not answers.enough:
        return ""
    score = answers.of_numbers(NUMBER.in_order(seen.column.iloc[rows], None), folds)
    return f"{answers.measure} {score:.2f}" if score >= NOTICEABLE[answers.measure] else ""


def _sample(y: Array) -> tuple[Array, Array]:
    """Positions of some rows, the same each time, and the fold of each."""
    rows = np.random.default_rng(0).permutation(len(y))[:SAMPLE]
    return rows, np.arange(len(rows)) % FOLDS


def _said(score: float, measure: str) -> Leak:
    by_itself = f"by itself it predicts the target with {measure} {min(score, 1):.3f}"
    if score >= GIVES_AWAY:
        return Leak(True, f"{by_itself}: hardly known before the answer is")
    return Leak(False, f"{by_itself}: is it known before the answer is?")


class _Answers:
    """The target, as look-ups are scored by it."""

    def __init__(self, y: Array, task: str) -> None:
        self.regression = task == "regression"
        self.measure = "R²" if self.regression else "AUC"
        if self.regression:
            # Ranks beside the values: a few great ones must not decide.
            self.targets = [y.astype(np.float64), _ranks(y)]
            self.enough = len(y) >= 2 * LEAST_OF_A_CLASS
        else:
            classes, uniques = pd.factorize(pd.Series(y))
            self.classes, self.count = np.asarray(classes, dtype=np.int64), len(uniques)
            self.enough = int(np.min(np.bincount(classes))) >= LEAST_OF_A_CLASS

    def of_numbers(self, values: Array, folds: Array) -> float:
        """The score of ranges of numbers, or of their order where that is better."""
        return max(self.score(_ranges(values), folds), self.directly(values))

    def score(self, codes: Array, folds: Array) -> float:
        """The mean over folds of R², of values or of ranks, or of the AUC over classes.

        Each row has its code, int64 from 0, and its fold.
        """
        parts = [folds == fold for fold in range(FOLDS)]
        if not self.regression:
            return float(np.mean([self._auc(codes, part) for part in parts]))
        means = [np.mean([_r2(codes, y, part) for part in parts]) for y in self.targets]
        return float(max(means))

    def directly(self, values: Array) -> float:
        """How well numbers order the target, without a look-up, which few rows are too few for."""
        good = np.isfinite(values)
        if good.mean() < 0.9:
            return 0.0
        if self.regression:
            given = (values[good], _ranks(values[good]))
            return max(
                _correlation(x, y[good]) ** 2 for x, y in zip(given, self.targets, strict=True)
            )
        if self.count != 2:
            return 0.0
        _, codes = np.unique(values[good], return_inverse=True)
        positive = np.bincount(codes, self.classes[good])
        auc = _auc(np.arange(len(positive)), positive, np.bincount(codes) - positive)
        return max(auc, 1 - auc)

    def _auc(self, codes: Array, held_out: Array) -> float:
        """Of each class against the others, and their mean."""
        width = int(codes.max()) + 1
        cells = codes * self.count + self.classes
        train, test = (
            np.bincount(cells[rows], minlength=width * self.count).reshape(width, self.count)
            for rows in (~held_out, held_out)
        )
        seen = train.sum(axis=1, keepdims=True)
        shares = np.where(seen > 0, train / np.maximum(seen, 1), train.sum(axis=0) / train.sum())
        rows = test.sum(axis=1)
        every = range(self.count) if self.count > 2 else [1]
        return float(np.mean([_auc(shares[:, k], test[:, k], rows - test[:, k]) for k in every]))


def _ranks(values: Array) -> Array:
    return pd.Series(values).rank().to_numpy(dtype=np.float64)


def _correlation(x: Array, y: Array) -> float:
    with np.errstate(over="ignore", invalid="ignore"):  # squares of great numbers
        if not x.std() or not y.std():
            return 0.0
        return float(np.nan_to_num(np.corrcoef(x, y)[0, 1]))


def _r2(codes: Array, y: Array, held_out: Array) -> float:
    """Of the mean of each code's other rows."""
    train, width = ~held_out, int(codes.max()) + 1
    rows = np.bincount(codes[train], minlength=width)
    sums = np.bincount(codes[train], y[train], minlength=width)
    table = np.where(rows > 0, sums / np.maximum(rows, 1), y[train].mean())
    real = y[held_out]
    spread = float(((real - real.mean()) ** 2).sum())
    return 1 - float(((real - table[codes[held_out]]) ** 2).sum()) / spread if spread > 0 else 0.0


def _auc(scores: Array, positive: Array, negative: Array) -> float:
    """The share of pairs of both classes in order, ties counting half; 0.5 where one is absent.

    Of each value: its score, the rows of the class that have it, and the other rows.
    """
    pairs = float(positive.sum()) * float(negative.sum())
    if not pairs:
        return 0.5
    _, levels = np.unique(scores, return_inverse=True)
    above, below = np.bincount(levels, positive), np.bincount(levels, negative)
    return float((above * (np.cumsum(below) - below / 2)).sum()) / pairs


def _ranges(values: Array) -> Array:
    """At most `RANGES` of them, each of as many rows, which a tree would cut out as well."""
    most = int(np.clip(len(values) // ROWS_A_RANGE, 8, RANGES))
    good = np.isfinite(values)
    codes = np.zeros(len(values), dtype=np.int64)
    if good.any():
        known = values[good]
        some = np.unique(known)
        if len(some) > most:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, most + 1)[1:-1]))
        else:
            edges = some[1:]
        codes[good] = 1 + np.searchsorted(edges, known, side="right")
    return codes


def _only_beside_one_class(seen: Profile, y: Array, task: str) -> str:
    """What to say of a column that is filled in for one class only; '' otherwise."""
    if task == "regression" or not seen.missing or not seen.known:
        return ""
    known = y[seen.codes >= 0]
    label = known[0]
    if not (known == label).all():
        return ""
    base = float((y == label).mean())
    if base**seen.known >= CHANCE:
        return ""
    return f"it has values only where the target is '{label}' ({seen.known:,} rows)"

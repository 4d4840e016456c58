"""Columns that give the target away, and those that say what another one says already.

What gives the target away is known only when the answer is. Each column is asked for it by itself:
its values, or 64 ranges of them, are looked up in two thirds of a sample and tried on the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.train.kinds.date import DATE, goes_on
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import Profile, TableColumn
from onnxlet.convert.train.kinds.registry import KINDS
from onnxlet.convert.train.kinds.written import as_floats
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
SEEN = 2000  # rows by which numbers are compared first
LINEAR = 1e-5  # of the variance that may be left: rounding leaves less, measuring more
LEAST_OTHER = 5  # rows beside the most frequent value: fewer go together by chance
REPEATED = 5  # rows a value, on average, for two texts to go together by more than chance


class Leak(NamedTuple):
    """How much of the target a column gives away."""

    certain: bool  # it is so much that no honest column does
    why: str  # in a short sentence, with the number


def leaks(columns: Sequence[tuple[Profile, TableColumn]], y: Array, task: str) -> dict[str, Leak]:
    """Columns that give the target of the same rows away, or nearly."""
    rows, folds = _sample(y)
    answers = _Answers(y[rows], task)
    # In a history what has a trend goes with time, and with all that has one: there the steps from
    # row to row are compared.
    stepwise = task == "regression" and _are_of_a_history(columns)
    if stepwise:
        rows, folds = _sample(y[1:])
        answers = _Answers(np.diff(y.astype(np.float64))[rows], task)
    found: dict[str, Leak] = {}
    for seen, column in columns:
        kind = KINDS[column.kind]
        if not kind.is_looked_up:
            continue
        if why := _only_beside_one_class(seen, y, task):
            found[seen.name] = Leak(True, why)
        elif answers.enough:
            some = seen.column if stepwise else seen.column.iloc[rows]
            numbers = kind.in_order(some, column.format)
            if numbers is not None:
                given = np.diff(numbers)[rows] if stepwise else numbers
                score = answers.of_numbers(given, folds)
            else:  # a missing value is one of its own
                score = answers.score(pd.factorize(seen.codes[rows])[0], folds)
            if score >= STRONG:
                found[seen.name] = _said(score, answers.measure)
    return found


def _are_of_a_history(columns: Sequence[tuple[Profile, TableColumn]]) -> bool:
    """Whether a column of dates goes on from row to row."""
    dates = [(seen, column) for seen, column in columns if column.kind == DATE.name]
    times = [DATE.in_order(seen.column, column.format) for seen, column in dates]
    return any(goes_on(each) for each in times if each is not None)


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


def copies(columns: Sequence[Profile]) -> dict[str, str]:
    """Columns, in their order, that are the same as an earlier one or a multiple of it; and how."""
    found: dict[str, str] = {}
    same: dict[bytes, str] = {}
    recoded: dict[bytes, str] = {}
    for seen in columns:
        values, codes = _digest_of_values(seen), hashlib.blake2b(seen.codes.tobytes()).digest()
        if values in same:
            found[seen.name] = f"the same as '{same[values]}' in every row"
        elif _goes_together(seen) and codes in recoded:
            other = recoded[codes]
            found[seen.name] = f"each of its {seen.distinct} values goes with one of '{other}'"
        else:
            same[values] = seen.name
            recoded.setdefault(codes, seen.name)
    rest = [seen for seen in columns if seen.name not in found]
    return found | _multiples([seen for seen in rest if seen.column.dtype.kind in "iuf"])


def _digest_of_values(seen: Profile) -> bytes:
    """Of the values and where they are: numbers are equal as 3 and 3.0 are."""
    uniques = pd.Series(seen.uniques)
    numbers = uniques.dtype.kind in "iufb"
    values = as_floats(uniques) if numbers else uniques.map(str).to_numpy(dtype=object)
    content = values.tobytes() if numbers else "\0".join(values).encode("utf-8", "replace")
    return hashlib.blake2b(seen.codes.tobytes() + content).digest()


def _goes_together(seen: Profile) -> bool:
    others = len(seen.codes) - int(np.max(seen.counts, initial=0))
    return others >= LEAST_OTHER and seen.distinct * REPEATED <= seen.known


def _multiples(columns: Sequence[Profile]) -> dict[str, str]:
    """Numbers that are a multiple of an earlier column's, and a constant."""
    if len(columns) < 2:
        return {}
    some = np.linspace(0, len(columns[0].codes) - 1, SEEN).astype(int)
    head = np.column_stack([_whitened(as_floats(c.column.iloc[some])) for c in columns])
    near = np.abs(head.T @ head) > 1 - LINEAR
    found: dict[str, str] = {}
    for at, seen in enumerate(columns):
        for earlier in np.flatnonzero(near[at, :at]):
            other = columns[int(earlier)]
            if other.name not in found and (why := _linear(seen, other)):
                found[seen.name] = why
                break
    return found


def _whitened(values: Array) -> Array:
    """Of mean 0 and length 1; NaN and infinity count as the mean."""
    good = np.isfinite(values)
    if not good.any():
        return np.zeros_like(values)
    with np.errstate(over="ignore", invalid="ignore"):  # of 1e308 and the like
        centred: Array = np.where(good, values - values[good].mean(), 0.0)
        length = float(np.sqrt((centred**2).sum()))
    return centred / length if 0 < length < np.inf else np.zeros_like(values)


def _linear(seen: Profile, other: Profile) -> str:
    """How a column follows from another one, over all rows; '' where it does not."""
    y, x = as_floats(seen.column), as_floats(other.column)
    if not np.array_equal(np.isfinite(x), np.isfinite(y)) or min(seen.distinct, other.distinct) < 3:
        return ""
    good = np.isfinite(x)
    x, y = x[good], y[good]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(x.var()) * float(y.var())
    if not np.isfinite(spread) or spread == 0:
        return ""
    covariance = float(((x - x.mean()) * (y - y.mean())).mean())
    if covariance**2 / spread < 1 - LINEAR:
        return ""
    slope = covariance / float(x.var())
    constant = float(y.mean()) - slope * float(x.mean())
    plus = f" {'+' if constant > 0 else '-'} {abs(constant):.4g}"
    return f"{slope:.4g} times '{other.name}'" + plus * (abs(constant) > 1e-3 * float(y.std()))

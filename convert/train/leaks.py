"""Columns that give the target away: what is known only when the answer is.

Each column is asked for the target by itself: its values, or 64 ranges of them, are looked up in
two thirds of a sample and tried on the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.train.date_forms import as_dates, days
from onnxlet.convert.train.kinds import Guess, Profile
from onnxlet.convert.train.numbers_as_text import as_floats, numbers_in
from onnxlet.function.arrays import Array

SAMPLE = 5000  # rows
FOLDS = 3
RANGES = 64
GIVES_AWAY = 0.995  # AUC or R²; the petals of irises reach 0.99, the smell of mushrooms 0.988
STRONG = 0.975
LEAST_OF_A_CLASS = 10  # rows in the sample, for an AUC to mean something
CHANCE = 1e-9


class Leak(NamedTuple):
    """How much of the target a column gives away.

    Attributes:
        certain: whether it is so much that no honest column does.
        why: in a short sentence, with the number.
    """

    certain: bool
    why: str


def leaks(
    columns: Sequence[tuple[Profile, Guess]], y: Array, task: str, seed: int = 0
) -> dict[str, Leak]:
    """Columns that give the target away, or nearly.

    Args:
        columns: that the model would be given.
        y: the target of the same rows.
        task: binary, multiclass or regression.
        seed: of the sample.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(y))[:SAMPLE]
    folds = np.arange(len(rows)) % FOLDS
    answers = _Answers(y[rows], task)
    found: dict[str, Leak] = {}
    for seen, guess in columns:
        if guess.kind == "text":
            continue
        if why := _only_beside_one_class(seen, y, task):
            found[seen.name] = Leak(True, why)
        elif answers.enough:
            codes = _codes(seen, guess, rows)
            score = answers.score(codes, folds)
            if score >= STRONG:
                found[seen.name] = _said(score, answers.measure)
    return found


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
            ranks = pd.Series(y).rank().to_numpy()
            self.targets = np.column_stack([y.astype(np.float64), ranks])
            self.enough = len(y) >= 2 * LEAST_OF_A_CLASS
        else:
            classes, uniques = pd.factorize(pd.Series(y))
            self.targets = np.eye(len(uniques))[classes] if len(uniques) > 2 else classes[:, None]
            self.targets = self.targets.astype(np.float64)
            self.enough = int(np.bincount(classes).min()) >= LEAST_OF_A_CLASS

    def score(self, codes: Array, folds: Array) -> float:
        """The mean over folds of R², of values or of ranks, or of the AUC over classes.

        Args:
            codes: int64 from 0.
            folds: of each row.
        """
        made = [self._fold(codes, folds == fold) for fold in range(FOLDS)]
        means = np.mean(made, axis=0)
        return float(means.max() if self.regression else means.mean())

    def _fold(self, codes: Array, held_out: Array) -> Array:
        """The score of each target."""
        train, count = ~held_out, int(codes.max()) + 1
        prior = self.targets[train].mean(axis=0)
        rows = np.bincount(codes[train], minlength=count)
        scores = []
        for at in range(self.targets.shape[1]):
            y = self.targets[:, at]
            sums = np.bincount(codes[train], y[train], minlength=count)
            table = np.where(rows > 0, sums / np.maximum(rows, 1), prior[at])
            answered = table[codes[held_out]]
            scores.append(
                _r2(y[held_out], answered) if self.regression else _auc(y[held_out], answered)
            )
        return np.array(scores)


def _r2(y: Array, answered: Array) -> float:
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - answered) ** 2).sum()) / spread if spread > 0 else 0.0


def _auc(y: Array, answered: Array) -> float:
    """The share of pairs of both classes in order, ties counting half; 0.5 where one is absent."""
    positive = int(y.sum())
    negative = len(y) - positive
    if not positive or not negative:
        return 0.5
    ranks = pd.Series(answered).rank().to_numpy()
    above = float(ranks[y > 0].sum()) - positive * (positive + 1) / 2
    return above / (positive * negative)


def _codes(seen: Profile, guess: Guess, rows: Array) -> Array:
    """Codes from 0 of the values, or of ranges of them; a missing one has its own."""
    column = seen.column.iloc[rows]
    if guess.kind == "date" and guess.format is not None:
        return _ranges(days(as_dates(column, guess.format), guess.format))
    if guess.kind != "number":
        codes, _ = pd.factorize(seen.codes[rows])
        return np.asarray(codes, dtype=np.int64)
    if column.dtype.kind in "iufb":
        return _ranges(column.to_numpy(dtype=np.float64))
    known = column.dropna()
    read = numbers_in(known.map(str)) if column.dtype.kind not in "iufb" else None
    values = as_floats(column) if read is None else read.values.reindex(column.index).to_numpy()
    return _ranges(values)


def _ranges(values: Array) -> Array:
    """At most `RANGES` of them, each of as many rows, which a tree would cut out as well."""
    good = np.isfinite(values)
    codes = np.zeros(len(values), dtype=np.int64)
    if good.any():
        known = values[good]
        some = np.unique(known)
        if len(some) > RANGES:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, RANGES + 1)[1:-1]))
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

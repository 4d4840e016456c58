"""Rows on which rounding decides.

Sums (matrix products, distances) come out otherwise in their last digits for one row than for a
batch, on another processor, or with another BLAS. Where a step function follows (a tree's
threshold, a nearest centre), a row can lie so close to the step that these digits decide, in
scikit-learn itself; and where large numbers cancel, they are all that is left. No conversion can
be held to one side of it. Nothing is forgiven where no such arithmetic comes before a step: trees
on raw, imputed, encoded or scaled columns are held to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.comparison import TOLERANCE, Comparison, compare
from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.probing import is_answered, parts_of
from onnxlet.function.arrays import LARGEST_FLOAT32, Array
from onnxlet.function.inputs.validation import read_table
from onnxlet.function.models.model import Model

AT_ONCE = 25  # rows that are asked about one by one, before it is seen whether that explains any
MOST = 400  # rows that differ and are looked at one by one; more are never forgiven
SAMPLE = 25  # of more, that are looked at to see whether it is rounding that they differ by
UNIT, UNIT_IN_FLOAT32 = 2.0**-52, 2.0**-23
STEPS = (1, -1, 4, -4, 16, -16)  # units in the last place that the numbers of a row are moved by
SCATTERS = 8  # times that each of them is moved by another share, within each reach
REACHES = (16, 256)  # units in the last place; sums of many terms round by more than a few
GAPS = (
    100  # times the usual gap between answers next to each other: some times as far as they reach
)
LARGEST_INTEGER = 2**63 - 1
# Of each kind of rows, the share that may be forgiven: where it is more, nothing is proven.
FORGIVABLE = {"held-out": 0.01, "hard": 0.05, "drawn": 0.01}

Ask = Callable[[Sequence[Cells]], Answers]


def forgive_undecided(
    comparison: Comparison,
    model: Model,
    task: Task,
    evidence: Evidence,
    ask: Ask,
    estimator: Any,
    ask_in_float64: Ask | None = None,
) -> None:
    """Take rows off the list of wrong ones where scikit-learn's answer hangs on rounding.

    A row is forgiven where the answer is scikit-learn's to that row alone, or, provided that
    the estimator rounds before a step, where it lies among scikit-learn's answers to the row
    with its numbers moved by a few units in the last place, or no further from them than they
    lie apart. Where it is given float32 and computes in that, rounding is what its answer to the
    same numbers in float64 is without.
    """
    if comparison.refused:
        return
    if ask_in_float64 is not None and rounds(estimator):
        _forgive_what_float64_answers(comparison, model, task, evidence, ask_in_float64)
    wrong = comparison.wrong
    unit = UNIT if ask_in_float64 is None else UNIT_IN_FLOAT32
    if len(wrong) > MOST:
        some = wrong[:: len(wrong) // SAMPLE]
        comparison.unstable = _is_scattered(some, comparison, model, evidence, ask, estimator, unit)
    elif wrong:
        got, expected, rows = _seen(wrong, comparison, model, evidence)
        explained = hangs_on_rounding(got, expected, rows, ask, estimator, unit)
        places = zip(wrong, explained.tolist(), strict=True)
        _forgive(comparison, {place for place, fine in places if fine})


def _is_scattered(
    wrong: Sequence[int],
    comparison: Comparison,
    model: Model,
    evidence: Evidence,
    ask: Ask,
    estimator: Any,
    unit: float,
) -> bool:
    """Whether each of these rows is answered as scikit-learn does where its numbers are moved."""
    if not rounds_before_a_step(estimator):
        return False
    got, expected, rows = _seen(wrong, comparison, model, evidence)
    return bool(_are_among(got, [expected, *_to_moved_rows(rows, ask, unit)]).all())


def too_many_forgiven(comparison: Comparison, evidence: Evidence, least: int = 0) -> str:
    """How many rows of which kinds would have to be forgiven; empty where the others are enough.

    Args:
        comparison: after rows were forgiven.
        evidence: that it was made on.
        least: so many of a kind never are too many: one of thirty is no measure of a share.
    """
    if comparison.unstable:
        return f"{len(comparison.wrong)} of {len(evidence.rows)} rows"
    return " and ".join(
        f"{forgiven} of {len(rows)} {kind} rows"
        for kind, rows in evidence.kinds.items()
        if (forgiven := sum(row in rows for row in comparison.forgiven)) > least
        and forgiven > FORGIVABLE[kind] * len(rows)
    )


def _seen(
    wrong: Sequence[int], comparison: Comparison, model: Model, evidence: Evidence
) -> tuple[Answers, Answers, list[Cells]]:
    """What the comparison has seen of some rows: ONNX Runtime's answers, scikit-learn's, the rows.

    Of outputs that are off it is the answer that was off, in a batch or alone.
    """
    every = model.run(read_table(evidence.rows, model.signature))
    got = {name: array[list(wrong)] for name, array in every.items()}
    for name, off in comparison.outputs.items():
        for place, row in enumerate(wrong):
            if row in off.got:
                got[name][place] = off.got[row]
    expected = {name: array[list(wrong)] for name, array in evidence.expected.items()}
    return got, expected, [evidence.rows[row] for row in wrong]


def _forgive(comparison: Comparison, rows: set[int]) -> None:
    comparison.forgiven = comparison.forgiven | rows
    for off in comparison.outputs.values():
        off.forgive(rows)


def _forgive_what_float64_answers(
    comparison: Comparison, model: Model, task: Task, evidence: Evidence, ask_in_float64: Ask
) -> None:
    wrong = comparison.wrong
    rows = [evidence.rows[place] for place in wrong]
    if not wrong or not is_answered(ask_in_float64, rows):
        return
    again = compare(model, task, rows, ask_in_float64(rows))
    if not again.refused:
        left = {wrong[place] for place in again.wrong}
        _forgive(comparison, set(wrong) - left)


def hangs_on_rounding(
    got: Answers,
    expected: Answers,
    rows: Sequence[Cells],
    ask: Ask,
    estimator: Any,
    unit: float = UNIT,
) -> Array:
    """Which answers are ones that scikit-learn might have given as well.

    Args:
        got: by output name, ONNX Runtime's.
        expected: scikit-learn's to these rows in a batch.
        rows: in signature order.
        ask: asks scikit-learn.
        estimator: scikit-learn's.
        unit: in the last place of the rows' numbers, relative to these.

    Returns:
        A bool array of shape (rows,).
    """
    answers = [expected]
    if rounds_before_a_step(estimator):
        answers += _to_moved_rows(rows, ask, unit)
    fine = _are_among(got, answers)
    left = np.random.default_rng(0).permutation(np.flatnonzero(~fine))
    for start in range(0, len(left), AT_ONCE):
        places = left[start : start + AT_ONCE]
        alone = _one_by_one([rows[place] for place in places.tolist()], ask)
        known = [{name: array[places] for name, array in answer.items()} for answer in answers]
        found = {name: array[places] for name, array in got.items()}
        fine[places] = _are_among(found, [*known, alone])
        if not fine[places].any():
            break  # it is no matter of rounding, and to ask one by one takes long
    return fine


def _to_moved_rows(rows: Sequence[Cells], ask: Ask, unit: float) -> Iterator[Answers]:
    random = np.random.default_rng(0)
    reaches = REACHES if unit == UNIT else REACHES[:1]
    moves = [[_moved(row, step * unit) for row in rows] for step in STEPS]
    moves += [
        [_scattered(row, reach * unit, random) for row in rows]
        for reach in reaches
        for _ in range(SCATTERS)
    ]
    for moved in moves:
        with suppress(ValueError):  # a number may go over an edge, beyond which it raises
            yield ask(moved)


def _are_among(got: Answers, answers: Sequence[Answers]) -> Array:
    among = [_is_among(name, got[name], answers) for name in answers[0]]
    return np.asarray(np.all(among, axis=0))


def _is_among(name: str, got: Array, answers: Sequence[Answers]) -> Array:
    """For each row, whether what was got lies among the answers; a bool array of shape (rows,).

    Answers that rounding scatters lie at all distances from each other; those on the two sides of
    a step don't, and nothing is allowed between these.
    """
    if any(answer[name].shape != got.shape for answer in answers):
        return np.zeros(len(got), dtype=bool)
    every = [answer[name] for answer in answers]
    if every[0].dtype.kind != "f":
        same = [array.astype(object) == got.astype(object) for array in every]
        rows = [match.reshape(len(got), -1).all(axis=1) for match in same]
        return np.asarray(np.any(rows, axis=0))
    wide, stacked = got.astype(np.float64), np.stack(every).astype(np.float64)
    with np.errstate(all="ignore"):
        ordered = np.sort(stacked, axis=0)
        between = np.median(np.diff(ordered, axis=0), axis=0) if len(ordered) > 1 else 0.0
        size = 1.0 if name == "probabilities" else np.abs(ordered).max(axis=0)
        off = np.abs(wide - stacked).min(axis=0)
        near = off <= GAPS * between + TOLERANCE * size
    near |= ~np.isfinite(wide) & ~np.isfinite(stacked).all(axis=0)
    return np.asarray(near.reshape(len(got), -1).all(axis=1))


def _one_by_one(rows: Sequence[Cells], ask: Ask) -> Answers:
    answers = [ask([row]) for row in rows]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


# Their answers are values as they came, or arithmetic that the converters mirror operation by
# operation.
EXACT = frozenset(
    {
        "BaggingClassifier", "BaggingRegressor", "Binarizer", "ColumnTransformer",
        "CountVectorizer", "DecisionTreeClassifier", "DecisionTreeRegressor", "DummyClassifier",
        "DummyRegressor", "ExtraTreeClassifier",
        "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor", "FeatureUnion",
        "FrozenEstimator", "GradientBoostingClassifier", "GradientBoostingRegressor",
        "GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV",
        "HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "IsolationForest",
        "KBinsDiscretizer", "LabelBinarizer", "LabelEncoder", "MaxAbsScaler", "MinMaxScaler",
        "MissingIndicator",
        "MultiOutputClassifier", "MultiOutputRegressor", "OneHotEncoder", "OneVsRestClassifier",
        "OrdinalEncoder", "Pipeline", "RandomForestClassifier", "RandomForestRegressor",
        "RandomTreesEmbedding", "RandomizedSearchCV", "RobustScaler", "SimpleImputer",
        "StandardScaler", "TargetEncoder", "VotingClassifier", "VotingRegressor", "_BinMapper",
    }
)  # fmt: skip


def rounds(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own."""
    return any(_rounds(part) for part in parts_of(estimator))


def rounds_before_a_step(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own, and is not a linear model at the end."""
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    return any(
        _rounds(part)
        for part in parts_of(estimator)
        if part is not last or not hasattr(part, "coef_")
    )


def begins_in_float32(estimator: Any) -> bool:
    """Gradient boosting rounds rows to float32, and the model that it begins with computes so."""
    begun = [getattr(part, "init_", None) for part in parts_of(estimator)]
    return any(hasattr(init, "predict") and not _is_dummy(init) for init in begun)


def _is_dummy(estimator: Any) -> bool:
    """It answers without a look at the row."""
    return isinstance(estimator, DummyClassifier | DummyRegressor)


def _rounds(part: Any) -> bool:
    if isinstance(part, FunctionTransformer) and part.func is None:
        return False  # columns that are passed through
    return type(part).__name__ not in EXACT and not hasattr(part, "get_support")


def _moved(row: Cells, share: float) -> Cells:
    """The row with its numbers moved by a share of each, away from zero or towards it."""
    return [_number_moved(cell, share) if type(cell) in (int, float) else cell for cell in row]


def _scattered(row: Cells, reach: float, random: np.random.Generator) -> Cells:
    """The row with each number moved by another share of it, up to the reach."""
    shares = random.uniform(-reach, reach, len(row)).tolist()
    return [_moved([cell], share)[0] for cell, share in zip(row, shares, strict=True)]


def _number_moved(number: Any, share: float) -> float:
    if isinstance(number, float):
        moved = float(number * (1 + share))
        return number if abs(number) <= LARGEST_FLOAT32 < abs(moved) else moved
    whole = int(number) + int(number * share)
    return max(-LARGEST_INTEGER - 1, min(LARGEST_INTEGER, whole))

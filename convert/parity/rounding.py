"""Rows on which rounding decides, and what equal means near zero.

Sums (matrix products, distances) come out differently in their last digits for one row than for a
batch, on another processor, or with another BLAS. Where a step function follows (a tree's
threshold, a nearest centre), a row can lie so close to the step that these digits decide, in
scikit-learn itself; and where large numbers cancel, they are all that is left. No conversion can
be held to one side of it. Nothing is forgiven where no such arithmetic comes before a step: trees
on raw, imputed, encoded or scaled columns are held to the last bit.

Near zero, equal means one thing for the gate, for golden rows, and so for `verify`. Numbers far
below the usual size of their column are sums of larger ones that cancel: their relative difference
says nothing. A column's own scale over the evidence decides, in three steps.

1. In float64, differences count against a millionth of that scale (`floor_of`), so that up to
   1e-11 of it is rounding; scores and standard deviations against the scale itself.
2. Where scikit-learn computes in float32, up to four units in the last place of that scale are.
3. Where a conversion differs beyond that, and its parts are sums in an order of their own, what
   scikit-learn's own answers move by is measured: it answers the rows again with their numbers
   moved in the last place. What moves as far on most rows has no more digits than that.

A floor is the magnitude below which a difference counts against it, not against the number; times
the tolerance it is the largest difference that is rounding. The certificate and golden.json have
them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.svm import SVC, NuSVC

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.comparison import (
    TOLERANCE,
    Answering,
    Comparison,
    compare,
    floors_by_scale,
)
from onnxlet.convert.parity.moved_rows import (
    FAR_REACH,
    NONE,
    UNIT,
    UNIT_IN_FLOAT32,
    Borders,
    borders_of,
    to_moved_rows,
    to_singly_moved,
)
from onnxlet.convert.reference.answers import Answers, last_of
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference, is_answered
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.serving.golden import usual_size

ONE_BY_ONE = 25  # rows that are asked about singly, before it is seen whether that explains any
MOST_FORGIVEN = 400  # rows that differ and are looked at one by one; more are never forgiven
SAMPLE = 25  # of more, that are looked at to see whether it is rounding that they differ by
GAPS = 100  # times the usual gap between neighbouring answers: some times as far as they reach
# Of each kind of rows, the share that may be forgiven: where it is more, nothing is proven.
FORGIVABLE = {"held-out": 0.01, "edge-case": 0.05, "drawn": 0.01}
HOPELESS = 0.05  # of the usual rows: where more are wrong, other rows are no longer compared
Floors = Mapping[str, Array]
UNITS = 4  # of float32, in the last place of a column's scale
MOVED_ROWS = 100  # whose answers are asked for again
FURTHER = 16  # times as far as scikit-learn's own answers move: a graph sums in yet another order
# The most that may be rounding: of a column's own scale, and of that of the largest column.
OF_OWN, OF_LARGEST = 1e-3, 1e-5


def rounds(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own."""
    return any(map(_rounds, parts_of(estimator)))


def rounds_before_a_step(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own, and is no linear model or trees at the end.

    Support vectors with a linear kernel are none: with several classes their pairs vote.
    """
    last = last_of(estimator)
    return any(
        _rounds(part) for part in parts_of(estimator) if part is not last or not _sums_last(part)
    )


def _sums_last(part: Any) -> bool:
    """Whether a part sums behind all its steps, or has none."""
    if converters().known(type(part)).only_splits:
        return True
    return hasattr(part, "coef_") and not isinstance(part, SVC | NuSVC)


def _rounds(part: Any) -> bool:
    """Whether nobody knows that it is exact; a selector passes columns on."""
    known = converters().known(type(part)).is_exact(part)
    return not known and not hasattr(part, "get_support")


def forgive_rounding(
    comparison: Comparison,
    answer: Answering,
    evidence: Evidence,
    reference: Reference,
    in_float64: Reference | None = None,
    single: bool = False,
) -> None:
    """Take rows off the list of wrong ones where scikit-learn's own answer depends on rounding.

    A row is forgiven where the answer is scikit-learn's to that row by itself, or, provided that
    the estimator rounds before a step, where it lies among scikit-learn's answers to the row
    with its numbers moved by a few units in the last place, or no further from them than they
    lie apart. Where scikit-learn computes in float32, its answer to the same numbers in float64
    is the one without rounding: `in_float64` gives it. Where only what is compared does (`single`),
    its rounding comes before each step there is.
    """
    if comparison.refused or comparison.misshapen:
        return
    if in_float64 is not None and rounds(reference.estimator):
        _forgive_what_float64_answers(comparison, answer, evidence, in_float64)
    wrong = comparison.wrong
    if not wrong:
        return
    unit = UNIT if in_float64 is None and not single else UNIT_IN_FLOAT32
    steps = single or rounds_before_a_step(reference.estimator)
    # What computes in float32 has rounded a number before it compares it.
    names = [column.name for column in reference.inputs.columns]
    borders = NONE if single else borders_of(reference.estimator, names)
    if len(wrong) > MOST_FORGIVEN:
        # Not every_nth: which rows the verdict falls on is part of the results.
        some = wrong[:: len(wrong) // SAMPLE]
        comparison.unstable = steps and _is_scattered(
            some, comparison, evidence, reference, unit, borders
        )
    else:
        got, expected, rows = _seen(wrong, comparison, evidence)
        explained = explained_by_rounding(got, expected, rows, reference, unit, steps, borders)
        pairs = zip(wrong, explained.tolist(), strict=True)
        _forgive(comparison, {row for row, fine in pairs if fine})


def _is_scattered(
    wrong: Sequence[int],
    comparison: Comparison,
    evidence: Evidence,
    reference: Reference,
    unit: float,
    borders: Borders,
) -> bool:
    """Whether each of these rows is answered as scikit-learn does where its numbers are moved."""
    got, expected, rows = _seen(wrong, comparison, evidence)
    moved = to_moved_rows(rows, reference, unit, borders=borders)
    return bool(_are_among(got, [expected, *moved]).all())


def too_many_forgiven(
    comparison: Comparison, evidence: Evidence, least: int = 0, of: Collection[str] = FORGIVABLE
) -> str:
    """How many rows of which kinds would have to be forgiven; empty where the others are enough.

    So many of a kind as `least` never are too many: one of thirty is no measure of a share. Only
    kinds that it is asked `of` count.
    """
    if comparison.unstable:
        return f"{len(comparison.wrong)} of {comparison.compared} rows"
    return " and ".join(
        f"{forgiven} of {len(rows)} {kind} rows"
        for kind, rows in evidence.kinds.items()
        if kind in of
        and (forgiven := sum(row in rows for row in comparison.forgiven)) > least
        and forgiven > FORGIVABLE[kind] * len(rows)
    )


def most_wrong(evidence: Evidence) -> float:
    """How many usual rows may be wrong: of more, too many would have to be forgiven."""
    return max(SAMPLE, HOPELESS * len(evidence.usual))


def _seen(
    wrong: Sequence[int], comparison: Comparison, evidence: Evidence
) -> tuple[Answers, Answers, list[Cells]]:
    """Some compared rows: ONNX Runtime's answers, scikit-learn's answers, and the rows themselves.

    Of outputs that are off it is the answer that was off, in a batch or by itself; others are
    scikit-learn's within the tolerance, and are taken for it.
    """
    expected = {name: array[list(wrong)] for name, array in evidence.expected.items()}
    got = {
        name: array.astype(np.float64 if array.dtype.kind == "f" else object)
        for name, array in expected.items()
    }
    for name, off in comparison.outputs.items():
        for position, row in enumerate(wrong):
            if row in off.got:
                got[name][position] = off.got[row]
    return got, expected, [evidence.rows[row] for row in wrong]


def _forgive(comparison: Comparison, rows: set[int]) -> None:
    comparison.forgiven = comparison.forgiven | rows
    for off in comparison.outputs.values():
        off.forgive(rows)


def _forgive_what_float64_answers(
    comparison: Comparison, answer: Answering, evidence: Evidence, in_float64: Reference
) -> None:
    wrong = comparison.wrong
    rows = [evidence.rows[row] for row in wrong]
    if not wrong or not is_answered(in_float64.answers, rows):
        return
    again = compare(answer, in_float64.task, rows, in_float64.answers(rows), comparison.floors)
    if not again.refused:
        left = {wrong[row] for row in again.wrong}
        _forgive(comparison, set(wrong) - left)


def explained_by_rounding(
    got: Answers,
    expected: Answers,
    rows: Sequence[Cells],
    reference: Reference,
    unit: float = UNIT,
    steps: bool | None = None,
    borders: Borders = NONE,
) -> Array:
    """Which answers scikit-learn might have given as well; a bool array of shape (rows,).

    What it has given to the rows in a batch is `expected`. The unit is that in the last place of
    the rows' numbers, relative to these; `steps` says whether rounding may come before a step, None
    that the estimator shows it. No number goes over one of the borders that it is compared with.
    """
    answers = [expected]
    may_step = rounds_before_a_step(reference.estimator) if steps is None else steps
    if may_step:
        answers += to_moved_rows(rows, reference, unit, FAR_REACH, borders)
    fine = _are_among(got, answers)
    # In float64 such moves would explain what is no rounding: a tree's wrong side.
    if may_step and unit != UNIT and (some := np.flatnonzero(~fine)).size:
        known = [{name: array[some] for name, array in answer.items()} for answer in answers]
        singly = [rows[row] for row in some.tolist()]
        known += to_singly_moved(singly, reference, unit, borders)
        fine[some] = _are_among({name: array[some] for name, array in got.items()}, known)
    left = np.random.default_rng(0).permutation(np.flatnonzero(~fine))
    for start in range(0, len(left), ONE_BY_ONE):
        some = left[start : start + ONE_BY_ONE]
        singles = [reference.answers([rows[row]]) for row in some.tolist()]
        single = {name: np.concatenate([one[name] for one in singles]) for name in expected}
        known = [{name: array[some] for name, array in answer.items()} for answer in answers]
        found = {name: array[some] for name, array in got.items()}
        fine[some] = _are_among(found, [*known, single])
        if not fine[some].any():
            break  # it is no matter of rounding, and to ask one by one takes long
    return fine


def _are_among(got: Answers, answers: Sequence[Answers]) -> Array:
    among = [_is_among(name, got[name], answers) for name in answers[0]]
    return np.asarray(np.all(among, axis=0))


def _is_among(name: str, got: Array, answers: Sequence[Answers]) -> Array:
    """For each row, whether its answer lies among scikit-learn's; a bool array of shape (rows,).

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


def floors_of(evidence: Evidence, precision: str) -> dict[str, Array]:
    """The floors of each output of numbers, by its scale and the precision of the reference."""
    floors = floors_by_scale(evidence.expected)
    if precision == "float32" and "prediction" in floors:
        scales = _scales(evidence.expected["prediction"][evidence.usual])
        units = scales * UNITS * UNIT_IN_FLOAT32 / TOLERANCE
        floors["prediction"] = np.maximum(floors["prediction"], units)
    return floors


def looser(floors: Floors, evidence: Evidence, reference: Reference) -> dict[str, Array]:
    """Floors by scale, raised where scikit-learn's own answers in float64 move further."""
    rows = [evidence.rows[row] for row in evenly_spaced(evidence.usual, MOVED_ROWS)]
    moved = list(to_moved_rows(rows, reference))
    return {
        name: np.maximum(floor, _moving(name, evidence, moved)) if moved else floor
        for name, floor in floors.items()
    }


def _moving(name: str, evidence: Evidence, moved: list[Answers]) -> Array:
    """A floor by how far most rows' answers move, within what may be rounding."""
    answers = np.stack([answer[name] for answer in moved]).astype(np.float64)
    with np.errstate(all="ignore"):
        reach = answers.max(axis=0) - answers.min(axis=0)
    reach = np.median(np.where(np.isfinite(reach), reach, 0.0), axis=0)
    scales = _scales(evidence.expected[name][evidence.usual])
    most = np.maximum(OF_OWN * scales, OF_LARGEST * scales.max(initial=0))
    return np.asarray(np.minimum(FURTHER * reach, most) / TOLERANCE)


def _scales(array: Array) -> Array:
    """The usual size of each column; of one number for outputs of one dimension."""
    if array.ndim == 1:
        return np.array(usual_size(array))
    return np.array([usual_size(column) for column in array.T])

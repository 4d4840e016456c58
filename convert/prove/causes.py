"""Why answers differ: each likely cause is a hypothesis, and is named where a test of it holds.

Of answers it has to hold on nearly all rows that the reference's are the subject's once they are
changed so. Of what is asked it holds of some of the rows that differ: both sides are asked again,
with the cause taken out, or the reference is asked what the subject may have made of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from onnxlet.convert.evidence.rows import changed
from onnxlet.convert.parity.moved_rows import UNIT_IN_FLOAT32
from onnxlet.convert.parity.rounding import explained_by_rounding
from onnxlet.convert.prove.judge import FEW, SAMPLE, Judge
from onnxlet.convert.prove.trial import rounded
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array

NEARLY = 0.95  # of all rows
SOME = 0.1  # of the rows that differ
MOST = 25  # columns whose pairs are tried; values of one
FAR = 1e3  # times the largest magnitude of the held-out rows
LENGTHS = (8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 255, 256, 500, 512, 1000, 1024)
IN_FLOAT64 = "convert it for float64"
IN_FLOAT32 = f"compare with --float32, or {IN_FLOAT64}"
TEXTS: dict[str, Callable[[str], str]] = {
    "in lower case": str.lower,
    "in upper case": str.upper,
    "without spaces at its ends": str.strip,
}
NUMBERS: dict[str, Callable[[Array], Array]] = {
    "has the other sign": lambda x: -x,
    "is 1 minus what it should be": lambda x: 1 - x,
    "is its logarithm": np.log,
    "is its exponential": np.exp,
    "is its log-odds": lambda x: np.log(x) - np.log1p(-x),
    "is the sigmoid of what it should be": lambda x: 1 / (1 + np.exp(-x)),
}
# A cause in words, and of which rows it holds; bool, shape (rows,).
Found = tuple[str, Array]


def causes(judge: Judge) -> list[str]:
    """The causes that tests have shown, the plainest first; empty where none holds."""
    refused, left = judge.trial.refused.rows, judge.wrong
    of_answers = left and not refused and not judge.fine_by_themselves
    if of_answers and (found := [*dict.fromkeys(_of_answers(judge))]):
        return found[:3]
    said = []
    for hypothesis in OF_ROWS:
        if left and not (refused and hypothesis in UNREFUSED):
            text, holds = hypothesis(judge, left)
            if holds.sum() >= max(1, SOME * len(judge.wrong)):
                said.append(f"{text} ({holds.sum()} of {len(judge.wrong)} rows that were tried)")
                left = [row for row, is_one in zip(left, holds, strict=True) if not is_one]
    return said


# Of what befalls any answer


def _of_answers(judge: Judge) -> Iterator[str]:
    """What has happened to an output, on all rows that were compared."""
    expected, got = judge.got(evenly_spaced(judge.trial.state.evidence.rows, 10 * SAMPLE))
    classes = list(judge.trial.matched.classes)
    for name in judge.trial.matched.names:
        ours, theirs = expected[name], got[name]
        if theirs.shape != ours.shape:
            yield from _lost(name, ours, theirs, classes)
        elif ours.dtype.kind != "f":
            yield from _labels(ours.ravel().tolist(), theirs, classes, expected)
        elif theirs.dtype.kind in "fiu" and not _close(theirs, ours):
            yield from (f"{name} {how}" for how in _numbers(ours, theirs, classes))


def _numbers(ours: Array, theirs: Array, classes: Sequence[Any]) -> Iterator[str]:
    if ours.ndim == 2:
        own = _columns_of(ours, theirs)
        moved = {at: one for at, one in enumerate(own) if one not in (None, at)}
        if moved and len({*moved.values()}) == len(moved):
            label = _label(ours, classes)
            pairs = (f"{label[one or 0]} where {label[at]} should be" for at, one in moved.items())
            yield f"comes in another order, or for swapped classes: {', '.join(pairs)}"
    with np.errstate(all="ignore"):
        yield from (how for how, change in NUMBERS.items() if _close(theirs, change(ours)))
        fine = np.isfinite(ours) & np.isfinite(theirs) & (np.abs(ours) < FAR**2)
        off, ratio = (theirs - ours)[fine], (theirs / ours)[fine & (ours != 0)]
    for array, none, how in (
        (off, 0, "off by {:.6g}"),
        (ratio, 1, "{:.6g} times what it should be"),
    ):
        with np.errstate(all="ignore"):
            same = np.median(array) if array.size > FEW else none
            near = np.abs(array - same) <= 1e-4 * abs(same)
        if abs(same - none) > 1e-5 and near.mean() >= NEARLY:
            yield f"is {how.format(same)} in every row, as by a shifted bias or another scale"


def _lost(name: str, ours: Array, theirs: Array, classes: Sequence[Any]) -> Iterator[str]:
    forms = [f"{each.dtype} of {list(each.shape[1:]) or 'one value'}" for each in (ours, theirs)]
    own = _columns_of(ours, theirs) if theirs.ndim == ours.ndim == 2 else []
    lost = [str(each) for at, each in enumerate(_label(ours, classes)) if at not in own]
    named = f": {', '.join(lost)} lost" if own and None not in own else ""
    yield f"{name} has another shape: expected {forms[0]}, got {forms[1]} a row{named}"


def _columns_of(ours: Array, theirs: Array) -> list[int | None]:
    """For each of the subject's columns, which of the reference's it is; its own first."""
    found: list[int | None] = []
    for at, column in enumerate(theirs.T):
        fits = [one for one, other in enumerate(ours.T) if _close(column, other)]
        found.append(at if at in fits else fits[0] if fits else None)
    return found


def _label(ours: Array, classes: Sequence[Any]) -> list[str]:
    every = list(classes) if len(classes) == ours.shape[-1] else list(range(ours.shape[-1]))
    return list(map(repr, every))


def _labels(
    ours: list[Any], theirs: Array, classes: list[Any], expected: dict[str, Array]
) -> Iterator[str]:
    other = theirs.ravel().tolist()
    pairs = list(zip(ours, other, strict=True))
    if np.mean([a == b for a, b in pairs]) > NEARLY:
        return
    shares, kinds = expected.get("probabilities"), f"{type(ours[0]).__name__} is expected"
    if all(str(a) == str(b) for a, b in pairs):
        yield f"prediction comes as another type: {type(other[0]).__name__}, where {kinds}"
    elif classes and [classes.index(a) for a in ours if a in classes] == other:
        yield "prediction is the position of the class, and not the class"
    elif shares is not None and theirs.dtype.kind == "f" and _close(theirs, shares[:, -1]):
        yield "prediction is the probability of the last class, and not a class"
    else:
        taken = {a: [b for one, b in pairs if one == a] for a in dict.fromkeys(ours)}
        most = {a: max(set(found), key=found.count) for a, found in taken.items()}
        sure = sum(most[a] == b for a, b in pairs) >= NEARLY * len(pairs)
        if sure and len({*most.values()}) == len(most) > 1:
            swapped = ", ".join(f"{b!r} for {a!r}" for a, b in most.items() if a != b)
            yield f"prediction has swapped classes: {swapped}"


def _close(one: Array, other: Array) -> bool:
    with np.errstate(all="ignore"):
        near = np.isclose(one.astype(np.float64), other, rtol=1e-5, atol=1e-7, equal_nan=True)
    return bool(np.mean(near) >= NEARLY)


# Of what is asked


def _beside(judge: Judge, rows: Sequence[Cells]) -> Found:
    """All rows, where those that differ are answered equally by themselves."""
    text = "its answer to a row depends on the rows beside it, or is another each time"
    return text, np.full(len(rows), judge.fine_by_themselves)


def _replaced(
    judge: Judge, rows: Sequence[Cells], text: str, of: Callable[[int, Any], bool]
) -> Found:
    """Rows that are answered equally once such cells are those of the nearest held-out row."""
    if not judge.right:
        return text, np.zeros(len(rows), dtype=bool)
    bases = [judge.nearest(row)[1] for row in rows]
    at = [[position for position, cell in enumerate(row) if of(position, cell)] for row in rows]
    made = [
        [base[n] if n in some else cell for n, cell in enumerate(row)]
        for row, base, some in zip(rows, bases, at, strict=True)
    ]
    holds = np.array([bool(some) for some in at]) & judge.equal(made, made)
    counts = Counter(n for some, one in zip(at, holds, strict=True) if one for n in some)
    names = [judge.names[n] for n, _ in counts.most_common(3)]
    return f"{text} in {', '.join(map(repr, names))}", holds


def _gaps(judge: Judge, rows: Sequence[Cells]) -> Found:
    return _replaced(judge, rows, "missing values", lambda _, cell: cell is None)


def _unseen(judge: Judge, rows: Sequence[Cells]) -> Found:
    evidence = judge.trial.state.evidence
    seen = [set(cells) for cells in zip(*evidence.rows[: evidence.held_out], strict=True)]
    text = "categories or texts that no held-out row has"
    return _replaced(judge, rows, text, lambda at, c: isinstance(c, str) and c not in seen[at])


def _far(judge: Judge, rows: Sequence[Cells]) -> Found:
    def size(cell: Any) -> float:
        return abs(cell) if type(cell) in (int, float) else 0.0

    evidence = judge.trial.state.evidence
    held_out = evidence.rows[: evidence.held_out]
    most = [
        FAR * max([1.0, *filter(np.isfinite, map(size, c))]) for c in zip(*held_out, strict=True)
    ]
    text = "numbers far beyond the held-out ones"
    return _replaced(judge, rows, text, lambda at, cell: size(cell) > most[at])


def _single(judge: Judge, rows: Sequence[Cells]) -> Found:
    """Rows whose numbers are rounded to float32 on one side only."""
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite in it
        narrow = [list(map(rounded, row)) for row in rows]
    ours, theirs = judge.equal(narrow, rows), judge.equal(rows, narrow)
    if ours.sum() > theirs.sum():
        return (
            "the estimator rounds numbers to float32 before its thresholds, and it does not",
            ours,
        )
    if not theirs.all():
        theirs |= _near_steps(judge, rows)
    single = judge.trial.state.single
    how = f"rounds numbers before them; {IN_FLOAT32}"
    return f"float32 thresholds: it {'has rounded them; ' + IN_FLOAT64 if single else how}", theirs


def _near_steps(judge: Judge, rows: Sequence[Cells]) -> Array:
    """Rows whose answer the reference gives, too, where numbers move by float32's last place."""
    expected, got = judge.got(rows)
    filled = {name: got.get(name, array) for name, array in expected.items()}
    if any(filled[name].shape != array.shape for name, array in expected.items()):
        return np.zeros(len(rows), dtype=bool)
    reference = judge.trial.state.reference
    return explained_by_rounding(filled, expected, rows, reference, UNIT_IN_FLOAT32, True)


def _texts(judge: Judge, rows: Sequence[Cells]) -> Found:
    """Texts that the subject changes: the reference answers the changed ones as it does."""
    cuts = {f"cut to {n} characters": lambda text, n=n: text[:n] for n in LENGTHS}
    best: Found = "", np.zeros(len(rows), dtype=bool)
    for how, change in {**TEXTS, **cuts}.items():
        made = [[change(c) if isinstance(c, str) else c for c in row] for row in rows]
        holds = judge.equal(rows, made) if made != list(rows) else best[1]
        best = (f"changed text: it takes it {how}", holds) if holds.sum() > best[1].sum() else best
    return best


def _values(judge: Judge, rows: Sequence[Cells]) -> Found:
    """A category or a gap that the subject takes for another."""
    best: Found = "", np.zeros(len(rows), dtype=bool)
    evidence = judge.trial.state.evidence
    for at, column in enumerate(judge.trial.state.reference.inputs.columns):
        every = list(dict.fromkeys(row[at] for row in evidence.rows[: evidence.held_out]))
        if column.type.startswith("float") or len(every) > MOST:
            continue
        for value, _ in Counter(row[at] for row in rows).most_common(FEW):
            some = np.array([row[at] == value for row in rows])
            asked = [row for row, is_one in zip(rows, some, strict=True) if is_one][:FEW]
            for other in every if some.sum() > best[1].sum() else ():
                put = [changed(row, [at], [other]) for row in asked]
                if other != value and judge.equal(asked, put).all():
                    best = f"in '{column.name}' it takes {value!r} for {other!r}", some
                    break
    return best


def _columns(judge: Judge, rows: Sequence[Cells]) -> Found:
    """Two columns that are taken for each other."""
    columns, some = judge.trial.state.reference.inputs.columns, rows[:FEW]
    pairs = combinations(range(len(columns)), 2) if len(columns) <= MOST else ()
    for a, b in pairs:
        if columns[a].type == columns[b].type:
            order = [b if n == a else a if n == b else n for n in range(len(columns))]
            made = [[row[n] for n in order] for row in some]
            if made != some and judge.equal(some, made).mean() >= NEARLY:
                text = f"another order of columns: '{columns[a].name}' and '{columns[b].name}'"
                return text, judge.equal(rows, [[row[n] for n in order] for row in rows])
    return "", np.zeros(len(rows), dtype=bool)


UNREFUSED = (_beside, _single, _texts, _values, _columns)  # that compare answers
OF_ROWS = (_beside, _gaps, _unseen, _far, _single, _texts, _values, _columns)

"""Which rows are learnt from, which judge, which nobody sees until the end; and which are equal."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from onnxlet.convert.errors import Refusal
from onnxlet.convert.problems import counted
from onnxlet.convert.tables.places import Places, placed
from onnxlet.convert.train.kinds.date import DATE
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.written import date_form, days, form_of_moments
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse

Positions = NDArray[np.intp]
Folds = list[tuple[Positions, Positions]]  # to fit on, and to validate on

MOST_TEST = 20_000  # rows: beyond that an interval only gets narrower than anybody can use
FEW_TEST = 50  # rows below which a score says little
FOLDS = 5
FOLDS_OF_MANY = 3
MANY = 100_000  # training rows
FEW, FEWER = 1_500, 500  # training rows: below these the folds are repeated
BINS = 10  # of a number's values, each in every part alike
READ = 0.5  # of a time's values, at least
FEW_GROUPS = 2_000  # beyond that chance alone spreads the classes evenly, and is faster
OWN_SPLIT = 0.5  # of the rows: where more are repeated, that is how the table is


class Splits(NamedTuple):
    """How a table's rows are used."""

    train: Positions  # of the rows that the search sees
    test: Positions  # of the rows that it never sees
    folds: Folds  # in `train`
    how: str  # what was done, in one sentence
    by_time: bool = False  # the rows of both are in the order of time, the test rows later


def split(
    y: Array,  # targets (n,)
    task: str,  # "binary", "multiclass" or "regression"
    groups: Array | None,  # what rows of one group share (n,); a row without belongs to no other
    times: Array | None,  # float64 (n,), as `times_of` gives them; rows with NaN are left out
    seed: int,  # of what is drawn
    alike: Array | None = None,  # a number that equal rows share (n,), as `duplicates_in` finds it
    held_out: int = 0,  # so many last rows are a test set that was chosen before; 0 is none
) -> Splits:
    """Split rows as the data demand; Refusal where groups, or different times, are too few."""
    if times is not None:
        return _by_time(times, held_out)
    units, said = _units(len(y), groups, alike)
    strata = _strata(y, task)
    if groups is not None and (count := len(np.unique(units))) < 3:
        raise Refusal(
            f"--group: expected 3 groups or more, a test set and two to learn from, got {count}",
            "Leave --group out, or give a column with more values.",
        )
    test = np.arange(len(y) - held_out, len(y))
    if not held_out:
        test = next(_parts(strata, units, groups is not None, _test_parts(len(y)), seed))
    train = np.setdiff1d(np.arange(len(y)), test)
    folds, how = _folds(strata[train], units[train], groups is not None, seed)
    kind = "random" if groups is None else "grouped"
    chosen = f"A {kind} test set of {len(test)} rows, the target as alike as can be in all parts"
    if held_out:
        chosen = f"A test set of {len(test)} rows of its own"
    what = f"{chosen}; {how} of the other {len(train)}{said}."
    return Splits(train, test, folds, what)


def _test_rows(rows: int) -> int:
    return min(MOST_TEST, max(rows // 5, min(FEW_TEST, rows // 3)))


def _test_parts(rows: int) -> int:
    """Into how many parts a table is cut, one of them the test set."""
    wanted = _test_rows(rows)
    return max(2, round(rows / wanted) if wanted < MOST_TEST else -(-rows // MOST_TEST))


def _strata(y: Array, task: str) -> Positions:
    """What every part should have as much of: classes, or tenths of the target's range."""
    if task != "regression":
        return np.unique(y, return_inverse=True)[1]
    edges = np.unique(np.quantile(y.astype(float), np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, y.astype(float)).astype(np.intp)


def _units(rows: int, groups: Array | None, alike: Array | None) -> tuple[Positions, str]:
    """What stays on one side (n,): each row on its own, a group, or rows that are equal."""
    units = np.arange(rows) if groups is None else group_numbers(groups)
    without = 0 if groups is None else int(pd.isna(pd.Series(groups)).sum())
    said = f"; each of {without} rows without a group is a group of its own" if without else ""
    if alike is None or (distinct := len(np.unique(alike))) == rows:
        return units, said
    if distinct < rows / 2:  # such as three columns of categories: being equal means nothing there
        return units, f"{said}; equal rows are not kept together, as most rows have an equal"
    joined = (
        _joined(units, alike) if groups is not None else np.unique(alike, return_inverse=True)[1]
    )
    more = rows - distinct
    equal = f"{more} rows that equal another are" if more != 1 else "1 row that equals another is"
    return joined, f"{said}; {equal} on its side"


def group_numbers(groups: Array) -> Positions:
    """The number of each row's group (n,); a row without one is a group of its own."""
    codes = np.asarray(pd.factorize(pd.Series(groups).to_numpy())[0], np.intp)
    missing = codes < 0
    codes[missing] = np.max(codes, initial=-1) + 1 + np.arange(missing.sum())
    return codes


def _joined(a: Positions, b: Array) -> Positions:
    """The smallest parts that split neither a group of `a` nor one of `b`."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    b = np.unique(b, return_inverse=True)[1] + np.max(a) + 1
    size = int(np.max(b)) + 1
    edges = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(size, size))
    return np.asarray(connected_components(edges, directed=False)[1][a], np.intp)


def _parts(
    strata: Positions, units: Positions, grouped: bool, parts: int, seed: int
) -> Iterator[Positions]:
    """Positions of each part's rows: each row is in one, but for those that must be learnt from."""
    first, unit = np.unique(units, return_index=True, return_inverse=True)[1:]
    if grouped:
        parts = min(parts, len(first))
        even = len(first) <= FEW_GROUPS and parts <= np.max(np.bincount(strata))
        kind: Any = StratifiedGroupKFold if even else GroupKFold
        splitter = kind(n_splits=parts, shuffle=True, random_state=seed)
        found = splitter.split(np.zeros(len(strata)), strata, units)
        yield from (positions for _, positions in _quiet(found) if len(positions))
        return
    # Equal rows follow the first of them. A class of one row can't be learnt if it is held out.
    of_first = strata[first]
    eligible = np.flatnonzero(np.bincount(of_first)[of_first] > 1)
    parts = min(parts, len(eligible))
    counts = np.bincount(of_first[eligible])
    plain = parts > np.max(counts)  # no class has a row for every part
    folds: Any = KFold if plain else StratifiedKFold
    splitter = folds(n_splits=parts, shuffle=True, random_state=seed)
    found = splitter.split(np.zeros(len(eligible)), of_first[eligible])
    for _, positions in _quiet(found):
        chosen = np.zeros(len(first), bool)
        chosen[eligible[positions]] = True
        yield np.flatnonzero(chosen[unit])


def _quiet(found: Iterator[Any]) -> list[Any]:
    with warnings.catch_warnings():  # of classes with fewer rows than there are parts
        warnings.simplefilter("ignore", UserWarning)
        return list(found)


def _folds(strata: Positions, units: Positions, grouped: bool, seed: int) -> tuple[Folds, str]:
    rows = len(strata)
    parts = FOLDS if rows <= MANY else FOLDS_OF_MANY
    repeats = 3 if rows < FEWER else 2 if rows < FEW else 1
    folds = []
    for repeat in range(repeats):
        for valid in _parts(strata, units, grouped, parts, seed + repeat):
            folds.append((np.setdiff1d(np.arange(rows), valid), valid))
    each = len(folds) // repeats
    again = {1: "", 2: ", twice", 3: ", three times"}[repeats]
    return folds, f"{each} folds{again},"


def _by_time(times: Array, held_out: int) -> Splits:
    """The latest rows are the test set, or the last; a fold is validated on what comes after."""
    when = np.asarray(times, np.float64)
    known = np.flatnonzero(~np.isnan(when))
    order = known[np.argsort(when[known], kind="stable")]
    mine = np.isin(order, np.arange(len(times) - held_out, len(times)))
    order = np.concatenate([order[~mine], order[mine]])
    rows = len(order)
    cuts = [rows - int(mine.sum())] if held_out else _cuts(when[order], [rows - _test_rows(rows)])
    if not cuts:
        raise _too_few_times(when)
    train, test = order[: cuts[0]], order[cuts[0] :]
    parts = FOLDS + 1  # the oldest part is only learnt from
    edges = _cuts(when[train], [len(train) * part // parts for part in range(1, parts)])
    if not edges:
        raise _too_few_times(when)
    ends = [*edges[1:], len(train)]
    folds = [(np.arange(a), np.arange(a, b)) for a, b in zip(edges, ends, strict=True)]
    folds.reverse()  # where there is time for one only, it is the latest
    left = len(when) - rows
    verb = "is" if left == 1 else "are"
    said = f"; {counted(left, 'row')} without a time {verb} left out" if left else ""
    which = "last" if held_out else "latest"
    how = (
        f"The {which} {len(test)} rows are the test set; {len(folds)} folds of the "
        f"{len(train)} before them, each validated on what comes right after what it learns from"
        f"{said}."
    )
    return Splits(train, test, folds, how, by_time=True)


def _too_few_times(when: NDArray[np.float64]) -> Refusal:
    count = len(np.unique(when[~np.isnan(when)]))
    return Refusal(
        f"--time: expected 3 different times or more, a test set and two to learn from, "
        f"got {count}",
        "Leave --time out, or give a column with dates or numbers.",
    )


def _cuts(ordered: NDArray[np.float64], wanted: list[int]) -> list[int]:
    """Where to cut near the wanted places (ascending), so that equal times stay together."""
    starts = np.flatnonzero(np.diff(ordered) > 0) + 1
    if not len(starts):
        return []
    return sorted({int(starts[np.argmin(np.abs(starts - place))]) for place in wanted})


def timeless(times: Array, places: Places) -> list[str]:
    """Rows that are left out since they have no time, the first of them by their places."""
    rows = np.flatnonzero(np.isnan(times))
    said = f"{counted(len(rows), 'row')} without a time, left out: {placed(places, rows)}"
    return [said] if len(rows) else []


def times_of(column: pd.Series[Any], taken: TableColumn) -> Array:
    """When each row was, float64 (n,): days since 1970, or the column's numbers; NaN for none.

    Dates are read in the one form that the column was found to have: whoever guesses for each
    value by itself reads 03.04. as in March, and has rows of the future among those learnt from.

    Raises:
        WrongUse: half of its values or more are neither dates of one form nor numbers.
    """
    form = taken.format or _form(column)
    if form is not None:
        times = days(DATE.typed(column, form).column, form)
    else:
        times = NUMBER.in_order(column, None)
    known = int(column.notna().sum())
    if not known or np.isfinite(times).sum() < READ * known:
        got = f"a {taken.kind} ({taken.why})" if known else "no value in any row"
        raise WrongUse(
            f"--time '{taken.name}': expected dates of one form, or numbers, got {got}",
            f"If these are dates, say how they are written: --column '{taken.name}=date %d.%m.%Y'.",
        )
    return np.where(np.isfinite(times), times, np.nan)


def _form(column: pd.Series[Any]) -> str | None:
    """The form of dates in a column that is taken for something else; None where it has none."""
    if column.dtype.kind in "iuf":
        return None
    if column.dtype.kind == "M":
        return form_of_moments(column)
    found = date_form([str(value) for value in column.dropna().unique()])
    return found.format if found is not None and found.share >= READ else None


def duplicates_in(rows: pd.DataFrame, y: Array) -> tuple[Array | None, list[str]]:
    """Groups of equal rows, and a note of how many there are."""
    answers, _ = pd.factorize(y)
    mixed = _hashed(rows) * np.uint64(1_000_003) + answers.astype(np.uint64)
    same = "the same as an earlier one in every column"
    return _groups(mixed, ("is", "are"), same, ": kept; with so many, equal rows")


def same_images(hashes: pd.DataFrame) -> tuple[Array | None, list[str]]:
    """Groups of rows with the same images, by their hashes, and a note of how many."""
    same = "the same images as an earlier one"
    return _groups(_hashed(hashes), ("has", "have"), same, "; with so many, they")


def _groups(
    hashes: Array, verbs: tuple[str, str], same: str, many: str
) -> tuple[Array | None, list[str]]:
    groups = np.asarray(pd.factorize(hashes)[0], dtype=np.int64)
    more = len(groups) - len(np.unique(groups))
    if not more:
        return None, []
    said = f"{counted(more, 'row')} of {len(groups):,} {verbs[more > 1]} {same}"
    if more > OWN_SPLIT * len(groups):
        return None, [f"{said}{many} may be in training and in test rows"]
    return groups, [f"{said}: kept, and not apart in training and test rows"]


def _hashed(rows: pd.DataFrame) -> Array:
    """A number of 64 bits for each row, column by column so that little memory is held."""
    total: Array = np.zeros(len(rows), dtype=np.uint64)
    for name in rows.columns:
        try:
            hashes = pd.util.hash_pandas_object(rows[name], index=False)
        except TypeError:  # lists and the like
            hashes = pd.util.hash_pandas_object(rows[name].map(str), index=False)
        total = total * np.uint64(31) + hashes.to_numpy()
    return total

"""What libraries do with a .skops file in C: its numbers looked at, and the file tried apart.

Numbers that lead outside their arrays are indexed without a look, and a text of a booster may make
C++ give up: either may end a process. A process of its own notices where that crashes, not where it
reads, or writes, what lies beside. The forms are those of scikit-learn's `tree/_tree.pyx`,
`neighbors/_binary_tree.pxi.tp`, `ensemble/_hist_gradient_boosting/_predictor.pyx`,
`ensemble/_gradient_boosting.pyx` and `svm/_base.py`.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import check_array

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.skops_file import Malformed
from onnxlet.convert.sources.skops_nodes import within
from onnxlet.convert.workers.program import MOST_MEMORY, OUT_OF_MEMORY, PATIENCE, run_apart
from onnxlet.folders import ROOT
from onnxlet.function.arrays import Array

# Where a pipeline would write, and threads that would be started: neither is asked for here.
RESET: Final = {"memory": None, "n_jobs": None, "_n_threads": 1}


def settle(made: Any) -> Any:
    """What a file held, once its numbers lead nowhere else; Malformed where some lead outside."""
    for part in reversed([*everything(made)]):  # a part before what asks it
        held = getattr(part, "__dict__", {})
        held.update({name: value for name, value in RESET.items() if name in held})
        check_part(part)
    return made


def check_part(part: Any) -> None:
    """Malformed where an object's numbers lead outside its arrays; its parts come before it."""
    for kind in type(part).__mro__:
        fitted, is_sound = SOUND.get(kind.__name__, ("", None))
        if is_sound and hasattr(part, fitted) and not is_sound(part):
            raise Malformed(f"the numbers in a {type(part).__name__} lead outside its arrays")


def everything(made: Any) -> Iterator[Any]:
    """An object, and what it holds, each once."""
    seen, left = dict[int, Any](), [made]
    while left:
        part = left.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | type):
            continue
        seen[id(part)] = part
        yield part
        if isinstance(part, list | tuple | set | frozenset | dict):
            left += part.values() if isinstance(part, dict) else part
        elif isinstance(part, np.ndarray) and part.dtype == object:
            left += part.ravel().tolist()
        left += getattr(part, "__dict__", {}).values()


def _are_later(left: Array, right: Array, inner: Array) -> bool:
    own = np.flatnonzero(inner) + 1
    return all(within(child[inner], len(child), own) for child in (left, right))


def _width(part: Any) -> int:
    """Of the rows that it takes; where it does not say, scikit-learn would not look."""
    return int(vars(part).get("n_features_in_", -1))


def _tree(tree: Any) -> bool:
    if not 0 < tree.node_count <= tree.capacity:
        return False
    inner = tree.children_left != -1
    return (
        _are_later(tree.children_left, tree.children_right, inner)
        and bool(np.all(tree.children_right[~inner] == -1))
        and within(tree.feature[inner], tree.n_features)
    )


def _trees_of(part: Any, width: int) -> bool:
    """An ensemble hands rows of its own width to its trees, which don't look."""
    trees = np.ravel(np.asarray(part.estimators_, dtype=object)).tolist()
    return all(_width(tree) == width == tree.tree_.n_features for tree in trees)


def _isolation(part: Any) -> bool:
    widths = {len(features) for features in part.estimators_features_}
    return widths == {part._max_features} and _trees_of(part, part._max_features)


def _stages(part: Any) -> bool:
    if not _trees_of(part, _width(part)):
        return False
    start = part._raw_predict_init(np.zeros((1, _width(part))))  # stages are added to it
    return bool(start.shape == (1, part.estimators_.shape[1]))


def _predictor(part: Any) -> bool:
    nodes, sets = part.nodes, part.raw_left_cat_bitsets
    inner = nodes["is_leaf"] == 0
    return (
        len(nodes) > 0
        and _are_later(nodes["left"], nodes["right"], inner)
        and sets.shape == (len(sets), 8)
        and within(nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)], len(sets))
    )


def _histograms(part: Any) -> bool:
    width, before = _width(part), getattr(part, "_preprocessor", None)
    steps = [step for step in before.transformers_ if step[1] != "drop"] if before else []
    checks = [getattr(getattr(step, "func", None), "func", None) for _, step, _ in steps]
    names = [type(step).__name__ for _, step, _ in steps]
    predictors = [each for several in part._predictors for each in several]
    return (
        # Categories become numbers before: as many columns as there were.
        all(n == "OrdinalEncoder" or c is check_array for n, c in zip(names, checks, strict=True))
        and sum(len(np.arange(width)[at]) for *_, at in steps) == (width if before else 0)
        and part._bin_mapper.is_categorical_.size == width
        and all(within(p.nodes["feature_idx"][p.nodes["is_leaf"] == 0], width) for p in predictors)
    )


def _neighbours(tree: Any) -> bool:
    data, order, nodes, bounds, _, _, count, *_, metric, weights = tree.__getstate__()
    (rows, width), inner = data.shape, np.flatnonzero(nodes["is_leaf"] == 0)
    _, vector, matrix, *_ = metric.__getstate__()
    name = type(metric).__name__.partition("Distance")[0]
    sizes = {"SEuclidean": {width}, "Minkowski": {0, width}}
    return (
        order.shape == (rows,)
        and within(order, rows)
        and nodes.shape == (count,) != (0,)
        and bounds.shape == (1 if "Ball" in type(tree).__name__ else 2, count, width)
        and within(2 * inner + 2, count)
        and within(nodes["idx_start"], rows + 1)
        and within(nodes["idx_end"], rows + 1, nodes["idx_start"])
        and (weights is None or weights.shape == (rows,))
        and len(vector) in sizes.get(name, {len(vector)})
        and (name != "Mahalanobis" or matrix.shape == (width, width))
    )


def _vectors(part: Any) -> bool:
    each, factors, is_svc = part._n_support, part._dual_coef_, part._impl in ("c_svc", "nu_svc")
    count, several = len(part.support_), len(each)
    pairs = several * (several - 1) // 2
    by_rows = callable(part.kernel) or part.kernel == "precomputed"
    return (
        within(each, count + 1)
        and (each.sum() if is_svc else each[0]) == count
        and several == (len(part.classes_) if is_svc else 2)
        and factors.shape == (several - 1, count)
        and (not sparse.issparse(factors) or len(factors.data) == (several - 1) * count)
        and len(part._intercept_) == pairs
        and {len(part._probA), len(part._probB)} <= {0, pairs}
        and (by_rows or part.support_vectors_.shape == (count, _width(part)))
        and (not by_rows or within(part.support_, part.shape_fit_[0]))
    )


# By a class's name: what those have that answer, and whether its numbers stay inside.
SOUND: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "Tree": ("capacity", _tree),
    "BaseDecisionTree": ("tree_", lambda part: _width(part) == part.tree_.n_features),
    "BaseForest": ("estimators_", lambda part: _trees_of(part, _width(part))),
    "IsolationForest": ("estimators_", _isolation),
    "BaseGradientBoosting": ("estimators_", _stages),
    "TreePredictor": ("nodes", _predictor),
    "BaseHistGradientBoosting": ("_predictors", _histograms),
    "BinaryTree64": ("query", _neighbours),
    "BinaryTree32": ("query", _neighbours),
    "NeighborsBase": ("_y", lambda part: len(part._y) == part._fit_X.shape[0]),
    "BaseLibSVM": ("support_", _vectors),
    "_BaseKMeans": (
        "cluster_centers_", lambda part: part.cluster_centers_.shape[1] == _width(part)
    ),
    "LGBMModel": (
        "_other_params", lambda part: "predict_disable_shape_check" not in part._other_params
    ),
    "_cs_matrix": ("indptr", lambda part: part.check_format(full_check=True) is None),
}  # fmt: skip


FEW = 20  # rows
ASKED = (
    "predict", "predict_proba", "decision_function", "transform", "score_samples", "kneighbors",
)  # fmt: skip
PICTURE = (  # one pixel, PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)
PROGRAM = f"""
sys.path.insert(0, {os.fspath(ROOT)!r})
import onnxlet.environment
del sys.path[0]
from onnxlet.convert.sources.saved import load_any
from onnxlet.convert.sources.skops_sandbox import ask
ask(lambda *given: load_any(*given, None, ())[0])
"""
HINT = "Save it again, from the estimator that was fitted."


def check_it_answers(path: Path, trusted: Sequence[str], rows: Any) -> None:
    """Read a judged .skops file and ask what is in it, in a process that may end.

    Raises:
        SourceFailed: it crashes that process, does not answer, or needs more memory than there is.
    """
    given = pickle.dumps((path, list(trusted), rows[:FEW]))
    done = run_apart(PROGRAM, given, seconds=PATIENCE, memory=MOST_MEMORY)
    asked = f"'{path.name}', read and asked for {FEW} rows in a process of its own,"
    if done.late:
        raise SourceFailed(f"{asked} does not answer {done.late}", HINT)
    if done.large:
        raise SourceFailed(f"{asked} needs {done.large}", HINT)
    if done.code:
        raise SourceFailed(f"{asked} ends it by {done.end}", HINT)


def ask(load_saved: Callable[..., Any]) -> None:
    """Ask for every answer; what Python raises is reported where the file is read in earnest."""
    path, trusted, rows = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own process
    made = _ended_well(load_saved, path, trusted, lambda line: None)
    if any(hasattr(type(part), "reads_images") for part in everything(made)):
        rows = _without_files(rows)
    for name in ASKED:
        _ended_well(methodcaller(name, rows), made)
    os._exit(0)


def _without_files(rows: Any) -> Any:
    """Rows whose texts name no file: which of these may be opened is found out later."""
    frame = pd.DataFrame(rows).map(
        lambda cell: (
            PICTURE
            if isinstance(cell, str) and os.path.isfile(cell)  # noqa: PTH113 - any text, however long
            else cell
        )
    )
    return frame if isinstance(rows, pd.DataFrame) else frame.to_numpy()


def _ended_well(call: Callable[..., Any], *given: Any) -> Any:
    try:
        return call(*given)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception:
        return None

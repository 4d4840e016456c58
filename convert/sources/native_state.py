"""What libraries index in C without a look: numbers in a file that lead outside its arrays.

scikit-learn, libsvm and LightGBM walk trees, buffers and support vectors by what the file says. A
process of its own (`tried`) notices where that crashes, not where it reads, or writes, what lies
beside. The forms are those of scikit-learn's `tree/_tree.pyx`, `neighbors/_binary_tree.pxi.tp`,
`ensemble/_hist_gradient_boosting/_predictor.pyx`, `ensemble/_gradient_boosting.pyx` and
`svm/_base.py`, and of LightGBM's `src/io/tree.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.cluster._bisect_k_means import _BisectingTree
from sklearn.cluster._kmeans import _BaseKMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.neighbors import _ball_tree, _kd_tree
from sklearn.neighbors._base import NeighborsBase
from sklearn.preprocessing import OrdinalEncoder
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree
from sklearn.utils.validation import check_array

from onnxlet.convert.sources.skops_file import Malformed
from onnxlet.function.arrays import Array

NOT_KEPT = {"memory": None, "n_jobs": None, "_n_threads": 1}  # folders that are written, threads
BINARY_TREES = tuple(
    getattr(module, f"BinaryTree{bits}") for module in (_ball_tree, _kd_tree) for bits in (32, 64)
)
MOST_POSITIONS = {"pos": 624, "buffer_pos": 4}  # of generators of random numbers, in their buffers


def settle(made: Any) -> Any:
    """What a file held, once its numbers lead nowhere else; it writes no cache when it is used.

    Raises:
        Malformed: some lead outside.
    """
    for part in reversed([*_everything(made)]):  # a part before what asks it
        held = getattr(part, "__dict__", {})
        held.update({name: value for name, value in NOT_KEPT.items() if name in held})
        for kind, fitted, is_sound in SOUND:
            if isinstance(part, kind) and hasattr(part, fitted) and not is_sound(part):
                raise Malformed(f"the numbers in a {type(part).__name__} lead outside its arrays")
        if type(part).__module__ == "lightgbm.basic" and hasattr(part, "model_to_string"):
            _check_booster(part.model_to_string(num_iteration=-1))
        held.get("_other_params", {}).pop("predict_disable_shape_check", None)  # LightGBM's
    return made


def _everything(made: Any) -> Iterator[Any]:
    seen: dict[int, Any] = {}
    left = [made]
    while left:
        part = left.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | type):
            continue
        seen[id(part)] = part
        yield part
        if isinstance(part, dict):
            left += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            left += part
        elif isinstance(part, np.ndarray):
            left += part.ravel().tolist() if part.dtype == object else []
        left += getattr(part, "__dict__", {}).values()


def _within(numbers: Any, end: int, start: Any = 0) -> bool:
    return bool(np.all((np.asarray(numbers) >= start) & (np.asarray(numbers) < end)))


def _width(part: Any) -> int:
    """Of the rows that it takes; none where it would not look."""
    return int(vars(part).get("n_features_in_", -1))


def _tree(tree: Tree) -> bool:
    if not 0 < tree.node_count <= tree.capacity:
        return False
    nodes = tree.__getstate__()["nodes"]
    inner = nodes["left_child"] != -1
    return (
        _are_later(nodes["left_child"], nodes["right_child"], inner)
        and bool(np.all(nodes["right_child"][~inner] == -1))
        and _within(nodes["feature"][inner], tree.n_features)
    )


def _are_later(left: Array, right: Array, inner: Array) -> bool:
    own = np.flatnonzero(inner) + 1
    return _within(left[inner], len(left), own) and _within(right[inner], len(right), own)


def _trees_of(part: Any, width: int) -> bool:
    """The ensemble hands rows of its own width to its trees, which don't look."""
    trees = np.ravel(np.asarray(part.estimators_, dtype=object)).tolist()
    return all(_width(tree) == width == tree.tree_.n_features for tree in trees)


def _isolation(part: IsolationForest) -> bool:
    widths = {len(features) for features in part.estimators_features_}
    return widths == {part._max_features} and _trees_of(part, part._max_features)


def _stages(part: BaseGradientBoosting) -> bool:
    several = part.estimators_.shape[1]
    first = part._raw_predict_init(np.zeros((1, _width(part)))).shape
    return _trees_of(part, _width(part)) and first == (1, several)


def _predictor(part: TreePredictor) -> bool:
    nodes, sets = part.nodes, part.raw_left_cat_bitsets
    inner = nodes["is_leaf"] == 0
    return (
        len(nodes) > 0
        and _are_later(nodes["left"], nodes["right"], inner)
        and sets.shape == (len(sets), 8) == part.binned_left_cat_bitsets.shape
        and _within(nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)], len(sets))
    )


def _histograms(part: BaseHistGradientBoosting) -> bool:
    width, before = _width(part), getattr(part, "_preprocessor", None)
    if before is not None:  # categories become numbers: as many columns as there were
        steps = [step for step in before.transformers_ if step[1] != "drop"]
        is_known = type(before) is ColumnTransformer and all(
            type(each) is OrdinalEncoder or getattr(each.func, "func", None) is check_array
            for _, each, _ in steps
        )
        if not is_known or sum(len(np.arange(width)[at]) for *_, at in steps) != width:
            return False
    predictors = [each for several in part._predictors for each in several]
    return part._bin_mapper.is_categorical_.size == width and all(
        _within(each.nodes["feature_idx"][each.nodes["is_leaf"] == 0], width) for each in predictors
    )


def _neighbours(tree: Any) -> bool:
    data, order, nodes, bounds, _, _, count, *_, metric, weights = tree.__getstate__()
    rows, width = data.shape
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    sizes = {"SEuclidean": {width}, "Minkowski": {0, width}}
    _, vec, mat, *_ = metric.__getstate__()
    name = re.sub(r"Distance\d*$", "", type(metric).__name__)
    return (
        order.shape == (rows,)
        and _within(order, rows)
        and bounds.shape == (bounds.shape[0], count, width)
        and len(bounds) == (1 if "Ball" in type(tree).__name__ else 2)
        and nodes.shape == (count,)
        and count > 0
        and _within(2 * inner + 2, count)
        and _within(nodes["idx_end"], rows + 1, nodes["idx_start"])
        and _within(nodes["idx_start"], rows + 1)
        and (weights is None or weights.shape == (rows,))
        and len(vec) in sizes.get(name, {len(vec)})
        and (name != "Mahalanobis" or mat.shape == (width, width))
    )


def _vectors(part: BaseLibSVM) -> bool:
    each, vectors = part._n_support, part.support_vectors_
    count, several, by_rows = len(part.support_), len(each), callable(part.kernel)
    by_rows, pairs = by_rows or part.kernel == "precomputed", several * (several - 1) // 2
    factors = part._dual_coef_.data if sparse.issparse(part._dual_coef_) else part._dual_coef_
    is_svc = part._impl in ("c_svc", "nu_svc")
    return (
        bool(np.all(each >= 0))
        and (each.sum() if is_svc else each[0]) == count
        and several == (len(part.classes_) if is_svc else 2)
        and np.size(factors) == (several - 1) * count
        and part._dual_coef_.shape == (several - 1, count)
        and len(part._intercept_) == pairs
        and {len(part._probA), len(part._probB)} <= {0, pairs}
        and (by_rows or vectors.shape == (count, _width(part)))
        and (not by_rows or _within(part.support_, part.shape_fit_[0]))
    )


def _means(part: _BaseKMeans) -> bool:
    nodes = [n for n in _everything(vars(part)) if isinstance(n, _BisectingTree)]
    widths = {np.shape(node.center)[-1] for node in nodes}
    return widths <= {_width(part)} and part.cluster_centers_.shape[1] == _width(part)


def _kept_rows(part: NeighborsBase) -> bool:
    rows = part._fit_X.shape[0]
    known = getattr(part, "_y", None)
    return part.n_samples_fit_ == rows and (known is None or len(known) == rows)


def _spline(part: BSpline) -> bool:
    knots, count = part.t, len(part.t) - part.k - 1
    return count > part.k >= 0 and len(part.c) >= count and bool(np.all(np.diff(knots) >= 0))


def _generator(part: Any) -> bool:
    state = part.get_state(legacy=False) if hasattr(part, "get_state") else part.bit_generator.state
    found = {**state, **state["state"]}
    return all(_within(found[n], most + 1) for n, most in MOST_POSITIONS.items() if n in found)


def _check_booster(text: str) -> None:
    """LightGBM's own form of a model: see `Tree::ToString`."""

    def numbers(of: str, name: str) -> Array:
        line = re.search(rf"^{name}=(.*)$", of, re.M)
        return np.array(line[1].split() if line else [], dtype=float)

    head, *trees = re.split(r"^Tree=", text.partition("end of trees")[0], flags=re.M)
    [width], [several] = numbers(head, "max_feature_idx") + 1, numbers(head, "num_class")
    sound = list(numbers(head, "num_tree_per_iteration")) == [several] and not len(trees) % several
    for tree in trees:
        [leaves], [sets] = numbers(tree, "num_leaves"), numbers(tree, "num_cat")
        ends, kinds = numbers(tree, "cat_boundaries"), numbers(tree, "decision_type")
        own = np.arange(leaves - 1)
        for child in (numbers(tree, "left_child"), numbers(tree, "right_child")):
            is_inner = child >= 0
            sound = sound and len(child) == len(own) and _within(-child[~is_inner] - 1, leaves)
            sound = sound and _within(child[is_inner], leaves - 1, own[is_inner] + 1)
        features = [*numbers(tree, "split_feature"), *numbers(tree, "leaf_features")]
        chosen = numbers(tree, "threshold")[kinds.astype(int) % 2 == 1]
        sound = sound and _within(features, width) and _within(chosen, sets)
        sound = sound and _within(ends, len(numbers(tree, "cat_threshold")) + 1)
        sound = sound and len(ends) in (0, sets + 1) and bool(np.all(np.diff(ends) >= 0))
    if not sound:
        raise Malformed("the numbers in a Booster lead outside its arrays")


# Classes, what those of them have that answer, and whether its numbers stay inside.
SOUND: tuple[tuple[Any, str, Callable[[Any], bool]], ...] = (
    (Tree, "n_features", _tree),
    (BaseDecisionTree, "tree_", lambda part: _width(part) == part.tree_.n_features),
    (BaseForest, "estimators_", lambda part: _trees_of(part, _width(part))),
    (IsolationForest, "estimators_", _isolation),
    (BaseGradientBoosting, "estimators_", _stages),
    (TreePredictor, "nodes", _predictor),
    (BaseHistGradientBoosting, "_predictors", _histograms),
    (BINARY_TREES, "query", _neighbours),
    (NeighborsBase, "_fit_X", _kept_rows),
    (BaseLibSVM, "support_", _vectors),
    (_BaseKMeans, "cluster_centers_", _means),
    (BSpline, "t", _spline),
    (FeatureHasher, "n_features", lambda part: part.n_features > 0),
    (HashingVectorizer, "n_features", lambda part: part.n_features > 0),
    ((np.random.RandomState, np.random.Generator), "random", _generator),
    (
        (sparse.spmatrix, sparse.sparray),
        "check_format",
        lambda part: part.check_format(full_check=True) is None,
    ),
)

"""What a .skops file may have made without being asked: classes and functions, each by itself.

A name proves nothing: it may lead through a module that imports another (`gnu.Popen`), and a
class of a known package may delete a folder when it is collected (NumPy's `DataSource`) or run
text that it is given (SciPy's distributions). So it is the object that a name reaches which is
looked up here, and what is not listed is refused. skops' own list was the start:
https://github.com/skops-dev/skops/blob/main/skops/io/_trusted_types.py
"""

from __future__ import annotations

import importlib
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache, partial
from importlib.machinery import PathFinder
from typing import Any, Final

import numpy as np
import scipy.sparse
import scipy.special
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.metrics.pairwise import PAIRWISE_DISTANCE_FUNCTIONS, PAIRWISE_KERNEL_FUNCTIONS
from sklearn.utils import Bunch

# Imported where a file has them; and what pip calls them.
PLUGGED_IN: Final[Mapping[str, str]] = {
    "catboost": "catboost", "imblearn": "imbalanced-learn", "lightgbm": "lightgbm",
    "xgboost": "xgboost",
}  # fmt: skip
PACKAGES: Final = frozenset({*PLUGGED_IN, "builtins", "collections", "numpy", "scipy", "sklearn"})
NOTHING: Final = object()

# Where classes that derive from one of BASES are taken for what they say they are.
# imbalanced-learn's samplers do nothing to what is answered; its ensembles and its pipeline answer
# as scikit-learn's, by attributes of the same names.
THEIR_MODULES = (
    *("sklearn.", "_loss.", "lightgbm.sklearn.", "xgboost.sklearn."),
    *("imblearn.combine.", "imblearn.ensemble.", "imblearn.over_sampling.", "imblearn.pipeline."),
    "imblearn.under_sampling.",
)
BASES = (
    "sklearn.base.BaseEstimator",
    "sklearn._loss.link.BaseLink",
    "sklearn._loss.loss.BaseLoss",
    "sklearn.gaussian_process.kernels.Kernel",
    "sklearn.metrics._dist_metrics.DistanceMetric",
    "sklearn.metrics._dist_metrics.DistanceMetric32",
    "sklearn.metrics._dist_metrics.DistanceMetric64",
    "sklearn.metrics._scorer._BaseScorer",
    "sklearn.model_selection._split.BaseCrossValidator",
    "sklearn.model_selection._split.BaseShuffleSplit",
    "sklearn.model_selection._split._RepeatedSplits",
    "sklearn.neural_network._stochastic_optimizers.BaseOptimizer",
)
OBJECTS = (
    "lightgbm.basic.Booster",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn._loss.link.Interval",
    "sklearn.cluster._bisect_k_means._BisectingTree",
    "sklearn.compose._column_transformer._RemainderColsList",  # of scikit-learn 1.6, a list
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._scorer._MultimetricScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split._CVIterableWrapper",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._ball_tree.BallTree32",
    "sklearn.neighbors._ball_tree.BallTree64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._kd_tree.KDTree32",
    "sklearn.neighbors._kd_tree.KDTree64",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
    "xgboost.callback.EarlyStopping",
    "xgboost.core.Booster",
)
OURS = (
    "onnxlet.convert.estimators.date_parts.DateParts",
    "onnxlet.convert.estimators.images.Images",
)
ESTIMATORS = (  # beside scikit-learn's, and what derives from them
    "catboost.core.CatBoost",
    "catboost.core.CatBoostClassifier",
    "catboost.core.CatBoostRanker",
    "catboost.core.CatBoostRegressor",
    "sklearn.calibration._CalibratedClassifier",
    *OURS,
)
NAMED_TUPLES = ("sklearn.impute._iterative._ImputerTriplet",)
LOSSES = ("sklearn._loss._loss.CyLossFunction", "sklearn._loss._loss.CyHalfMultinomialLoss")
# A search made with RepeatedKFold() holds the class that it repeats.
TYPES = (
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
)
# Of NumPy's, what neither reads nor writes, whatever it is called with.
OF_NUMPY = (
    "all", "any", "around", "clip", "cumprod", "cumsum", "diff", "max", "mean", "median",
    "min", "nan_to_num", "nanmax", "nanmean", "nanmedian", "nanmin", "prod", "ravel", "real",
    "round", "std", "sum", "transpose", "var",
)  # fmt: skip
FUNCTIONS = (
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "sklearn.cluster._kmeans._kmeans_single_elkan",
    "sklearn.cluster._kmeans._kmeans_single_lloyd",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.feature_selection._univariate_selection.r_regression",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.utils.validation.check_array",
)


def package(name: str) -> str:
    """The package in a dotted name."""
    first = name.partition(".")[0]
    return "sklearn" if first == "_loss" else first  # so scikit-learn 1.6 calls its losses


def reached(module: Any, name: Any) -> Any:
    """What a module that is loaded has by this name, or NOTHING.

    A module that nobody but the file asks for is not imported: that would run it.
    """
    if package(str(module)) in PLUGGED_IN:
        with suppress(ImportError):
            importlib.import_module(package(str(module)))
    return getattr(sys.modules.get(module), "__dict__", {}).get(name, NOTHING)


def not_installed() -> frozenset[str]:
    """Packages that a file may have types of, and that are not there."""
    return frozenset(name for name in PLUGGED_IN if PathFinder.find_spec(name) is None)


def is_gone(module: Any, name: Any) -> bool:
    """A package that is known has it no more; what is there and not imported may have it."""
    if package(str(module)) not in PACKAGES or module in sys.modules:
        return package(str(module)) in PACKAGES and reached(module, name) is NOTHING
    parts, path = str(module).split("."), None
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), path)  # which imports nothing
        if spec is None:
            return True
        path = spec.submodule_search_locations
    return False


def home(found: Any) -> str:
    """Where a class or function is defined: the name in its own module that leads back to it."""
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    known = isinstance(module, str) and isinstance(name, str)
    return f"{module}.{name}" if known and reached(module, name) is found else ""


def _derives(found: Any, bases: Iterable[str]) -> bool:
    """It is a class of scikit-learn's, or of what plugs into it, that derives from one of these."""
    if not isinstance(found, type) or not home(found).startswith(THEIR_MODULES):
        return False
    there = [reached(*base.rsplit(".", 1)) for base in bases]
    return issubclass(found, tuple(base for base in there if base is not NOTHING))


def is_estimator(found: Any) -> bool:
    """It is a class of what may be asked for answers."""
    return _derives(found, BASES[:1]) or home(found) in ESTIMATORS


def is_of_sklearn(found: Any) -> bool:
    """It is a class or function of scikit-learn's own."""
    return home(found).startswith("sklearn.")


def _is_type(found: Any) -> bool:
    # np.asarray is written in C: skops takes it for a type.
    return _is(*PLAIN_TYPES, np.asarray)(found) or home(found) in TYPES


def _is_function(found: Any) -> bool:
    return callable(found) and (_is(*_mathematics())(found) or home(found) in FUNCTIONS)


@cache
def _mathematics() -> tuple[Any, ...]:
    """What computes with what it is given, and does no more."""
    public = (*vars(np).values(), *vars(scipy.special).values())
    return (
        *(function for function in public if isinstance(function, np.ufunc)),
        *(getattr(np, name) for name in OF_NUMPY),
        *(getattr(get_scorer(name), "_score_func", None) for name in get_scorer_names()),
        *PAIRWISE_DISTANCE_FUNCTIONS.values(),
        *PAIRWISE_KERNEL_FUNCTIONS.values(),
    )


def _is_sparse(found: Any) -> bool:
    kinds = (scipy.sparse.spmatrix, scipy.sparse.sparray)
    return isinstance(found, type) and issubclass(found, kinds) and home(found).startswith("scipy.")


def _is(*wanted: Any) -> Callable[[Any], bool]:
    return lambda found: any(found is each for each in wanted)


SCALARS = tuple(set(np.sctypeDict.values()))
# LightGBM keeps its best scores in a dictionary of OrderedDict.
PLAIN_TYPES = (bool, int, float, complex, str, bytes, object, OrderedDict, *SCALARS)

# By skops' name of a node, whether the object that its class reaches may be made there. Methods
# and operators are not among them: they call what they are given as soon as they are read.
MAY_BE_MADE: Mapping[str, Callable[[Any], bool]] = {
    "BytearrayNode": _is(bytearray),
    "BytesNode": _is(bytes),
    "ConstructorFromReduceNode": _is(frozenset),
    "DefaultDictNode": _is(defaultdict),
    "DictNode": _is(dict, OrderedDict, Bunch),
    "DTypeNode": _is(np.dtype),
    "FunctionNode": _is_function,
    "ListNode": _is(list),
    "LossNode": lambda found: _derives(found, LOSSES),
    "MaskedArrayNode": _is(np.ma.MaskedArray),
    "NdArrayNode": _is(np.ndarray, *SCALARS),
    "ObjectNode": lambda found: _derives(found, BASES) or home(found) in OBJECTS + ESTIMATORS,
    "PartialNode": _is(partial),
    "RandomGeneratorNode": _is(np.random.Generator),
    "RandomStateNode": _is(np.random.RandomState),
    "SetNode": _is(set),
    "SliceNode": _is(slice),
    "SparseMatrixNode": _is_sparse,
    "TreeNode": lambda found: home(found) == "sklearn.tree._tree.Tree",
    "TupleNode": lambda found: found is tuple or home(found) in NAMED_TUPLES,
    "TypeNode": _is_type,
}

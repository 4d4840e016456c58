"""Every estimator of feature-engine: what it is made with, and its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case, MakesSample
from tools.evaluation.support.samples import Sample, with_gaps

MODULES = (
    "creation", "datetime", "discretisation", "encoding", "imputation", "outliers", "pipeline",
    "preprocessing", "scaling", "selection", "text", "timeseries.forecasting", "transformation",
    "wrappers",
)  # fmt: skip
CHOSEN = [0, 1, 4, 5, 8, 9]  # columns of measures that are never 0


def measures() -> Sample:
    """Tumours as they were measured, by name; whether they are benign."""
    data = datasets.load_breast_cancer(as_frame=True)
    X = data.data.iloc[:, CHOSEN].rename(columns=lambda name: name.replace(" ", "_"))
    return Sample(X.iloc[::2], data.target.iloc[::2], X.iloc[1::2])


def shares() -> Sample:
    """The same, of numbers between 0 and 1 only."""
    X, y, others = measures()
    chosen = [name for name in X if X[name].max() < 1 > others[name].max()]
    return Sample(X[chosen], y, others[chosen])


def amounts() -> Sample:
    """The same, and a number to be predicted."""
    X, _, others = measures()
    return Sample(X, X["mean_radius"] * 2 + X["mean_texture"], others)


def gaps() -> Sample:
    """The same without some of its values."""
    X, y, others = measures()
    return Sample(with_gaps(X, 1), y, with_gaps(others, 2))


def points() -> Sample:
    """Two points on the earth."""
    random = np.random.default_rng(0)
    columns = {"lat1": 89, "lon1": 179, "lat2": 89, "lon2": 179}
    X = pd.DataFrame({name: random.uniform(-m, m, 600).round(3) for name, m in columns.items()})
    return Sample(X.iloc[:300], None, X.iloc[300:])


def categories() -> Sample:
    """Who asked for loans, in text; whether they went well, as a number."""
    X, y, others = samples.categories()
    known = others[(others.isin(np.unique(X.to_numpy().astype(str)))).all(axis=1)]
    return Sample(X, pd.Series((y == "good").astype(int), index=X.index), known)


def missing_categories() -> Sample:
    """The same without some of its values."""
    X, y, others = categories()
    return Sample(with_gaps(X, 1), y, with_gaps(others, 2))


def notes() -> Sample:
    """What scikit-learn says of its data sets."""
    X, _, others = samples.sentences()
    return Sample(pd.DataFrame({"note": X}), None, pd.DataFrame({"note": others}))


def moments() -> Sample:
    """Two dates in each row, as text."""
    random = np.random.default_rng(0)
    seconds = random.integers(0, 90_000_000, 400), random.integers(0, 9_000_000, 400)
    begin, length = (some.astype("timedelta64[s]") for some in seconds)
    begun = pd.Series(np.datetime64("2020-01-01") + begin)
    X = pd.DataFrame({"begin": begun.astype(str), "end": (begun + length).astype(str)})
    return Sample(X.iloc[:200], None, X.iloc[200:])


def _logistic() -> Any:
    return LogisticRegression(max_iter=2000)


def _some(sample: Callable[[], Sample]) -> list[str]:
    return [str(name) for name in sample().X][:2]


# What they can't be made without, or do nothing without.
ARGUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "ArbitraryDiscretiser": lambda: {"binning_dict": {"mean_radius": [0, 10, 15, 40]}},
    "ArbitraryOutlierCapper": lambda: {"max_capping_dict": {"mean_radius": 15}},
    "DatetimeSubtraction": lambda: {
        "variables": "end", "reference": "begin", "drop_original": True,
    },
    "DecisionTreeDiscretiser": lambda: {"regression": False, "scoring": "roc_auc"},
    "DecisionTreeEncoder": lambda: {"regression": False, "scoring": "roc_auc"},
    "DecisionTreeFeatures": lambda: {"variables": _some(amounts)},
    "DropConstantFeatures": lambda: {"missing_values": "ignore"},
    "DropFeatures": lambda: {"features_to_drop": _some(measures)},
    "DropHighPSIFeatures": lambda: {"split_frac": 0.5},
    "GeoDistanceFeatures": lambda: {n: n for n in ("lat1", "lon1", "lat2", "lon2")},
    "LagFeatures": lambda: {"periods": 1},
    "LogCpTransformer": lambda: {"C": 1},
    "MathFeatures": lambda: {
        "variables": _some(measures), "func": ["sum", "std", "max"], "missing_values": "ignore",
    },
    "ProbeFeatureSelection": lambda: {"estimator": _logistic()},
    "RareLabelEncoder": lambda: {"n_categories": 2, "tol": 0.1},
    "RecursiveFeatureAddition": lambda: {"estimator": _logistic()},
    "RecursiveFeatureElimination": lambda: {"estimator": _logistic()},
    "RelativeFeatures": lambda: {
        "variables": _some(measures), "reference": _some(measures), "func": ["sub", "div", "pow"],
    },
    "SelectByInformationValue": lambda: {
        "variables": ["mean_smoothness", "mean_symmetry"], "bins": 3,
    },
    "SelectByShuffling": lambda: {"estimator": _logistic()},
    "SelectBySingleFeaturePerformance": lambda: {"estimator": _logistic()},
    "SklearnTransformerWrapper": lambda: {"transformer": StandardScaler()},
    "StringSimilarityEncoder": lambda: {"top_categories": 3},
    "TextFeatures": lambda: {"variables": ["note"], "drop_original": True},
    "WindowFeatures": lambda: {"window": 2},
    "WoEEncoder": lambda: {"fill_value": 0.001},
}  # fmt: skip
SAMPLES: dict[str, MakesSample] = {
    **dict.fromkeys(
        ("CountFrequencyEncoder", "DecisionTreeEncoder", "MatchCategories", "MeanEncoder",
         "OneHotEncoder", "OrdinalEncoder", "RareLabelEncoder", "StringSimilarityEncoder",
         "WoEEncoder"), categories
    ),
    **dict.fromkeys(
        ("AddMissingIndicator", "ArbitraryNumberImputer", "EndTailImputer", "MeanMedianImputer",
         "RandomSampleImputer"), gaps
    ),
    **dict.fromkeys(("DatetimeFeatures", "DatetimeOrdinal", "DatetimeSubtraction"), moments),
    "ArcsinTransformer": shares,
    "CategoricalImputer": missing_categories,
    "DecisionTreeFeatures": amounts,
    "GeoDistanceFeatures": points,
    "TextFeatures": notes,
}  # fmt: skip


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    found = {
        name: getattr(module, name)
        for module in (import_module(f"feature_engine.{name}") for name in MODULES)
        for name in module.__all__
        if name[0].isupper()
    }
    for name, kind in sorted(found.items()):
        yield Case(name, _made(name, kind), (SAMPLES.get(name, measures),))


def _made(name: str, kind: type) -> Any:
    if name == "Pipeline":
        scaled = import_module("feature_engine.scaling").MeanNormalizationScaler()
        return kind([("scaled", scaled), ("ridge", Ridge())])
    estimator = kind(**ARGUMENTS.get(name, dict)())
    if name == "DatetimeOrdinal":
        kind.start_date = None  # type: ignore[attr-defined]  # its own get_params asks for it
    if "random_state" in estimator.get_params(deep=False):
        estimator.set_params(random_state=0 if name != "RandomSampleImputer" else None)
    return estimator

"""Small models of other libraries' estimators, for the gate to be tried with."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.sources.source import Source
from tools.coverage import samples
from tools.coverage.samples import Sample, with_gaps


def _fitted(estimator: Any, sample: Sample) -> Source:
    return Source(estimator.fit(sample.X, sample.y), sample.others)


def _of(name: str) -> Any:
    """A class by its full name: its library is imported only now."""
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def _sampled() -> Any:
    steps = [
        ("scaler", StandardScaler()),
        ("smote", _of("imblearn.over_sampling.SMOTE")(random_state=0)),
        ("logistic", LogisticRegression()),
    ]
    return _of("imblearn.pipeline.Pipeline")(steps)


def _looked_up() -> Any:
    columns = make_column_transformer(
        (_of("category_encoders.TargetEncoder")(), ["Home", "Job"]),
        (_of("category_encoders.HelmertEncoder")(handle_missing="return_nan"), ["Home"]),
        (_of("category_encoders.CatBoostEncoder")(), ["Job"]),
        remainder="passthrough",
    )
    return make_pipeline(columns, DecisionTreeClassifier(max_depth=6, random_state=0))


def _digests() -> Any:
    columns = make_column_transformer(
        (_of("category_encoders.HashingEncoder")(max_process=1), ["Home", "Job"]),
        (_of("category_encoders.MultiHotEncoder")(delimiter="e"), ["Job", "Marital"]),
    )
    return make_pipeline(columns, LogisticRegression())


def _imputed_and_encoded() -> Any:
    return _of("feature_engine.pipeline.make_pipeline")(
        _of("feature_engine.imputation.MeanMedianImputer")(),
        _of("feature_engine.imputation.CategoricalImputer")(),
        _of("feature_engine.encoding.MeanEncoder")(unseen="encode"),
        LogisticRegression(max_iter=3000),
    )


def _made_of_columns() -> Any:
    return _of("feature_engine.pipeline.make_pipeline")(
        _of("feature_engine.encoding.OneHotEncoder")(),
        _of("feature_engine.discretisation.EqualFrequencyDiscretiser")(["Price"], q=5),
        LogisticRegression(max_iter=3000),
    )


def _loans(gaps: bool = False) -> Sample:
    """Not all rows: feature-engine answers one in milliseconds."""
    X, y, others = samples.loans()
    X, good, others = X, (y == "good").astype(int), others[:200]
    return Sample(with_gaps(X, 1), good, with_gaps(others, 2)) if gaps else Sample(X, good, others)


# By the package that has to be there, and what of it is tried.
LIBRARY_MODELS: dict[tuple[str, str], Callable[[], Source]] = {
    ("imblearn", "pipeline"): lambda: _fitted(_sampled(), samples.three_classes()),
    ("category_encoders", "look-ups"): lambda: _fitted(_looked_up(), samples.loans()),
    ("category_encoders", "digests and items"): lambda: _fitted(_digests(), samples.categories()),
    ("feature_engine", "imputers and encoders"): lambda: _fitted(
        _imputed_and_encoded(), _loans(gaps=True)
    ),
    ("feature_engine", "functions"): lambda: _fitted(_made_of_columns(), _loans()),
    ("imblearn", "balanced forest"): lambda: _fitted(
        _of("imblearn.ensemble.BalancedRandomForestClassifier")(10, max_depth=5, random_state=0),
        samples.unscaled(),
    ),
    ("imblearn", "undersampled boosting"): lambda: _fitted(
        _of("imblearn.ensemble.RUSBoostClassifier")(n_estimators=10, random_state=0),
        samples.three_classes(),
    ),
}

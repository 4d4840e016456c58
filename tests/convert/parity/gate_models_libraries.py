"""Small models of other libraries' estimators, for the gate to be tried with."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet.convert.sources.source import Source
from tools.evaluation.support import samples
from tools.evaluation.support.samples import Sample, with_gaps


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


def _with_categories(**settings: Any) -> Source:
    X, y, others = samples.loans()
    model = _of("catboost.CatBoostClassifier")(
        iterations=20, random_seed=0, verbose=0, allow_writing_files=False, thread_count=1,
        model_size_reg=0, random_strength=20, cat_features=["Home", "Job"], **settings,
    )  # fmt: skip
    return Source(model.fit(X, y), others)


def _prices() -> Sample:
    X, _, others = samples.loans()
    columns = ["Home", "Age", "Income"]
    return Sample(X[columns], X["Price"].to_numpy(float), others[columns])


def _capped() -> Any:
    return make_pipeline(
        _of("sklego.preprocessing.ColumnCapper")((10, 90)),
        make_union(
            _of("sklego.preprocessing.IntervalEncoder")(n_chunks=6),
            _of("sklego.preprocessing.InformationFilter")([1]),
        ),
        Ridge(),
    )


def _imputed_and_encoded() -> Any:
    return _of("feature_engine.pipeline.make_pipeline")(
        _of("feature_engine.imputation.MeanMedianImputer")(),
        _of("feature_engine.imputation.CategoricalImputer")(),
        _of("feature_engine.encoding.MeanEncoder")(unseen="encode"),
        DecisionTreeClassifier(max_depth=6, random_state=0),
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


def _vectorised() -> Any:
    encoder = _of("skrub.MinHashEncoder")(n_components=4)
    columns = _of("skrub.TableVectorizer")(high_cardinality=encoder)
    return make_pipeline(columns, DecisionTreeClassifier(max_depth=4, random_state=0))


def _components() -> Any:
    columns = _of("skrub.TableVectorizer")(high_cardinality=_of("skrub.StringEncoder")(4))
    filled = SimpleImputer(add_indicator=True)
    return make_pipeline(columns, filled, _of("skrub.SquashingScaler")(), LogisticRegression())


def _notes() -> Sample:
    """Loans with text and a date, both with gaps."""
    X, y, others = samples.loans()
    return Sample(_noted(X), y, _noted(others).iloc[:50])


def _noted(X: pd.DataFrame) -> pd.DataFrame:
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(X["Price"] % 700, "D")
    made = {
        "income": X["Income"],
        "home": X["Home"],
        "note": X["Job"] + " for " + X["Price"].astype(str) + " " + X["Home"],
        "day": day.dt.strftime("%Y-%m-%d"),
    }
    return pd.DataFrame(samples.with_gaps(pd.DataFrame(made), 1))


def _conformal() -> Source:
    sample = samples.one_target()
    made = _of("mapie.regression.CrossConformalRegressor")(DecisionTreeRegressor(max_depth=4), cv=3)
    return Source(made.fit_conformalize(sample.X, sample.y), sample.others)


def _searched() -> Source:
    from tools.evaluation.support.libraries.flaml import Searched

    return _fitted(Searched("classification", ["rf"], {}), samples.loans())


# By the package that has to be there, and what of it is tried.
LIBRARY_MODELS: dict[tuple[str, str], Callable[[], Source]] = {
    ("skrub", "hashes and dates"): lambda: _fitted(_vectorised(), _notes()),
    ("skrub", "components of text"): lambda: _fitted(_components(), _notes()),
    ("imblearn", "pipeline"): lambda: _fitted(_sampled(), samples.three_classes()),
    ("catboost", "counters"): lambda: _with_categories(depth=4),
    ("catboost", "splits by category"): lambda: _with_categories(
        one_hot_max_size=9, grow_policy="Lossguide", max_leaves=8
    ),
    ("category_encoders", "look-ups"): lambda: _fitted(_looked_up(), samples.loans()),
    ("category_encoders", "digests and items"): lambda: _fitted(_digests(), samples.categories()),
    ("feature_engine", "imputers and encoders"): lambda: _fitted(
        _imputed_and_encoded(), _loans(gaps=True)
    ),
    ("feature_engine", "functions"): lambda: _fitted(_made_of_columns(), _loans()),
    ("flaml", "the best learner"): _searched,
    ("imblearn", "balanced forest"): lambda: _fitted(
        _of("imblearn.ensemble.BalancedRandomForestClassifier")(10, max_depth=5, random_state=0),
        samples.unscaled(),
    ),
    ("sklego", "groups"): lambda: _fitted(
        _of("sklego.meta.GroupedRegressor")(Ridge(), ["Home"]), _prices()
    ),
    ("sklego", "capped columns"): lambda: _fitted(_capped(), samples.one_target()),
    ("imblearn", "undersampled boosting"): lambda: _fitted(
        _of("imblearn.ensemble.RUSBoostClassifier")(n_estimators=10, random_state=0),
        samples.three_classes(),
    ),
    ("interpret", "boosting machine"): lambda: _fitted(
        _of("interpret.glassbox.ExplainableBoostingClassifier")(
            outer_bags=2, max_rounds=40, interactions=2, n_jobs=1, random_state=0
        ),
        samples.loans(),
    ),
    ("mapie", "folds"): _conformal,
    ("quantile_forest", "quantiles"): lambda: _fitted(
        _of("quantile_forest.RandomForestQuantileRegressor")(
            2, default_quantiles=[0.0, 0.5, 1.0], max_samples_leaf=2, max_depth=5, random_state=0
        ),
        samples.one_target(),
    ),
}

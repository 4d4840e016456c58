"""Small models of every family, for the gate to be tried with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn import ensemble, linear_model, svm
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_circles
from sklearn.decomposition import PCA, KernelPCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from onnxlet import DateParts, Images
from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.estimators.pair_arithmetic import PairArithmetic
from onnxlet.convert.sources.source import Source
from tests.convert import images
from tools.evaluation.support import samples
from tools.evaluation.support.samples import Sample, with_gaps


def _fitted(estimator: Any, sample: Sample) -> Source:
    return Source(estimator.fit(sample.X, sample.y), sample.others)


def _near_zero(estimator: Any) -> Source:
    """Answers that are differences of nearly equal numbers: scikit-learn's own have few digits."""
    X, y = make_circles(200, factor=0.3, noise=0.05, random_state=0)
    return Source(estimator.fit(X[::4], y[::4]), X[1::4])


def _texts() -> Sample:
    X, _, others = samples.sentences()
    return Sample(X, np.array(["with" if any(map(str.isdigit, t)) else "no" for t in X]), others)


def _loans_with_gaps() -> Sample:
    X, y, others = samples.loans()
    return Sample(with_gaps(X, 1), y, with_gaps(others, 2))


def _faces() -> Sample:
    X, y = images.faces()
    return Sample(X[::2], y[::2], X[1::2])


def _days() -> Sample:
    begun = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(400) * 31, "h")
    X = pd.DataFrame({"begun": begun, "ended": (begun + pd.Timedelta("9h")).strftime("%d/%m/%Y")})
    y = np.where((begun.day_of_week > 4) | (begun.month < 3), "rest", "work")
    return Sample(X[::2], y[::2], X[1::2])


def _weights() -> Sample:
    texts = [f" {n % 37}.{n % 10} KG, {'ab c'[n % 4]}x" for n in range(400)]
    X = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    y = np.array([n % 37 > 18 or n % 4 == 1 for n in range(400)]).astype(int)
    return Sample(X[::2], y[::2], X[1::2])


def _measured(X: pd.DataFrame) -> pd.DataFrame:
    text = X["text"].str.strip().str.lower()
    return pd.DataFrame(
        {
            "kg": text.str.extract(r"(\d{1,9}\.\d)", expand=False).astype(float),
            "b": text.str.contains(r"\bb", na=False).astype(float),
            "length": text.str.split(",").str[1].str.len().fillna(0),
        }
    )


def _loan_columns() -> Any:
    return make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["Age", "Income"]),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", min_frequency=5),
            ),
            ["Home", "Job"],
        ),
    )


def _encoded_trees() -> Any:
    columns = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            ["Home", "Job"],
        ),
        (TargetEncoder(random_state=0), ["Home"]),
        ("passthrough", ["Age", "Income"]),
    )
    return make_pipeline(columns, DecisionTreeClassifier(max_depth=6, random_state=0))


def _counts_and_pairs() -> Any:
    columns = make_column_transformer(
        (CategoryCounts(), ["Home", "Job"]), (PairArithmetic(), ["Age", "Income"])
    )
    return make_pipeline(columns, DecisionTreeClassifier(max_depth=6, random_state=0))


def _steps() -> Any:
    made = make_union(QuantileTransformer(n_quantiles=20), KBinsDiscretizer(encode="onehot-dense"))
    return make_pipeline(made, linear_model.Ridge())


MODELS: dict[str, Callable[[], Source]] = {
    "logistic": lambda: _fitted(
        make_pipeline(StandardScaler(), linear_model.LogisticRegression()), samples.three_classes()
    ),
    "tree": lambda: _fitted(DecisionTreeClassifier(random_state=0), samples.unscaled()),
    "categories": lambda: _fitted(
        make_pipeline(_loan_columns(), linear_model.LogisticRegression()), _loans_with_gaps()
    ),
    "dates": lambda: _fitted(
        make_pipeline(
            DateParts(["month", "weekday", "hour"], cyclic=True),
            DecisionTreeClassifier(max_depth=6, random_state=0),
        ),
        _days(),
    ),
    "images": lambda: _fitted(
        make_pipeline(Images(5, 5), StandardScaler(), linear_model.LogisticRegression()),
        _faces(),
    ),
    "text changed first": lambda: _fitted(
        make_pipeline(FunctionTransformer(_measured), DecisionTreeClassifier(random_state=0)),
        _weights(),
    ),
    "scaled tree": lambda: _fitted(
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=5, random_state=0)),
        samples.three_classes(),
    ),
    "forest with gaps": lambda: _fitted(
        ensemble.RandomForestRegressor(10, max_depth=5, random_state=0),
        samples.with_gaps_in_it(),
    ),
    "histogram boosting with gaps": lambda: _fitted(
        ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=0),
        samples.with_gaps_in_it(),
    ),
    "gradient boosting": lambda: _fitted(
        ensemble.GradientBoostingRegressor(n_estimators=10, random_state=0), samples.one_target()
    ),
    "isolation forest": lambda: _fitted(
        ensemble.IsolationForest(n_estimators=5, max_samples=64, random_state=0),
        samples.two_classes(),
    ),
    "support vectors": lambda: _fitted(svm.SVC(), samples.three_classes()),
    "neighbours": lambda: _fitted(
        KNeighborsClassifier(weights="distance"), samples.three_classes()
    ),
    "perceptron": lambda: _fitted(
        MLPClassifier((8,), max_iter=50, random_state=0), samples.two_classes()
    ),
    "naive Bayes": lambda: _fitted(GaussianNB(), samples.three_classes()),
    "components near zero": lambda: _near_zero(KernelPCA(gamma=10.0, n_components=60)),
    "deviations near zero": lambda: _near_zero(
        GaussianProcessRegressor(RBF(2.0), optimizer=None, normalize_y=True)
    ),
    "clusters": lambda: _fitted(KMeans(4, random_state=0), samples.two_classes()),
    "components": lambda: _fitted(
        make_pipeline(PCA(3), linear_model.Ridge()), samples.one_target()
    ),
    "steps": lambda: _fitted(_steps(), samples.one_target()),
    "encoded trees": lambda: _fitted(_encoded_trees(), samples.loans()),
    "counts and pairs": lambda: _fitted(_counts_and_pairs(), _loans_with_gaps()),
    "words": lambda: _fitted(
        make_pipeline(TfidfVectorizer(), linear_model.LogisticRegression()), _texts()
    ),
    "pairs of letters": lambda: _fitted(
        make_pipeline(
            CountVectorizer(analyzer="char_wb", ngram_range=(1, 2), max_features=60),
            svm.LinearSVC(),
        ),
        _texts(),
    ),
}

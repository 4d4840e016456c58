"""Models as others write them: each stands for a class of cases that builds once got wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import KernelPCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, WhiteKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC, NuSVC

from onnxlet.convert.converters.registry import converts
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import load_model
from tests.convert.helpers import built

X, y = load_iris(return_X_y=True)
WINE, KINDS = load_wine(return_X_y=True)
SIDE = (y > 0).astype(int)
WORDS = ["good film", "bad film", "fine day", "bad day indeed", "a good day", "no film"] * 10
GOOD = np.array([1, 0, 1, 0, 1, 0] * 10)
RANDOM = np.random.default_rng(0)
MIXED = [[float(a), b] for a, b in zip(RANDOM.normal(size=60), "uvw" * 20, strict=True)]
TEXTS = pd.DataFrame({"text": WORDS, "size": RANDOM.normal(size=60)})
TABLE = pd.DataFrame({"size": RANDOM.normal(size=60), "kind": list("uvw" * 20)})


class NoLarge(TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """Raises for numbers that a step before it has made."""

    def fit(self, X: Any, y: Any = None) -> NoLarge:
        return self

    def transform(self, X: Any) -> Any:
        if (np.abs(X) > 1e6).any():
            raise ValueError("too large")
        return X


class OnlyTogether(RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """Answers large numbers one by one, and raises for two of them in a batch."""

    def fit(self, X: Any, y: Any = None) -> OnlyTogether:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        if (np.abs(X[:, 0]) > 1e6).sum() > 1:
            raise ValueError("sums overflow")
        return X[:, 0]


class NeverAlone(TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    def fit(self, X: Any, y: Any = None) -> NeverAlone:
        return self

    def transform(self, X: Any) -> Any:
        if len(X) == 1:
            raise ValueError("one row is not enough")
        return X


converts(NoLarge, NeverAlone)(lambda graph, fitted, table: {"transform": table})
converts(OnlyTogether)(lambda graph, fitted, table: {"predict": graph.matrix(table).take([0])})


class Untagged:
    """As packages have them that don't derive from scikit-learn's classes."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}

    def predict(self, X: Any) -> Any:
        return X[:, 0] - X[:, 0].mean()


class Stemming(CountVectorizer):  # type: ignore[misc] # untyped there
    def build_tokenizer(self) -> Any:
        cut = super().build_tokenizer()
        return lambda text: [word[:3] for word in cut(text)]


def partially_fitted() -> MultiOutputClassifier:
    estimator = MultiOutputClassifier(SGDClassifier(loss="log_loss", random_state=0))
    several = np.column_stack([y, SIDE])
    return estimator.partial_fit(X, several, classes=[np.unique(y), np.unique(SIDE)])


def first_size(X: Any, y: Any) -> Any:
    """A score that keeps only the last column."""
    return np.arange(X.shape[1], dtype=float)


SERVED: dict[str, Callable[[], tuple[Any, Any]]] = {
    "a kernel of a process in KernelRidge": lambda: (KernelRidge(kernel=RBF(2.0)).fit(X, y), X),
    "a kernel with several parameters": lambda: (
        KernelRidge(kernel=ConstantKernel(2.0) * ExpSineSquared(2.0, 3.0) + WhiteKernel()).fit(
            X, y
        ),
        X,
    ),
    "a kernel that no row has a say in": lambda: (
        KernelRidge(kernel=ConstantKernel(2.0)).fit(X, y),
        X,
    ),
    "a kernel of a process in Nystroem": lambda: (
        Nystroem(kernel=RBF(2.0), n_components=9, random_state=0).fit(X),
        X,
    ),
    "a kernel of a process in KernelPCA": lambda: (KernelPCA(3, kernel=RBF(2.0)).fit(X), X),
    "pairs of classes by a plane": lambda: (SVC(kernel="linear").fit(X[::2], y[::2]), X[1::2]),
    "scaled pairs of classes by a plane": lambda: (
        make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(WINE[::2], KINDS[::2]),
        WINE[1::2],
    ),
    "pairs of classes by a share": lambda: (
        NuSVC(kernel="linear", nu=0.2).fit(X[::2], y[::2]),
        X[1::2],
    ),
    "outputs after partial_fit": lambda: (partially_fitted(), X),
    "numbers in one dimension": lambda: (
        IsotonicRegression(out_of_bounds="clip").fit(X[:, 0], y),
        X[:, 0],
    ),
    "a series of numbers": lambda: (
        IsotonicRegression(out_of_bounds="clip").fit(X[:, 0], y),
        pd.Series(X[:, 0], name="dose"),
    ),
    "rows of texts and numbers": lambda: (
        make_pipeline(
            ColumnTransformer([("size", StandardScaler(), [0]), ("kind", OneHotEncoder(), [1])]),
            LogisticRegression(),
        ).fit(MIXED, GOOD),
        MIXED,
    ),
    "neighbours of counts": lambda: (
        make_pipeline(CountVectorizer(), LabelSpreading()).fit(WORDS, GOOD),
        WORDS,
    ),
    "nothing of the only text": lambda: (
        make_pipeline(
            ColumnTransformer([("text", CountVectorizer(), "text"), ("rest", "passthrough", [1])]),
            SelectKBest(first_size, k=1),
            LogisticRegression(),
        ).fit(TEXTS, GOOD),
        TEXTS,
    ),
    "no word of the vocabulary": lambda: (
        make_pipeline(
            ColumnTransformer(
                [
                    ("text", CountVectorizer(vocabulary=["none"]), "text"),
                    ("rest", "passthrough", [1]),
                ]
            ),
            VarianceThreshold(),
            LogisticRegression(),
        ).fit(TEXTS, GOOD),
        TEXTS,
    ),
    "what raises for a single row": lambda: (NeverAlone().fit(X), X),
    "what raises for rows together": lambda: (OnlyTogether().fit(X), X),
    "clusters in float32": lambda: (
        KMeans(3, n_init=1, random_state=0).fit(X.astype(np.float32)),
        X.astype(np.float32),
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", SERVED)
def test_served(case: str, tmp_path: Path) -> None:
    estimator, rows = SERVED[case]()
    parity = built(Source(estimator, rows), tmp_path).manifest["parity"]
    assert parity["differing_rows"] == 0
    assert parity["unrefused_rows"] >= 0


REFUSED: dict[str, tuple[Callable[[], tuple[Any, Any]], str, str]] = {
    "a selector that keeps nothing": (
        lambda: (SelectKBest(k=0).fit(X, y), X),
        "answers no column at all",
        "weaker threshold",
    ),
    "a model that keeps nothing": (
        lambda: (SelectFromModel(Lasso(alpha=100.0), threshold=1.0).fit(X, y), X),
        "answers no column at all",
        "weaker threshold",
    ),
    "a class without tags": (
        lambda: (Untagged(), X),
        "Untagged has no converter, and its predict can't be traced: its mean() goes over the rows",
        "a constant",
    ),
    "a vectoriser given a table": (
        lambda: (
            make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(WORDS, GOOD),
            TEXTS[["text"]],
        ),
        "X_test: ValueError: it answers 1 of 60 rows",
        "A vectoriser takes texts",
    ),
    "a vectoriser given an array of two dimensions": (
        lambda: (
            make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(WORDS, GOOD),
            np.array(WORDS, dtype=object).reshape(-1, 1),
        ),
        "has no attribute 'lower'",
        "A vectoriser takes texts",
    ),
    "float32 given in float64": (
        lambda: (KMeans(3, n_init=1, random_state=0).fit(X.astype(np.float32)), X),
        "another precision than the float32",
        "astype('float32')",
    ),
    "float64 given in float32": (
        lambda: (KMeans(3, n_init=1, random_state=0).fit(X), X.astype(np.float32)),
        "another precision than the float64",
        "astype('float64')",
    ),
    "an encoder of answers": (
        lambda: (LabelEncoder().fit(y), y),
        "encodes the answers of a training set",
        "OrdinalEncoder",
    ),
    "text beside numbers": (
        lambda: (
            ColumnTransformer([("size", StandardScaler(), ["size"])], remainder="passthrough").fit(
                TABLE
            ),
            TABLE,
        ),
        "answers text beside numbers",
        "remainder='drop'",
    ),
    "a tokenizer of one's own": (
        lambda: (make_pipeline(Stemming(), LogisticRegression()).fit(WORDS, GOOD), WORDS),
        "its own build_tokenizer may answer differently from CountVectorizer's",
        "settings of CountVectorizer",
    ),
    "an estimator in a function": (
        lambda: (
            make_pipeline(
                FunctionTransformer(leaves_of(GradientBoostingClassifier(n_estimators=3))),
                OneHotEncoder(handle_unknown="ignore"),
                LogisticRegression(),
            ).fit(X, y),
            X,
        ),
        "it asks an estimator, GradientBoostingClassifier.apply",
        "a step of the pipeline",
    ),
    "a row, not a table": (
        lambda: (LinearRegression().fit(X, y), X[0]),
        "expected a table of 4 columns, as the estimator was fitted on, got shape (4,)",
        "form that the estimator was fitted on",
    ),
}


def leaves_of(estimator: Any) -> Callable[[Any], Any]:
    estimator.fit(X, y)
    return lambda rows: estimator.apply(rows)[:, :, 0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_the_true_reason(case: str, tmp_path: Path) -> None:
    make, reason, way_out = REFUSED[case]
    estimator, rows = make()
    with pytest.raises(Refusal) as refused:
        built(Source(estimator, rows), tmp_path)
    assert reason in refused.value.message
    assert way_out in refused.value.hint


@pytest.mark.parametrize(
    ("estimator", "rows"),
    [
        (DummyRegressor(strategy="constant", constant=3), X),
        (TransformedTargetRegressor(DummyRegressor(strategy="constant", constant=3)), X),
        (OrdinalEncoder(dtype=int), TABLE[["kind"]]),
        (CountVectorizer(), WORDS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whole_numbers_stay_whole(estimator: Any, rows: Any, tmp_path: Path) -> None:
    fitted = estimator.fit(rows, np.arange(len(rows)))
    outputs = built(Source(fitted, rows), tmp_path).manifest["signature"]["outputs"]
    assert outputs[0]["type"] == "int64"


def test_rows_are_counted_that_scikit_learn_raises_for(tmp_path: Path) -> None:
    steps = make_pipeline(FunctionTransformer(np.exp), NoLarge(), LinearRegression()).fit(X, y)
    parity = built(Source(steps, X), tmp_path).manifest["parity"]
    assert 0 <= parity["unrefused_rows"] <= parity["unanswered_rows"]


def test_an_output_is_left_out_on_demand(tmp_path: Path) -> None:
    classifier = LogisticRegression(max_iter=1000).fit(X, y)
    made = built(Source(classifier, X, without=("probabilities",)), tmp_path)
    assert [output["name"] for output in made.manifest["signature"]["outputs"]] == ["prediction"]
    assert load_model(made.directory).signature.outputs[0].type == "int64"


@pytest.mark.parametrize("name", ["std", "prediction"])
def test_only_what_is_there_is_left_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=f"no '{name}' that it could do without"):
        built(Source(DummyClassifier().fit(X, y), X, without=(name,)), tmp_path)

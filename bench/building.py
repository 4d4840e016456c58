"""How long a build takes beside the fit: pipelines that were slow to prove, and wide ones."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import decomposition, ensemble, linear_model, multiclass, multioutput, neighbors, svm
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_regression
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - by its import
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.feature_selection import RFE
from sklearn.impute import IterativeImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.report import Line, comparisons
from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array

Given = tuple[Any, Any, Any]  # an estimator, rows, and their answers or None
FITS, SECONDS = 3, 20  # a build may take so many times the fit, and so many seconds more
ABOUT = f"""From a fitted estimator to its proven model directory, on one core, beside its fit. The
ratio is the build's time to {FITS} × fit + {SECONDS} s. Every second row is held out.
"""


def _images(rows: int, pixels: int, dtype: Any) -> tuple[Array, Array]:
    """Images that forty others add up to, with noise; and a number for each."""
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, 40)) @ random.normal(size=(40, pixels)) * 0.03 + 0.5
    X = np.clip(X + random.normal(size=X.shape) * 0.01, 0, 1).astype(dtype)
    return X, X[:, ::2] @ random.normal(size=(pixels + 1) // 2)


def _pixels() -> Given:
    """Whole numbers up to 255, most of them 0, as of handwritten digits."""
    random = np.random.default_rng(0)
    drawn = np.kron(load_digits().data.reshape(-1, 8, 8), np.ones((1, 4, 4)))[:, 2:30, 2:30]
    X = drawn[random.integers(0, len(drawn), 5000)].reshape(5000, 784) * 15.0
    X = np.where(X > 0, np.clip(X + random.integers(-9, 10, X.shape), 0, 255), 0.0)
    above, below = X[:, 300:400].sum(axis=1), X[:, 400:500].sum(axis=1)
    return neighbors.KNeighborsClassifier(), X, above > below


def _texts() -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(f"word{n}" for n in random.zipf(1.3, 60) % 5000) for _ in range(1000)]


def _boosters() -> Given:
    X, Y = make_regression(1000, 20, n_targets=3, random_state=0)
    return multioutput.MultiOutputRegressor(ensemble.HistGradientBoostingRegressor()), X, Y


def _importance(fitted: Any) -> Array:
    return np.asarray(np.mean([np.abs(one.coef_[0]) for one in fitted.estimators_], axis=0))


def _eliminated() -> Given:
    X, y = load_digits(return_X_y=True)
    inner = multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=300))
    return RFE(inner, n_features_to_select=20, step=10, importance_getter=_importance), X, y


def _imputed() -> Given:
    random = np.random.default_rng(0)
    X = random.normal(size=(2000, 8)) @ random.normal(size=(8, 8))
    gaps = np.where(random.random(X.shape) < 0.05, np.nan, X)
    imputer = IterativeImputer(neighbors.KNeighborsRegressor(15), random_state=0)
    return make_pipeline(imputer, linear_model.BayesianRidge()), gaps, X.sum(axis=1)


def _eigenfaces() -> Given:
    X, y = _images(400, 4096, np.float32)
    return make_pipeline(decomposition.PCA(50, random_state=0), svm.SVC()), X, y > np.median(y)


PIPELINES: Mapping[str, Callable[[], Given]] = {
    "nearest neighbours, 784 pixels": _pixels,
    "three boosters, one for each target": _boosters,
    "feature elimination over one-versus-rest": _eliminated,
    "local outlier factor": lambda: (
        neighbors.LocalOutlierFactor(novelty=True), load_breast_cancer().data, None,
    ),
    "iterative imputer by neighbours": _imputed,
    "Ridge, 4,096 pixels": lambda: (linear_model.Ridge(), *_images(400, 4096, np.float64)),
    "Ridge in float32, 2,000 columns": lambda: (
        linear_model.Ridge(), *_images(400, 2000, np.float32),
    ),
    "principal components and SVC, 4,096 pixels": _eigenfaces,
    "Lasso, 16,384 pixels": lambda: (linear_model.Lasso(0.001), *_images(300, 16_384, np.float64)),
    "hashed words, 1,048,576 columns": lambda: (
        make_pipeline(HashingVectorizer(), linear_model.SGDClassifier(random_state=0)),
        _texts(), np.arange(1000) % 3,
    ),
    "scaler and logistic regression": lambda: (
        make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
        *load_breast_cancer(return_X_y=True),
    ),
    "forest of 100 trees": lambda: (
        ensemble.RandomForestClassifier(random_state=0), *load_iris(return_X_y=True),
    ),
}  # fmt: skip


def section(models: Path, fitted: Any) -> str:
    """Measure, and return the section as Markdown."""
    lines = [
        Line(
            f"{name}{'' if served else ', refused'}",
            f"{building:.1f} s",
            f"{fitting:.2f} s",
            building / (FITS * fitting + SECONDS),
            1.0,
        )
        for name, fitting, building, served in measure()
    ]
    return f"{ABOUT}\n{comparisons('fit', lines)}"


def measure() -> Iterator[tuple[str, float, float, bool]]:
    """For each pipeline its name, the seconds of fit and build, and whether it is served."""
    for name, make in PIPELINES.items():
        estimator, X, y = make()
        start = time.perf_counter()
        estimator.fit(X[::2], None if y is None else y[::2])
        fitted = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            try:
                build(Source(estimator, X[1::2]), "timed", Path(folder), lambda line: None)
                served = True
            except Refusal:
                served = False
        yield name, fitted - start, time.perf_counter() - fitted, served

"""Every estimator of skrub: what it is made with where it needs something, and its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import skrub
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skrub import selectors

from tools.coverage import samples
from tools.coverage.estimators import Case, MakesSample
from tools.coverage.samples import Sample

# Of what skrub has in `__all__` these have a fit, and are no estimators of rows.
NO_ESTIMATORS = frozenset({"DataOp"})


def cases() -> Iterator[Case]:
    """All estimators, by name, and the pipeline that `tabular_pipeline` makes."""
    for name in sorted(skrub.__all__):
        kind = getattr(skrub, name)
        fits = inspect.isclass(kind) and (hasattr(kind, "fit") or name in PLANS)
        if fits and name not in PLANS:
            estimator = MADE[name]() if name in MADE else kind()
            yield Case(name, estimator, SAMPLES.get(name, (loans,)))
    yield Case("tabular_pipeline", skrub.tabular_pipeline("classifier"), (loans, film_reviews))


def loans() -> Sample:
    """Loans, with numbers and categories."""
    sample = samples.loans()
    return Sample(sample.X, np.asarray(sample.y), sample.others)


def film_reviews() -> Sample:
    """Sentences beside a category and a number that is text; whether one has a digit."""
    X, _, others = samples.sentences()
    return Sample(_around(X), np.array([any(map(str.isdigit, t)) for t in X]), _around(others))


def _around(texts: Sequence[str]) -> pd.DataFrame:
    lengths = [len(text) for text in texts]
    return pd.DataFrame(
        {
            "text": list(texts),
            "length": [f"{length / 10:.1f}" for length in lengths],
            "kind": np.where(np.array(lengths) % 3, "short", "N/A"),
        }
    )


def sentences() -> Sample:
    """One column of text."""
    X, _, others = samples.sentences()
    return Sample(pd.DataFrame({"text": X}), None, pd.DataFrame({"text": others}))


def homes() -> Sample:
    """One column of categories, and whether a loan went well."""
    sample = samples.loans()
    return Sample(sample.X[["Home"]], np.asarray(sample.y) == "good", sample.others[["Home"]])


def incomes() -> Sample:
    """One column of numbers."""
    sample = samples.loans()
    return Sample(sample.X[["Income"]], None, sample.others[["Income"]])


class _Embedding:
    """Stands for a language model, which none of these environments has."""

    def encode(self, texts: Sequence[str], **options: Any) -> Any:
        return np.array([[len(text), text.count(" ")] for text in texts], dtype=np.float32)


class _LLMEncoder(skrub.LLMEncoder):
    def fit(self, column: Any, y: Any = None) -> Any:
        self.__dict__["_estimator"] = _Embedding()
        return super().fit(column, y)


class _TextEncoder(skrub.TextEncoder):
    fit = _LLMEncoder.fit


def _by_home() -> pd.DataFrame:
    return pd.DataFrame(samples.loans().X)[["Home", "Age", "Income"]]


def _then_numbers(joiner: Any) -> Any:
    """A join behind which only numbers are left, which one answer can hold."""
    return make_pipeline(joiner, skrub.SelectCols(selectors.numeric()))


def _learner() -> Any:
    """A plan of operations, fitted: what a SkrubLearner answers is asked by an environment."""
    rows = skrub.var("rows", samples.loans().X).skb.mark_as_X()
    return rows.skb.apply(skrub.TableVectorizer()).skb.make_learner()


def _search() -> Any:
    rows = skrub.var("rows", samples.loans().X).skb.mark_as_X()
    good = skrub.var("good", samples.loans().y).skb.mark_as_y()
    chosen = skrub.tabular_pipeline(LogisticRegression(C=skrub.choose_from([0.1, 1.0])))
    return rows.skb.apply(chosen, y=good).skb.make_randomized_search(n_iter=1)


# With what they can't be made without.
MADE: dict[str, Callable[[], Any]] = {
    "AggJoiner": lambda: _then_numbers(
        skrub.AggJoiner(_by_home(), ["mean", "max"], key="Home", suffix="_by_home")
    ),
    "AggTarget": lambda: _then_numbers(skrub.AggTarget("Home", ["mean"])),
    "ApplyToCols": lambda: skrub.ApplyToCols(StandardScaler(), ["Age", "Income"]),
    "Cleaner": lambda: _then_numbers(skrub.Cleaner()),
    "DropCols": lambda: skrub.DropCols(["Home", "Job"]),
    "DropSimilar": lambda: _then_numbers(skrub.DropSimilar()),
    "InterpolationJoiner": lambda: _then_numbers(
        skrub.InterpolationJoiner(_by_home(), key="Home", suffix="_by_home", regressor=Ridge())
    ),
    "Joiner": lambda: skrub.Joiner(_by_home(), key="Home", suffix="_near"),
    "LLMEncoder": lambda: _LLMEncoder(n_components=2),
    "MultiAggJoiner": lambda: _then_numbers(
        skrub.MultiAggJoiner([_by_home()], [["mean"]], keys=[["Home"]])
    ),
    "SelectCols": lambda: skrub.SelectCols(["Income", "Age"]),
    "SkrubLearner": _learner,
    "TextEncoder": lambda: _TextEncoder(n_components=2),
}
SAMPLES: dict[str, tuple[MakesSample, ...]] = {
    **dict.fromkeys(
        ("GapEncoder", "LLMEncoder", "MinHashEncoder", "SimilarityEncoder", "StringEncoder",
         "TextEncoder"), (sentences,)
    ),
    **dict.fromkeys(("DropUninformative", "ToFloat"), (incomes,)),
    **dict.fromkeys(("CatEncoder", "ToCategorical"), (homes,)),
    "SquashingScaler": (samples.unscaled,),
    "TableVectorizer": (loans, film_reviews),
}  # fmt: skip

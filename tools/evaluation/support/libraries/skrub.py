"""Every estimator of skrub: what it is made with where it needs something, and its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import skrub
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from skrub import selectors

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case, MakesSample
from tools.evaluation.support.samples import Sample

# They plan operations on variables, and are made by `.skb.make_learner()` and its like.
PLANS = frozenset({"OptunaParamSearch", "ParamSearch", "SkrubLearner"})


def cases() -> Iterator[Case]:
    """All estimators, by name, and the pipeline that `tabular_pipeline` makes."""
    for name in sorted(skrub.__all__):
        kind = getattr(skrub, name)
        if inspect.isclass(kind) and (hasattr(kind, "fit") or name in PLANS):
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
    """Columns of numbers."""
    sample, names = samples.loans(), ["Age", "Income"]
    return Sample(sample.X[names], None, sample.others[names])


def prices() -> Sample:
    """Loans, and prices to predict."""
    sample = samples.loans()
    return Sample(sample.X, sample.X["Price"].to_numpy(), sample.others)


def _moments(count: int, start: str) -> pd.DataFrame:
    return pd.DataFrame({"when": pd.date_range(start, periods=count, freq="37h")})


def moments() -> Sample:
    """One column of dates."""
    return Sample(_moments(200, "2024-01-01"), None, _moments(100, "2025-05-05"))


def days() -> Sample:
    """One column of dates as text."""
    made = [_moments(count, "2024-01-01")["when"].dt.strftime("%Y-%m-%d") for count in (200, 100)]
    return Sample(made[0].to_frame(), None, made[1].to_frame())


def durations() -> Sample:
    """One column of durations."""
    made = [_moments(count, "2024-01-01") - pd.Timestamp("2023-01-01") for count in (200, 100)]
    return Sample(made[0], None, made[1])


class _Embedding:
    """Stands for a language model, which none of these environments has."""

    def encode(self, texts: Sequence[str], **options: Any) -> Any:
        return np.array([[len(text), text.count(" ")] for text in texts], dtype=np.float32)


class _LLMEncoder(skrub.LLMEncoder):  # type: ignore[misc]  # no types
    def fit(self, column: Any, y: Any = None) -> Any:
        self.__dict__["_estimator"] = _Embedding()
        return super().fit(column, y)


class _TextEncoder(skrub.TextEncoder):  # type: ignore[misc]  # no types
    def fit(self, column: Any, y: Any = None) -> Any:
        self.__dict__["_estimator"] = _Embedding()
        return super().fit(column, y)


def _by_home() -> pd.DataFrame:
    return pd.DataFrame(samples.loans().X)[["Home", "Age", "Income"]]


def _then_numbers(joiner: Any) -> Any:
    """A join behind which only numbers are left, which one answer can hold."""
    return make_pipeline(joiner, skrub.SelectCols(selectors.numeric()))


class _Plan(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no types
    """Fits what a plan of operations on variables is made: it is asked by an environment then."""

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, X: Any, y: Any = None) -> Any:
        plan = skrub.var("rows", X).skb.mark_as_X().skb.apply(skrub.TableVectorizer())
        if self.name == "SkrubLearner":
            return plan.skb.make_learner().fit({"rows": X})
        searches = {"search": None} if self.name == "ParamSearch" else {}
        return getattr(skrub, self.name)(plan, **searches)

    def transform(self, X: Any) -> Any:
        raise NotImplementedError


# With what they can't be made without.
MADE: dict[str, Callable[[], Any]] = {
    "AggJoiner": lambda: _then_numbers(
        skrub.AggJoiner(_by_home(), ["mean", "max"], key="Home", suffix="_by_home")
    ),
    "AggTarget": lambda: _then_numbers(skrub.AggTarget("Home", ["mean"])),
    "ApplyToCols": lambda: _then_numbers(skrub.ApplyToCols(StandardScaler(), ["Age", "Income"])),
    "DatetimeEncoder": lambda: make_pipeline(
        skrub.ApplyToCols(skrub.ToDatetime()), skrub.ApplyToCols(skrub.DatetimeEncoder())
    ),
    "Drop": lambda: _then_numbers(skrub.ApplyToCols(skrub.Drop(), ["Age"])),
    "DropUninformative": lambda: skrub.ApplyToCols(skrub.DropUninformative()),
    "SessionEncoder": lambda: skrub.SessionEncoder("when"),
    "ToCategorical": lambda: make_pipeline(
        skrub.ApplyToCols(skrub.ToCategorical()),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ),
    "ToDatetime": lambda: make_pipeline(
        skrub.ApplyToCols(skrub.ToDatetime()), skrub.ApplyToCols(skrub.DatetimeEncoder())
    ),
    "ToFloat": lambda: skrub.ApplyToCols(skrub.ToFloat()),
    "Cleaner": lambda: _then_numbers(skrub.Cleaner()),
    "DropCols": lambda: skrub.DropCols(["Home", "Job"]),
    "DropSimilar": lambda: _then_numbers(skrub.DropSimilar()),
    "InterpolationJoiner": lambda: _then_numbers(
        skrub.InterpolationJoiner(_by_home(), key="Home", suffix="_by_home", regressor=Ridge())
    ),
    "Joiner": lambda: skrub.Joiner(_by_home(), key="Income", suffix="_near"),
    "LLMEncoder": lambda: _LLMEncoder(n_components=2, store_weights_in_pickle=True),
    "MultiAggJoiner": lambda: _then_numbers(
        skrub.MultiAggJoiner([_by_home()], [["mean"]], keys=[["Home"]])
    ),
    "SelectCols": lambda: skrub.SelectCols(["Income", "Age"]),
    **{name: partial(_Plan, name) for name in PLANS},
    "TextEncoder": lambda: _TextEncoder(n_components=2, store_weights_in_pickle=True),
}
SAMPLES: dict[str, tuple[MakesSample, ...]] = {
    **dict.fromkeys(
        ("GapEncoder", "LLMEncoder", "MinHashEncoder", "SimilarityEncoder", "StringEncoder",
         "TextEncoder"), (sentences,)
    ),
    **dict.fromkeys(("DropUninformative", "Joiner", "ToFloat"), (incomes,)),
    **dict.fromkeys(("DatetimeEncoder", "ToDatetime"), (days,)),
    "AggTarget": (prices,),
    "DurationToFloat": (durations,),
    "SessionEncoder": (moments,),
    **dict.fromkeys(("CatEncoder", "ToCategorical"), (homes,)),
    "SquashingScaler": (samples.unscaled,),
    "TableVectorizer": (loans, film_reviews),
}  # fmt: skip

"""FLAML's AutoML, once for each of its learners and for a stack of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case
from tools.evaluation.support.samples import Sample, with_gaps

# Of each learner the tasks that it has.
BOTH, CLASSES, NUMBERS = ("classification", "regression"), ("classification",), ("regression",)
OF_BOTH = (
    "catboost", "extra_tree", "histgb", "kneighbor", "lgbm", "rf", "sgd", "xgb_limitdepth",
    "xgboost",
)  # fmt: skip
LEARNERS = {
    **dict.fromkeys(OF_BOTH, BOTH),
    **dict.fromkeys(("lrl1", "lrl2", "svc"), CLASSES),
    **dict.fromkeys(("enet", "lassolars"), NUMBERS),
}
STACKED = ["lgbm", "rf", "extra_tree"]
TRIED = 2  # configurations, of one learner; of several by chance more, so that each has some
# CatBoost has thousands of trees otherwise.
SMALL = {"catboost": {"n_estimators": {"domain": 60, "init_value": 60}}}


class Searched(BaseEstimator):  # type: ignore[misc]
    """Fits an AutoML by a number of configurations, so that no clock decides what wins.

    Args:
        task: "classification" or "regression".
        learners: FLAML's names of them.
        options: what else its `fit` takes.
    """

    def __init__(self, task: str, learners: list[str], options: dict[str, Any]) -> None:
        self.task = task
        self.learners = learners
        self.options = options

    def fit(self, X: Any, y: Any) -> Any:
        """The fitted AutoML itself."""
        from flaml import AutoML

        made = AutoML()
        made.fit(
            X, pd.Series(y) if isinstance(X, pd.DataFrame) else y, task=self.task,
            estimator_list=self.learners, max_iter=TRIED * len(self.learners) ** 2, time_budget=600,
            seed=0, n_jobs=1, verbose=0, eval_method="holdout", mlflow_logging=False,
            custom_hp=SMALL, **self.options,
        )  # fmt: skip
        return made

    def predict(self, X: Any) -> Any:
        """Never asked: `fit` returns another object."""
        raise NotImplementedError


def _dated() -> tuple[pd.DataFrame, Any]:
    """Loans with gaps, dates, and whole numbers as categories; what each loan is to pay for."""
    found = samples.loans()
    X = pd.concat([found.X, found.others]).reset_index(drop=True)
    price, rows = X.pop("Price").to_numpy(float), np.arange(len(X))
    X = with_gaps(X, 1)
    X["When"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rows * 37 % 9001, "h")
    X.loc[::11, "When"] = pd.NaT
    X["Rooms"] = pd.Categorical(rows * 7 % 5 + 1)
    return X, price


def loans_with_dates() -> Sample:
    """Whether what a loan is for is cheap, fair or dear."""
    X, price = _dated()
    words = np.array(["cheap", "fair", "dear"])[np.digitize(price, np.quantile(price, [0.3, 0.7]))]
    return Sample(X[:300], words[:300], X[300:])


def prices_with_dates() -> Sample:
    """The price of what a loan is for."""
    X, price = _dated()
    return Sample(X[:300], price[:300], X[300:])


SAMPLES: dict[str, tuple[Callable[[], Sample], ...]] = {
    "classification": (samples.two_classes, samples.three_classes, loans_with_dates),
    "regression": (samples.one_target, prices_with_dates),
}


def cases() -> Iterator[Case]:
    """Every learner, and stacks of some, for each task."""
    for learner, tasks in sorted(LEARNERS.items()):
        for task in tasks:
            made = Searched(task, [learner], {})
            yield Case(f"AutoML: {learner}, {task}", made, SAMPLES[task])
    for task in BOTH:
        for passthrough in (False, True):
            options = {"ensemble": {"passthrough": passthrough, "n_jobs": 1}}
            found = SAMPLES[task][: -1 if passthrough else None]  # else it numbers text by batches
            name = f"AutoML: stack{' with the columns' if passthrough else ''}, {task}"
            yield Case(name, Searched(task, STACKED, options), found)

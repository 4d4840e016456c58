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
LEARNERS = {
    **dict.fromkeys(
        (
            "catboost", "extra_tree", "histgb", "kneighbor", "lgbm", "rf", "sgd", "xgb_limitdepth",
            "xgboost",
        ),
        BOTH,
    ),
    **dict.fromkeys(("lrl1", "lrl2", "svc"), CLASSES),
    **dict.fromkeys(("enet", "lassolars"), NUMBERS),
}  # fmt: skip
STACKED = ["lgbm", "rf", "extra_tree"]
TRIED = 4  # configurations


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
            estimator_list=self.learners, max_iter=TRIED * len(self.learners), time_budget=600,
            seed=0, n_jobs=1, verbose=0, eval_method="holdout", mlflow_logging=False,
            **self.options,
        )  # fmt: skip
        return made

    def predict(self, X: Any) -> Any:
        """Never asked: `fit` returns another object."""
        raise NotImplementedError


def _visits() -> pd.DataFrame:
    """Loans with gaps, beside dates, some missing, and whole numbers as categories."""
    found = samples.loans()
    X = pd.concat([found.X, found.others]).sort_index().reset_index(drop=True)
    price = X.pop("Price")
    X = with_gaps(X, 1)
    hours = np.arange(len(X)) * 37 % 9001
    X["When"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h")
    X.loc[::11, "When"] = pd.NaT
    X["Rooms"] = pd.Categorical(np.arange(len(X)) * 7 % 5 + 1)
    return X.assign(Price=price)


def visits() -> Sample:
    """Whether a loan goes well, in words."""
    X, good = _visits().drop(columns="Price"), np.arange(600) % 3
    names = np.array(["bad", "fair", "good"])[(good + (_visits()["Income"] > 130)) % 3]
    return Sample(X[::2], names[::2], X[1::2])


def visits_to_price() -> Sample:
    """The price of what a loan is for."""
    X = _visits()
    y = X.pop("Price").to_numpy(float)
    return Sample(X[::2], y[::2], X[1::2])


SAMPLES: dict[str, tuple[Callable[[], Sample], ...]] = {
    "classification": (samples.two_classes, samples.three_classes, visits),
    "regression": (samples.one_target, visits_to_price),
}


def cases() -> Iterator[Case]:
    """Every learner, and stacks of some, for each task."""
    for learner, tasks in sorted(LEARNERS.items()):
        for task in tasks:
            made = Searched(task, [learner], {})
            yield Case(f"AutoML: {learner}, {task}", made, SAMPLES[task])
    for task in BOTH:
        for passthrough in (False, True):
            options = {"ensemble": {"passthrough": passthrough}}
            found = SAMPLES[task][: -1 if passthrough else None]  # else it numbers text by batches
            name = f"AutoML: stack{' with the columns' if passthrough else ''}, {task}"
            yield Case(name, Searched(task, STACKED, options), found)

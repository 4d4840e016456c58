"""MAPIE's conformal models: they are fitted, then conformalised on other rows.

Without the conditional ones, which need a package that is not installed: they answer as the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mapie import calibration, classification, regression
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, QuantileRegressor, Ridge

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case


class Conformal(BaseEstimator):  # type: ignore[misc]
    """Fits one of MAPIE's models, whatever its methods for that are called.

    Args:
        make: the model.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def fit(self, X: Any, y: Any) -> Any:
        """The fitted model itself."""
        made = self.make()
        if hasattr(made, "fit_conformalize"):
            return made.fit_conformalize(X, y)
        if hasattr(made, "conformalize"):
            return made.fit(X[::2], y[::2]).conformalize(X[1::2], y[1::2])
        return made.fit(X, y)

    def predict(self, X: Any) -> Any:
        """Never asked: `fit` returns another object."""
        raise NotImplementedError


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "CrossConformalClassifier": lambda: classification.CrossConformalClassifier(cv=3),
    "SplitConformalClassifier": lambda: classification.SplitConformalClassifier(
        LogisticRegression(), prefit=False
    ),
    "TopLabelCalibrator": lambda: calibration.TopLabelCalibrator(LogisticRegression(), cv="split"),
    "VennAbersCalibrator": lambda: calibration.VennAbersCalibrator(LogisticRegression()),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "ConformalizedQuantileRegressor": lambda: regression.ConformalizedQuantileRegressor(
        GradientBoostingRegressor(loss="quantile", n_estimators=20)
    ),
    "CrossConformalRegressor": lambda: regression.CrossConformalRegressor(Ridge(), cv=4),
    "CrossConformalizedQuantileRegressor": lambda: regression.CrossConformalizedQuantileRegressor(
        QuantileRegressor(alpha=0.0), cv=3
    ),
    "JackknifeAfterBootstrapRegressor": lambda: regression.JackknifeAfterBootstrapRegressor(
        Ridge(), resampling=10, random_state=0
    ),
    "SplitConformalRegressor": lambda: regression.SplitConformalRegressor(Ridge(), prefit=False),
    "TimeSeriesRegressor": lambda: regression.TimeSeriesRegressor(Ridge(), cv=4, method="aci"),
}


def cases() -> Iterator[Case]:
    """All models, by name."""
    for name, make in sorted((CLASSIFIERS | REGRESSORS).items()):
        found = samples.three_classes if name in CLASSIFIERS else samples.one_target
        yield Case(name, Conformal(make), (found,))

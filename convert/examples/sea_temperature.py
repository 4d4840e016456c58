"""How warm will the sea be next month? A linear model of the twelve months before."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.examples.parts import FOLDER, Answer, Scores

DATA = FOLDER / "elnino.csv.gz"
LAGS = [f"months_ago_{n}" for n in range(1, 13)]
KEEP_BACKGROUND = 50  # explanations start from so many months of the past
TEST_MONTHS = 240  # the last twenty years: a forecast is tested on what came later


def build() -> tuple[Pipeline, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    years = pd.read_csv(DATA, index_col="YEAR")  # a column for each month, in degrees Celsius
    series = pd.Series(years.to_numpy().ravel())
    lags = {name: series.shift(n) for n, name in enumerate(LAGS, 1)}
    X = pd.DataFrame({"month": np.arange(len(series)) % 12 + 1, **lags}).iloc[len(LAGS) :]
    y = series.iloc[len(LAGS) :]
    X_train, X_test = X.iloc[:-TEST_MONTHS], X.iloc[-TEST_MONTHS:]
    columns = make_column_transformer((OneHotEncoder(), ["month"]), remainder="passthrough")
    model = make_pipeline(columns, Ridge(alpha=0.1)).fit(X_train, y.iloc[:-TEST_MONTHS])
    return model, X_test, y.iloc[-TEST_MONTHS:], X_train


def scores(answer: Answer, X_test: pd.DataFrame, y_test: pd.Series) -> Scores:
    """Mean errors, beside those of two forecasts that anybody can make."""
    own = mean_absolute_error(y_test, answer(X_test)["prediction"])
    return {
        "error beside last month's temperature": (
            own,
            mean_absolute_error(y_test, X_test["months_ago_1"]),
        ),
        "error beside that of a year before": (
            own,
            mean_absolute_error(y_test, X_test["months_ago_12"]),
        ),
    }

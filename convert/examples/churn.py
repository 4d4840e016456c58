"""Will a customer leave? Boosted trees whose probabilities are calibrated."""

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.examples.parts import FOLDER, Answer, Scores

DATA = FOLDER / "wa_churn.csv.gz"
NUMBERS = ["tenure", "monthly_charges", "total_charges"]
CATEGORIES = ["contract", "internet_service", "online_security", "tech_support", "payment_method"]


def build() -> tuple[Pipeline, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    customers = pd.read_csv(DATA)
    X_train, X_test, y_train, y_test = train_test_split(
        customers[NUMBERS + CATEGORIES],
        customers["churn"],  # "Yes" or "No"
        test_size=0.25,
        random_state=0,
        stratify=customers["churn"],
    )
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),
        remainder="passthrough",  # the trees take missing numbers as they are
    )
    trees = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, max_leaf_nodes=8)
    calibrated = CalibratedClassifierCV(trees, method="sigmoid", cv=5)
    return make_pipeline(columns, calibrated).fit(X_train, y_train), X_test, y_test, X_train


def scores(answer: Answer, X_test: pd.DataFrame, y_test: pd.Series) -> Scores:
    """How far probabilities are from what happened, beside the share of all who leave."""
    left = (y_test == "Yes").to_numpy()
    own = np.array(answer(X_test)["probabilities"])[:, 1]
    share = np.full(len(left), left.mean())
    return {"Brier score": (brier_score_loss(left, own), brier_score_loss(left, share))}

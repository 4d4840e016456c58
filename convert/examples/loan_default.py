"""Will a loan go bad? A logistic regression with a probability, on numbers and categories.

Copy this file for your own model: `build` returns a fitted pipeline and its test set.
"""

from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DATA = Path(__file__).parent / "data" / "credit_data.csv.gz"
NUMBERS = ["Seniority", "Time", "Age", "Expenses", "Income", "Assets", "Debt", "Amount", "Price"]
CATEGORIES = ["Home", "Marital", "Records", "Job"]
SENSITIVE = ["Marital"]  # the report compares these groups


def build() -> tuple[Pipeline, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    loans = pd.read_csv(DATA)
    X_train, X_test, y_train, y_test = train_test_split(
        loans[NUMBERS + CATEGORIES],
        loans["Status"],  # "good" or "bad"
        test_size=0.25,
        random_state=0,
        stratify=loans["Status"],
    )
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
            CATEGORIES,
        ),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(X_train, y_train)
    return model, X_test, y_test, X_train

"""House prices in Ames, Iowa: a linear regression on numbers and categories with gaps.

Copy this file for your own model: `build` returns a fitted pipeline and its test set.
"""

from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DATA = Path(__file__).parent / "data" / "ames.csv.gz"
NUMBERS = ["Gr_Liv_Area", "Total_Bsmt_SF", "Lot_Area", "Lot_Frontage", "Year_Built", "Full_Bath"]
CATEGORIES = ["Neighborhood", "House_Style", "Overall_Cond", "Garage_Type"]


def build() -> tuple[Pipeline, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Fit the model; return it with X_test, y_test and X_train."""
    houses = pd.read_csv(DATA)
    # Where the survey has no value, this copy says 0 feet of street, and "No_Garage".
    houses["Lot_Frontage"] = houses["Lot_Frontage"].where(houses["Lot_Frontage"] > 0)
    houses["Garage_Type"] = houses["Garage_Type"].where(houses["Garage_Type"] != "No_Garage")
    X_train, X_test, y_train, y_test = train_test_split(
        houses[NUMBERS + CATEGORIES], houses["Sale_Price"], test_size=0.25, random_state=0
    )
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=10), CATEGORIES),
    )
    model = make_pipeline(columns, LinearRegression()).fit(X_train, y_train)
    return model, X_test, y_test, X_train

"""The native dialect, over every transport."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from convert.source import Source
from tests.conftest import Client

HOUSE = {
    "Gr_Liv_Area": 1442,
    "Total_Bsmt_SF": 990.0,
    "Lot_Area": 9430,
    "Lot_Frontage": None,
    "Year_Built": 1973,
    "Full_Bath": 2,
    "Neighborhood": "North_Ames",
    "House_Style": "One_Story",
    "Overall_Cond": "Average",
    "Garage_Type": None,
}
SHOP = {"Preis (€)": 12.5, "count": 4, "new": True, "色": "红"}


def test_regression(client: Client, sources: Mapping[str, Source]) -> None:
    import pandas as pd

    answer = client.post("/models/house-prices/predict", {"instances": [HOUSE]})

    expected = sources["house-prices"].estimator.predict(pd.DataFrame([HOUSE]).fillna(np.nan))
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "model": "house-prices",
        "version": 1,
        "prediction": [pytest.approx(expected[0], rel=1e-5)],
    }

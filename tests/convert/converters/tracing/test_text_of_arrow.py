"""`.str` of text that PyArrow holds, as pandas has it where that is installed."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.text_steps import simple_case
from tests.convert.helpers import built, served

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.compute")
if int(pd.__version__.split(".")[0]) < 3:
    pytest.skip("pandas has text of PyArrow by itself from 3 on", allow_module_level=True)

TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
RENTS = {"Hauptstraße": 900, "Am Markt": 700, "Schloßweg": 1200, "Ringstrasse": 600}
STREETS = pd.Series(np.random.default_rng(0).choice(list(RENTS), 400), dtype=TEXT, name="street")
X, Y = STREETS.to_frame(), STREETS.astype(object).map(RENTS).to_numpy()


class Upper(BaseEstimator, TransformerMixin):  # type: ignore[misc]  # scikit-learn has no types
    def fit(self, X: Any, y: Any = None) -> Upper:
        return self

    def transform(self, X: Any) -> Any:
        return X.assign(street=X["street"].str.upper())


def lower(X: Any) -> Any:
    return X.assign(street=X["street"].str.lower())


def swapped(X: Any) -> Any:
    return X["street"].str.swapcase().str.len().fillna(0).to_frame()


@pytest.mark.parametrize("name", ["lower", "upper"])
def test_letters_are_those_of_arrow(name: str) -> None:
    known = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "L"]
    arrow = getattr(pc, f"utf8_{name}")(pa.array(known)).to_pylist()
    off = [a for a, b in zip(arrow, map(simple_case(name), known), strict=True) if a != b]
    # Letters that this Python's Unicode does not know yet have no other case.
    assert [c for c in off if unicodedata.category(c) != "Cn"] == []
    mixed = "ß İ ΣΊΣΥΦΟΣ ﬁne ᾳ"
    assert simple_case(name)(mixed) == getattr(pc, f"utf8_{name}")(mixed).as_py()
    with pytest.raises(ValueError, match="'title'"):
        simple_case("title")


@pytest.mark.parametrize("step", [Upper(), FunctionTransformer(lower)])
def test_letters_that_no_held_out_row_has(step: Any, tmp_path: Path) -> None:
    held_out = ~STREETS.str.contains("ß").to_numpy()
    model = make_pipeline(step, OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(X, Y)
    made = built(Source(model, X[held_out], X_train=X), tmp_path)
    rows = pd.DataFrame({"street": pd.array([*RENTS, "İ", None], dtype=TEXT)})
    body = {"instances": [[text] for text in [*RENTS, "İ", None]]}
    got = served(made.directory.parents[1]).post("/predict", json=body).get_json()["prediction"]
    np.testing.assert_allclose(got, model.predict(rows), rtol=1e-5)


def test_what_arrow_makes_of_other_letters_is_refused(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(swapped), Ridge()).fit(X, Y)
    plain = X[~STREETS.str.contains("ß").to_numpy()]
    with pytest.raises(Refusal, match="differs on") as raised:
        built(Source(model, plain), tmp_path)
    assert "PyArrow holds the text" in (raised.value.hint or "")
    objects = X.astype(object)
    model = make_pipeline(FunctionTransformer(swapped), Ridge()).fit(objects, Y)
    assert built(Source(model, objects), tmp_path).new

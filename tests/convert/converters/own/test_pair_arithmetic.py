"""PairArithmetic computes what it says, chooses what helps, and its graph computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.estimators.pair_arithmetic import PairArithmetic
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served

RANDOM = np.random.default_rng(0)
LARGEST = 3.4028235e38
FRAME = pd.DataFrame(
    {
        "length": RANDOM.uniform(0, 9, 300).round(2),
        "width": RANDOM.integers(0, 5, 300),
        "noise": RANDOM.normal(size=300),
    }
).assign(gap=lambda f: f["length"].where(RANDOM.random(300) > 0.2))
AREA = FRAME["length"] * FRAME["width"]


def test_the_product_that_explains_the_target_is_chosen() -> None:
    made = PairArithmetic(keep=1).fit(FRAME[["noise", "length", "width"]], AREA)

    assert made.get_feature_names_out().tolist() == ["length * width"]
    np.testing.assert_array_equal(made.transform(FRAME[["noise", "length", "width"]])[:, 0], AREA)


def test_a_ratio_is_chosen_for_labels() -> None:
    ratio = FRAME["width"] / (FRAME["length"] + 0.01)
    X = FRAME[["length", "width", "noise"]]
    labels = np.where(ratio > ratio.median(), "steep", "flat")

    assert "width / length" in PairArithmetic(keep=3).fit(X, labels).get_feature_names_out()


def test_each_column_is_its_name_computed() -> None:
    made = PairArithmetic(keep=99).fit(FRAME, AREA)
    names, values = made.get_feature_names_out(), made.transform(FRAME)

    assert len(names) == 6 * 5  # pairs, and five ways to join each
    with np.errstate(all="ignore"):
        expected = np.column_stack([np.asarray(FRAME.eval(name), dtype=float) for name in names])
    expected = np.where(np.isnan(expected), np.nan, expected.clip(-LARGEST, LARGEST))
    np.testing.assert_allclose(values, expected, rtol=1e-7)
    assert np.isfinite(values[~np.isnan(values)]).all()
    assert np.isfinite(values[~np.isnan(values)].astype(np.float32)).all()


def test_quotients_by_zero_and_numbers_too_large() -> None:
    made = PairArithmetic(keep=99).fit(np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]]), [1, 0, 1])
    pairs = dict(zip(made.get_feature_names_out(), made.transform([[5.0, 0.0]])[0], strict=True))
    large = dict(zip(pairs, made.transform([[1e300, -1e300]])[0], strict=True))
    nothing = dict(zip(pairs, made.transform([[0.0, 0.0]])[0], strict=True))

    assert pairs["x0 / x1"] == pytest.approx(LARGEST)
    assert large["x0 * x1"] == pytest.approx(-LARGEST)
    assert np.isnan(nothing["x0 / x1"])


@pytest.mark.parametrize("after", [Ridge(), DecisionTreeRegressor(max_depth=5, random_state=0)])
def test_it_is_built_and_served(after: Any, tmp_path: Path) -> None:
    frame = FRAME.drop(columns="gap") if isinstance(after, Ridge) else FRAME
    frame = frame.assign(width=frame["width"] + 1, length=frame["length"] + 1)
    model = make_pipeline(PairArithmetic(), after).fit(frame[:200], AREA[:200])
    result = built(Source(model, frame[200:], AREA[200:], frame[:200]), tmp_path)

    assert result.manifest["parity"]["differing_rows"] == 0
    rows = [{name: None if value != value else value for name, value in row.items()}
            for row in frame[200:].to_dict("records")]  # fmt: skip
    answer = served(tmp_path).post("/predict", json={"instances": rows}).get_json()
    np.testing.assert_allclose(answer["prediction"], model.predict(frame[200:]), rtol=1e-6)


def test_it_refuses_one_column_and_other_widths() -> None:
    with pytest.raises(ValueError, match="two columns of numbers or more, got 1"):
        PairArithmetic().fit(FRAME[["noise"]], AREA)
    with pytest.raises(ValueError, match="expected 4 columns, got 2"):
        PairArithmetic().fit(FRAME, AREA).transform(FRAME[["noise", "gap"]])

"""Estimators of one's own, built: their methods are followed, or refused with the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from onnxlet.convert.sources.source import Source
from tests.convert.converters.tracing import own_classes as own
from tests.convert.helpers import built

RANDOM = np.random.default_rng(0)
ROWS = 40
NUMBERS = pd.DataFrame(
    {"a": RANDOM.gamma(2, 3, ROWS), "b": RANDOM.random(ROWS), "c": RANDOM.uniform(0, 24, ROWS)}
).assign(d=lambda X: X["a"] * 2 + X["b"] / 100)
GROUPS = pd.DataFrame(
    {
        "g": RANDOM.choice(["x", "y", "z", "rare"], ROWS, p=[0.4, 0.3, 0.2, 0.1]),
        "h": RANDOM.choice([1, 2, 3], ROWS),
        "a": RANDOM.normal(size=ROWS),
    }
)
GAPS = GROUPS[["g", "a"]].assign(a=GROUPS["a"].where(RANDOM.random(ROWS) > 0.2))
TEXTS = pd.DataFrame({"text": RANDOM.choice(["Ab-c 12!", " a  B-c", "no?", "7 b", ""], ROWS)})
DATES = pd.DataFrame(
    {
        name: pd.Timestamp(day) + pd.to_timedelta(RANDOM.integers(0, 9000, ROWS), "h")
        for name, day in (("start", "2024-01-01"), ("end", "2024-06-01"))
    }
)
Y = NUMBERS["a"] + RANDOM.normal(size=ROWS)
TRANSFORMERS: list[tuple[Any, pd.DataFrame]] = [
    (own.Ratio(), NUMBERS),
    (own.Logarithm(), NUMBERS),
    (own.ClippedByQuantiles(), NUMBERS),
    (own.MeanOfGroup(), GROUPS),
    (own.Frequency(), GROUPS),
    (own.RareToOther(), GROUPS),
    (own.Winsorised(), NUMBERS),
    (own.AboveMedian(), NUMBERS),
    (own.Cyclical(), NUMBERS[["c"]]),
    (own.Interactions(), NUMBERS),
    (own.WithoutCorrelated(), NUMBERS),
    (own.Digitised(), NUMBERS),
    (own.Cut(), NUMBERS),
    (own.LengthAndWords(), TEXTS),
    (own.LengthAndWordsOfEach(), TEXTS),
    (own.Pattern(), TEXTS),
    (own.Cleaned(), TEXTS),
    (own.ImputedByGroup(), GAPS),
    (own.ScoreInGroup(), GROUPS),
    (own.Days(), DATES),
    (own.MeanOfTarget(), GROUPS),
    (own.Standardised(), NUMBERS),
]
OF_TEXT = (own.RareToOther, own.Cut, own.Cleaned)


def after(part: Any) -> list[Any]:
    """What encodes its columns, where they are text."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return [encoder] if isinstance(part, OF_TEXT) else []


def in_columns(part: Any, X: pd.DataFrame) -> Any:
    """In a ColumnTransformer, beside other columns."""
    columns = make_column_transformer((part, list(X.columns)), remainder="drop")
    return make_pipeline(columns, *after(part))


def in_pipeline(part: Any, X: pd.DataFrame) -> Any:
    return make_pipeline(part, *after(part), Ridge())


def of_pandas(part: Any, X: pd.DataFrame) -> Any:
    """A later step takes its columns by their names."""
    names = part.fit(X, Y).get_feature_names_out().tolist()
    chosen = make_column_transformer(
        (MinMaxScaler() if not after(part) else after(part)[0], names[-1:]), remainder="drop"
    )
    return make_pipeline(part, chosen).set_output(transform="pandas")


@pytest.mark.parametrize("form", [in_columns, in_pipeline, of_pandas])
@pytest.mark.parametrize(("part", "X"), TRANSFORMERS, ids=lambda each: type(each).__name__)
def test_a_transformer_of_ones_own(part: Any, X: pd.DataFrame, form: Any, tmp_path: Path) -> None:
    model = form(part, X).fit(X, Y)
    assert built(Source(model, X), tmp_path).manifest["parity"]["differing_rows"] == 0


@pytest.mark.parametrize("part", [own.Weighted(), own.Thresholded()])
@pytest.mark.parametrize("before", [(), ("array",), ("pandas",)])
def test_a_predictor_of_ones_own(part: Any, before: tuple[str, ...], tmp_path: Path) -> None:
    scaler = MinMaxScaler().set_output(transform="pandas" if "pandas" in before else "default")
    X = NUMBERS if before else NUMBERS.to_numpy()
    model = (make_pipeline(scaler, part) if before else part).fit(X, Y)
    assert built(Source(model, X), tmp_path).manifest["parity"]["differing_rows"] == 0

"""Transformers of our own: what each makes, and its graph; dates, pairs of columns, counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet import DateParts
from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.estimators.date_parts import KNOWN
from onnxlet.convert.estimators.pair_arithmetic import PairArithmetic
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, objects, served

RANDOM = np.random.default_rng(1)
MOMENTS = pd.Series(
    pd.Timestamp("2019-11-30 22:10:05.25")
    + pd.to_timedelta(RANDOM.integers(0, 900 * 86_400, 80), "s")
)
Y = MOMENTS.dt.month + MOMENTS.dt.hour / 24.0


def texts(form: str) -> pd.Series[Any]:
    return MOMENTS.dt.strftime(form).astype(object)


FRAMES = {
    "dates": pd.DataFrame({"when": MOMENTS}),
    "some missing": pd.DataFrame({"when": MOMENTS.where(RANDOM.random(80) > 0.2)}),
    "in a zone": pd.DataFrame({"when": MOMENTS.dt.tz_localize("Europe/Lisbon", ambiguous="NaT")}),
    "text": pd.DataFrame({"when": texts("%Y-%m-%d")}),
    "text of a day and a time": pd.DataFrame({"when": texts("%d/%m/%Y %H:%M")}),
    "two": pd.DataFrame({"begun": MOMENTS - pd.Timedelta("9D"), "ended": texts("%Y-%m-%d")}),
}


def as_sent(cell: Any) -> Any:
    if cell is pd.NaT:
        return None
    return cell.isoformat() if isinstance(cell, pd.Timestamp) else cell


def test_parts_are_those_of_pandas() -> None:
    made = DateParts(["year", "weekday", "is_month_end", "iso_week", "days"]).fit_transform(
        FRAMES["dates"]
    )
    moments = [moment.to_pydatetime() for moment in MOMENTS]
    expected = [
        [
            m.year,
            m.weekday(),
            (m + pd.Timedelta("1D")).day == 1,
            m.isocalendar()[1],
            m.timestamp() / 86_400 if m.tzinfo else (m - pd.Timestamp(0)).total_seconds() / 86_400,
        ]
        for m in moments
    ]
    np.testing.assert_allclose(made, np.array(expected, dtype=np.float64), rtol=1e-15)


@pytest.mark.long
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("cyclic", [False, True])
def test_every_part_is_built_and_served(frame: Any, cyclic: bool, tmp_path: Path) -> None:
    model = DateParts(sorted(KNOWN), cyclic=cyclic).fit(frame)
    built(Source(model, frame), tmp_path)

    rows = [[as_sent(cell) for cell in row] for row in frame.itertuples(index=False)]
    answer = served(tmp_path).post("/predict", json={"instances": rows}).get_json()

    got = np.array(answer["prediction"], dtype=np.float64)
    np.testing.assert_allclose(got, model.transform(frame), rtol=1e-6, atol=1e-9)
    assert len(model.get_feature_names_out()) == got.shape[1]


def test_dates_with_an_offset_count_in_the_zone_that_is_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"when": MOMENTS.dt.tz_localize("UTC")})
    model = DateParts(["hour", "day"], zone="America/New_York").fit(frame)
    built(Source(model, frame), tmp_path)

    rows = [["2026-03-08T06:59:59Z"], ["2026-03-08T07:00:00Z"], ["2026-03-08T09:00:00+02:00"]]
    answer = served(tmp_path).post("/predict", json={"instances": rows}).get_json()

    assert answer["prediction"] == [[1, 8], [3, 8], [3, 8]]


@pytest.mark.long
def test_in_a_column_transformer(tmp_path: Path) -> None:
    frame = FRAMES["two"].assign(n=Y * 2)
    model = make_pipeline(
        make_column_transformer(
            (DateParts(cyclic=True), ["begun"]),
            (DateParts(["days"]), ["ended"]),
            (StandardScaler(), ["n"]),
        ),
        RandomForestRegressor(10, random_state=0),
    ).fit(frame, Y)
    result = built(Source(model, frame, Y), tmp_path)

    kinds = [column["type"] for column in result.manifest["signature"]["inputs"]]
    assert kinds == ["date", "date", "float64"]


@pytest.mark.parametrize(
    ("settings", "column", "error"),
    [
        ({"parts": ["week", "year"]}, MOMENTS, r"got \['week'\]"),
        ({}, pd.Series(["01/02/2024", "03/04/2024"]), "one form of dates, got either of"),
        ({}, pd.Series(["2024-01-01", "soon"]), "no form of dates that all texts have"),
    ],
)
def test_what_fit_refuses(settings: dict[str, Any], column: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        DateParts(**settings).fit(pd.DataFrame({"when": column}))


def test_parameters_are_scikit_learns(tmp_path: Path) -> None:
    model = make_pipeline(DateParts(), Ridge())
    model.set_params(dateparts__parts=["hour"], dateparts__format="%Y-%m-%d")
    assert model.fit(FRAMES["text"], Y).predict(FRAMES["text"]).shape == (80,)


def test_seconds_of_an_offset_are_refused(tmp_path: Path) -> None:
    """Pandas leaves them out, and takes 12:00:00+02:00:30 for 10:00."""
    frame = pd.DataFrame({"when": texts("%Y-%m-%dT%H:%M:%S") + "+0200"})
    built(Source(DateParts(["hour", "second"]).fit(frame), frame), tmp_path)
    client = served(tmp_path)

    assert client.post("/predict", json=[["2024-01-01T12:00:00+02:00"]]).status_code == 200
    assert client.post("/predict", json=[["2024-01-01T12:00:00+02:00:30"]]).status_code == 422


OF_PAIRS = np.random.default_rng(0)
LARGEST = 3.4028235e38
FRAME = pd.DataFrame(
    {
        "length": OF_PAIRS.uniform(0, 9, 300).round(2),
        "width": OF_PAIRS.integers(0, 5, 300),
        "noise": OF_PAIRS.normal(size=300),
    }
).assign(gap=lambda f: f["length"].where(OF_PAIRS.random(300) > 0.2))
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


OF_COUNTS = np.random.default_rng(3)
CITIES = objects([["Rome", "Oslo", None, "Bonn"][n] for n in OF_COUNTS.zipf(2.0, 200) % 4])
COUNTED = {
    "text with gaps": pd.DataFrame({"city": CITIES, "kind": CITIES.fillna("x").str[:1]}),
    "numbers": pd.DataFrame({"code": OF_COUNTS.integers(0, 9, 200)}),
    "numbers with gaps": pd.DataFrame({"code": OF_COUNTS.choice([1.0, 2.5, np.nan], 200)}),
    "both": pd.DataFrame({"city": CITIES, "code": OF_COUNTS.choice([1.0, 2.5, np.nan], 200)}),
    "booleans": pd.DataFrame({"flag": OF_COUNTS.random(200) < 0.3, "other": CITIES == "Rome"}),
}


@pytest.mark.parametrize("frame", COUNTED.values(), ids=COUNTED)
def test_counts_are_those_of_pandas(frame: pd.DataFrame) -> None:
    expected = np.column_stack(
        [frame.groupby(n, dropna=False)[n].transform("size") for n in map(str, frame)]
    )
    np.testing.assert_array_equal(CategoryCounts().fit_transform(frame), expected)


@pytest.mark.parametrize("frame", COUNTED.values(), ids=COUNTED)
def test_it_is_built_and_served_with_gaps_and_what_was_never_seen(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    model = CategoryCounts().fit(frame[:150])
    result = built(Source(model, frame[150:]), tmp_path)
    text = [column["type"] == "string" for column in result.manifest["signature"]["inputs"]]

    unseen = ["never seen" if is_text else 0 for is_text in text]
    rows: list[list[Any]] = [
        ["Rome" if is_text else 1 for is_text in text],
        unseen,
        [None] * len(text),
    ]
    if "flag" in frame:
        rows = [[True, False], [False, False], [None, None]]
    answer = served(tmp_path).post("/predict", json={"instances": rows}).get_json()

    counts = [
        (frame[:150][name].isna() if cell is None else frame[:150][name] == cell).sum()
        for row in rows for name, cell in zip(map(str, frame), row, strict=True)
    ]  # fmt: skip
    assert np.ravel(answer["prediction"]).tolist() == counts


def test_names_are_the_columns_own() -> None:
    made = CategoryCounts().fit(COUNTED["both"])
    assert made.get_feature_names_out().tolist() == ["city", "code"]

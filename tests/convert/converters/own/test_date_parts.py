"""DateParts answers as pandas does, and its graph as DateParts."""

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

from onnxlet import DateParts
from onnxlet.convert.estimators.date_parts import KNOWN
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served

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

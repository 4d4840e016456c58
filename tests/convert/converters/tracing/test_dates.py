"""Dates in functions, as people write them, built and served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served

RANDOM = np.random.default_rng(0)
MOMENTS = pd.Series(
    pd.Timestamp("2019-11-30 22:10:05") + pd.to_timedelta(RANDOM.integers(0, 900 * 86_400, 90), "s")
)
OTHERS = MOMENTS - pd.to_timedelta(RANDOM.integers(0, 10**6, 90), "s")
Y = MOMENTS.dt.month * 1.0 + MOMENTS.dt.hour / 24


def parts(X: Any) -> Any:
    when = X["when"]
    return pd.DataFrame(
        {
            "year": when.dt.year,
            "month": when.dt.month,
            "weekday": when.dt.day_of_week,
            "hour": when.dt.hour,
            "day of year": when.dt.day_of_year,
            "week": when.dt.isocalendar().week.astype(float),
            "quarter": when.dt.quarter,
            "last": when.dt.is_month_end.astype(float),
            "leap": when.dt.is_leap_year.astype(float),
            "days": when.dt.days_in_month,
            "weekend": (when.dt.day_of_week >= 5).astype(int),
            "sine": np.sin(2 * np.pi * when.dt.month / 12),
            "late": (when > "2021-06-01").astype(float),
            "between": when.between("2020-02-01", "2021-06-01").astype(float),
            "monday": (when.dt.day_name() == "Monday").astype(float),
            "seconds": (when.dt.floor("D") - pd.Timestamp("2020-01-01")).dt.total_seconds() / 1e6,
        }
    )


def read_first(form: str, **options: Any) -> Callable[[Any], Any]:
    def read(X: Any) -> Any:
        X = X.copy()
        X["when"] = pd.to_datetime(X["when"], format=form, **options)
        return parts(X).drop(columns="sine")  # a tree may part sines that differ in rounding only

    return read


def model_of(function: Callable[[Any], Any], X: Any, last: Any = None) -> Any:
    return make_pipeline(FunctionTransformer(function), last or Ridge()).fit(X, Y)


def answers(models: Path, rows: Any) -> tuple[int, Any]:
    response = served(models).post("/predict", json={"instances": rows})
    return response.status_code, response.get_json()


def check(model: Any, X: pd.DataFrame, rows: list[Any], expected: Any, models: Path) -> Any:
    """The build is accepted, and its answers to the rows are the model's."""
    result = built(Source(model, X), models)
    status, answer = answers(models, rows)
    assert status == 200, answer
    np.testing.assert_allclose(answer["prediction"], expected, rtol=1e-5)
    return result.manifest["signature"]["inputs"]


def test_a_column_of_dates(tmp_path: Path) -> None:
    X = pd.DataFrame({"when": MOMENTS})
    model = model_of(parts, X)
    rows = pd.DataFrame({"when": pd.to_datetime(["2024-02-29 23:59:59", "1950-01-01 00:00:00"])})

    [column] = check(
        model, X, [["2024-02-29T23:59:59"], ["1950-01-01"]], model.predict(rows), tmp_path
    )

    assert (column["type"], column["nullable"]) == ("date", False)
    client = served(tmp_path)
    wrong = ["yesterday", "2024-02-30", "2024-02-29T10:00Z", 20240229, None, "1492-10-12"]
    response = client.post("/predict", json=[[cell] for cell in wrong])
    assert (response.status_code, len(response.get_json()["errors"])) == (422, len(wrong))
    details = [error["detail"] for error in response.get_json()["errors"]]
    assert details[0] == "expected a date such as 2026-03-25T14:30:00, got 'yesterday'"
    assert details[3].startswith("expected a date as text, got 20240229; pandas writes text by df")


@pytest.mark.parametrize(
    ("form", "other"),
    [
        ("%Y-%m-%d", "2024-02-29"),
        ("%d/%m/%Y", "29/02/2024"),
        ("%m/%d/%Y", "02/29/2024"),
        ("%Y-%m-%d %H:%M:%S", "2024-02-29 13:00:01"),
        ("%Y%m%d", "20240229"),
        ("%d %B %Y", "29 February 2024"),
    ],
)
def test_text_that_is_read_as_dates(form: str, other: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"when": MOMENTS.dt.strftime(form).astype(object)})
    model = model_of(read_first(form), X, DecisionTreeRegressor(max_depth=4))

    [column] = check(model, X, [[other]], model.predict(pd.DataFrame({"when": [other]})), tmp_path)

    assert (column["type"], column["format"]) == ("date", form)
    assert answers(tmp_path, [["29.2.24"]])[0] == 422


def test_dates_that_are_no_dates_may_be_missing(tmp_path: Path) -> None:
    texts = MOMENTS.dt.strftime("%Y-%m-%d").astype(object).where(RANDOM.random(90) > 0.2, "unknown")
    X = pd.DataFrame({"when": texts})

    def years(X: Any) -> Any:
        when = pd.to_datetime(X["when"], format="%Y-%m-%d", errors="coerce")
        return pd.DataFrame({"year": when.dt.year.fillna(0), "known": when.notna().astype(int)})

    model = model_of(years, X)
    rows = [["2024-02-29"], ["2024-13-29"], ["yesterday"]]
    expected = model.predict(pd.DataFrame(rows, columns=["when"]))

    [column] = check(model, X, rows, expected, tmp_path)

    assert column["type"] == "string"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_dates_in_a_zone_count_there(zone: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"when": MOMENTS.dt.tz_localize("UTC").dt.tz_convert(zone)})

    def clock(X: Any) -> Any:
        when = X["when"].dt
        return pd.DataFrame({"hour": when.hour, "day": when.day, "weekday": when.day_of_week})

    model = model_of(clock, X)
    texts = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T02:30:00+02:00"]
    moments = pd.Series(pd.to_datetime(texts, utc=True)).dt.tz_convert(zone)

    expected = model.predict(pd.DataFrame({"when": moments}))
    [column] = check(model, X, [[text] for text in texts], expected, tmp_path)

    assert (column["type"], column["zone"]) == ("date", zone)
    assert answers(tmp_path, [["2026-03-29T00:59:59"]])[0] == 422


def test_dates_in_a_zone_are_taken_to_another_clock_and_compared(tmp_path: Path) -> None:
    begun, ended = (
        one.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
        for one in (OTHERS[:40], MOMENTS[:40])
    )
    X = pd.DataFrame({"begun": begun, "ended": ended})
    bound = pd.Timestamp("2020-06-01 02:30", tz="Asia/Tokyo")

    def clocks(X: Any) -> Any:
        begun, ended = X["begun"], X["ended"]
        local = ended.dt.tz_localize(None)
        return pd.DataFrame(
            {
                "there": ended.dt.tz_convert("America/New_York").dt.hour,
                "from there": ended.dt.tz_convert("Asia/Tokyo").dt.tz_convert("UTC").dt.day,
                "none": ended.dt.tz_convert(None).dt.hour,
                "read again": pd.to_datetime(ended, utc=True).dt.hour,
                "as if": local.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").dt.hour,
                "took": (ended - begun).dt.total_seconds() / 1e5,
                "by the clock": (local - begun.dt.tz_localize(None)).dt.total_seconds() / 1e5,
                "late": (ended > bound).astype(float),
                "two clocks": (begun.dt.tz_convert("Asia/Tokyo") < ended).astype(float),
            }
        )

    model = make_pipeline(FunctionTransformer(clocks), Ridge()).fit(X, Y[:40])
    texts = [
        ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"],
        ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"],
        ["2020-05-31T17:30:00Z", "2020-05-31T17:30:01Z"],
    ]
    rows = pd.DataFrame(texts, columns=["begun", "ended"]).apply(pd.to_datetime, utc=True)
    rows = rows.apply(lambda column: column.dt.tz_convert("Europe/Berlin"))

    check(model, X, texts, model.predict(rows), tmp_path)


def test_a_zone_in_which_dates_were_rounded_is_their_last(tmp_path: Path) -> None:
    X = pd.DataFrame({"when": MOMENTS.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")})
    model = model_of(
        lambda X: X["when"].dt.floor("D").dt.tz_convert("UTC").dt.hour.to_frame(), X
    )  # fmt: skip
    with pytest.raises(Refusal, match="a zone's clock was rounded in"):
        built(Source(model, X), tmp_path)


def test_differences_between_dates(tmp_path: Path) -> None:
    X = pd.DataFrame({"begun": OTHERS, "ended": MOMENTS})
    X.loc[::9, "ended"] = pd.NaT

    def durations(X: Any) -> Any:
        took = X["ended"] - X["begun"]
        since = pd.Timestamp("2024-01-01") - X["begun"]
        return pd.DataFrame(
            {
                "days": took.dt.days.fillna(-1),
                "hours": (took / pd.Timedelta("1h")).fillna(-1),
                "long": (took > pd.Timedelta("3D")).astype(float),
                "seconds": took.dt.seconds.fillna(0),
                "since": since.dt.total_seconds() / 86_400,
                "open": X["ended"].isna().astype(float),
            }
        )

    model = model_of(durations, X)
    rows = [["2020-01-01T10:00:00", "2020-01-05T09:59:59.5"], ["2020-01-01", None]]
    frame = pd.DataFrame(
        {"begun": pd.to_datetime(["2020-01-01T10:00:00", "2020-01-01"], format="ISO8601"),
         "ended": pd.Series([pd.Timestamp("2020-01-05T09:59:59.5"), pd.NaT])}
    )  # fmt: skip

    columns = check(model, X, rows, model.predict(frame), tmp_path)

    assert [column["nullable"] for column in columns] == [False, True]


def test_an_index_that_was_made_a_column(tmp_path: Path) -> None:
    indexed = pd.DataFrame({"n": Y.to_numpy()}, index=pd.DatetimeIndex(MOMENTS, name="when"))
    X = indexed.reset_index()
    model = model_of(lambda X: X.assign(month=X["when"].dt.month).drop(columns="when"), X)
    rows = pd.DataFrame({"when": pd.to_datetime(["2024-02-29"]), "n": [1.5]})

    check(model, X, [{"when": "2024-02-29", "n": 1.5}], model.predict(rows), tmp_path)


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (
        lambda X: pd.to_datetime(X["text"], errors="coerce").dt.year.to_frame(),
        "guesses the form of dates",
    ),
    (lambda X: X["when"].dt.to_period("M").to_frame(), r"\.dt\.to_period has no conversion"),
    (lambda X: (X["when"] + pd.Timedelta("1D")).dt.day.to_frame(), "computes np.add of dates"),
    (lambda X: X["when"].astype("int64").to_frame(), "it takes dates for numbers"),
    (lambda X: X["when"].fillna(pd.Timestamp(0)).dt.day.to_frame(), "it takes dates for numbers"),
    (lambda X: X["when"].apply(lambda d: d.month).to_frame(), r"an element's \.month has no conv"),
    (lambda X: pd.DatetimeIndex(X["when"]).month, "a function that wants their values"),
    (lambda X: X[["when"]] if X["when"].dtype.kind == "M" else X, "asks for the dtype of dates"),
    (lambda X: X[["when"]], "given dates where it computes with numbers"),
    (lambda X: X["when"].dt.ceil("D").dt.day.to_frame(), r"\.dt\.ceil has no conversion"),
    (lambda X: X["when"].dt.floor("7D").dt.day.to_frame(), r"\.dt\.floor\('7D'\)"),
]


@pytest.mark.parametrize(("function", "reason"), REFUSED)
def test_what_is_refused(function: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"when": MOMENTS, "text": ["2020-01-01", "2020-02-03", "other"] * 30})
    model = make_pipeline(FunctionTransformer(), FunctionTransformer()).fit(X)
    model.steps[0][1].set_params(func=function)

    with pytest.raises(Refusal, match=reason):
        built(Source(model, X), tmp_path)

    assert not list(tmp_path.iterdir())


ODD_TEXTS = [
    "2024-3-5",
    "2024-01-1",
    "9999-12-31",
    "0001-01-01",
    "2024-02-30",
    " 2024-01-01",
    "NaT",
]


def test_dates_that_are_coerced_are_read_as_pandas_reads_them(tmp_path: Path) -> None:
    def read(X: Any) -> Any:
        when = pd.to_datetime(X["when"], format="%Y-%m-%d", errors="coerce")
        return pd.DataFrame({"year": when.dt.year, "day": when.dt.day}).fillna(-1.0)

    X = pd.DataFrame({"when": MOMENTS.dt.strftime("%Y-%m-%d").astype(object)})
    expected = read(pd.DataFrame({"when": pd.Series(ODD_TEXTS, dtype=object)}))
    model = FunctionTransformer(read).fit(X)

    check(model, X, [[text] for text in ODD_TEXTS], expected, tmp_path)


NOON = pd.Timestamp("2021-06-01 12:00:00")


@pytest.mark.parametrize(
    "compute",
    [
        lambda when: (NOON - when).dt.days,
        lambda when: when < NOON,
        lambda when: when != NOON,
        lambda when: abs(NOON - when) >= pd.Timedelta("1D"),
    ],
)
def test_what_is_computed_of_dates_is_not_rounded_to_minutes(
    compute: Callable[[Any], Any], tmp_path: Path
) -> None:
    X = pd.DataFrame({"when": MOMENTS})
    steps = pd.to_timedelta([-86_400, -86_399, -3600, -1, 0, 1, 3600, 86_399, 86_401], "s")
    near = pd.DataFrame({"when": NOON - steps})
    rows = [[moment.isoformat()] for moment in near["when"]]
    model = FunctionTransformer(lambda X: compute(X["when"]).astype(float).to_frame()).fit(X)

    check(model, X, rows, model.transform(near), tmp_path)


def test_flags_of_a_missing_date_are_false(tmp_path: Path) -> None:
    def flags(X: Any) -> Any:
        return pd.DataFrame({"end": X["when"].dt.is_month_end, "leap": X["when"].dt.is_leap_year})

    X = pd.DataFrame({"when": MOMENTS.where(RANDOM.random(90) > 0.2)})
    model = FunctionTransformer(lambda X: flags(X).astype(float)).fit(X)

    check(model, X, [[None], ["2024-02-29"], ["2023-01-31"]], [[0, 0], [1, 1], [1, 0]], tmp_path)

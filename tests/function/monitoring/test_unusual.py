"""Rows compared with training rows, a second way: by brute force over the training table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet import DateParts
from onnxlet.convert.directory.unusual import CHANCE, MOST_BYTES, MOST_SEEN
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.errors import ModelError
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.compared import COLUMNS, RARE, columns_of
from onnxlet.function.monitoring.unusual import Comparison, hashed
from onnxlet.function.monitoring.watch import BLOCK_ROWS, KEY_ROWS
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict, read
from onnxlet.function.serving.unusual import comparison_of
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of
from tests.estimators import every_task
from tests.function.monitoring.models import built, customers, reviews, rows_of
from tests.page.sites import hostile, visits

TRAINED = 3000


def table(rows: int, seed: int) -> pd.DataFrame:
    """Numbers with gaps and ties, whole numbers, booleans, categories, names and dates."""
    X, _ = customers(rows, seed)
    random = np.random.default_rng(seed + 100)
    X["once"] = random.random(rows) < 0.5
    X["rare"] = random.choice(["a", "b", "c"], rows, p=[0.7, 0.298, 0.002])
    X["street"] = [f"street {n}" for n in random.integers(0, 4000, rows)]
    X["gap"] = pd.Series(random.choice(["x", "y"], rows)).mask(random.random(rows) < 0.1)
    X["price"] = random.pareto(2.5, rows)
    return X


@pytest.fixture(scope="module")
def trained() -> pd.DataFrame:
    return table(TRAINED, 0)


@pytest.fixture(scope="module")
def model(trained: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Model:
    numbers = ["number", "bool"]
    texts = make_column_selector(dtype_exclude=numbers)
    columns = make_column_transformer(
        ("passthrough", make_column_selector(dtype_include=numbers)),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=9), texts),
        sparse_threshold=0,
    )
    fitted = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=5))
    fitted.fit(trained, trained["visits"])
    held_out = table(600, 1)
    source = Source(fitted, held_out, held_out["visits"], trained)
    return built(source, tmp_path_factory.mktemp("models"))


def compared(model: Model, X: pd.DataFrame) -> list[Any]:
    comparison = Comparison(model.manifest, model.signature)
    return comparison.of(read(model, native.from_object(rows_of(X))))


def test_no_training_row_is_outside_by_a_column(model: Model, trained: pd.DataFrame) -> None:
    for frame in (trained, *(trained[n : n + 1] for n in range(300))):
        assert all(row is None or row["columns"] == {} for row in compared(model, frame))


def test_rows_like_them_are_seldom_marked(model: Model) -> None:
    new = compared(model, table(4000, 7))
    assert np.mean([row is not None for row in new]) < 0.02
    assert np.mean([bool(row and row["columns"]) for row in new]) < 3 * CHANCE
    held_out = model.manifest["unusual"]["held_out"]
    assert held_out["rows"] == 600
    assert held_out["unusual"] == sum(r is not None for r in compared(model, table(600, 1)))


def test_what_no_training_row_has_is_outside(model: Model, trained: pd.DataFrame) -> None:
    """By brute force, whatever the margins: nothing within the range, all that is far beyond it."""
    for name in ("age", "income", "visits", "price"):
        low, high = trained[name].min(), trained[name].max()
        spread = high - low
        cases = [low, (low + high) // 2, high, high + 9 * spread, low - 9 * spread]
        frame = pd.concat([trained[:1]] * len(cases), ignore_index=True)
        frame[name] = pd.Series(cases).astype(trained[name].dtype)
        got = [(row or {"columns": {}})["columns"].get(name) for row in compared(model, frame)]
        assert got[:3] == [None] * 3, name
        assert [each["outside"] for each in got[3:]] == ["above", "below"], name
        tenths = np.sort(trained[name].dropna())
        ends = [tenths[int(share * (len(tenths) - 1))] for share in (0.05, 0.95)]
        assert got[3]["usual"] == pytest.approx(ends)


def test_numbers_that_an_encoder_takes_are_categories(tmp_path: Path) -> None:
    """Of a postcode the next number is unseen, be it within the range or not."""
    random = np.random.default_rng(0)
    codes = np.array([1067, 4109, 10115, 50667, 80331])
    X = pd.DataFrame({"code": random.choice(codes, 600), "area": random.normal(90, 9, 600)})
    X["gap"] = pd.Series(random.choice([1.5, 2.5, 4.0], 600)).mask(random.random(600) < 0.1)
    y = X["area"] + X["code"].isin(codes[:2])
    encoder = OneHotEncoder(handle_unknown="ignore"), ["code", "gap"]
    fitted = make_pipeline(make_column_transformer(encoder, remainder="passthrough"), Ridge())
    fitted.fit(X[:400], y[:400])
    made = built(Source(fitted, X[400:], y[400:], X[:400]), tmp_path)

    known = made.manifest["statistics"]["columns"]
    counts = X["code"][:400].value_counts()
    assert dict(known["code"]["frequent"]) == counts.to_dict()
    assert "frequent" not in known["area"]
    cells = [1067, 47113, 1068, 99999, 4109, 4109], [1.5, 1.5, None, 4.0, 2.0, 2.5]
    frame = pd.DataFrame({"code": cells[0], "area": 90.0, "gap": cells[1]})
    whole = compared(made, frame)
    assert whole == [compared(made, frame[n : n + 1])[0] for n in range(len(frame))]
    got = [(row or {"columns": {}})["columns"] for row in whole]
    outside = [{name: about["outside"] for name, about in row.items()} for row in got]
    code, gap = {"code": "unseen"}, {"gap": "unseen"}
    assert outside == [{}, code, code, code, gap, {}]
    assert sorted(got[1]["code"]["usual"]) == sorted(codes.tolist())


def test_categories_and_gaps(model: Model, trained: pd.DataFrame) -> None:
    frame = pd.concat([trained[:1]] * 7, ignore_index=True).astype(object)
    frame.loc[0, "plan"] = "Mars"
    frame.loc[1, "region"] = "r3 "
    frame.loc[2, "rare"] = "c"  # six of three thousand
    frame.loc[3, "plan"] = None  # which no training row has
    frame.loc[4, "gap"] = None  # which some have
    frame.loc[5, "income"] = None
    frame.loc[6, "street"] = "street 9999"  # new streets come all the time
    got = [(row or {"columns": {}})["columns"] for row in compared(model, frame)]
    plans = trained["plan"].value_counts().index.tolist()
    counts = trained["region"].value_counts().to_dict()
    regions = sorted(counts, key=lambda region: (-counts[region], region))[:5]
    assert got == [
        {"plan": {"outside": "unseen", "usual": plans}},
        {"region": {"outside": "unseen", "usual": regions}},
        {},
        {"plan": {"outside": "missing", "usual": plans}},
        {}, {}, {},
    ]  # fmt: skip


def test_rare_categories_do_not_stand_in_the_manifest(model: Model) -> None:
    entry = model.manifest["unusual"]
    assert set(entry["categories"]) == {"plan", "region", "rare", "gap"}
    assert entry["categories"]["gap"] == "".join(sorted(f"{hashed(t):06x}" for t in "xy"))
    assert "street" not in json.dumps(entry["categories"])
    assert '"c"' not in json.dumps(entry)


def score_of(row: pd.Series, trained: pd.DataFrame, features: Mapping[str, Any]) -> float:
    """Over all columns -ln of how many training rows are as far out, counted row by row."""
    total = 0.0
    for name, feature in features.items():
        values = trained[name]
        if "edges" in feature:
            numbers = values.astype(float)
            bins = numbers.map(lambda v, e=feature["edges"]: sum(v > edge for edge in e))
            own = sum(float(row[name]) > edge for edge in feature["edges"])
            bins = bins[numbers.notna()]
            mine, below = (bins == own).sum(), (bins < own).sum()
            rank = below + mine / 2
            rows = 2 * min(rank, numbers.notna().sum() - rank)
            share = (values.isna().sum() if row[name] != row[name] else rows) / len(values)
        else:
            counts = dict(zip(feature["categories"], feature["counts"], strict=False))
            missing, other = feature["missing"], feature["counts"][-1]
            mine = missing if pd.isna(row[name]) else counts.get(row[name], other)
            tail = sum(n for n in feature["counts"] if n <= mine)
            rows = missing if pd.isna(row[name]) else tail
            share = max(rows, 0.5) / (sum(feature["counts"]) + missing)
        total -= log(share)
    return total


def test_the_score_counted_row_by_row(model: Model, trained: pd.DataFrame) -> None:
    features = {
        feature["column"]: feature
        for feature in model.manifest["reference"]["features"]
        if feature.get("column") and feature["measure"] == "value"
    }
    some = table(60, 3)
    comparison = Comparison(model.manifest, model.signature)
    got = comparison.scores(read(model, native.from_object(rows_of(some))))
    expected = [score_of(row, trained, features) for _, row in some.iterrows()]
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    # Of the training rows themselves, as many have a higher score as the manifest says.
    scores = comparison.scores(read(model, native.from_object(rows_of(trained))))
    entry = model.manifest["unusual"]
    for limit, share in zip(entry["limits"], entry["shares"], strict=True):
        assert np.mean(scores > limit) <= share
        assert np.mean(scores > limit - 0.002) >= share - 0.02


def test_one_row_has_the_score_that_it_has_among_others(model: Model) -> None:
    some = table(300, 5)
    some.loc[::3, "price"] *= 50
    some.loc[::7, "income"] = np.nan
    many = compared(model, some)
    assert many == [compared(model, some[n : n + 1])[0] for n in range(300)]
    assert sum(row is not None for row in many) > 30


def test_a_row_that_is_odd_as_a_whole(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(900, 12))
    model = built(Source(LinearRegression().fit(X, X[:, 0]), X), tmp_path)
    odd = np.full(12, 2.2)  # each of them by itself is nothing much
    comparison = Comparison(model.manifest, model.signature)
    [found] = comparison.of(read(model, native.from_object([odd.tolist()])))
    assert found is not None
    assert (found["columns"], found["column_count"], found["share"]) == ({}, 0, 0.0)
    assert found["score"] > model.manifest["unusual"]["limits"][-1]
    settings = Settings(tmp_path, unusual="refuse")
    client = client_of(create_app(tmp_path, settings=settings, log=lambda entry: None))
    answer = client.post("/predict", [odd.tolist()])
    [problem] = answer.json()["errors"]
    assert (answer.status, problem["column"]) == (422, None)
    assert problem["detail"].startswith("unlike the training rows as a whole: its score is ")


@pytest.mark.long
@pytest.mark.parametrize("width", [2, 784, 5000])
def test_it_takes_16_kilobytes_whatever_the_table(tmp_path: Path, width: int) -> None:
    X = np.random.default_rng(0).normal(size=(120, width))
    model = built(Source(LinearRegression().fit(X, X[:, 0]), X), tmp_path)
    assert len(json.dumps(model.manifest["unusual"], separators=(",", ":"))) <= MOST_BYTES
    comparison = Comparison(model.manifest, model.signature)
    wild = X[:2].copy()
    wild[1, -1] = 1e6  # a column for whose margin there may have been no room
    ordinary, found = comparison.of(read(model, native.from_object(wild.tolist())))
    assert ordinary is None or ordinary["columns"] == {}
    assert found is not None
    assert list(found["columns"]) == [f"x{width - 1}"]
    everything = comparison.of(read(model, native.from_object((X[:1] + 1e6).tolist())))[0]
    assert everything is not None
    assert everything["column_count"] == width
    assert len(everything["columns"]) == min(20, width)
    assert len(columns_of(model.manifest)) <= COLUMNS + 1


def test_texts_that_are_read_are_no_categories(tmp_path: Path) -> None:
    model = built(reviews(), tmp_path)
    assert model.manifest["unusual"]["categories"] == {}
    found = predict(model, native.from_object({"instances": [["x" * 99_000]], "unusual": True}))
    assert found.outputs["unusual"].tolist() == [None]


def test_many_categories_are_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"few": random.choice(["a", "b"], 4000)})
    X["many"] = [f"m{n % (MOST_SEEN + 1)}" for n in range(4000)]
    fitted = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression())
    model = built(Source(fitted.fit(X, np.arange(4000)), X[:100], X_train=X), tmp_path)
    assert list(model.manifest["unusual"]["categories"]) == ["few"]


@pytest.mark.parametrize("name", [*every_task(), "visits", "hostile"])
def test_no_row_of_any_kind_of_model_is_outside_its_own(name: str, tmp_path: Path) -> None:
    source = {**every_task(), "visits": visits(), "hostile": hostile()}[name]
    model = built(source, tmp_path)
    rows = source.X_test if source.X_train is None else source.X_train
    frame = rows if isinstance(rows, pd.DataFrame) else None
    if frame is not None:
        cells = json.loads(frame.to_json(orient="records", date_format="iso", double_precision=15))
    else:
        cells = [np.ravel(row).tolist() for row in np.asarray(rows)]
    found = predict(model, native.from_object({"instances": cells, "unusual": True}))
    assert all(row is None or row["columns"] == {} for row in found.outputs["unusual"])


def test_dates(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", "2023-12-31", freq="D").strftime("%Y-%m-%d")
    X = pd.DataFrame({"day": days, "x": np.arange(len(days)) % 7.0})
    fitted = make_pipeline(
        make_column_transformer((DateParts(["year", "month"]), ["day"]), ("passthrough", ["x"])),
        LinearRegression(),
    )
    model = built(Source(fitted.fit(X, X["x"]), X[:50], X_train=X), tmp_path)
    assert model.manifest["unusual"]["dates"]["day"][:2] == ["2020-01-01", "2023-12-31"]
    asked = ["2020-01-01", "2023-12-30", "2027-12-31", "2028-01-03", "2150-05-05",
             "2016-01-01", "2015-12-30"]  # fmt: skip
    rows = [{"day": day, "x": 1.0} for day in asked]
    found = predict(model, native.from_object({"instances": rows, "unusual": True}))
    marks = [(row or {"columns": {}})["columns"].get("day") for row in found.outputs["unusual"]]
    sides = [mark and mark["outside"] for mark in marks]
    assert sides == [None, None, None, "above", "above", None, "below"]
    assert marks[-1]["usual"] == ["2020-03-14", "2023-10-19"]


def test_a_boolean_that_was_always_the_same(tmp_path: Path) -> None:
    X = pd.DataFrame({"on": [True] * 60, "x": np.arange(60.0)})
    model = built(Source(LinearRegression().fit(X, X["x"]), X), tmp_path)
    rows = [{"on": on, "x": 3.0} for on in (True, False)]
    found = predict(model, native.from_object({"instances": rows, "unusual": True}))
    first, second = found.outputs["unusual"].tolist()
    assert first is None
    assert second["columns"] == {"on": {"outside": "below", "usual": [True]}}


@pytest.mark.parametrize(
    "edit", [{"margins": 3}, {"limits": ["x"]}, {"categories": {"plan": "zz"}}]
)
def test_a_manifest_that_somebody_edited_is_named(model: Model, edit: dict[str, Any]) -> None:
    manifest = {**model.manifest, "unusual": {**model.manifest["unusual"], **edit}}
    with pytest.raises(ModelError, match="'unusual' can't be read"):
        comparison_of(model.with_manifest(manifest))


# what is counted

KEYS = [f"key-{n}" for n in range(5)]


def counting(model: Model, unusual: str = "off", keys: bool = False) -> Client:
    import hashlib

    digests = {k: hashlib.sha256(k.encode()).digest() for k in KEYS} if keys else {}
    assert model.directory is not None
    settings = Settings(owned=not keys, unusual=unusual, api_keys=digests)
    return client_of(create_app(model.directory.parents[1], settings=settings, log=lambda e: None))


def ask(client: Client, X: pd.DataFrame, query: str = "", key: str = "") -> None:
    headers = {"X-API-Key": key} if key else {}
    assert client.post(f"/models/m/predict{query}", rows_of(X), headers).status == 200


def figures(client: Client, key: str = "") -> Any:
    return client.get("/models/m/drift", {"X-API-Key": key} if key else {}).json()["unusual"]


def test_rows_are_counted_in_blocks(model: Model) -> None:
    client = counting(model)
    X = table(260, 9)
    X.loc[:9, "plan"] = "Mars"
    X.loc[5:7, "age"] = 1000.0
    ask(client, X)
    assert figures(client)["total"] == {"compared": 0, "rows": 0, "whole": 0, "columns": {}}
    ask(client, X[: BLOCK_ROWS - 1], "?unusual=true")
    ask(client, X)
    assert figures(client)["total"]["compared"] == 0  # too few to be shown, whatever else came
    ask(client, X[:1], "?unusual=true")
    ask(client, X)
    marked = [r for r in [*compared(model, X[: BLOCK_ROWS - 1]), *compared(model, X[:1])] if r]
    whole = sum(row["share"] <= RARE for row in marked)
    expected = {"compared": 100, "rows": len(marked), "whole": whole,
                "columns": {"age": 3, "plan": 11}}  # fmt: skip
    found = figures(client)
    assert found["total"] == expected
    assert found["window"] == expected


def test_rows_of_one_key_are_not_shown_to_others(model: Model) -> None:
    client = counting(model, keys=True)
    X = table(400, 9)
    for key in KEYS:
        ask(client, X, key=key)
    ask(client, X, "?unusual=true", KEYS[0])
    for key in KEYS:
        ask(client, X, key=key)
    assert figures(client, KEYS[1])["total"]["compared"] == 0
    for key in KEYS[1:]:
        ask(client, X[:KEY_ROWS], "?unusual=true", key)
    for key in KEYS:
        ask(client, X, key=key)
    assert figures(client, KEYS[1])["total"]["compared"] == 400 + 4 * KEY_ROWS


def test_refused_rows_are_counted_by_their_reason(model: Model) -> None:
    client = counting(model, "refuse")
    X = table(500, 11)
    marks = compared(model, X)
    X = X[[row is None for row in marks]][:300]
    ask(client, X)
    odd = X[:1].assign(plan="Mars")
    assert client.post("/models/m/predict", rows_of(odd)).status == 422
    report = client.get("/models/m/drift").json()
    assert report["refused"] == {"plan: unlike the training rows": 1}
    assert report["unusual"]["total"]["compared"] == 300
    assert report["unusual"]["total"]["rows"] == 0

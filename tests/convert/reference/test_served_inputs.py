"""X_test in every form, built and asked over HTTP: the answers are scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, objects, served

NAN = float("nan")
random = np.random.default_rng(4)
COUNT = 60
NUMBERS = random.normal(size=(COUNT, 3))
Y = NUMBERS @ [1.0, 2.0, -1.0]


class Served:
    """A built model behind HTTP, and its signature."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.manifest = built(source, folder).manifest
        self.client = served(folder)

    def predict(self, instances: Sequence[Any]) -> list[Any]:
        got = self.client.post("/predict", json={"instances": list(instances)})
        assert got.status_code == 200, got.json
        return list(got.json["prediction"])

    def refusal(self, instance: Any) -> str:
        got = self.client.post("/predict", json={"instances": [instance]})
        assert got.status_code == 422, got.json
        return str(got.json)

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """The columns by name; those of a bare array of one type stand in one tensor."""
        entries = self.manifest["signature"]["inputs"]
        return {c["name"]: c for entry in entries for c in entry.get("columns", [entry])}


# Only texts

FILMS = ["a good film", "bad, very bad", "good", "", "the film is bad", "good good FILM"] * 10
LIKED = [("good" in film) for film in FILMS]


@pytest.mark.parametrize("make", [list, pd.Series, objects, np.array], ids=lambda m: m.__name__)
def test_only_texts(make: Any, tmp_path: Path) -> None:
    X = make(FILMS)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(X, LIKED)

    served = Served(Source(model, X), tmp_path)

    new = ["a film", "GOOD!", "nothing known", "bad film 1 good"]
    assert list(served.inputs) == ["x0"]
    assert served.predict([[text] for text in new]) == model.predict(new).tolist()
    assert served.predict([{"x0": text} for text in new]) == model.predict(new).tolist()
    assert "x0" in served.refusal([None])


# Arrays


def test_an_array_of_objects_by_position(tmp_path: Path) -> None:
    X = np.empty((COUNT, 4), dtype=object)
    X[:, 0], X[:, 1] = NUMBERS[:, 0].tolist(), random.choice(["red", "blue"], COUNT).tolist()
    X[:, 2], X[:, 3] = random.integers(0, 9, COUNT).tolist(), (NUMBERS[:, 1] > 0).tolist()
    X[::7, 0] = NAN
    columns = make_column_transformer(
        (SimpleImputer(), [0]),
        (OneHotEncoder(handle_unknown="ignore"), [1]),
        ("passthrough", [2, 3]),
    )
    model = make_pipeline(columns, Ridge()).fit(X, Y)

    served = Served(Source(model, X), tmp_path)

    assert [entry["type"] for entry in served.inputs.values()] == [
        "float64", "string", "int64", "bool"
    ]  # fmt: skip
    rows: list[list[Any]] = [
        [0.5, "red", 3, True],
        [None, "green", 0, False],
        [-2, "blue", 7, False],
    ]
    array = np.array(
        [[NAN if cell is None else cell for cell in row] for row in rows], dtype=object
    )
    assert served.predict(rows) == pytest.approx(model.predict(array))
    named = [dict(zip(served.inputs, row, strict=True)) for row in rows]
    assert served.predict(named) == pytest.approx(model.predict(array))
    assert "x1" in served.refusal([0.5, 1.5, 3, True])


# Pandas' own types

SIZES = pd.Categorical(random.choice(["S", "M", "L"], COUNT), categories=["S", "M", "L", "XL"])
DOORS = pd.Categorical(random.choice([2, 3, 5], COUNT))


def test_categoricals_that_an_encoder_is_given(tmp_path: Path) -> None:
    X = pd.DataFrame({"size": SIZES, "doors": DOORS, "a": NUMBERS[:, 0]})
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["size", "doors"]), remainder="passthrough"
    )
    model = make_pipeline(columns, Ridge()).fit(X, Y)

    served = Served(Source(model, X), tmp_path)

    assert [entry["type"] for entry in served.inputs.values()] == ["string", "int64", "float64"]
    rows = [["M", 5, 0.1], ["XL", 2, 0.2], ["unseen", 4, 0.3], ["S", -1, 0.4]]
    frame = pd.DataFrame(rows, columns=list(X.columns))
    assert served.predict(rows) == pytest.approx(model.predict(frame))
    assert "size" in served.refusal([3, 5, 0.1])


def test_categoricals_that_boosting_looks_at(tmp_path: Path) -> None:
    X = pd.DataFrame({"size": SIZES, "doors": DOORS, "a": NUMBERS[:, 0]})
    y = Y + 3 * (X["size"] == "M") - 2 * (X["doors"] == 3)
    model = HistGradientBoostingRegressor(
        max_iter=8, min_samples_leaf=4, categorical_features="from_dtype"
    ).fit(X, y)
    assert model.is_categorical_.tolist() == [True, True, False]

    served = Served(Source(model, X), tmp_path)

    rows: list[list[Any]] = [["M", 5, 0.1], ["XL", 2, 0.2], [None, 3, NAN], ["unseen", 4, 0.3]]
    frame = pd.DataFrame(rows, columns=list(X.columns)).assign(
        size=pd.Categorical([row[0] for row in rows]),
        doors=pd.Categorical([row[1] for row in rows]),
    )
    assert served.predict(rows[:2]) == pytest.approx(model.predict(frame[:2]))
    sent = [[None if cell is NAN else cell for cell in row] for row in rows]
    assert served.predict(sent) == pytest.approx(model.predict(frame))


def test_nullable_whole_numbers_and_booleans(tmp_path: Path) -> None:
    X = pd.DataFrame(
        {
            "n": pd.array([None if share < 0.2 else 7 for share in random.random(COUNT)], "Int64"),
            "m": pd.array(random.integers(0, 50, COUNT), dtype="Int32"),
            "b": pd.array(NUMBERS[:, 1] > 0, dtype="boolean"),
        }
    )
    X.loc[1, "n"] = 2
    model = make_pipeline(SimpleImputer(), StandardScaler(), Ridge())
    plain = X.astype({"n": "float64", "m": "int64", "b": "bool"})
    model.fit(plain, Y)

    served = Served(Source(model, X), tmp_path)

    assert {name: entry["type"] for name, entry in served.inputs.items()} == {
        "n": "int64", "m": "int64", "b": "bool"
    }  # fmt: skip
    assert served.inputs["n"]["nullable"]
    rows = [[None, 3, True], [2, 40, False], [9, 0, True]]
    frame = pd.DataFrame(rows, columns=["n", "m", "b"])
    assert served.predict(rows) == pytest.approx(model.predict(frame))
    assert "n" in served.refusal([1.5, 3, True])


# Columns that a model drops, or needs

DATES = pd.date_range("2024-01-01", periods=COUNT)


@pytest.mark.parametrize(
    "when",
    [DATES, objects([date.date() for date in DATES]), objects(["a", 1] * (COUNT // 2))],
    ids=["timestamps", "dates", "mixed"],
)
def test_a_column_without_a_form_is_optional_where_the_model_drops_it(
    when: Any, tmp_path: Path
) -> None:
    X = pd.DataFrame({"a": NUMBERS[:, 0], "when": when, "b": NUMBERS[:, 1]})
    columns = make_column_transformer((StandardScaler(), ["a", "b"]))
    model = make_pipeline(columns, LinearRegression()).fit(X, Y)

    served = Served(Source(model, X), tmp_path)

    assert served.inputs["when"]["required"] is False
    expected = model.predict(pd.DataFrame({"a": [0.5], "b": [-1.0], "when": [None]}))
    for instance in (
        {"a": 0.5, "b": -1.0},
        {"a": 0.5, "b": -1.0, "when": "2024-02-30"},
        {"a": 0.5, "b": -1.0, "when": None},
    ):
        assert served.predict([instance]) == pytest.approx(expected)


def test_columns_that_training_did_not_have_in_another_order(tmp_path: Path) -> None:
    X = pd.DataFrame(NUMBERS, columns=["a", "b", "c"])
    columns = make_column_transformer((StandardScaler(), ["c"]), remainder="passthrough")
    model = make_pipeline(columns, LinearRegression()).fit(X, Y)
    test = X.assign(more="text")[["c", "more", "a", "b"]]

    served = Served(Source(model, test), tmp_path)

    required = [name for name, entry in served.inputs.items() if entry.get("required", True)]
    assert list(served.inputs) == ["c", "more", "a", "b"]
    assert required == ["c", "a", "b"]
    expected = model.predict(test[:3])
    assert served.predict(test[:3].to_numpy().tolist()) == pytest.approx(expected)
    assert served.predict(X[:3].to_dict("records")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (DATES - DATES[0], "X_test, column 'when': values of type timedelta64"),
        (
            objects(["x", 1] * (COUNT // 2)),
            "X_test, column 'when': expected values of one type, got 'x' and 1",
        ),
    ],
    ids=["durations", "mixed"],
)
def test_a_column_without_a_form_is_refused_where_the_model_needs_it(
    when: Any, reason: str, tmp_path: Path
) -> None:
    X = pd.DataFrame({"a": NUMBERS[:, 0], "when": when})
    text = make_pipeline(_as_text(), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((text, ["when"]), remainder="passthrough")
    model = make_pipeline(columns, Ridge()).fit(X, Y)

    with pytest.raises(Refusal) as refused:
        built(Source(model, X), tmp_path)
    assert refused.value.message.startswith(reason)
    assert refused.value.hint == "Turn the column into numbers or text before the pipeline."
    assert list(tmp_path.iterdir()) == []


def _as_text() -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(lambda X: X.astype(str))


# Names


@pytest.mark.parametrize(
    "names",
    [
        ["", "b", "c"],
        ["a", " ", "\t"],
        ["Preis (€)", "色", "дом"],
        ["x'\"", "a\nb", "🦙"],
        ["input_1", "constant_2", "matmul_3"],
        ["prediction", "instances", "model"],
        ["__proto__", "0", "-1"],
        [7, 3, 0],
        [2.5, True, None],
    ],
    ids=repr,
)
def test_columns_of_any_name(names: list[Any], tmp_path: Path) -> None:
    X = pd.DataFrame(NUMBERS, columns=pd.Index(names, dtype=object))
    texts = all(isinstance(name, str) for name in names)
    fitted_on = X if texts or all(type(name) is int for name in names) else X.to_numpy()
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(fitted_on, Y)
    test: Any = X if fitted_on is X else pd.DataFrame(X.to_numpy(), columns=X.columns)

    served = Served(Source(model, test), tmp_path)

    said = [str(name) for name in names]
    assert list(served.inputs) == said
    expected = model.predict(fitted_on[:3])
    assert served.predict(NUMBERS[:3].tolist()) == pytest.approx(expected)
    swapped = [dict(reversed(list(zip(said, row, strict=True)))) for row in NUMBERS[:3].tolist()]
    assert served.predict(swapped) == pytest.approx(expected)

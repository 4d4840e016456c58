"""The whole of the findings: their form, that they repeat, and that nobody's row is in them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from onnxlet.convert.errors import Refusal
from onnxlet.convert.report.build_report import measured_build
from onnxlet.convert.report.evaluation import serving
from onnxlet.convert.report.evaluation.evaluate import findings, one_line
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.form.plain_json import as_json
from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests import estimators
from tests.convert.helpers import built, invoked, prove, served
from tests.convert.report.evaluation import figures

MEMBERS = {
    "format", "name", "version", "task", "target", "positive", "classes", "origin", "estimator",
    "data", "scores", "confusion", "residuals", "roc", "precision_recall", "calibration",
    "threshold", "importance", "dependence", "learning", "worst", "search", "fairness", "parity",
    "serving", "call", "use", "notes", "metric", "outputs", "worst_error",
    "over_time", "rows_file",
    "worst_unit", "worst_file", "unit", "description", "made_from",
}  # fmt: skip


@pytest.fixture(autouse=True)
def without_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold starts are measured for `a_built_version` only, and in test_serving.py."""
    if "a_built_version" not in request.node.name:
        monkeypatch.setattr(serving, "start_unpickled", lambda content: 1.25)


def of_source(source: Source, **more: Any) -> Measured:
    model = prove(source, layout="columns").model
    return Measured("m", model, source.estimator, source.X_test, source.y_test, **more)


def loan(**more: Any) -> Measured:
    """With names that few rows have, and sums that nobody shares."""
    rows = 700
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "sum": np.round(random.lognormal(9, 0.5, rows), 2),
            "town": random.choice(["Chur", "Thun"], rows),
            "owner": [f"owner {n % 500}" for n in range(rows)],
            "sex": random.choice(["f", "m"], rows),
        }
    )
    y = np.where(X["sum"] + 2000 * random.normal(size=rows) > 8000, "late", "paid")
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (StandardScaler(), ["sum"]), (OneHotEncoder(handle_unknown="ignore"), ["town", "owner"])
    )
    sexes = {"sensitive": {"sex": X["sex"].to_numpy()[400:]}}
    last = LogisticRegression()
    return figures.measured(make_pipeline(columns, last), y, 400, X, **{**sexes, **more})


def plain(value: Any) -> bool:
    """JSON's own types and no NaN, with six significant digits."""
    if isinstance(value, dict):
        return all(type(key) is str and plain(member) for key, member in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    if type(value) is float:
        return value == float(f"{value:.6g}")
    return value is None or type(value) in (str, int, bool)


def test_the_findings_have_every_part_in_plain_json() -> None:
    found = findings(loan(target="state", split="at random", notes=["a note"]))

    assert set(found) == MEMBERS
    assert plain(found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    expected = {
        "format": 1,
        "name": "m",
        "version": None,  # none is written yet
        "task": "binary",
        "outputs": 1,
        "target": "state",
        "positive": "paid",
        "classes": ["late", "paid"],
        "origin": "build",
        "estimator": "ColumnTransformer → LogisticRegression",
        "use": None,
        "search": None,
        "residuals": None,
        "parity": None,
        "notes": [],
    }
    assert {key: found[key] for key in expected} == expected
    assert {key: found["data"][key] for key in ("rows", "train_rows", "test_rows")} == {
        "rows": 700,
        "train_rows": 400,
        "test_rows": 300,
    }
    assert (found["data"]["split"], found["data"]["notes"]) == ("at random", ["a note"])
    assert found["roc"]["auc"] == found["scores"][0]["model"]
    assert found["fairness"][0]["mitigation"] is not None


def test_no_row_of_anybodys_data_is_in_the_findings() -> None:
    given = loan()
    found = findings(given)
    text = json.dumps(found)

    assert "owner" in text  # the column, but nobody in it
    assert not [name for name in set(given.X_test["owner"]) if f'"{name}"' in text]
    assert "owner 4" not in text
    of_others = {number for number in _numbers(json.loads(text)) if number > 1000}
    assert of_others  # thresholds of dependence, and edges of bins
    assert not of_others & set(given.X_test["sum"])
    assert not of_others & set(given.X_train["sum"])
    row = found["call"]["row"]  # an example, which is answered and rounded
    assert list(row) == ["sum", "town", "owner"]
    model = given.model
    assert model.run(validate_rows([row], model.signature))["prediction"].shape == (1,)
    assert json_text.dumps(row)


def test_no_exact_number_of_a_target_is_in_the_findings() -> None:
    given = figures.regression()
    found = {**findings(given), "serving": None}  # times are whatever they are
    numbers = {number for number in _numbers(found) if number % 1}  # no counts

    assert not numbers & {float(f"{value:.6g}") for value in given.y_test}
    off = given.y_test - given.estimator.predict(given.X_test)
    assert not numbers & {float(f"{value:.6g}") for value in off}
    assert not numbers & {float(f"{value:.6g}") for value in given.X_test["size"]}


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for member in value.values() for number in _numbers(member)]
    if isinstance(value, list):
        return [number for member in value for number in _numbers(member)]
    return [float(value)] if isinstance(value, int | float) else []


@pytest.mark.long
def test_the_same_data_and_seed_give_the_same_findings_but_for_times() -> None:
    given = figures.multiclass()
    first, second = findings(given), findings(given)
    other = findings(replace(given, seed=1))

    assert {**first, "serving": None} == {**second, "serving": None}
    assert first["serving"]["runs"] == second["serving"]["runs"]
    assert other["scores"][0]["model"]["value"] == first["scores"][0]["model"]["value"]
    assert other["scores"][0]["model"]["low"] != first["scores"][0]["model"]["low"]
    assert first["positive"] is None
    assert first["classes"] == [0, 1, 2]


@pytest.mark.long
def test_a_built_version_has_its_certificate_its_bytes_and_an_example(tmp_path: Path) -> None:
    source = estimators.shop()
    result = built(source, tmp_path)
    found = findings(measured_build(source, load_model(result.directory)))
    parity, known = found["parity"], result.manifest["parity"]

    assert (found["name"], found["version"]) == ("m", None)
    assert found["classes"] == [False, True]
    assert found["positive"] is True
    assert found["scores"][3]["metric"] == "accuracy"
    accuracy = result.manifest["metrics"]["accuracy"]["model"]
    assert found["scores"][3]["model"]["value"] == pytest.approx(accuracy, abs=1e-5)
    counted = ("held_out_rows", "hard_rows", "drawn_rows", "judging_rows")
    assert parity["rows"] == sum(known[key] for key in counted)
    worst = known["outputs"]["probabilities"]["largest_absolute"]
    assert parity["worst"] == {"probabilities": pytest.approx(worst, rel=1e-5)}
    assert found["serving"]["bytes"] == (result.directory / "model.onnx").stat().st_size
    times = ("load_ms", "one_row_us", "estimator_one_row_us", "estimator_load_ms")
    assert all(found["serving"][key] > 0 for key in times)
    assert found["serving"]["one_row_us"] < found["serving"]["estimator_one_row_us"]
    cold = found["serving"]["cold_start_ms"]
    assert found["serving"]["load_ms"] < cold < found["serving"]["estimator_cold_start_ms"]
    assert found["learning"] is None
    assert found["notes"] == ["no learning curve: the training rows or their answers are not given"]
    row = found["call"]["row"]
    assert found["call"]["columns"] == list(row)
    rows = pd.concat([source.X_test, source.X_train])[list(row)].to_dict("records")
    assert row not in rows
    middle = result.manifest["statistics"]["columns"]["Preis (€)"]["median"]
    assert row["Preis (€)"] == pytest.approx(middle, rel=0.05)
    assert row["Preis (€)"] == float(f"{row['Preis (€)']:.2g}") != middle
    answer = served(tmp_path).post(found["call"]["path"], json={"instances": [row]})
    assert answer.status_code == 200
    assert {each["name"] for each in found["data"]["columns"]} == set(source.X_test.columns)
    (note,) = [each for each in found["data"]["columns"] if each["name"] == "note"]
    assert note == {
        "name": "note",
        "kind": "category",
        "why": None,
        "used": False,
        "missing": 0,
        "distinct": 2,
        "unit": None,
        "description": None,
    }


SHOP = """
from tests.estimators import shop

def build():
    made = shop()
    return made.estimator, made.X_test, made.y_test, made.X_train
"""


@pytest.mark.long
def test_a_build_compares_the_groups_that_are_named(tmp_path: Path) -> None:
    source = estimators.shop()
    (tmp_path / "shop.py").write_text(SHOP)
    words = ["build", f"{tmp_path / 'shop.py'}:build", "--name", "m", "--models", f"{tmp_path}"]

    done = invoked(*words, "--sensitive", "色")
    assert f"report: {tmp_path / 'm' / '1' / 'report.html'}" in done.output
    [found] = json.loads((tmp_path / "m" / "1" / "report.json").read_text())["fairness"]
    right = (source.estimator.predict(source.X_test) == source.y_test).to_numpy()
    assert found["column"] == "色"
    assert {each["group"]: each["rows"] for each in found["groups"]} == dict(
        source.X_test["色"].value_counts()
    )
    for each in found["groups"]:
        expected = right[source.X_test["色"] == each["group"]].mean()
        assert each["accuracy"] == pytest.approx(expected, abs=1e-5)

    refused = invoked(*words, "--sensitive", "colour")
    assert refused.exit_code == 2
    assert "error: --sensitive: there is no column 'colour' in X_test\n" in refused.output
    assert "hint: There are Preis (€), count, new, 色, note.\n" in refused.output


def test_the_target_is_counted_in_test_and_training_rows() -> None:
    given = figures.binary()
    counts = [np.sum(given.y_test == label) for label in ("cheap", "dear")]
    trained = [np.sum(given.y_train == label) for label in ("cheap", "dear")]
    assert findings(given)["data"]["target"] == {
        "labels": ["cheap", "dear"],
        "counts": counts,
        "train_counts": trained,
        "other": False,
    }
    other = figures.regression()
    target = findings(other)["data"]["target"]
    inside = other.y_test[(other.y_test >= target["bins"][1]) & (other.y_test < target["bins"][2])]
    assert target["counts"][1] == len(inside)
    assert (sum(target["counts"]), sum(target["train_counts"])) == (240, 200)


@pytest.mark.parametrize("kind", ["whole", "text", "bool"])
def test_labels_of_any_type_are_matched(kind: str) -> None:
    X, y = figures.table(300), figures.price(figures.table(300)) > 160
    labels = {"whole": np.where(y, 7, 3), "text": np.where(y, "7", "3"), "bool": y}[kind]
    given = figures.measured(figures.pipeline(LogisticRegression(max_iter=3000)), labels, X=X)
    found = findings(given)

    assert found["classes"] == {"whole": [3, 7], "text": ["3", "7"], "bool": [False, True]}[kind]
    right = np.mean(given.estimator.predict(given.X_test) == given.y_test)
    (accuracy,) = [each for each in found["scores"] if each["metric"] == "accuracy"]
    assert accuracy["model"]["value"] == pytest.approx(right, abs=1e-5)


def test_a_label_that_the_model_does_not_know_is_an_error_of_its_own() -> None:
    given = figures.multiclass()
    y = given.y_test.copy()
    y[:5] = 9
    found = findings(replace(given, y_test=y))

    assert found["confusion"]["labels"] == [0, 1, 2, 9]
    assert sum(found["confusion"]["counts"][3]) == 5
    assert found["classes"] == [0, 1, 2]
    assert {each["row"] for each in found["worst"]} >= set(range(5))


def test_several_outputs_have_the_parts_that_make_sense() -> None:
    X = figures.table(300).drop(columns="town")
    y = np.column_stack([X["size"] * 2, X["rooms"] - X["noise"]])
    found = findings(figures.measured(LinearRegression(), y, X=X))

    assert (found["task"], found["outputs"]) == ("regression", 2)
    assert [each["metric"] for each in found["scores"]] == ["rmse", "mae", "r2"]
    assert found["importance"]["columns"][0]["column"] == "size"
    for part in ("residuals", "confusion", "roc", "threshold", "calibration"):
        assert found[part] is None
    assert found["dependence"] == []


def test_several_labels_are_right_or_wrong() -> None:
    X = figures.table(300).drop(columns="town")
    y = np.column_stack([np.where(X["size"] > 50, "big", "small"), np.where(X["new"], "n", "o")])
    given = figures.measured(KNeighborsClassifier(), y, X=X)
    found = findings(given)

    assert (found["task"], found["outputs"]) == ("multiclass", 2)
    (accuracy,) = found["scores"]
    right = (given.estimator.predict(given.X_test) == given.y_test).mean()
    assert accuracy["model"]["value"] == pytest.approx(right, abs=1e-5)


def test_a_classifier_without_probabilities_has_no_calibration_and_no_thresholds() -> None:
    y = np.digitize(figures.price(figures.table(300)), [140, 180])
    found = findings(figures.measured(figures.pipeline(RidgeClassifier()), y))

    assert found["metric"]["name"] == "accuracy"
    assert found["calibration"] is found["threshold"] is found["roc"] is None
    assert found["worst_error"] == "wrong"


def test_rows_without_an_answer_and_rows_that_are_refused_are_left_out_and_counted() -> None:
    given = figures.regression(y_train=None, X_train=None)
    X, y = given.X_test.copy(), given.y_test.copy()
    y[3] = np.nan
    X.iloc[5, 0] = np.nan  # which the model does not take
    found = findings(replace(given, X_test=X, y_test=y))

    assert found["notes"][:2] == [
        "1 test rows have no known answer: they are not measured",
        "1 test rows are refused by the model: not measured",
    ]
    assert (found["data"]["test_rows"], found["data"]["rows_measured"]) == (240, 238)
    kept = [row for row in range(240) if row not in (3, 5)]
    off = np.abs(given.y_test - given.estimator.predict(given.X_test))[kept]
    assert found["scores"][1]["metric"] == "mae"
    assert found["scores"][1]["model"]["value"] == pytest.approx(off.mean(), rel=1e-5)
    assert [e["row"] for e in found["worst"]] == [kept[r] for r in np.argsort(-off)[:10]]


def test_what_has_no_right_answers_has_no_report() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    source = Source(KMeans(2, n_init=1, random_state=0).fit(X), X, np.zeros(60))

    with pytest.raises(Refusal, match="task is clustering"):
        findings(of_source(source))


def test_answers_of_another_kind_are_refused() -> None:
    given = figures.binary()
    for y, message in (
        (given.y_test[:-1], "y_test: expected 240 values, as many as X_test has rows, got 239"),
        (np.arange(240), "none of its values is one of the classes"),
        (np.full(240, None), "y_test has no known answer"),
    ):
        with pytest.raises(Refusal, match=message):
            findings(replace(given, y_test=y))
    with pytest.raises(Refusal, match="the answers have no 'rmse'"):
        findings(replace(given, metric="rmse"))


def test_an_estimator_is_named_in_one_line_without_its_parameters() -> None:
    from sklearn.ensemble import VotingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.preprocessing import OneHotEncoder

    parts = [
        ("a", make_pipeline(OneHotEncoder(categories=[["secret"]]), LogisticRegression())),
        ("b", FrozenEstimator(HistGradientBoostingClassifier())),
    ]
    assert one_line(FixedThresholdClassifier(VotingClassifier(parts))) == (
        "FixedThresholdClassifier of VotingClassifier of "
        "LogisticRegression, HistGradientBoostingClassifier"
    )


def test_what_is_undefined_is_null() -> None:
    assert as_json({1: np.array([np.nan, np.inf, 1 / 3]), "n": np.int64(2), "t": (True, None)}) == {
        "1": [None, None, 0.333333],
        "n": 2,
        "t": [True, None],
    }

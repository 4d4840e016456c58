"""`from onnxlet import build, verify`: what notebooks and scripts do with it."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import onnxlet
from onnxlet.convert.errors import Refusal
from onnxlet.convert.in_python import said
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.function.errors import InvalidRows, ModelError, OnnxletError, WrongUse
from tests.conftest import quiet

RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {"size": RANDOM.normal(size=90), "town": RANDOM.choice(["Ames", "Iowa & co"], 90)}
)
SOLD = np.where(ROWS["size"] > 0, "yes", "no")
MODEL = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"),
    LogisticRegression(),
).fit(ROWS, SOLD)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> ProvenModel:
    models = tmp_path_factory.mktemp("models")
    return onnxlet.build(
        MODEL, ROWS[:40], SOLD[:40], ROWS[40:], name="sold", models=models, report=quiet
    )


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS[["town", "size"]].set_axis(range(100, 190)),
        ROWS.to_dict("records"),
        ROWS.to_numpy(),
        ROWS.to_numpy().tolist(),
        list(ROWS.to_numpy()),
        [{"size": np.float64(s), "town": t} for s, t in ROWS.to_numpy()],
    ],
    ids=["frame", "other order", "objects", "array", "lists", "list of arrays", "NumPy's numbers"],
)
def test_predictions_are_scikit_learn_s(built: ProvenModel, rows: object) -> None:
    predicted = built.predict(rows)

    assert isinstance(predicted, np.ndarray)
    assert predicted.tolist() == MODEL.predict(ROWS).tolist()


def test_the_answer_is_what_an_endpoint_sends(built: ProvenModel) -> None:
    answer = built.answer(ROWS[:3])

    assert answer["model"] == "sold"
    assert answer["classes"] == ["no", "yes"]
    np.testing.assert_allclose(
        answer["probabilities"], MODEL.predict_proba(ROWS[:3]), rtol=0, atol=1e-5
    )


def test_rows_against_the_signature_are_refused_as_over_http(built: ProvenModel) -> None:
    with pytest.raises(InvalidRows, match=r"row 1, column 'size': expected a number, got 'big'"):
        built.predict([[1.0, "Ames"], ["big", "Ames"]])


def test_a_wrong_name_is_told_by_its_argument(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"^name: expected a letter or digit"):
        onnxlet.build(MODEL, ROWS, name="a/b", models=tmp_path, report=quiet)


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (ROWS.iloc[3], "expected values of one type, got"),
        (ROWS.iloc[3].tolist(), "expected values of one type, got"),
        (ROWS.iloc[3].to_dict(), "expected a DataFrame, an array of shape"),
        (ROWS["size"], ".*, got a Series of shape"),
        (None, ".*, got None"),
        ("abc", ".*, got 'abc'"),
    ],
    ids=["a row of a frame", "a row as a list", "a row as an object", "a column", "none", "a text"],
)
def test_what_are_no_rows_is_refused_in_the_words_of_predict(
    built: ProvenModel, rows: object, got: str
) -> None:
    with pytest.raises(InvalidRows, match=f"^rows: {got}") as caught:
        built.predict(rows)

    assert "X_test" not in str(caught.value)
    assert "test set" not in str(caught.value)
    assert "one row is X.iloc[[0]]" in caught.value.hint


def test_numbers_that_json_has_not_are_scikit_learn_s(tmp_path: Path) -> None:
    rows = RANDOM.normal(size=(60, 2))
    rows[3, 1], rows[4, 0], rows[5, 0] = np.inf, np.nan, -np.inf
    passed = onnxlet.build(
        FunctionTransformer().fit(rows), rows, name="same", models=tmp_path, report=quiet
    )

    predicted = passed.predict(rows)

    assert predicted.dtype == np.float64
    np.testing.assert_array_equal(predicted, rows)
    assert passed.answer(rows)["prediction"][3][1] is None


def test_it_is_found_from_another_folder(
    built: ProvenModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.directory.parents[1])
    named = onnxlet.verify("sold/1")
    again = onnxlet.build(
        MODEL, ROWS[:40], SOLD[:40], ROWS[40:], name="sold", models=".", report=quiet
    )
    monkeypatch.chdir(tmp_path)

    assert named.predict(ROWS).tolist() == again.predict(ROWS).tolist()


def test_texts_by_themselves(tmp_path: Path) -> None:
    texts = ["good day", "bad day", "good night", "bad night"] * 10
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 0] * 20)

    built = onnxlet.build(model, texts, name="mood", models=tmp_path, report=quiet)

    assert built.predict(texts[:3]).tolist() == [1, 0, 1]


def test_it_shows_its_certificate(built: ProvenModel) -> None:
    page, text = built._repr_html_(), repr(built)

    assert page.startswith("<table><caption>parity certificate of sold version 1</caption>")
    assert page.count("<tr>") == len(text.splitlines()) - 1
    assert "<th style='text-align: left'>tolerance</th><td style='text-align: left'>1e-05" in page
    assert ">probabilities</th>" in page
    assert f"  directory   {built.directory}" in text
    assert built.directory.joinpath("model.onnx").is_file()


def test_progress_is_reported_and_the_same_again_is_no_new_version(
    built: ProvenModel, capsys: pytest.CaptureFixture[str]
) -> None:
    again = onnxlet.build(
        MODEL, ROWS[:40], SOLD[:40], ROWS[40:], name="sold", models=built.directory.parents[1]
    )

    assert "comparing on 40 held-out" in capsys.readouterr().out
    assert again == built


def test_a_version_that_is_there_is_verified(built: ProvenModel) -> None:
    assert onnxlet.verify(str(built.directory)) == built


def test_an_altered_version_is_no_more(built: ProvenModel, tmp_path: Path) -> None:
    copy = tmp_path / "sold" / "1"
    copy.mkdir(parents=True)
    for file in built.directory.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "golden.json").write_text("{}")

    with pytest.raises(ModelError, match=r"golden\.json"):
        onnxlet.verify(copy)


def test_a_refusal_reads_well() -> None:
    class Odd(LogisticRegression):  # type: ignore[misc] # scikit-learn has no types
        def predict_proba(self, X: object) -> object:
            raise ZeroDivisionError("far inside")

    model = Odd().fit(ROWS[["size"]], SOLD)
    with pytest.raises(Refusal) as caught:
        onnxlet.build(model, ROWS[["size"]], name="odd", report=quiet)

    shown = "".join(traceback.format_exception(caught.value))
    assert "far inside" in shown  # of the message
    assert "Traceback" in shown
    assert shown.count("Traceback") == 1  # none of what led there
    assert [frame.name for frame in traceback.extract_tb(caught.tb)][1:] == ["called"]
    assert caught.value._render_traceback_() == [f"Refusal: {caught.value}"]


ARGUMENTS: list[tuple[dict[str, object], str]] = [
    ({"name": 5}, "name: expected a text, got 5"),
    ({"keep_background": -3}, "keep_background: expected a whole number from 1 to 1,000, got -3"),
    ({"keep_background": np.inf}, "expected a whole number from 1 to 1,000, got inf"),
    ({"keep_background": "all"}, "expected a whole number from 1 to 1,000, got 'all'"),
    ({"keep_background": 1.5}, "expected a whole number from 1 to 1,000, got 1.5"),
    ({"without": "std"}, "without: the model has no 'std'"),
    ({"sensitive": [3]}, "sensitive: expected a list of texts, got [3]"),
    ({"models": 3}, "models: expected a path, got 3"),
    ({"breaking": "yes"}, "breaking: expected True or False, got 'yes'"),
    ({"report": "loud"}, "report: expected a function of a line, got 'loud'"),
    ({"unit": 7, "describe": 7}, "arguments: 2 things are wrong"),
]


@pytest.mark.parametrize(("given", "message"), ARGUMENTS)
def test_arguments_of_build_are_those_of_the_command(
    given: dict[str, object], message: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"name": "m", "models": tmp_path, "report": quiet, **given}
    with pytest.raises(onnxlet.WrongUse) as caught:
        onnxlet.build(MODEL, ROWS, SOLD, **options)

    assert message in caught.value.message
    assert not list(tmp_path.iterdir())


OF_TRAIN: list[tuple[dict[str, object], str]] = [
    ({"split": "2"}, "split: expected one of 'auto', 'random', got '2'"),
    ({"seconds": -1}, "seconds: expected a number from 1 to 604,800, got -1"),
    ({"seconds": "10"}, "seconds: expected a number from 1 to 604,800, got '10'"),
    ({"seconds": None}, "seconds: expected a number from 1 to 604,800, got None"),
    ({"seed": True}, "seed: expected a whole number of 0 or more, got True"),
    ({"target": ["size"]}, "target: expected a text, got ['size']"),
    ({"columns": ["town"]}, "columns: expected a dictionary, got ['town']"),
    ({"secnds": 10}, "secnds: there is no such argument\nIs it 'seconds'"),
    ({"options": {}}, "options: there is no such argument"),
    ({"refit": "no"}, "refit: expected True or False, got 'no'"),
]


@pytest.mark.parametrize(("given", "message"), OF_TRAIN)
def test_arguments_of_train_are_those_of_the_command(
    given: dict[str, object], message: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"target": "size", "name": "m", "models": tmp_path, **given}
    with pytest.raises(onnxlet.WrongUse) as caught:
        onnxlet.train(ROWS, report=quiet, **options)

    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_every_public_error_is_one_of_ours() -> None:
    kinds = [getattr(onnxlet, name) for name in onnxlet.__all__]
    errors = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)}

    assert {Refusal, WrongUse, InvalidRows, ModelError, OnnxletError} < errors
    assert all(issubclass(kind, OnnxletError) for kind in errors)


def test_true_dates_are_written_as_the_model_has_them(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="9D")
    X = pd.DataFrame({"day": days.strftime("%d.%m.%Y").astype(object)})
    model = make_pipeline(onnxlet.DateParts(["month"]), LinearRegression()).fit(X, days.month)
    built = onnxlet.build(model, X, name="days", models=tmp_path, report=quiet)

    np.testing.assert_allclose(built.predict(pd.DataFrame({"day": days})), days.month, rtol=1e-5)
    with pytest.raises(InvalidRows, match=r"column 'day': expected a date written as %d\.%m\.%Y"):
        built.predict(pd.DataFrame({"day": days.strftime("%Y-%m-%d")}))


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_sets_of_a_classifier_with_a_threshold_of_its_own_are_noted(
    threshold: float, tmp_path: Path
) -> None:
    fitted = FixedThresholdClassifier(
        LogisticRegression(), threshold=threshold, pos_label="yes", response_method="predict_proba"
    ).fit(ROWS[["size"]], SOLD)
    shares = fitted.predict_proba(ROWS[["size"]])[:, 1]
    other = int(((shares >= threshold) != (shares >= 0.5)).sum())
    lines: list[str] = []
    onnxlet.build(fitted, ROWS[["size"]], SOLD, name="m", models=tmp_path, report=lines.append)

    noted = [line for line in lines if "not the most probable label" in line]
    assert [line.startswith(f"note: of {other} of 90 rows") for line in noted] == [True] * bool(
        other
    )
    assert (other > 0) == (threshold == 0.2)


def refused(**options: object) -> OnnxletError:
    model = options.pop("model", MODEL)
    with pytest.raises((Refusal, WrongUse)) as caught:
        onnxlet.build(model, ROWS, name="sold", report=quiet, **options)  # type: ignore[arg-type]
    return caught.value


def test_hints_are_of_arguments_and_of_no_command(tmp_path: Path) -> None:
    class Own(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
        def fit(self, X: object, y: object = None) -> Own:
            self.fitted_ = True
            return self

        def transform(self, X: object) -> object:
            return X

    Own.__module__ = "sklearn.own"  # of one's own it would be followed
    error = refused(model=make_pipeline(Own(), MODEL[0]).fit(ROWS, SOLD), models=tmp_path)
    assert "by @onnxlet.converts, before build(estimator, X_test, …)" in error.hint
    error = refused(with_report=True, models=tmp_path)
    assert error.message.startswith("with_report=True: expected true answers")
    assert error.hint == "Call build(estimator, X_test, y_test, …)."
    error = refused(y_test=SOLD, sensitive=["colour"], models=tmp_path)
    assert error.message == "sensitive: there is no column 'colour' in X_test"
    (tmp_path / "file").touch()
    error = refused(models=tmp_path / "file")
    assert (error.message.partition(":")[0], error.hint) == (
        "models", "Choose another folder with models.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of_commands", "of_python"),
    [
        ("Leave it out: --without std --without score, or build(…, without=['std', 'score']).",
         "Leave it out: build(…, without=['std', 'score'])."),
        ("--without std leaves it out.", "build(…, without=['std']) leaves it out."),
        ("explanations need some of yours, --keep-background 50",
         "explanations need some of yours, keep_background=50"),
        ("or use one by --columns FILE.toml.", "or use one by columns={…}."),
        ("--column 'day=date %d.%m.%Y'.", "columns={'day': 'date %d.%m.%Y'}."),
        ("Give another --name; or add --breaking.", "Give another name; or add breaking=True."),
        ("--target 'price': --task regression expects numbers",
         "target 'price': task='regression' expects numbers"),
        ("Say --decimal point, or --on-error null.", "Say decimal='point', or on_error='null'."),
        ("write its converter in the SOURCE file (@onnxlet.converts)",
         "write its converter by @onnxlet.converts, before build(estimator, X_test, …)"),
        ("MODEL: there is no model 'IN'", "model: there is no model 'IN'"),
        ("IN: there is no 'OUT'", "data: there is no 'OUT'"),
        ("OUT: there is 'x' already", "out: there is 'x' already"),
        ("INNER: expected a number", "INNER: expected a number"),
        ("expected a number, got '--a--b'", "expected a number, got '--a--b'"),
        ("no 'my--report.csv', --breaking", "no 'my--report.csv', breaking=True"),
        ("no '/x--no-refit/y', '--breaking'", "no '/x--no-refit/y', '--breaking'"),
    ],
)  # fmt: skip
def test_options_are_arguments_in_python(of_commands: str, of_python: str) -> None:
    assert said(of_commands) == of_python

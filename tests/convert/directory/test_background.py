"""Background rows: made up from statistics, or kept where that was asked for."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.build import build
from onnxlet.convert.directory import background as module
from onnxlet.convert.directory.background import SPEEDS, background_file, made_up, slowness
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.reference.answers import Answers, task_of
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, ModelError, Problem
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.models.model import Model, load_model
from tests import estimators
from tests.convert.helpers import built, contents, invoked
from tests.convert.imported.onnx_files import linear


def rows_of(directory: Path) -> list[list[Any]]:
    found: list[list[Any]] = json.loads((directory / "background.json").read_bytes())["instances"]
    return found


def customers(rows: int = 400) -> pd.DataFrame:
    """Columns of every type, in each of which almost every cell is only one person's."""
    random = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "income": np.exp(random.normal(8, 1, rows)),
            "born": random.permutation(np.arange(rows) * 7 + 19_300_000),
            "children": random.integers(0, 4, rows),
            "score": np.where(random.random(rows) < 0.2, np.nan, random.random(rows)),
            "town": random.choice(["Ulm", "Bonn", "Jena"], rows, p=[0.6, 0.3, 0.1]),
            "name": [f"person {n}" for n in range(rows)],
            "member": random.random(rows) < 0.25,
        }
    )


def boosted() -> Source:
    frame = customers()
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=5, sparse_output=False)
    columns = make_column_transformer((encoder, ["town", "name"]), remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=5))
    target = frame["income"] + frame["children"]
    return Source(model.fit(frame[:300], target[:300]), frame[300:], None, frame[:300])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(boosted(), tmp_path_factory.mktemp("made")).directory


def test_the_manifest_says_what_the_background_is(made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_bytes())
    about = {"source": "statistics", "of": "X_train", "rows": 50}
    assert manifest["background"] == about
    content = (made / "background.json").read_bytes()
    assert manifest["files"]["background.json"] == hashlib.sha256(content).hexdigest()
    assert json.loads(content) == {**about, "instances": rows_of(made)}


def test_no_cell_is_one_persons_only(made: Path) -> None:
    train = customers()[:300]
    for place, name in enumerate(train.columns):
        counts = Counter(train[name].dropna().tolist())
        for row in rows_of(made):
            # A mean of whole numbers may be somebody's; it is no copy.
            assert (
                row[place] is None
                or counts.get(row[place], 0) in (0, *range(5, 400))
                or (name == "born")
            ), (name, row[place])


def test_the_columns_are_spread_as_in_the_data(made: Path) -> None:
    train = customers()[:300]
    rows = pd.DataFrame(rows_of(made), columns=train.columns)

    assert rows["income"].mean() == pytest.approx(train["income"].mean())
    assert rows["income"].median() == pytest.approx(train["income"].median(), rel=0.05)
    assert rows["born"].mean() == pytest.approx(train["born"].mean(), rel=1e-7)
    assert (rows["born"] % 1 == 0).all()
    assert rows["score"].isna().mean() == pytest.approx(train["score"].isna().mean(), abs=0.011)
    for name in ("children", "town", "member"):
        shares = train[name].value_counts(normalize=True)
        got = rows[name].value_counts(normalize=True)
        assert got.to_dict() == pytest.approx(shares.to_dict(), abs=0.011)
    assert set(rows["name"]) == {""}


def test_columns_are_drawn_apart(made: Path) -> None:
    rows = pd.DataFrame(rows_of(made), columns=customers().columns)
    assert abs(rows["income"].corr(rows["born"])) < 0.5
    assert len({json.dumps(row) for row in rows_of(made)}) == 50


def test_the_model_answers_all_of_it(made: Path) -> None:
    model = load_model(made)
    answers = model.run(validate_rows(rows_of(made), model.signature))["prediction"]
    expected = boosted().estimator.predict(
        pd.DataFrame(rows_of(made), columns=customers().columns).astype({"score": float})
    )
    np.testing.assert_allclose(answers, expected, rtol=1e-9)


@pytest.mark.long
def test_the_same_source_has_the_same_background(made: Path, tmp_path: Path) -> None:
    again = built(boosted(), tmp_path).directory
    assert (again / "background.json").read_bytes() == (made / "background.json").read_bytes()


# Rows that are not answered


class Checked(Reference):
    """The reference of the iris model, with a check of its rows before it answers."""

    def __init__(self, check: Callable[[list[list[Any]]], None]) -> None:
        source = estimators.iris()
        inputs, _ = read_inputs(source.X_test)
        super().__init__(source.estimator, task_of(source.estimator), inputs)
        object.__setattr__(self, "check", check)

    def answers_to(self, data: Any) -> Answers:
        self.check(data.tolist())  # type: ignore[attr-defined] # the class is frozen
        return super().answers_to(data)


def test_made_up_rows_that_scikit_learn_raises_for_are_drawn_again(models: Path) -> None:
    """As where the logarithm of a difference is taken: it is one column's rank in the others."""
    model = load_model(models / "iris" / "1")
    data = estimators.iris().X_test.tolist()

    def answered(rows: list[list[Any]]) -> bool:
        return all(row[0] > 1.5 * row[2] for row in rows)

    def raise_unless(is_answered: bool) -> None:
        if not is_answered:
            raise ValueError("invalid value encountered in log")

    rows = made_up(model, data, Checked(lambda rows: raise_unless(answered(rows))))
    assert len(rows) == 50
    assert answered(rows)
    assert not answered(made_up(model, data, Checked(lambda rows: None)))
    assert made_up(model, data, Checked(lambda rows: raise_unless(False))) == []


def test_made_up_rows_that_the_model_raises_for_are_drawn_again(models: Path) -> None:
    class Raising(Model):
        """Raises for short leaves."""

        def run(self, table: CheckedBatch, *more: Any, **most: Any) -> Mapping[str, Array]:
            short = np.flatnonzero(table.arrays[0][:, 0] < 5.5).tolist()
            if short:
                raise InvalidRows([Problem(row, None, "short") for row in short])
            return super().run(table, *more, **most)

    known = models / "iris" / "1"
    onnx = (known / "model.onnx").read_bytes()
    model = Raising("iris", 1, load_model(known).manifest, onnx)
    rows = made_up(model, estimators.iris().X_test.tolist(), None)
    assert len(rows) == 50
    assert min(row[0] for row in rows) >= 5.5


def test_where_no_row_is_answered_the_build_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(module, "_good", lambda model, rows, answered: [])
    result = build(estimators.iris(), "m", tmp_path, lines.append)

    assert lines[-1].endswith("explanations need some of yours, --keep-background 50")
    assert "background" not in result.manifest
    assert contents(tmp_path).keys() == {
        f"1/{name}" for name in ("golden.json", "manifest.json", "model.onnx")
    }


# Columns of few values, few rows, nothing known


def drawn(column: pd.Series, tmp_path: Path, **more: Any) -> list[Any]:
    frame = pd.DataFrame({"a": column})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DummyClassifier())
    labels = [True, False] * (len(frame) // 2) + [True] * (len(frame) % 2)
    found = built(Source(model.fit(frame, labels), frame, **more), tmp_path).directory
    return [row[0] for row in rows_of(found)]


def test_numbers_of_few_values_are_drawn_as_they_are(tmp_path: Path) -> None:
    cells = drawn(pd.Series([0.0, 1.0, 1.0, 1.0] * 25), tmp_path)
    assert Counter(cells) == {0.0: 12, 1.0: 38} or Counter(cells) == {0.0: 13, 1.0: 37}


def test_of_four_rows_only_their_mean_is_kept(tmp_path: Path) -> None:
    assert drawn(pd.Series([1.25, 2.5, 4.0, 8.25]), tmp_path) == [4.0]


def test_texts_that_nobody_shares_are_left_empty(tmp_path: Path) -> None:
    assert drawn(pd.Series([f"street {n}" for n in range(30)]), tmp_path) == [""]


def test_closed_categories_that_nobody_shares_are_all_drawn(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [f"kind {n}" for n in range(10)]})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(frame, np.arange(10.0))
    rows = rows_of(built(Source(model, frame), tmp_path).directory)
    assert Counter(row[0] for row in rows) == {f"kind {n}": 5 for n in range(10)}


def test_wide_models_have_fewer_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 100)
    assert len(rows_of(built(estimators.iris(), tmp_path).directory)) == 25


# Rows that are kept


def test_training_rows_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    source = estimators.shop()
    result = build(source, "m", tmp_path, lambda line: None, 12)

    assert result.manifest["background"] == {"source": "training rows", "of": "X_train", "rows": 12}
    rows = rows_of(result.directory)
    trained = source.X_train.values.tolist()
    places = [
        trained.index([*row[:4], note])
        for row in rows
        for note in "ab"
        if [*row[:4], note] in trained
    ]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 199)
    assert {row[4] for row in rows} == {None}  # the model drops that column


def test_texts_are_not_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(20.0), "t": [f"word{n} and" for n in range(20)]})
    columns = make_column_transformer((CountVectorizer(), "t"), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, frame["a"] > 9)
    directory = build(Source(model, frame), "m", tmp_path, lambda line: None, 5).directory

    assert rows_of(directory) == [[0.0, ""], [4.0, ""], [9.0, ""], [14.0, ""], [19.0, ""]]
    assert b"word" not in (directory / "background.json").read_bytes()


def test_the_command_keeps_rows(project: Path, tmp_path: Path) -> None:
    source = f"{project / 'source.py'}:linear"
    end = invoked(*("build", source, "--name", "m", "--models", tmp_path, "--keep-background", "7"))
    assert end.exit_code == 0, end.stderr
    manifest = json.loads((tmp_path / "m" / "1" / "manifest.json").read_bytes())
    assert manifest["background"] == {"source": "training rows", "of": "X_test", "rows": 7}
    none = invoked("build", source, "--name", "m", "--models", tmp_path, "--keep-background", "0")
    assert none.exit_code == 2


# Verifying


def test_verify_replays_the_background(tmp_path: Path) -> None:
    directory = built(estimators.iris(), tmp_path).directory
    verify(directory)
    file, manifest = directory / "background.json", directory / "manifest.json"
    file.write_text(json.dumps({"source": "statistics", "instances": [[None, 1, 2, 3]]}))
    about = json.loads(manifest.read_bytes())
    about["files"]["background.json"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(about))

    with pytest.raises(ModelError, match=r"background\.json is not answered"):
        verify(directory)


# Imported models


def test_an_imported_model_has_a_background_made_of_its_sample(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(linear().SerializeToString())
    features = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    np.savez(tmp_path / "in.npz", features=features)
    models = tmp_path / "models"
    arguments = (tmp_path / "net.onnx", "m", models, lambda line: None)

    assert "background" not in import_onnx(*arguments).manifest
    result = import_onnx(*arguments, tmp_path / "in.npz")
    assert result.manifest["background"] == {"source": "statistics", "of": "sample", "rows": 50}
    rows = np.array(rows_of(result.directory))
    np.testing.assert_allclose(np.median(rows, axis=0), np.median(features, axis=0), atol=0.15)
    assert not set(rows.ravel().tolist()) & set(features.ravel().tolist())
    verify(result.directory)


# What explanations may cost


class Slow(Model):
    """Takes a tenth of a second for any batch."""

    def run(self, table: CheckedBatch, *more: Any, **most: Any) -> Mapping[str, Array]:
        time.sleep(0.1)
        return super().run(table, *more, **most)


def test_how_slow_a_model_is_stands_in_its_manifest(made: Path) -> None:
    model, rows = load_model(made), rows_of(made)
    about, content = background_file(model, rows, "X_train") or ({}, b"")
    assert "evaluations" not in about
    slow = Slow(model.name, 1, model.manifest, (made / "model.onnx").read_bytes())
    slower, same = background_file(slow, rows, "X_train") or ({}, b"")
    assert (slower, same) == ({**about, "evaluations": SPEEDS[-1]}, content)


@pytest.mark.parametrize(
    ("rows_a_second", "earlier", "expected"),
    [
        (1e6, None, 0),
        (SPEEDS[0], None, 0),
        (SPEEDS[0] - 1, None, 1),
        (SPEEDS[1] - 1, None, 2),
        (SPEEDS[2] - 1, None, 3),
        (0.1, None, 4),
        (SPEEDS[0] - 1, {"rows": 50}, 0),  # a step away: it is what was measured before
        (1e6, {"evaluations": SPEEDS[1]}, 1),
        (SPEEDS[1] - 1, {"rows": 50}, 2),
        (1e6, {"evaluations": SPEEDS[2]}, 0),
        (1e6, {"evaluations": 7}, 0),
    ],
)
def test_a_speed_is_what_it_was_unless_it_is_another_by_far(
    rows_a_second: float, earlier: Any, expected: int
) -> None:
    assert slowness(rows_a_second, earlier) == expected

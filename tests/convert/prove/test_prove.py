"""Subjects of each kind are compared as a build compares, and why they differ is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from click.testing import CliRunner
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import onnxlet
from onnxlet.convert.command_line import main
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported import trial
from onnxlet.convert.prove.directory import certified
from onnxlet.convert.prove.judge import Judge
from onnxlet.convert.prove.proof import Proof
from onnxlet.convert.prove.subject import SubjectFailed, Unmatched
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import ModelError, WrongUse
from onnxlet.function.inputs.columns import Column
from tests.conftest import quiet
from tests.convert.helpers import ROOT
from tests.convert.imported.test_trial import branch, outer
from tests.convert.prove.grounds import grounds

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + RANDOM.normal(size=120) / 10
LABELS = np.array(["high", "low", "mid"])[np.digitize(Y, [-1, 1])]
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(
    town=pd.Series(RANDOM.choice(["Ames", "Ulm"], 120), dtype=object)
)
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS)
RIDGE = make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
TREE = DecisionTreeClassifier(max_depth=5, random_state=0).fit(X, LABELS)
TOWNS = make_pipeline(
    make_column_transformer(
        (StandardScaler(), ["a", "b", "c", "d"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
        sparse_threshold=0,
    ),
    Ridge(),
).fit(FRAME, Y)
DOUBLE, SINGLE = DoubleTensorType([None, 4]), FloatTensorType([None, 4])


def prove(subject: Any, estimator: Any, rows: Any = X, **options: Any) -> Proof:
    return onnxlet.prove(subject, estimator, rows, report=quiet, **options)


def converted(folder: Path, estimator: Any, inputs: Any, **options: Any) -> Path:
    """The file that skl2onnx writes."""
    listed = inputs if isinstance(inputs, list) else [("X", inputs)]
    made = convert_sklearn(estimator, initial_types=listed, options=options.get("options"))
    (folder / "theirs.onnx").write_bytes(made.SerializeToString())
    return folder / "theirs.onnx"


def changed(file: Path, name: str, change: Callable[[Any], Any]) -> Path:
    """The file with an attribute of some node changed."""
    proto = onnx.load(file)
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.name == name:
                values = np.array(attribute.floats)
                attribute.floats[:] = change(values).tolist()
    onnx.save(proto, file)
    return file


# Another converter's file


UNZIPPED = {"options": {"zipmap": False}}


@pytest.mark.parametrize(
    ("estimator", "options"),
    [(RIDGE, {}), (LOGISTIC, UNZIPPED)],
    ids=["ridge", "logistic"],
)
def test_a_conversion_in_double_precision_is_equal(
    tmp_path: Path, estimator: Any, options: dict[str, Any]
) -> None:
    proof = prove(converted(tmp_path, estimator, DOUBLE, **options), estimator)

    assert proof.equal, proof
    assert bool(proof)
    assert sum(proof.differing.values()) == 0
    assert not [note for note in proof.notes if "not compared" in note]


@pytest.mark.long
@pytest.mark.parametrize("make", [branch, outer])
def test_a_graph_that_never_ends_or_wants_all_memory_is_tried_apart(
    tmp_path: Path, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 1.5)
    (tmp_path / "theirs.onnx").write_bytes(make().SerializeToString())
    estimator = Ridge().fit(X[:, :3], Y)  # which has as many columns as the graph

    with pytest.raises(Refusal, match=r"does not answer one row|needs more"):
        prove(tmp_path / "theirs.onnx", estimator, X[:, :3])


def test_scores_of_two_classes_are_one_score(tmp_path: Path) -> None:
    machine = LinearSVC().fit(X, Y > 0)

    proof = prove(converted(tmp_path, machine, SINGLE), machine, float32=True)

    assert proof.equal, proof
    assert set(proof.parity["outputs"]) == {"prediction", "score"}


def test_dictionaries_by_class_are_probabilities(tmp_path: Path) -> None:
    proof = prove(converted(tmp_path, LOGISTIC, SINGLE), LOGISTIC, float32=True)

    assert proof.equal, proof
    assert set(proof.parity["outputs"]) == {"prediction", "probabilities"}


@pytest.mark.parametrize(
    "inputs",
    [
        [("numbers", DOUBLE), ("town", StringTensorType([None, 1]))],
        [
            *((name, DoubleTensorType([None, 1])) for name in "abcd"),
            ("town", StringTensorType([None, 1])),
        ],
    ],
    ids=["grouped", "by name"],
)
def test_inputs_are_matched(tmp_path: Path, inputs: list[Any]) -> None:
    names = [name for name, _ in inputs]
    estimator = TOWNS
    if names[0] == "numbers":  # which skl2onnx takes for columns by their positions
        parts = ((StandardScaler(), [0, 1, 2, 3]), (OneHotEncoder(handle_unknown="ignore"), [4]))
        estimator = make_pipeline(make_column_transformer(*parts, sparse_threshold=0), Ridge()).fit(
            FRAME, Y
        )

    proof = prove(converted(tmp_path, estimator, inputs), estimator, FRAME)

    assert proof.equal, proof


def test_inputs_that_are_not_the_estimator_s_are_listed(tmp_path: Path) -> None:
    file = converted(tmp_path, LOGISTIC, SINGLE)

    with pytest.raises(Unmatched) as caught:
        prove(file, TOWNS, FRAME)

    assert "'X' (float32, [?, 4])" in caught.value.message
    assert "'town' (string)" in caught.value.message
    assert caught.value.exit_code == 2


def test_outputs_that_are_not_the_estimator_s_are_listed(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(X)
    file = converted(tmp_path, scaler, DOUBLE)

    with pytest.raises(Unmatched, match=r"'prediction' \(float64 of shape \(12,\)\)"):
        prove(file, RIDGE)


def test_a_float32_conversion_differs_and_is_said_to_be_one(tmp_path: Path) -> None:
    steps = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=5, random_state=0))
    steps.fit(X * 1e3 + 1e6, LABELS)
    file = converted(tmp_path, steps, SINGLE, options={"zipmap": False})

    proof = prove(file, steps, X * 1e3 + 1e6)

    assert not proof.equal
    assert any("float32 thresholds" in cause for cause in proof.causes), proof


def test_rows_that_float32_decides_are_counted_apart(tmp_path: Path) -> None:
    file = converted(tmp_path, LOGISTIC, SINGLE)
    proof = prove(file, LOGISTIC, float32=True)

    assert proof.equal, proof
    assert "both were asked numbers rounded to float32" in proof.notes


def test_a_changed_coefficient_is_found_in_float32(tmp_path: Path) -> None:
    file = changed(converted(tmp_path, LOGISTIC, SINGLE), "coefficients", lambda c: c * 1.001)

    proof = prove(file, LOGISTIC, float32=True)

    assert not proof.equal
    assert proof.differing["drawn"] > 100


def test_what_does_not_load_is_said_with_a_way_out(tmp_path: Path) -> None:
    file = converted(tmp_path, LOGISTIC, DOUBLE)

    with pytest.raises(SubjectFailed, match="does not load") as caught:
        prove(file, LOGISTIC)

    assert "zipmap" in caught.value.hint


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"text")

    with pytest.raises(Refusal, match="not an ONNX model"):
        prove(tmp_path / "no.onnx", RIDGE)


# Model directories


@pytest.mark.long
def test_a_model_directory_is_equal_until_it_is_another_s(tmp_path: Path) -> None:
    built = onnxlet.build(TOWNS, FRAME, name="towns", models=tmp_path, report=quiet)

    assert prove(built, TOWNS, FRAME).equal
    assert prove(built.directory, TOWNS, FRAME).equal
    other = make_pipeline(TOWNS[0], Ridge(alpha=2.0)).fit(FRAME, Y)
    proof = prove(built.directory, other, FRAME)
    assert not proof.equal
    assert proof.example is not None
    assert proof.example.expected["prediction"] == pytest.approx(
        other.predict(pd.DataFrame([proof.example.row], columns=FRAME.columns))[0]
    )


@pytest.mark.parametrize(
    ("manifest", "bounds"),
    [
        ({"parity": {"limited_columns": {"a": [-5, 5.0]}}}, (-5.0, 5.0, False)),
        ({"parity": {"limited_columns": {"a": [None, 5]}}}, (None, 5.0, False)),
        ({"parity": {"limited_columns": {"b": [-5, 5]}}}, (None, None, True)),
        ({"parity": {"limited_columns": {"a": 5}}}, (None, None, True)),
        ({"parity": {"limited_columns": {"a": ["x", {}]}}}, (None, None, True)),
        ({"parity": None}, (None, None, True)),
        ({}, (None, None, True)),
    ],
)
def test_it_is_asked_within_the_bounds_of_a_certificate(
    manifest: dict[str, Any], bounds: tuple[Any, ...]
) -> None:
    column = Column("a", "float64", infinite=True)

    [found] = certified([column], {"signature": {"inputs": []}, **manifest})

    assert (found.minimum, found.maximum, found.infinite) == bounds


def test_other_columns_are_listed(tmp_path: Path) -> None:
    built = onnxlet.build(RIDGE, X, name="m", models=tmp_path, report=quiet)

    with pytest.raises(Unmatched, match=r"'x0'; 'x1'; 'x2'; 'x3'\n.*'a'; 'b'; 'c'; 'd'; 'town'"):
        prove(built, TOWNS, FRAME)


def test_an_altered_directory_is_refused(tmp_path: Path) -> None:
    built = onnxlet.build(RIDGE, X, name="m", models=tmp_path, report=quiet)
    with (built.directory / "model.onnx").open("ab") as file:
        file.write(b"\0")

    with pytest.raises(ModelError):
        prove(built, RIDGE)


# Functions and objects, and causes


def _pair(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda rows: (LOGISTIC.predict(rows), change(LOGISTIC.predict_proba(rows)))


def _beside(rows: Any) -> Any:
    return RIDGE.predict(rows) + (0.1 if len(rows) > 1 else 0.0)


CAUSES: dict[str, tuple[Callable[[Any], Any], Any, Any, str]] = {
    "order": (_pair(lambda p: p[:, [1, 0, 2]]), LOGISTIC, X, "'low' where 'high' should be"),
    "lost class": (_pair(lambda p: p[:, :2]), LOGISTIC, X, "'mid' lost"),
    "log-odds": (_pair(lambda p: np.log(p) - np.log1p(-p)), LOGISTIC, X, "is its log-odds"),
    "positions": (
        lambda rows: np.searchsorted(LOGISTIC.classes_, LOGISTIC.predict(rows)), LOGISTIC, X,
        "position of the class",
    ),
    "labels": (
        lambda rows: np.where(LOGISTIC.predict(rows) == "low", "high", np.where(
            LOGISTIC.predict(rows) == "high", "low", "mid")), LOGISTIC, X, "swapped classes",
    ),
    "sign": (lambda rows: -RIDGE.predict(rows), RIDGE, X, "has the other sign"),
    "bias": (lambda rows: RIDGE.predict(rows) + 0.25, RIDGE, X, "is off by 0.25 in every row"),
    "scale": (lambda rows: RIDGE.predict(rows) * 1000, RIDGE, X, "1000 times"),
    "text": (lambda rows: RIDGE.predict(rows).astype(str), RIDGE, X, ""),
    "columns": (lambda rows: RIDGE.predict(rows[:, [1, 0, 2, 3]]), RIDGE, X, "'x0' and 'x1'"),
    "float32": (
        lambda rows: TREE.predict_proba(np.nextafter(rows.astype(np.float32), np.float32(9e9))),
        TREE, X, "float32 thresholds",
    ),
    "gaps": (
        lambda rows: TREE.predict_proba(np.nan_to_num(rows, nan=-9.0)), TREE, X, "missing values",
    ),
    "beside": (_beside, RIDGE, X, "rows beside"),
    "category": (
        lambda rows: TOWNS.predict(rows.assign(town="Ulm")), TOWNS, FRAME, "'town' it takes 'Ames'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_is_named(name: str) -> None:
    function, estimator, rows, said = CAUSES[name]

    proof = prove(function, estimator, rows)

    if name == "text":  # numbers in text are numbers all the same
        assert proof.equal
        return
    assert not proof.equal
    assert any(said in cause for cause in proof.causes), proof
    assert proof.example is not None


def test_the_smallest_example_has_one_other_cell() -> None:
    def wrong(rows: Any) -> Any:
        return RIDGE.predict(rows) + (rows[:, 2] > 1.5) * (rows[:, 0] < 10)

    proof = prove(wrong, RIDGE, X[X[:, 2] < 1.5])

    assert proof.example is not None
    assert proof.example.changed == (2,)
    assert proof.example.row[2] > 1.5
    off = proof.example.got["prediction"] - proof.example.expected["prediction"]
    assert off == pytest.approx(1)


def test_the_part_that_reads_what_differs_is_named() -> None:
    proof = prove(lambda rows: TOWNS.predict(rows) + (rows["town"] != "Ulm"), TOWNS, FRAME)

    assert proof.step == "'onehotencoder' (OneHotEncoder)"
    assert f"is read by {proof.step}" in repr(proof)


def test_a_row_is_shrunk_to_the_cells_that_matter() -> None:
    def wrong(rows: Any) -> Any:
        return RIDGE.predict(rows) + (rows[:, 1] > 5) * (rows[:, 3] > 5)

    judge = Judge(grounds(Source(RIDGE, X)).trial(wrong))

    assert judge._shrunk([6.0, 7.0, 8.0, 9.0], [0.5, 0.5, 0.5, 0.5]) == [0.5, 7.0, 0.5, 9.0]
    assert judge._plainer([0.5, 7.123456, 0.5, 9.0], [0.5] * 4) == [0.5, 7.0, 0.5, 9.0]


def test_numbers_beyond_float32_are_no_cause() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2)) * [1, 1e60]
    model = make_pipeline(StandardScaler(), Ridge()).fit(X[:40], X[:40, 0])
    proof = onnxlet.prove(lambda X: np.round(model.predict(X), 1), model, X[40:], report=quiet)

    assert proof.causes == []


def test_float32_asks_both_what_float32_holds() -> None:
    steps = make_pipeline(Binarizer(threshold=0.1), Ridge()).fit(X, Y)

    def narrow(rows: Any) -> Any:
        return steps.predict(rows.astype(np.float32).astype(np.float64))

    assert not prove(narrow, steps).equal
    proof = prove(narrow, steps, float32=True)
    assert proof.equal
    assert proof.parity["undecided_rows"] == 0


def test_one_s_own_estimator_is_equal_in_each_form() -> None:
    for subject in (LOGISTIC, LOGISTIC.predict, LOGISTIC.predict_proba, _pair(lambda p: p)):
        assert prove(subject, LOGISTIC).equal
    by_name = {"label": LOGISTIC.predict, "proba": LOGISTIC.predict_proba}
    assert prove(lambda rows: {n: f(rows) for n, f in by_name.items()}, LOGISTIC).equal


def test_what_raises_for_some_rows_refuses_them() -> None:
    def strict(rows: Any) -> Any:
        if not np.isfinite(rows).all() or np.abs(rows).max(initial=0) > 1e6:
            raise ValueError("too large")
        return RIDGE.predict(rows)

    proof = prove(strict, RIDGE)

    assert proof.differing["held-out"] == 0 < proof.differing["edge-case"]
    assert any("strict raises ValueError: too large" in note for note in proof.notes)


def test_what_raises_for_all_rows_can_t_be_asked() -> None:
    with pytest.raises(SubjectFailed, match=r"answers no held-out row: .* raises TypeError"):
        prove(lambda rows: len(5), RIDGE)  # type: ignore[arg-type] # on purpose


RETURNED: dict[str, Callable[[int, int], Any]] = {
    "rows of several lengths": lambda _, count: [[1], [2, 3], *[[1]] * (count - 2)],
    "fewer rows": lambda _, count: LABELS[: count - 1],
    "one number": lambda *_: 5,
    "nothing": lambda *_: None,
    "other outputs each time": lambda call, count: {
        f"y{call}" if call > 2 else "y": LABELS[np.arange(count) % 120]
    },
}


@pytest.mark.parametrize("name", RETURNED)
def test_a_function_that_returns_something_else_is_refused(name: str) -> None:
    calls: list[int] = []

    def function(rows: Any) -> Any:
        calls.append(len(rows))
        return RETURNED[name](len(calls), len(rows))

    with pytest.raises(SubjectFailed, match=r"returns nothing that has|without 'y'"):
        prove(function, LOGISTIC)


@pytest.mark.parametrize("subject", [5, "nowhere", "README.md"])
def test_what_is_no_subject_is_wrong_use(subject: Any) -> None:
    with pytest.raises(WrongUse, match=r"ubject|SUBJECT"):
        prove(subject, RIDGE)


# The command, notebooks and pytest

SOURCE = """
import numpy as np
from sklearn.linear_model import Ridge

X = np.random.default_rng(0).normal(size=(60, 3))
model = Ridge().fit(X, X.sum(axis=1))


def build():
    return model, X


def right(rows):
    return model.predict(rows)


def wrong(rows):
    return model.predict(rows) + 0.5
"""


@pytest.mark.parametrize(
    ("subject", "code", "said"),
    [
        ("right", 0, "equal: "),
        ("wrong", 1, "is off by 0.5 in every row"),
        ("neither", 2, "has no function 'neither'"),
    ],
)
def test_the_command_says_what_it_found(tmp_path: Path, subject: str, code: int, said: str) -> None:
    file = tmp_path / "their_model.py"
    file.write_text(SOURCE)

    result = CliRunner().invoke(main, ["prove", f"{file}:{subject}", f"{file}:build"])

    assert result.exit_code == code
    assert said in result.output


def test_a_notebook_shows_it() -> None:
    proof = prove(lambda rows: RIDGE.predict(rows) + 1, RIDGE)

    shown = proof._repr_html_()
    assert shown.startswith("<table><caption>different: &lt;lambda&gt; does not answer as Pipeline")
    assert "is off by 1 in every row" in shown


@pytest.mark.long
def test_pytest_has_a_fixture_that_fails_with_what_differs(tmp_path: Path) -> None:
    (tmp_path / "their_model.py").write_text(SOURCE)
    (tmp_path / "test_theirs.py").write_text(
        "from their_model import X, model, right, wrong\n\n"
        "def test_nothing_is_imported():\n"
        "    import sys; assert 'onnxlet.convert' not in sys.modules\n"
        "def test_right(prove): assert prove(right, model, X).equal\n"
        "def test_wrong(prove): prove(wrong, model, X)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "onnxlet.pytest_fixture"]
    order = ["-pno:cacheprovider", "test_theirs.py"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [*command, *order], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )

    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "is off by 0.5 in every row" in done.stdout

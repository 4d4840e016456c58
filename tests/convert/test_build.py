"""`python -m convert build` and `verify`, as users run them."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from convert.__main__ import main
from convert.errors import Refusal, WrongUse
from convert.golden import verify
from convert.source import Source
from function.errors import ModelError, OnnxletError
from tests import estimators
from tests.convert.helpers import ROOT, built, command

FILES = {"golden.json", "manifest.json", "model.onnx"}

SOURCE = """
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from convert.converters import converts

random = np.random.default_rng(0)
NUMBERS = random.normal(size=(120, 3))
Y = NUMBERS @ [1.0, 2.0, -1.0]
FRAME = pd.DataFrame(NUMBERS, columns=["a", "b", "c"]).assign(
    t=random.choice(["u", "v", "w"], 120), s=random.choice(["x", "y"], 120)
)


def linear(factor=1.0):
    return LinearRegression().fit(NUMBERS, factor * Y), NUMBERS, factor * Y


def other():
    return linear(2.0)


def mixed():
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c"]),
        (OneHotEncoder(min_frequency=3, handle_unknown="ignore"), ["t", "s"]),
    )
    model = make_pipeline(columns, RandomForestClassifier(5, random_state=0))
    return model.fit(FRAME, np.where(Y > 0, "yes", "no")), FRAME


class Doubled(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2.0 * np.asarray(X)


class Forgotten(Doubled):
    pass


@converts(Doubled)
def wrong(graph, fitted, table):
    return {"transform": graph.matrix(table) * 2.001}


def doubled():
    return make_pipeline(Doubled(), LinearRegression()).fit(NUMBERS, Y), NUMBERS


def forgotten():
    return make_pipeline(Forgotten(), LinearRegression()).fit(NUMBERS, Y), NUMBERS


def raising():
    raise RuntimeError("the database is away")


def leaving():
    raise SystemExit(0)


def nothing():
    return None


def alone():
    return linear()[0]


def five():
    return 1, 2, 3, 4, 5


NUMBER = 7
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project: source files and saved models. Tests don't change what is there."""
    home = tmp_path_factory.mktemp("a project")
    (home / "source.py").write_text(SOURCE)
    (home / "broken.py").write_text("def build(:\n")
    (home / "needs.py").write_text("import a_module_that_is_nowhere\n")
    (home / "notes.txt").write_text("nothing\n")
    (home / "bad.joblib").write_bytes(b"not a model")
    random = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "age": random.integers(18, 80, 150),
            "income": random.normal(3000, 800, 150).round(2),
            "home": random.choice(["rent", "own"], 150),
        }
    )
    data["Status"] = np.where(data["age"] + random.normal(0, 9, 150) > 45, "good", "bad")
    columns = make_column_transformer(
        (StandardScaler(), ["age", "income"]), (OneHotEncoder(), ["home"])
    )
    train = data[:100]
    model = make_pipeline(columns, LogisticRegression()).fit(
        train.drop(columns="Status"), train["Status"]
    )
    data[100:].to_csv(home / "held_out.csv", index=False)
    joblib.dump(model, home / "model.joblib")
    (home / "model.pkl").write_bytes(pickle.dumps(model))
    from skops import io

    io.dump(model, home / "model.skops")
    return home


def built_in_process(function: str, folder: Path, models: Path, **more: Any) -> Any:
    from convert.source import load_source

    return built(load_source(f"{folder / 'source.py'}:{function}"), models, **more)


# Exit codes and messages

Done = subprocess.CompletedProcess[str]

WRONG_USE: dict[str, tuple[list[str], str]] = {
    "no file": (["gone.py:build", "--name", "n"], "there is no file 'gone.py'"),
    "no function": (["source.py:gone", "--name", "n"], "'source.py' has no function 'gone'"),
    "no callable": (["source.py:NUMBER", "--name", "n"], "'source.py' has no function 'NUMBER'"),
    "no module": (["gone:build", "--name", "n"], "there is no module 'gone'"),
    "models below a file": (
        ["source.py:linear", "--name", "n", "--models", "notes.txt/models"],
        "notes.txt",
    ),
    "no package": (["gone.inner:build", "--name", "n"], "there is no module 'gone"),
    "no colon": (["source.py", "--name", "n"], "expected FILE.py:FUNCTION"),
    "None returned": (["source.py:nothing", "--name", "n"], "got NoneType"),
    "estimator alone": (["source.py:alone", "--name", "n"], "got LinearRegression"),
    "five returned": (["source.py:five", "--name", "n"], "got a tuple of 5"),
    "bad name": (["source.py:linear", "--name", "../n"], "--name: expected up to 100 letters"),
    "no name": (["source.py:linear"], "Missing option '--name'"),
    "models is a file": (
        ["source.py:linear", "--name", "n", "--models", "notes.txt"],
        "'notes.txt' is a file",
    ),
    "no data": (["model.joblib", "--name", "n"], "Add --data FILE"),
    "no such model file": (["gone.joblib", "--name", "n"], "there is no file 'gone.joblib'"),
    "no such data": (
        ["model.joblib", "--name", "n", "--data", "gone.csv"],
        "--data: there is no file 'gone.csv'",
    ),
    "data of no known form": (
        ["model.joblib", "--name", "n", "--data", "notes.txt"],
        "expected a .csv, .csv.gz or .parquet file",
    ),
    "no such target": (
        ["model.joblib", "--name", "n", "--data", "held_out.csv", "--target", "status"],
        "There are age, income, home, Status.",
    ),
    "data for a function": (
        ["source.py:linear", "--name", "n", "--data", "held_out.csv"],
        "--data and --target go with a file",
    ),
}
FAILED: dict[str, tuple[list[str], str]] = {
    "function raises": (
        ["source.py:raising", "--name", "n"],
        "source.py:raising raised RuntimeError: the database is away",
    ),
    "function leaves": (["source.py:leaving", "--name", "n"], "source.py:leaving"),
    "file is not Python": (["broken.py:build", "--name", "n"], "broken.py raised SyntaxError"),
    "module is missing": (
        ["needs.py:build", "--name", "n"],
        "needs module 'a_module_that_is_nowhere'",
    ),
    "not a model": (
        ["bad.joblib", "--name", "n", "--data", "held_out.csv"],
        "'bad.joblib' can't be read",
    ),
    "a wrong converter": (
        ["source.py:doubled", "--name", "n"],
        "Pipeline: no conversion answers as scikit-learn does",
    ),
    "no converter": (
        ["source.py:forgotten", "--name", "n"],
        "step Pipeline > Forgotten: Forgotten has no converter",
    ),
    "verify of nothing": (["verify"], "manifest.json"),
}


@pytest.fixture(scope="module")
def ends(folder: Path) -> Mapping[str, Done]:
    """Every failing command, carried out once."""
    cases = {**WRONG_USE, **FAILED}

    def run(case: str) -> Done:
        arguments = cases[case][0]
        if arguments == ["verify"]:
            return command("verify", folder / "gone" / "1", cwd=folder)
        return command("build", *arguments, cwd=folder)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(cases, pool.map(run, cases), strict=True))


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_is_exit_code_2(case: str, ends: Mapping[str, Done]) -> None:
    end, wording = ends[case], WRONG_USE[case][1]
    assert wording in end.stderr
    assert "Traceback" not in end.stderr
    assert (end.returncode, end.stdout) == (2, "")


@pytest.mark.parametrize("case", FAILED)
def test_failure_and_refusal_are_exit_code_1(case: str, ends: Mapping[str, Done]) -> None:
    end, wording = ends[case], FAILED[case][1]
    assert wording in end.stderr
    assert "Traceback" not in end.stderr
    assert (end.returncode, end.stdout) == (1, "")
    assert "error: " in end.stderr


def test_nothing_that_failed_has_written_anything(folder: Path, ends: Mapping[str, Done]) -> None:
    assert len(ends) == len(WRONG_USE) + len(FAILED)
    assert not (folder / "models").exists()


@pytest.mark.parametrize("case", ["a wrong converter", "no converter"])
def test_a_refusal_is_short_and_has_a_hint(case: str, ends: Mapping[str, Done]) -> None:
    message = ends[case].stderr.split("error: ", 1)[1]
    lines = message.strip().split("\n")

    assert lines[-1].startswith("hint: Nothing was written.")
    assert re.search(
        r"with python \S+, scikit-learn \S+, skl2onnx \S+, onnx \S+, onnxruntime \S+$", lines[-2]
    )
    assert len(lines) <= 9
    assert max(map(len, lines)) <= 600


def test_a_refusal_says_which_rows_and_columns_and_how_far(ends: Mapping[str, Done]) -> None:
    assert re.search(
        r"differs? on \d+ of \d+ rows by up to \S+ \(relative \S+\)(, mostly where .*)?; "
        r"first on (held-out|hard) row \d+: expected .*, got .* at x\d=",
        ends["a wrong converter"].stderr,
    )


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-n", ".n", "é", "n\n", "x" * 101])
def test_names_that_are_no_folder_or_address_are_wrong_use(name: str, tmp_path: Path) -> None:
    X = np.arange(12.0).reshape(4, 3)
    with pytest.raises(WrongUse, match="--name"):
        built(Source(LinearRegression().fit(X, X[:, 0]), X), tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback_beside_the_message(folder: Path) -> None:
    end = command("build", "source.py:raising", "--name", "n", "--debug", cwd=folder)

    assert end.returncode == 1
    assert "Traceback (most recent call last)" in end.stderr
    assert "in raising" in end.stderr
    assert end.stderr.strip().split("\n")[-1].startswith("error: source.py:raising raised")


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_of_every_command_has_an_example(name: str) -> None:
    end = command(name, "--help")
    example = re.search(rf"^ +Example: python -m convert {name} \S+", end.stdout, re.MULTILINE)
    assert end.returncode == 0
    assert example is not None
    assert "--debug" in end.stdout


def test_a_build_reports_on_stderr_and_prints_the_certificate(folder: Path, tmp_path: Path) -> None:
    end = command(
        "build", "source.py:linear", "--name", "n", "--models", tmp_path / "m", cwd=folder
    )

    assert end.returncode == 0
    assert end.stdout.startswith("parity certificate of n version 1\n")
    assert end.stdout.endswith(f"n version 1 written to {tmp_path / 'm' / 'n' / '1'}\n")
    assert "mean absolute error" in end.stdout
    assert "trying float64 matrix" in end.stderr
    assert {entry.name for entry in (tmp_path / "m" / "n" / "1").iterdir()} == FILES


# What a function returns, and what is wrong with it

X = np.random.default_rng(2).normal(size=(40, 3))
Y = X @ [1.0, 2.0, 3.0]
LINEAR = LinearRegression().fit(X, Y)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
OF_FRAME = LinearRegression().fit(FRAME, Y)


@pytest.mark.parametrize(
    "source",
    [
        Source(42, X),
        Source(None, X),
        Source(LinearRegression, X),
        Source(LinearRegression(), X),
        Source(LogisticRegression(), X),
        Source(LINEAR, X[:, :2]),
        Source(LINEAR, X[:0]),
        Source(LINEAR, None),
        Source(LINEAR, X, Y[:10]),
        Source(LINEAR, X, np.where(Y > 0, Y, np.nan)),
        Source(LINEAR, X, ["a"] * 40),
        Source(OF_FRAME, FRAME, Y, X),
        Source(OF_FRAME, FRAME, Y, FRAME[["a", "b"]]),
        Source(OF_FRAME, FRAME, Y, FRAME.assign(a="text")),
    ],
    ids=[
        "a number for the estimator",
        "None for the estimator",
        "a class for the estimator",
        "an unfitted regressor",
        "an unfitted classifier",
        "a column too few",
        "no rows",
        "no X_test",
        "y_test of another length",
        "y_test with gaps",
        "y_test of another kind",
        "X_train an array",
        "X_train without a column",
        "X_train of another type",
    ],
)
def test_what_cannot_be_used_is_told_or_left_out_never_a_traceback(
    source: Source, tmp_path: Path
) -> None:
    refused = False
    try:
        built(source, tmp_path)
    except OnnxletError:
        refused = True
    assert (tmp_path / "m" / "1").exists() is not refused


def test_scores_where_more_rows_are_held_out_than_are_compared(tmp_path: Path) -> None:
    many = np.tile(X, (501, 1))  # 20,040 rows
    manifest = built(Source(LINEAR, many, np.tile(Y, 501)), tmp_path).manifest

    assert manifest["parity"]["held_out_rows"] == 20_000
    assert manifest["metrics"]["r2"]["model"] == 1.0


def test_statistics_of_training_columns_are_not_truncated_to_the_test_sets_type(
    tmp_path: Path,
) -> None:
    train = pd.DataFrame({"a": [0.5, 1.5, 2.5, np.nan], "b": [1.0, 2, 3, 4]})
    test = pd.DataFrame({"a": [1, 2, 3], "b": [1.5, 2, 4]})
    model = LinearRegression().fit(test, [1, 2, 4])

    statistics = built(Source(model, test, None, train), tmp_path).manifest["statistics"]
    assert statistics["columns"]["a"] == {
        "missing": 1,
        "minimum": 0.5,
        "maximum": 2.5,
        "mean": 1.5,
        "median": 1.5,
    }


# Files with --data


@pytest.fixture(scope="module")
def from_files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("from files")

    def run(kind: str) -> Done:
        return command(
            *("build", f"model.{kind}", "--name", kind, "--models", models),
            *("--data", "held_out.csv", "--target", "Status"),
            cwd=folder,
            environ={"PYTHONHASHSEED": "0"},
        )

    with ThreadPoolExecutor(2) as pool:
        for end in pool.map(run, ("joblib", "pkl", "skops")):
            assert end.returncode == 0, end.stderr
    return models


@pytest.mark.parametrize("kind", ["joblib", "pkl", "skops"])
def test_saved_estimators_with_held_out_rows(kind: str, from_files: Path) -> None:
    manifest = json.loads((from_files / kind / "1" / "manifest.json").read_bytes())

    assert [tensor["name"] for tensor in manifest["signature"]["inputs"]] == [
        "age",
        "income",
        "home",
    ]
    assert manifest["classes"] == ["bad", "good"]
    assert set(manifest["metrics"]) == {"accuracy", "roc_auc"}
    assert manifest["statistics"]["source"] == "X_test"
    assert manifest["parity"]["held_out_rows"] == 50
    assert verify(from_files / kind / "1")[1] == 24


def test_saved_in_three_forms_it_is_one_model(from_files: Path) -> None:
    one, two, three = (
        {f: (from_files / kind / "1" / f).read_bytes() for f in FILES}
        for kind in ("joblib", "pkl", "skops")
    )
    assert one == two == three


# Versions


def contents(models: Path, name: str = "n") -> dict[str, bytes]:
    return {f"{p.parent.name}/{p.name}": p.read_bytes() for p in (models / name).glob("*/*")}


def test_the_same_input_is_the_same_bytes_whatever_the_hash_seed(
    folder: Path, tmp_path: Path
) -> None:
    def run(seed: str) -> Done:
        return command(
            *("build", "source.py:mixed", "--name", "n", "--models", tmp_path / seed),
            cwd=folder,
            environ={"PYTHONHASHSEED": seed},
        )

    with ThreadPoolExecutor(2) as pool:
        for end in pool.map(run, ("0", "4242")):
            assert end.returncode == 0, end.stderr
    assert contents(tmp_path / "0").keys() == {f"1/{file}" for file in FILES}
    assert contents(tmp_path / "0") == contents(tmp_path / "4242")

    again = run("0")
    assert "n version 1 is the same, byte for byte, as " in again.stdout
    assert contents(tmp_path / "0") == contents(tmp_path / "4242")


def test_the_order_of_sets_is_not_in_the_bytes(folder: Path, tmp_path: Path) -> None:
    versions = set()
    for seed in ("0", "10", "21"):  # skl2onnx's set of domains differs
        end = command(
            *("build", "model.joblib", "--name", "n", "--models", tmp_path),
            *("--data", "held_out.csv", "--target", "Status"),
            cwd=folder,
            environ={"PYTHONHASHSEED": seed},
        )
        assert end.returncode == 0, end.stderr
        versions |= {entry.name for entry in (tmp_path / "n").iterdir()}
    assert versions == {"1"}


def test_a_graph_names_each_domain_once(tmp_path: Path) -> None:
    import onnx

    directory = built(Source(LINEAR, X), tmp_path).directory
    imported = [entry.domain for entry in onnx.load(directory / "model.onnx").opset_import]
    assert len(imported) == len(set(imported))


def test_a_forest_with_several_threads_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    forest = RandomForestRegressor(30, n_jobs=2, random_state=0).fit(X, Y)
    versions = {built(Source(forest, X), tmp_path).version for _ in range(3)}
    assert versions == {1}


def test_a_changed_model_gets_the_next_version(folder: Path, tmp_path: Path) -> None:
    first = built_in_process("linear", folder, tmp_path)
    before = contents(tmp_path, "m")
    second = built_in_process("other", folder, tmp_path)
    back = built_in_process("linear", folder, tmp_path)

    assert [(b.version, b.new) for b in (first, second, back)] == [(1, True), (2, True), (3, True)]
    assert [b.directory for b in (first, second, back)] == [
        tmp_path / "m" / str(number) for number in (1, 2, 3)
    ]
    assert before.items() <= contents(tmp_path, "m").items()


def test_versions_go_on_above_the_highest_by_number(folder: Path, tmp_path: Path) -> None:
    first = built_in_process("linear", folder, tmp_path)
    for number in ("9", "10"):
        shutil.copytree(first.directory, tmp_path / "m" / number)
    (tmp_path / "m" / "notes").mkdir()

    same = built_in_process("linear", folder, tmp_path)
    changed = built_in_process("other", folder, tmp_path)
    assert (same.version, same.new) == (10, False)
    assert (changed.version, changed.new) == (11, True)


def test_an_altered_highest_version_is_not_taken_for_the_same(folder: Path, tmp_path: Path) -> None:
    first = built_in_process("linear", folder, tmp_path)
    (first.directory / "model.onnx").write_bytes(b"")

    assert built_in_process("linear", folder, tmp_path).version == 2


def test_what_a_killed_build_left_is_removed(folder: Path, tmp_path: Path) -> None:
    for name in (".building-m", ".building-other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(b"half")

    built_in_process("linear", folder, tmp_path)

    assert {entry.name for entry in tmp_path.iterdir()} - {".lock"} == {"m"}
    assert {entry.name for entry in (tmp_path / "m" / "1").iterdir()} == FILES


# A child builds one new version after another until it is killed.
BUILDING = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from sklearn.linear_model import LinearRegression
from convert.build import build
from convert.golden import verify
from convert.source import Source

models, kills = Path(sys.argv[1]), int(sys.argv[2])
X = np.random.default_rng(0).normal(size=(30, 3))
chance = random.Random(int(sys.argv[3]))

def endlessly():
    while True:
        y = X @ np.random.default_rng().normal(size=3)
        build(Source(LinearRegression().fit(X, y), X), "m", models, lambda line: None)

left = 0
for kill in range(kills):
    child = os.fork()
    if not child:
        endlessly()
    time.sleep(chance.uniform(0.05, 0.4))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left += any(models.glob(".building-*"))
    for version in (models / "m").glob("*"):
        files = {entry.name for entry in version.iterdir()}
        assert files == {"golden.json", "manifest.json", "model.onnx"}, (kill, version, files)
        verify(version)
versions = sorted(int(entry.name) for entry in (models / "m").iterdir())
assert versions == list(range(1, len(versions) + 1)), versions
print(len(versions), left)
"""


def test_builds_killed_at_random_moments_leave_whole_versions_alone(tmp_path: Path) -> None:
    end = subprocess.run(
        [sys.executable, "-c", BUILDING, str(tmp_path), "12", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert end.returncode == 0, end.stderr
    versions, _ = map(int, end.stdout.split())
    assert versions > 5


def at_once(folder: Path, models: Path, *functions: str) -> list[subprocess.Popen[str]]:
    """Start builds together, and wait for their ends."""
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "convert", "build", f"{folder / 'source.py'}:{function}"),
                *("--name", "n", "--models", str(models)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for function in functions
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    return processes


def test_two_builds_at_once_of_one_model_are_one_version(folder: Path, tmp_path: Path) -> None:
    at_once(folder, tmp_path, "linear", "linear")
    assert contents(tmp_path).keys() == {f"1/{file}" for file in FILES}


def test_two_builds_at_once_of_two_models_are_two_whole_versions(
    folder: Path, tmp_path: Path
) -> None:
    at_once(folder, tmp_path, "linear", "other")

    assert contents(tmp_path).keys() == {f"{v}/{file}" for v in (1, 2) for file in FILES}
    for version in ("1", "2"):
        assert verify(tmp_path / "n" / version)[1] == 24
    one, two = (contents(tmp_path)[f"{v}/model.onnx"] for v in (1, 2))
    assert one != two


# The manifest


def test_the_manifest_of_a_classifier_with_training_rows(tmp_path: Path) -> None:
    result = built(estimators.shop(), tmp_path)
    manifest = json.loads((result.directory / "manifest.json").read_bytes())

    assert manifest == result.manifest
    assert manifest["format"] == 1
    assert manifest["task"] == "classification"
    assert manifest["classes"] == [False, True]
    assert manifest["signature"] == {
        "inputs": [
            {"name": "Preis (€)", "type": "float64", "nullable": False, "shape": [-1, 1]}
            | {"infinite": True},
            {"name": "count", "type": "int64", "nullable": False, "shape": [-1, 1]},
            {"name": "new", "type": "bool", "nullable": False, "shape": [-1, 1]},
            {"name": "色", "type": "string", "nullable": False, "shape": [-1, 1]}
            | {"categories": ["红", "绿", "蓝"]},
            {"name": "note", "type": "string", "nullable": True, "shape": [-1, 1]}
            | {"required": False},
        ],
        "outputs": [
            {"name": "prediction", "type": "bool", "shape": [-1]},
            {"name": "probabilities", "type": "float64", "shape": [-1, 2]},
        ],
    }
    parity = manifest["parity"]
    assert set(parity) == {
        *(
            "held_out_rows",
            "hard_rows",
            "differing_rows",
            "tied_rows",
            "undecided_rows",
            "unanswered_rows",
            "tolerance",
        ),
        *("outputs", "recipe", "recipes_that_failed"),
    }
    assert (parity["held_out_rows"], parity["differing_rows"], parity["tolerance"]) == (
        100,
        0,
        1e-5,
    )
    assert parity["hard_rows"] > 200
    assert set(parity["outputs"]) == {"prediction", "probabilities"}
    assert 0 < parity["outputs"]["probabilities"]["largest_absolute"] <= 1e-5
    for pair in manifest["metrics"].values():
        assert pair["model"] > pair["baseline"]
    assert set(manifest["metrics"]) == {"accuracy", "roc_auc"}
    assert manifest["statistics"]["source"] == "X_train"
    assert manifest["statistics"]["rows"] == 200
    assert list(manifest["statistics"]["columns"]) == ["Preis (€)", "count", "new", "色", "note"]
    for tool in ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy"):
        assert manifest["versions"][tool] == installed_version(tool)
    assert manifest["versions"]["python"].count(".") == 2
    assert manifest["files"] == {
        file: hashlib.sha256((result.directory / file).read_bytes()).hexdigest()
        for file in ("model.onnx", "golden.json")
    }


def test_statistics_come_from_the_test_set_where_there_is_no_training_set(tmp_path: Path) -> None:
    source = estimators.shop()
    statistics = built(Source(source.estimator, source.X_test), tmp_path).manifest["statistics"]

    counts = source.X_test["count"]
    assert (statistics["source"], statistics["rows"]) == ("X_test", 100)
    assert statistics["columns"]["count"] == {
        "missing": 0,
        "minimum": counts.min(),
        "maximum": counts.max(),
        "mean": pytest.approx(counts.mean()),
        "median": sorted(counts)[49],
    }


def test_regressors_are_scored_beside_the_median(tmp_path: Path) -> None:
    skewed = np.exp(Y / 3)
    model = LinearRegression().fit(X, skewed)

    metrics = built(Source(model, X, skewed), tmp_path).manifest["metrics"]
    assert metrics == {
        "mean_absolute_error": {
            "model": pytest.approx(np.abs(model.predict(X) - skewed).mean(), abs=1e-6),
            "baseline": pytest.approx(np.abs(np.median(skewed) - skewed).mean(), abs=1e-6),
        },
        "r2": {
            "model": pytest.approx(model.score(X, skewed), abs=1e-6),
            "baseline": pytest.approx(
                1
                - ((skewed - np.median(skewed)) ** 2).sum() / ((skewed - skewed.mean()) ** 2).sum(),
                abs=1e-6,
            ),
        },
    }


def test_without_answers_there_are_no_metrics(tmp_path: Path) -> None:
    assert built(Source(LINEAR, X), tmp_path).manifest["metrics"] is None


# Golden rows


@pytest.fixture(scope="module")
def shop_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(estimators.shop(), tmp_path_factory.mktemp("shop")).directory


def test_golden_rows_are_held_out_rows_with_scikit_learns_own_answers(shop_model: Path) -> None:
    golden = json.loads((shop_model / "golden.json").read_bytes())
    source = estimators.shop()
    held_out = source.X_test.values.tolist()

    assert golden["tolerance"] == 1e-5
    assert len(golden["instances"]) == 24
    places = [held_out.index(row) for row in golden["instances"]]
    assert places == sorted(places)
    assert golden["answers"] == {
        "prediction": source.estimator.predict(source.X_test)[places].tolist(),
        "probabilities": source.estimator.predict_proba(source.X_test)[places].tolist(),
    }


def test_golden_rows_are_never_tied(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(60, 1) % 3
    labels = (np.arange(60) % 2 == 0) | (values[:, 0] == 2)
    model = DecisionTreeClassifier().fit(values, labels)  # 0 and 1: half and half, 2: True
    result = built(Source(model, values, labels), tmp_path)

    golden = json.loads((result.directory / "golden.json").read_bytes())
    assert result.manifest["parity"]["tied_rows"] >= 40
    assert golden["instances"] == [[2.0]] * 20


def altered(version: Path, to: Path) -> Path:
    """A copy of a version, to be altered."""
    copy = to / version.parent.name / version.name
    shutil.copytree(version, copy)
    return copy


def rewrite(version: Path, file: str, change: Callable[[Any], Any], *, rehash: bool) -> None:
    content = json.loads((version / file).read_bytes())
    change(content)
    (version / file).write_text(json.dumps(content))
    if rehash:
        manifest = json.loads((version / "manifest.json").read_bytes())
        manifest["files"][file] = hashlib.sha256((version / file).read_bytes()).hexdigest()
        (version / "manifest.json").write_text(json.dumps(manifest))


def test_verify_counts_the_golden_rows_that_it_replayed(shop_model: Path) -> None:
    end = command("verify", shop_model)
    assert end.stdout == "m version 1: 24 golden rows answered as at build\n"
    assert (end.returncode, end.stderr) == (0, "")


def test_verify_takes_a_relative_directory(shop_model: Path) -> None:
    assert command("verify", "1", cwd=shop_model.parent).returncode == 0


@pytest.mark.parametrize("file", ["model.onnx", "golden.json"])
def test_verify_detects_an_altered_file(file: str, shop_model: Path, tmp_path: Path) -> None:
    copy = altered(shop_model, tmp_path)
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)

    end = command("verify", copy)
    assert f"error: model m/1: {file} was altered" in end.stderr
    assert "hint: " in end.stderr
    assert "Traceback" not in end.stderr
    assert (end.returncode, end.stdout) == (1, "")


@pytest.mark.parametrize("file", sorted(FILES))
def test_verify_detects_a_missing_file(file: str, shop_model: Path, tmp_path: Path) -> None:
    copy = altered(shop_model, tmp_path)
    (copy / file).unlink()
    with pytest.raises(ModelError, match="m/1"):
        verify(copy)


def set_at(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda golden: golden["answers"]["prediction"].reverse(),
        lambda golden: golden["answers"]["prediction"].__setitem__(
            3, not golden["answers"]["prediction"][3]
        ),
        lambda golden: golden["answers"]["probabilities"][5].__setitem__(
            0, golden["answers"]["probabilities"][5][0] + 3e-5
        ),
        lambda golden: golden["answers"]["probabilities"][0].reverse(),
        set_at("answers", "prediction", 0, value="True"),
        set_at("answers", "prediction", 0, value=1),
        set_at("instances", 4, 0, value="text"),
        set_at("instances", 4, 3, value="unseen"),
    ],
    ids=[
        "labels reversed",
        "one label",
        "one probability",
        "classes swapped",
        "label as text",
        "label as a number",
        "instance of the wrong type",
        "instance of no category",
    ],
)
def test_verify_detects_a_changed_golden_row_whose_hash_fits(
    change: Callable[[Any], Any], shop_model: Path, tmp_path: Path
) -> None:
    copy = altered(shop_model, tmp_path)
    rewrite(copy, "golden.json", change, rehash=True)

    with pytest.raises(ModelError, match=r"not scikit-learn's: .*golden row"):
        verify(copy)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("golden.json", lambda golden: golden["answers"]["probabilities"].pop()),
        ("golden.json", lambda golden: golden["answers"]["prediction"].pop()),
        ("golden.json", lambda golden: golden["instances"].pop()),
        ("golden.json", set_at("answers", "score", value=[0.0] * 24)),
        ("golden.json", lambda golden: golden.pop("answers")),
        ("golden.json", lambda golden: golden.pop("instances")),
        ("manifest.json", lambda manifest: manifest.pop("files")),
        ("manifest.json", lambda manifest: manifest["files"].pop("model.onnx")),
        ("manifest.json", lambda manifest: manifest["files"].pop("golden.json")),
        ("manifest.json", lambda manifest: manifest.pop("signature")),
        ("manifest.json", lambda manifest: manifest.pop("format")),
    ],
    ids=[
        "probabilities too few",
        "predictions too few",
        "instances too few",
        "an output too many",
        "no answers",
        "no instances",
        "no files",
        "no hash of the model",
        "no hash of the golden rows",
        "no signature",
        "no format",
    ],
)
def test_verify_tells_of_a_directory_that_is_no_model(
    file: str, change: Callable[[Any], Any], shop_model: Path, tmp_path: Path
) -> None:
    copy = altered(shop_model, tmp_path)
    rewrite(copy, file, change, rehash=file == "golden.json")

    with pytest.raises(ModelError):
        verify(copy)


def test_verify_of_golden_rows_that_are_not_json(shop_model: Path, tmp_path: Path) -> None:
    copy = altered(shop_model, tmp_path)
    (copy / "golden.json").write_bytes(b"{")
    digest = hashlib.sha256(b"{").hexdigest()
    rewrite(copy, "manifest.json", set_at("files", "golden.json", value=digest), rehash=False)

    with pytest.raises(OnnxletError, match="not JSON"):
        verify(copy)


def test_a_graph_that_answers_otherwise_is_detected_though_its_hash_fits(
    shop_model: Path, tmp_path: Path
) -> None:
    import onnx
    from onnx import numpy_helper

    copy = altered(shop_model, tmp_path)
    proto = onnx.load(copy / "model.onnx")
    for constant in proto.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype == np.float64:
            constant.CopyFrom(numpy_helper.from_array(values + 0.01, constant.name))
    content = proto.SerializeToString()
    assert content != (copy / "model.onnx").read_bytes()
    (copy / "model.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    rewrite(copy, "manifest.json", set_at("files", "model.onnx", value=digest), rehash=False)

    with pytest.raises(ModelError, match="golden row"):
        verify(copy)


@pytest.mark.parametrize("name", ["function", "convert"])
def test_a_user_file_may_have_the_name_of_a_package_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(SOURCE)
    end = command(
        *("build", f"{tmp_path / name}.py:linear", "--name", "n", "--models", tmp_path / "m")
    )
    assert end.returncode == 0, end.stderr


def test_a_refusal_writes_nothing_beside_what_was_there(folder: Path, tmp_path: Path) -> None:
    built_in_process("linear", folder, tmp_path)
    before = contents(tmp_path, "m")
    with pytest.raises(Refusal):
        built_in_process("forgotten", folder, tmp_path)

    assert contents(tmp_path, "m") == before
    assert {entry.name for entry in tmp_path.iterdir()} - {".lock"} == {"m"}

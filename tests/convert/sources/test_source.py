"""Where an estimator and its data come from: source files with converters, and saved files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import load_source
from onnxlet.function.errors import OnnxletError
from tests.convert.helpers import FILES, built, contents, invoked

# Converters that a source file registers


def test_a_converter_in_the_source_file_is_used(at_home: Path, tmp_path: Path) -> None:
    source = load_source("source.py:tripled")
    result = built(source, tmp_path)

    assert result.manifest["parity"]["differing_rows"] == 0
    assert type(source.estimator.steps[0][1]) in converters()
    verify(result.directory)


def test_a_converter_of_ones_own_comes_before_ours(at_home: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from sklearn.linear_model import LinearRegression\n"
        "from onnxlet import converts\n"
        "class Line(LinearRegression): pass\n"
        "@converts(Line)\n"
        "def first(graph, fitted, table): return {'predict': graph.matrix(table).sum()}\n"
        "@converts(Line)\n"
        "def second(graph, fitted, table):\n"
        "    x = graph.matrix(table)\n"
        "    return {'predict': x @ fitted.coef_.reshape(-1, 1) + fitted.intercept_}\n"
        "def build():\n"
        "    X = [[1.0, 2.0], [3.0, 5.0], [4.0, 4.0], [0.5, 9.0]]\n"
        "    return Line().fit(X, [1.0, 2.0, 4.0, 3.0]), X\n"
    )
    built(load_source(f"{tmp_path / 'own.py'}:build"), tmp_path / "models")


def test_a_module_by_its_name(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "inner.py").write_text((at_home / "source.py").read_text())
    monkeypatch.syspath_prepend(tmp_path)

    source = load_source("package.inner:linear")
    assert source.X_test.shape == (120, 3)
    assert source.y_test.shape == (120,)
    assert source.X_train is None


def test_a_source_file_beside_a_module_of_its_name(at_home: Path, tmp_path: Path) -> None:
    for name in ("json", "onnxlet"):
        before = sys.modules[name]
        (tmp_path / f"{name}.py").write_text((at_home / "source.py").read_text())

        source = load_source(f"{tmp_path / name}.py:tripled")

        assert sys.modules[name] is before
        assert sys.modules[type(source.estimator.steps[0][1]).__module__] is not before


def test_a_source_file_is_read_again_each_time(at_home: Path, tmp_path: Path) -> None:
    for value in (1, 2):
        (tmp_path / "again.py").write_text(f"def build(): return {value}, [[{value}]]")
        assert load_source(f"{tmp_path / 'again.py'}:build").estimator == value
        assert "again" in sys.modules
        assert "again_source" not in sys.modules


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("own.py:biuld", "'own.py' has no function 'biuld'", "It has build, swapped."),
        ("own.py:build", "missing 1 required positional argument", "It is called without argum"),
        ("own.py:swapped", "expected own.py:swapped to return the estimator first", ""),
        ("own.py", "expected FILE.py:FUNCTION", "Name the function in it, such as own.py:build"),
        (
            "net.onnx",
            "expected FILE.py:FUNCTION",
            "python -m onnxlet import net.onnx --name N",
        ),
    ],
)
def test_a_source_that_is_said_wrongly(
    text: str,
    message: str,
    hint: str,
    at_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from sklearn.linear_model import LinearRegression\n"
        "def build(path): return path\n"
        "def swapped(): return [[1.0]], LinearRegression()\n"
    )
    with pytest.raises(OnnxletError) as refused:
        load_source(text)
    assert message in refused.value.message
    assert refused.value.hint.startswith(hint)


OWN = {
    "bad.py": "".join(f"def step{n}(rows): return rows\n" for n in range(12))
    + "def ok(): return 1\n",
    "nothing.py": "NUMBER = 1\n",
    "broken.py": "def build(:\n",
    "leaving.py": "import sys\nsys.exit()\n",
}
WAYS_OUT = {
    "bad.py:okk": "It has ok, step0, step1, step2, step3, step4, step5, step6, … "
    "Did you mean bad.py:ok?",
    "nothing.py:build": "It defines no function.",
    "bad.py": "Name the function in it, such as bad.py:ok.",
    "broken.py": "Name the function in it, such as broken.py:build.",
    "bad.py:ok": "End the function with 'return estimator, X_test'.",
    "broken.py:build": "Mend that line: Python can't read the file.",
    "leaving.py:build": "Take out what ends Python (exit, sys.exit): "
    "'return estimator, X_test' has to be reached.",
    "folder.py:build": "Name the file in it.",
    "folder.skops": "Name the file in it.",
}


@pytest.mark.parametrize("text", WAYS_OUT)
def test_a_source_that_does_not_work_comes_with_a_way_out(
    text: str, at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, code in OWN.items():
        (tmp_path / name).write_text(code)
    for name in ("folder.py", "folder.skops"):
        (tmp_path / name).mkdir()

    with pytest.raises(OnnxletError) as refused:
        load_source(text)

    assert refused.value.hint == WAYS_OUT[text]
    assert text.startswith("folder") == refused.value.message.endswith("' is a folder")


def test_a_class_that_is_no_estimator_is_reported_by_its_name(
    at_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "none.py").write_text(
        "from sklearn.linear_model import LinearRegression\n"
        "from sklearn.pipeline import make_pipeline\n"
        "class Step:\n"
        "    def fit(self, X, y=None): return self\n"
        "    def transform(self, X): return X\n"
        "def build():\n"
        "    X = [[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]]\n"
        "    return make_pipeline(Step(), LinearRegression()).fit(X, [1.0, 2.0, 4.0]), X\n"
    )
    with pytest.raises(Refusal, match="Step is no estimator: it has no get_params") as refused:
        built(load_source(f"{tmp_path / 'none.py'}:build"), tmp_path / "models")
    assert "BaseEstimator" in refused.value.hint


# Saved estimators, with --data


@pytest.fixture(scope="module")
def from_files(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("from files")
    for kind in ("joblib", "pkl", "skops"):
        end = invoked(
            *("build", project / f"model.{kind}", "--name", kind, "--models", models),
            *("--data", project / "held_out.csv", "--target", "Status"),
        )
        assert end.exit_code == 0, end.stderr
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
    one, two, three = (contents(from_files, kind) for kind in ("joblib", "pkl", "skops"))
    assert one.keys() == {f"1/{file}" for file in FILES}
    came = []
    for each in (one, two, three):
        manifest = json.loads(each.pop("1/manifest.json"))
        came.append({what: [e["file"] for e in f] for what, f in manifest.pop("origin").items()})
        each["without"] = json.dumps(manifest).encode()
    assert one == two == three
    assert came == [
        {"estimator": [f"model.{kind}"], "held_out": ["held_out.csv"]}
        for kind in ("joblib", "pkl", "skops")
    ]

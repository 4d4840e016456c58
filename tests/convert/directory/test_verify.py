"""Golden rows, and `verify`, which replays them and checks the hashes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import ModelError, OnnxletError
from tests import estimators
from tests.convert.helpers import FILES, built, invoked

# Golden rows


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


def test_verify_of_a_folder_of_versions_names_one(shop_model: Path) -> None:
    for place in (shop_model.parent, shop_model.parent.parent):
        end = invoked("verify", place)
        assert (end.exit_code, end.stdout) == (2, "")
        assert f"expected one version of a model, got '{place}'" in end.stderr
        assert f"hint: For example {shop_model}\n" in end.stderr


def test_verify_of_a_path_that_is_not_there_sends_nobody_to_build(tmp_path: Path) -> None:
    end = invoked("verify", tmp_path / "iris" / "1")
    assert end.exit_code == 2
    assert "hint: Name the folder of one version, such as models/NAME/1.\n" in end.stderr


def test_verify_of_what_is_no_folder_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "bad.py").touch()
    (tmp_path / "loop").symlink_to("loop")
    for path, got in (
        ("bad.py", "got the file '{}'"),
        ("models/iris/1", "there is no '{}'"),
        ("loop/iris/1", "there is no '{}'"),
    ):
        end = invoked("verify", tmp_path / path)
        said = got.format(tmp_path / path)
        assert f"error: DIR/N/V: expected the folder of one version, {said}\n" in end.stderr
        assert "\nhint: " in end.stderr
        assert (end.exit_code, end.stdout) == (2, "")


def test_verify_of_a_path_that_is_too_long_ends_without_a_traceback() -> None:
    end = invoked("verify", "x" * 300)
    assert (end.exit_code, isinstance(end.exception, SystemExit)) == (1, True)
    assert "\nhint: " in end.stderr


def test_verify_counts_the_golden_rows_that_it_replayed(shop_model: Path) -> None:
    end = invoked("verify", shop_model)
    assert end.stdout == "m version 1: 24 golden rows answered as at build\n"
    assert (end.exit_code, end.stderr) == (0, "")


def test_verify_takes_a_relative_directory(
    shop_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop_model.parent)
    assert invoked("verify", "1").exit_code == 0


@pytest.mark.parametrize("file", ["model.onnx", "golden.json"])
def test_verify_detects_an_altered_file(file: str, shop_model: Path, tmp_path: Path) -> None:
    copy = altered(shop_model, tmp_path)
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)

    end = invoked("verify", copy)
    assert f"error: model m/1: {file} was altered" in end.stderr
    assert "hint: " in end.stderr
    assert "Traceback" not in end.stderr
    assert (end.exit_code, end.stdout) == (1, "")


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


WRONG_ANSWERS: dict[str, Callable[[Any], Any]] = {
    "labels reversed": lambda golden: golden["answers"]["prediction"].reverse(),
    "one label": lambda golden: golden["answers"]["prediction"].__setitem__(
        3, not golden["answers"]["prediction"][3]
    ),
    "one probability": lambda golden: golden["answers"]["probabilities"][5].__setitem__(
        0, golden["answers"]["probabilities"][5][0] + 3e-5
    ),
    "classes swapped": lambda golden: golden["answers"]["probabilities"][0].reverse(),
    "label as text": set_at("answers", "prediction", 0, value="True"),
    "label as a number": set_at("answers", "prediction", 0, value=1),
    "instance of the wrong type": set_at("instances", 4, 0, value="text"),
    "instance of no category": set_at("instances", 4, 3, value="unseen"),
}


@pytest.mark.parametrize("change", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_verify_detects_a_changed_golden_row_whose_hash_fits(
    change: Callable[[Any], Any], shop_model: Path, tmp_path: Path
) -> None:
    copy = altered(shop_model, tmp_path)
    rewrite(copy, "golden.json", change, rehash=True)

    with pytest.raises(ModelError, match=r"not scikit-learn's: .*golden row"):
        verify(copy)


NO_MODEL: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "probabilities too few": ("golden", lambda golden: golden["answers"]["probabilities"].pop()),
    "predictions too few": ("golden", lambda golden: golden["answers"]["prediction"].pop()),
    "instances too few": ("golden", lambda golden: golden["instances"].pop()),
    "an output too many": ("golden", set_at("answers", "score", value=[0.0] * 24)),
    "no answers": ("golden", lambda golden: golden.pop("answers")),
    "no instances": ("golden", lambda golden: golden.pop("instances")),
    "no files": ("manifest", lambda manifest: manifest.pop("files")),
    "no hash of the model": ("manifest", lambda manifest: manifest["files"].pop("model.onnx")),
    "no hash of the rows": ("manifest", lambda manifest: manifest["files"].pop("golden.json")),
    "no signature": ("manifest", lambda manifest: manifest.pop("signature")),
    "no format": ("manifest", lambda manifest: manifest.pop("format")),
}


@pytest.mark.parametrize(("file", "change"), NO_MODEL.values(), ids=NO_MODEL)
def test_verify_reports_a_directory_that_is_no_model(
    file: str, change: Callable[[Any], Any], shop_model: Path, tmp_path: Path
) -> None:
    copy = altered(shop_model, tmp_path)
    rewrite(copy, f"{file}.json", change, rehash=file == "golden")

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

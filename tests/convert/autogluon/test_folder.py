"""A predictor's folder: what wrote it is found without running it, and what is refused is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.autogluon import loading
from onnxlet.convert.autogluon.folder import BLOCK, MOST_TEXT, is_predictor, needed_by
from onnxlet.convert.autogluon.predictor_there import Answers, once
from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.older.elsewhere import RaisedThere
from onnxlet.convert.older.environment import RUNNING
from onnxlet.convert.sources.source import load_source
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import invoked, quiet

ABOUT: dict[str, Any] = {
    "py_version": "3.12",
    "packages": {
        "numpy": "2.4.6", "pandas": "2.3.3", "scikit-learn": "1.9.1", "scipy": "1.17.1",
        "networkx": "3.6.1", "lightgbm": "4.7.0", "catboost": "1.2.10", "xgboost": "3.2.0",
        "requests": "2.0",
    },
}  # fmt: skip


def folder(tmp_path: Path, version: str = "1.6.3", about: Any = ABOUT, pickle: bytes = b"") -> Path:
    made = tmp_path / "ag-1"
    model = made / "models" / "Some_BAG_L1" / "S1F1"
    model.mkdir(parents=True)
    for name in ("predictor.pkl", "learner.pkl"):
        (made / name).write_bytes(b"no pickle")
    (model / "model.pkl").write_bytes(pickle)
    (made / "version.txt").write_text(version)
    (made / "metadata.json").write_text(about if isinstance(about, str) else json.dumps(about))
    return made


def test_the_environment_has_the_versions_that_wrote_it_and_the_libraries_that_models_name(
    tmp_path: Path,
) -> None:
    path = folder(tmp_path, pickle=b"...clightgbm.basic\nBooster xgboost.sklearn")
    needed = needed_by(path, quiet)

    assert is_predictor(path)
    assert needed.name == "AutoGluon 1.6.3"
    assert (needed.oldest, needed.newest) == ((3, 12), (3, 12))
    assert needed.packages == (
        "autogluon.tabular==1.6.3", "networkx==3.6.1", "numpy==2.4.6", "pandas==2.3.3",
        "scikit-learn==1.9.1", "scipy==1.17.1", "lightgbm==4.7.0", "xgboost-cpu==3.2.0",
        "typing-extensions",
    )  # fmt: skip


def test_nothing_is_installed_by_what_is_no_release(tmp_path: Path) -> None:
    packages = {"numpy": "2.0 --no-index --pre", "pandas": "@ file:///x"}
    about, said = {"py_version": "3.12", "packages": packages}, list[str]()

    assert needed_by(folder(tmp_path, about=about), said.append).packages == (
        "autogluon.tabular==1.6.3", "networkx", "numpy", "pandas", "scikit-learn", "scipy",
        "typing-extensions",
    )  # fmt: skip
    assert len(said) == 5
    assert said[1] == (
        "note: metadata.json has '2.0 --no-index --pre' as the version of numpy: the newest "
        "that fits is taken"
    )


def test_releases_before_and_after_a_release_are_taken_too(tmp_path: Path) -> None:
    others = {"numpy": "2.1.0rc1", "pandas": "2.2.3.post1", "xgboost": "2.1.1b2.post1"}
    about, said = {**ABOUT, "packages": {**ABOUT["packages"], **others}}, list[str]()
    packages = needed_by(folder(tmp_path, about=about, pickle=b"xgboost"), said.append).packages

    assert {"numpy==2.1.0rc1", "pandas==2.2.3.post1", "xgboost-cpu==2.1.1b2.post1"} < {*packages}
    assert said == []


@pytest.mark.parametrize("version", ["2.1.0rc1 -e .", "2.1.0+cu121", "2.1.0.dev0", "2.1.0rc"])
def test_no_other_version_is_taken(version: str, tmp_path: Path) -> None:
    about = {**ABOUT, "packages": {**ABOUT["packages"], "numpy": version}}

    assert "numpy" in needed_by(folder(tmp_path, about=about), quiet).packages


def test_a_python_that_is_too_old_to_read_it_is_not_the_one_that_does(tmp_path: Path) -> None:
    needed = needed_by(folder(tmp_path, "1.4.0", {**ABOUT, "py_version": "3.9"}), quiet)

    assert (needed.oldest, needed.newest) == ((3, 10), (3, 10))


def test_a_library_is_found_across_the_blocks_that_a_pickle_is_read_by(tmp_path: Path) -> None:
    for at in range(BLOCK - len("catboost") - 1, BLOCK + 2):
        path = folder(tmp_path / str(at), pickle=b"." * at + b"catboost")
        assert "catboost==1.2.10" in needed_by(path, quiet).packages


@pytest.mark.parametrize(
    ("version", "about", "why"),
    [
        ("1.6.3b20260901", ABOUT, "expected a release of AutoGluon, got '1.6.3b20260901'"),
        ("1.6.3; rm", ABOUT, "expected a release of AutoGluon"),
        ("1.3.1", ABOUT, "expected AutoGluon 1.4 or newer, got 1.3.1"),
        ("1.6.3" + " " * MOST_TEXT, ABOUT, "version.txt' can't be read: it has more than 256 KiB"),
        ("1.6.3", "[" * 100_000, "metadata.json' can't be read"),
        ("1.6.3", {**ABOUT, "py_version": 3.12}, "metadata.json' can't be read"),
        ("1.6.3", "{", "metadata.json' can't be read"),
        ("1.6.3", "[1]", "metadata.json' can't be read"),
        ("1.6.3", {**ABOUT, "py_version": "3.12 -c x"}, "expected a version of Python"),
        ("1.6.3", {**ABOUT, "packages": 5}, "metadata.json' can't be read"),
    ],
)
def test_what_says_nothing_of_its_environment_is_refused(
    version: str, about: Any, why: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceFailed, match=why):
        needed_by(folder(tmp_path, version, about), quiet)


def test_a_folder_without_its_version_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "version.txt").unlink()

    with pytest.raises(SourceFailed, match=r"version\.txt' can't be read") as failed:
        needed_by(path, quiet)
    assert "Is the folder whole" in failed.value.hint


@pytest.mark.parametrize(
    "name", ["version.txt", "metadata.json", "models/Some_BAG_L1/S1F1/model.pkl"]
)
@pytest.mark.parametrize(
    ("put", "why"),
    [
        (os.mkfifo, "no regular file"),
        (Path.mkdir, "no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
        (lambda path: path.symlink_to(__file__), "leads out of the folder"),
    ],
    ids=["a pipe", "a folder", "a device", "a file elsewhere"],
)
def test_what_is_no_file_of_the_folder_is_not_opened(
    put: Any, why: str, name: str, tmp_path: Path
) -> None:
    path = folder(tmp_path)
    (path / name).unlink()
    put(path / name)

    with pytest.raises(SourceFailed, match=f"{name}' can't be read: it .*{why}"):
        needed_by(path, quiet)


def test_models_that_are_elsewhere_are_not_looked_through(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "models").rename(tmp_path / "models")
    (path / "models").symlink_to(tmp_path / "models")

    with pytest.raises(SourceFailed, match="models' can't be read: it leads out") as failed:
        needed_by(path, quiet)
    assert failed.value.hint.startswith(f"'cp -rL {path} COPY'")


def test_a_link_to_the_folder_and_links_within_it_are_followed(tmp_path: Path) -> None:
    path, link = folder(tmp_path, pickle=b"lightgbm"), tmp_path / "link"
    (path / "version.txt").rename(path / "kept.txt")
    (path / "version.txt").symlink_to("kept.txt")
    link.symlink_to(path)

    assert "lightgbm==4.7.0" in needed_by(link, quiet).packages


def test_rows_are_asked_for_before_anything_is_read(tmp_path: Path) -> None:
    end = invoked("build", folder(tmp_path), "--name", "m", "--models", tmp_path / "models")

    assert end.exit_code == 2
    assert "no rows to prove it on" in end.stderr
    assert not (tmp_path / "models").exists()


def test_a_type_is_trusted_in_a_skops_file_only(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"--trust goes with a \.skops file"):
        load_source(str(folder(tmp_path)), trusted=["a.b"])


@pytest.mark.parametrize("command", [("build", "--name", "m"), ("prove", "theirs.onnx")])
def test_a_model_is_named_of_such_a_folder_only(command: tuple[str, ...]) -> None:
    end = invoked(*command, "model.skops", "--model", "LightGBM")

    assert end.exit_code == 2
    assert "--model goes with the folder of an AutoGluon predictor" in end.stderr


LISTED = [
    {"name": "LightGBM", "score": 0.871, "lacks": {}},
    {"name": "CatBoost", "score": 0.862, "lacks": {}},
    {"name": "Net", "score": 0.9, "lacks": {"Net": "TabularNeuralNetTorchModel"}},
    {"name": "Best", "score": 0.91, "lacks": {"Net": "TabularNeuralNetTorchModel", "RF": ""}},
    {"name": "Full", "score": None, "lacks": {}},
]


def checked(model: str, models: Any = LISTED) -> Any:
    about = {"models": models, "model": model, "metric": "accuracy"}
    with pytest.raises((SourceFailed, WrongUse)) as failed:
        loading._check_model(Path("ag-1"), about)
    return failed.value


def test_a_model_that_needs_another_that_can_not_be_is_refused_with_the_best_that_can() -> None:
    refused = checked("Best")

    assert refused.message == (
        "'Best' of 'ag-1' can't be served: Net is of TabularNeuralNetTorchModel, which has no "
        "conversion; RF is not in the folder"
    )
    assert refused.hint == (
        "--model LightGBM does without: its validation score (accuracy) is 0.871, that of Best "
        "is 0.91."
    )
    assert checked("Net", LISTED[2:4]).hint == "No model of it does without."


def test_a_model_that_is_not_there_is_wrong_use() -> None:
    refused = checked("LightGMB")

    assert isinstance(refused, WrongUse)
    assert refused.message == "--model: 'ag-1' has no model 'LightGMB' that answers"
    assert refused.hint == "It has LightGBM, CatBoost, Net, Best, Full."


def test_a_score_of_nothing_is_one_and_no_score_is_none() -> None:
    for score, shown in ((0.0, "0"), (None, "not known")):
        last = {"name": "Last", "score": score, "lacks": {"Net": "X"}}
        assert checked("Last", [*LISTED, last]).hint.endswith(f"that of Last is {shown}.")


def test_an_empty_name_is_of_no_model() -> None:
    predictor = SimpleNamespace(model_best="LightGBM", problem_type="regression")

    assert Answers(predictor, None).name == "LightGBM"
    assert "has no model ''" in checked(Answers(predictor, "").name).message


def test_the_same_rows_are_asked_once_and_those_of_other_types_by_themselves() -> None:
    asked = list[Any]()

    def method(X: Any, **options: Any) -> Any:
        asked.append(options)
        return X

    remembered = once(method)
    for number, pair in enumerate(((1, True), (1, 1.0), (None, np.nan))):
        for value in pair:
            frame = pd.DataFrame({"a": [value, "x"]}, dtype=object)
            for X in (frame, frame.copy()):
                assert remembered(X)["a"][0] is value
        assert len(asked) == 2 * (number + 1)

    for model in ("A", "B", "B"):
        remembered(frame, model=model)
    assert asked[-2:] == [{"model": "A"}, {"model": "B"}]


def test_what_nothing_is_known_of_is_named_and_what_can_not_be_read_is_told_apart() -> None:
    def failed(kind: str, text: str) -> SourceFailed:
        raised = RaisedThere(kind, text)
        return loading._failed(Path("ag-1"), "AutoGluon 1.6.3", Path("/e/bin/python"), raised)

    unknown = failed("NotDescribed", "the feature generator Own is not known")
    assert unknown.message == "'ag-1' can't be served: the feature generator Own is not known"
    assert "--model NAME takes another" in unknown.hint
    absent = failed("FileNotFoundError", "S1F1/model.pkl")
    assert absent.message == "'ag-1' lacks a file: S1F1/model.pkl"
    assert "another model by --model NAME" in absent.hint
    assert failed("UnpicklingError", "no pickle").message == (
        "'ag-1' can't be read by AutoGluon 1.6.3: UnpicklingError: no pickle"
    )


def test_an_environment_that_can_not_be_made_is_named_with_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("UV_OFFLINE", "1")
    here = {**ABOUT, "py_version": f"{RUNNING[0]}.{RUNNING[1]}"}
    with pytest.raises(SourceFailed, match=r"AutoGluon 1\.6\.3 can't be made") as said:
        loading.read_predictor(folder(tmp_path, about=here), None, quiet)

    assert "autogluon.tabular==1.6.3 networkx==3.6.1 numpy==2.4.6" in said.value.hint

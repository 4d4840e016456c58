"""Versions, and model directories that are broken."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onnxlet.function.app import create_app
from onnxlet.function.errors import ModelError, UnknownModel
from onnxlet.function.model_files import AGAIN
from onnxlet.function.models.model import load_model
from onnxlet.function.models.repository import Repository
from tests.function.altered import put


def test_the_highest_version_is_served_by_number(own: Path) -> None:
    for version in ("2", "10"):
        shutil.copytree(own / "iris" / "1", own / "iris" / version)
    for ignored in ("011", "new", ".tmp", "0"):
        (own / "iris" / ignored).mkdir()

    repository = Repository(own)

    assert repository.versions("iris") == [1, 2, 10]
    assert repository.choose().version == 10
    assert repository.choose("iris", 2).version == 2
    with pytest.raises(UnknownModel, match="no version 3"):
        repository.choose("iris", 3)


def test_what_is_no_model_is_ignored(own: Path) -> None:
    (own / ".building-x" / "1").mkdir(parents=True)
    (own / "empty").mkdir()
    (own / "file").touch()

    assert Repository(own).names == ["iris"]


@pytest.mark.parametrize("file", ["model.onnx", "manifest.json"])
def test_a_missing_file_fails_at_once(own: Path, file: str) -> None:
    (own / "iris" / "1" / file).unlink()

    with pytest.raises(ModelError) as told:
        create_app(own)
    # Without the folder's path: clients read about a lower version.
    assert told.value.message == f"model iris/1: {file}: No such file or directory"


def test_a_file_that_may_not_be_read_is_no_reason_to_build_again(models: Path) -> None:
    """As nobody, where this process may read everything."""
    directory = Path(tempfile.mkdtemp())  # which others may walk into
    try:
        directory.chmod(0o755)
        shutil.copytree(models / "iris", directory / "iris")
        for file in ("model.onnx", "manifest.json"):
            (directory / "iris" / "1" / file).chmod(0)
            with as_nobody(), pytest.raises(ModelError) as told:
                load_model(directory / "iris" / "1")
            assert told.value.message == f"model iris/1: {file}: Permission denied"
            assert told.value.hint == "Let the user that this runs as read it."
    finally:
        shutil.rmtree(directory)


@contextmanager
def as_nobody() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_is_no_version_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "iris" / "latest").mkdir(parents=True)
    (tmp_path / "iris" / "latest" / "manifest.json").write_text('{"format": 1}')
    for name, told in (("9", "manifest.json: No such file"), ("latest", "expected a whole number")):
        with pytest.raises(ModelError, match=f"model iris/{name}: {told}") as refused:
            load_model(tmp_path / "iris" / name)
        assert refused.value.hint == "Name the folder of one version, such as models/NAME/1."


@pytest.mark.parametrize("text", ["", "{"])
def test_a_manifest_that_is_no_json_is_named(own: Path, text: str) -> None:
    (own / "iris" / "1" / "manifest.json").write_text(text)

    with pytest.raises(ModelError, match=r"iris/1: manifest\.json: expected JSON, got other"):
        create_app(own)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            '{"format',
            "expected JSON, got other text: "
            "Unterminated string starting at: line 1 column 2 (char 1)",
            AGAIN,
        ),
        ("[]", "expected a manifest of format 1, got none", AGAIN),
        ("{}", "expected a manifest of format 1, got none", AGAIN),
        (
            '{"format": 99}',
            "expected a manifest of format 1, got format 99",
            "It was built by another version of convert; build it again.",
        ),
    ],
)
def test_a_manifest_that_is_none_says_what_it_is(
    own: Path, text: str, message: str, hint: str
) -> None:
    (own / "iris" / "1" / "manifest.json").write_text(text)

    with pytest.raises(ModelError) as refused:
        create_app(own)

    assert refused.value.message.startswith("model iris/1: ")
    assert refused.value.message.endswith(message)
    assert refused.value.hint == hint


def test_one_altered_byte_fails_at_once(own: Path) -> None:
    path = own / "iris" / "1" / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(ModelError, match=r"altered: expected sha256"):
        create_app(own)


def test_an_unloadable_model_fails_at_once(own: Path) -> None:
    folder = own / "iris" / "1"
    put(folder, "model.onnx", b"no model")

    with pytest.raises(ModelError, match="does not load"):
        load_model(folder)


def test_a_broken_older_version_does_not_stop_the_newer(own: Path) -> None:
    shutil.copytree(own / "iris" / "1", own / "iris" / "2")
    (own / "iris" / "1" / "model.onnx").write_bytes(b"broken")
    client = create_app(own).test_client()

    newer = client.post("/predict", json=[[5.1, 3.5, 1.4, 0.2]])
    older = client.post("/models/iris/versions/1/predict", json=[[5.1, 3.5, 1.4, 0.2]])

    assert newer.status_code == 200
    assert older.status_code == 500
    assert older.mimetype == "application/problem+json"


def test_of_two_folders_the_higher_version_is_served(own: Path, tmp_path: Path) -> None:
    updates = tmp_path / "updates"
    assert Repository(own, updates=updates).versions("iris") == [1]
    shutil.copytree(own / "iris" / "1", updates / "iris" / "3")
    shutil.copytree(own / "iris" / "1", updates / "other" / "1")
    shutil.copytree(own / "iris" / "1", own / "iris" / "2")
    repository = Repository(own, updates=updates)

    assert repository.names == ["iris", "other"]
    assert repository.versions("iris") == [1, 2, 3]
    assert [repository.choose("iris", version).version for version in (None, 2, 1)] == [3, 2, 1]


def test_a_broken_update_is_passed_over_at_the_start(
    own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(own / "iris" / "1", tmp_path / "updates" / "iris" / "2")
    (tmp_path / "updates" / "iris" / "2" / "model.onnx").write_bytes(b"torn")
    repository = Repository(own, updates=tmp_path / "updates")

    assert repository.choose("iris").version == 1
    assert repository.versions("iris") == [1]
    told = json.loads(capfd.readouterr().err)
    assert (told["model"], told["version"], told["state"]) == ("iris", 2, "refused")
    (own / "iris" / "1" / "model.onnx").write_bytes(b"torn")
    with pytest.raises(ModelError, match="iris/1"):
        Repository(own, updates=tmp_path / "updates")

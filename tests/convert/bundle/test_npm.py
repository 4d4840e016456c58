"""Packages of npm: taken by their hash, or refused with the reason."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from onnxlet.convert.bundle.npm import NpmPackage, command, fetched
from onnxlet.convert.errors import PackagingFailed

FILES = {"package/dist/a.mjs": b"export default 1;\n", "package/LICENSE": b"MIT\n"}


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in FILES.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def integrity(content: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


Npm = Callable[[str], None]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    """Makes `npm` a script of this text, the only program on the PATH beside the shell's."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (tmp_path / "a.tgz").write_bytes(archive())
    cp = shutil.which("cp")

    def write(text: str) -> None:
        script = text.format(cp=cp, archive=tmp_path / "a.tgz", said=tmp_path / "said")
        (programs / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "npm").chmod(0o755)

    monkeypatch.setenv("PATH", str(programs))
    return write


def package(files: tuple[str, ...] = ("dist/a.mjs",), content: bytes = b"") -> NpmPackage:
    return NpmPackage("a", "1.2.3", integrity(content or archive()), "MIT", files)


@pytest.fixture(autouse=True)
def _same_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gzip writes the time into it."""
    content = archive()
    monkeypatch.setattr(f"{__name__}.archive", lambda: content)


def test_the_files_of_a_package_come_by_their_names(npm: Npm, tmp_path: Path) -> None:
    npm("echo $* >{said}\n{cp} {archive} a-1.2.3.tgz")
    assert fetched(package(("dist/a.mjs", "LICENSE"))) == {
        "a.mjs": b"export default 1;\n", "LICENSE": b"MIT\n",
    }  # fmt: skip
    assert (tmp_path / "said").read_text() == "pack --silent --ignore-scripts a@1.2.3\n"


def test_another_hash_is_refused(npm: Npm) -> None:
    npm("{cp} {archive} a-1.2.3.tgz")
    with pytest.raises(PackagingFailed) as caught:
        fetched(package(content=b"another"))
    assert caught.value.message.startswith("npm: a@1.2.3: expected the hash sha512-")
    assert f"got {integrity(archive())}" in caught.value.message


def test_where_npm_fails_it_is_said_what_npm_says(npm: Npm) -> None:
    npm("echo 'npm error 404 nowhere' >&2\nexit 1")
    with pytest.raises(PackagingFailed, match=r"npm pack a@1\.2\.3 fails: npm error 404 nowhere"):
        fetched(package())


def test_where_npm_writes_nothing_it_has_failed(npm: Npm) -> None:
    npm("exit 0")
    with pytest.raises(PackagingFailed, match=r"npm pack a@1\.2\.3 fails"):
        fetched(package())


def test_a_file_that_is_not_in_it_is_named(npm: Npm) -> None:
    npm("{cp} {archive} a-1.2.3.tgz")
    with pytest.raises(PackagingFailed, match=r"npm: .*gone\.mjs"):
        fetched(package(("gone.mjs",)))


@pytest.mark.parametrize("name", ["npm", "node"])
def test_without_node_it_is_said_what_is_needed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingFailed, match=f"there is no {name} here") as caught:
        command(name)
    assert "Node.js 20 or newer" in caught.value.hint

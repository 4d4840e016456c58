"""What is in an image, and what is not."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from onnxlet.convert.bundle import archive, image_debian, image_system
from onnxlet.convert.bundle.image import ROOT
from onnxlet.convert.bundle.image_layer import USER
from onnxlet.convert.bundle.image_system import UNUSED
from onnxlet.convert.bundle.parts import Machine
from onnxlet.convert.errors import PackagingFailed
from tests.conftest import ROOT as PROJECT
from tests.conftest import ran
from tests.convert.bundle.conftest import make as make_bundle
from tests.image.conftest import NATIVE, OTHER, PYTHON, Image

pytestmark = pytest.mark.image

MOST = 60_000_000  # bytes of the file, with a small model
LIBRARY = f"usr/lib/python{PYTHON}/"
NOWHERE = (
    *(f"*bin/{name}" for name in ("sh", "bash", "dash", "perl*", "dpkg*", "apt*", "su", "mount")),
    "*/perl5/*", "*/pip/*", "*/gconv/*", "*/locale/*", "*/man/*", "*/info/*", "*changelog*",
)  # fmt: skip


@pytest.fixture(scope="module", params=["native", "other"])
def image(request: pytest.FixtureRequest) -> Image:
    found: Image = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def root(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image.unpacked(tmp_path_factory.mktemp("root"))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def name_of(descriptor: dict[str, Any]) -> str:
    """A blob's name without the algorithm's."""
    name: str = descriptor["digest"]
    return name.removeprefix("sha256:")


def test_every_blob_is_what_its_name_and_the_manifests_say(image: Image) -> None:
    files = image.blobs()
    blobs = {n.removeprefix("blobs/sha256/"): c for n, c in files.items() if n.startswith("blobs/")}
    assert {name: digest(content) for name, content in blobs.items()} == {n: n for n in blobs}

    [listed] = json.loads(files["index.json"])["manifests"]
    assert name_of(listed) == image.written.digest
    manifest = json.loads(blobs[image.written.digest])
    told = [listed, manifest["config"], *manifest["layers"]]
    assert {name_of(each): each["size"] for each in told} == {n: len(c) for n, c in blobs.items()}
    config = json.loads(blobs[name_of(manifest["config"])])
    tars = [gzip.decompress(blobs[name_of(each)]) for each in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest(tar)}" for tar in tars]
    assert config["architecture"] == {"x86_64": "amd64", "aarch64": "arm64"}[image.arch]
    assert config["config"]["User"] == f"{USER}:{USER}"
    assert json.loads(files["manifest.json"]) == [
        {
            "Config": f"blobs/sha256/{name_of(manifest['config'])}",
            "RepoTags": ["onnxlet:latest"],
            "Layers": [f"blobs/sha256/{name_of(each)}" for each in manifest["layers"]],
        }
    ]


def test_it_is_small(image: Image) -> None:
    assert image.file.stat().st_size < MOST
    names = [line.split("  ")[0].strip() for line in image.written.lines]
    assert {"Debian's Python", "packages", "onnxlet", "in all", "budget"} <= set(names)


def test_another_process_writes_equal_bytes(
    native: Image, house_prices: Path, tmp_path: Path
) -> None:
    for file in house_prices.rglob("*"):
        file.touch()
    out = tmp_path / "another name.tar"
    command = [sys.executable, "-m", "convert", "package", "--models", str(house_prices)]
    done = ran(
        [*command, "--target", "image", "--python", PYTHON, "--out", str(out)],
        cwd=PROJECT,
        timeout=800,
        umask=0o077,
        env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
    )
    assert done.returncode == 0, done.stderr
    assert f"onnxlet:latest, sha256 {native.written.digest}\n" in done.stdout
    assert done.stdout.splitlines()[: len(native.written.lines)] == native.written.lines
    assert digest(out.read_bytes()) == digest(native.file.read_bytes())
    assert list(tmp_path.iterdir()) == [out]


def test_it_has_the_very_files_of_a_device(
    image: Image, root: Path, house_prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LEVEL", 1)
    make_bundle("device", house_prices, tmp_path / "x.zip", python=PYTHON, arch=image.arch)
    with zipfile.ZipFile(tmp_path / "x.zip") as bundle:
        device = {name: bundle.read(name) for name in bundle.namelist()}
    below = root / ROOT
    there = {p.relative_to(below).as_posix(): p for p in below.rglob("*") if p.is_file()}
    assert there.keys() - device.keys() == {"image.json", "image-bom.json"}
    assert {name: there[name].read_bytes() for name in device} == device


def found(root: Path) -> dict[str, os.stat_result]:
    return {p.relative_to(root).as_posix(): p.lstat() for p in root.rglob("*")}


def test_there_is_no_program_but_python(root: Path) -> None:
    every = found(root)
    assert not [p for p in every if any(fnmatchcase(f"/{p}", pattern) for pattern in NOWHERE)]
    runnable = [p for p, s in every.items() if stat.S_ISREG(s.st_mode) and s.st_mode & 0o111]
    libraries = [p for p in runnable if ".so" in p and image_system.is_elf((root / p).read_bytes())]
    programs = {p for p in runnable if p not in libraries and not p.startswith(LIBRARY)}
    assert programs == {f"usr/bin/python{PYTHON}", "usr/bin/onnxlet"}


def test_pythons_library_is_compiled(root: Path) -> None:
    sources = [p for p in (root / LIBRARY).rglob("*.py") if not p.is_symlink()]
    assert len(sources) > 300
    for source in sources:
        made = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert made.read_bytes()[4:8] == b"\1\0\0\0", "its hash is not compared at the start"
        assert f"/{source.relative_to(root)}".encode() in made.read_bytes()


def test_nobody_else_can_write_or_gain_rights(root: Path) -> None:
    every = {p: s for p, s in found(root).items() if not stat.S_ISLNK(s.st_mode)}
    assert {p for p, s in every.items() if s.st_mode & 0o002} == {"tmp"}
    assert {p for p, s in every.items() if s.st_mode & 0o020} == {"tmp", "var/lib/onnxlet"}
    assert not [p for p, s in every.items() if s.st_mode & (stat.S_ISUID | stat.S_ISGID)]
    assert {p: s.st_uid for p, s in every.items() if s.st_uid} == {"var/lib/onnxlet": USER}
    assert all(s.st_mode & 0o004 for s in every.values())


def test_links_lead_somewhere(root: Path) -> None:
    links = [path for path in root.rglob("*") if path.is_symlink()]
    assert len(links) > 20
    for path in links:
        target = str(path.readlink())
        start = root if target.startswith("/") else path.parent
        assert (start / target.lstrip("/")).exists(), path


def test_each_package_is_listed_with_its_licence(image: Image, root: Path) -> None:
    listed = json.loads((root / ROOT / "image.json").read_text())
    assert listed == {"format": 1, "system": image.written.packages}
    assert {"libc6", "libstdc++6", f"python{PYTHON}-minimal"} < listed["system"].keys()
    for name, version in listed["system"].items():
        told = (root / "var/lib/dpkg/status.d" / name).read_text()
        assert f"Package: {name}\n" in told
        assert f"\nVersion: {version}\n" in told
        assert (root / "usr/share/doc" / name / "copyright").stat().st_size > 100
    bill = (root / ROOT / "image-bom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    components = {each["name"]: each for each in json.loads(bill)["components"]}
    assert {n: each["version"] for n, each in components.items()} == image.written.packages
    assert components["libc6"]["purl"].startswith("pkg:deb/debian/libc6@")
    status = {path.name for path in (root / "var/lib/dpkg/status.d").iterdir()}
    assert status == listed["system"].keys()
    assert "ID=debian" in (root / "etc/os-release").read_text()


def test_every_rule_leaves_something_out(tmp_path: Path) -> None:
    files = image_debian.fetch(Machine(PYTHON, OTHER), tmp_path)
    every = [path for file in files for path in image_debian.read(file).files]
    there = [path.removeprefix(LIBRARY) for path in every if path.startswith(LIBRARY)]
    for rule in UNUSED:
        assert [p for p in there if any(fnmatchcase(p, x) for x in rule.patterns)], rule


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Have apt read one source, and no other of this machine's."""
    (folder / "sources.list").write_text(source)
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(folder / "apt.conf"))


@pytest.mark.parametrize("trusted", [False, True])
def test_packages_without_a_signature_are_refused(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "Packages").write_text("")
    (repository / "Release").write_text("Suite: x\n")
    option = "[trusted=yes] " * trusted
    configured(tmp_path, monkeypatch, f"deb {option}file:{repository} ./\n")
    (tmp_path / "apt").mkdir()
    with pytest.raises(PackagingFailed) as caught:
        image_debian.fetch(Machine(PYTHON, NATIVE), tmp_path / "apt")
    told = "Python 3.13 for " if trusted else "the sources of this machine can't be read"
    assert caught.value.message.startswith(told)
    assert ("is not signed" in caught.value.message) is not trusted
    assert "Debian 13" in caught.value.hint


def test_a_python_that_the_sources_have_not_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match=r"Python 3\.12 for \w+ can't be had") as caught:
        image_debian.fetch(Machine("3.12", NATIVE), tmp_path)
    assert "E: Unable to locate package python3.12-minimal" in caught.value.message

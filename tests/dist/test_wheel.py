"""The wheel holds this project's code below one name; its bytes are the same each way."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from onnxlet import __version__
from onnxlet.convert.bundle.package import IMAGES
from onnxlet.convert.bundle.targets import TARGETS
from tests.conftest import ROOT, ran
from tests.dist.conftest import packed
from tools.release import PRIVATE

REQUIREMENTS = ROOT / "requirements"
INFO = f"onnxlet-{__version__}.dist-info"
# A pin that lets one lock fit all. Those who import it ask for what they need of it.
NOT_OURS = {"protobuf"}


def below(folder: Path) -> dict[str, Path]:
    """The files of a folder of code, by their path in the wheel."""
    files = (f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return {f"onnxlet/{file.relative_to(ROOT).as_posix()}": file for file in files}


def test_it_holds_the_three_folders_the_locks_and_nothing_else(wheel: Path) -> None:
    face = (file for file in (ROOT / "onnxlet").iterdir() if file.is_file())
    expected = {f"onnxlet/{file.name}": file for file in face}
    for folder in ("function", "convert", "edge"):
        expected |= below(ROOT / folder)
    for lock in {IMAGES, *(part.lock for target in TARGETS.values() for part in target.parts)}:
        expected[f"onnxlet/requirements/{lock}"] = REQUIREMENTS / lock

    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}

    about = {name for name in content if name.startswith(f"{INFO}/")}
    assert content.keys() - about == expected.keys()
    assert [n for n, file in expected.items() if content[n] != file.read_bytes()] == []
    assert "onnxlet/py.typed" in content
    assert content[f"{INFO}/entry_points.txt"].decode().split() == [
        "[console_scripts]", "onnxlet", "=", "onnxlet.command_line:main",
        "[pytest11]", "onnxlet", "=", "onnxlet.pytest_fixture",
    ]  # fmt: skip


def test_by_way_of_the_source_archive_it_is_the_same(
    dist: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
        archive.extractall(tmp_path, filter="data")

    packed(tmp_path / f"onnxlet-{__version__}", tmp_path, "wheel")

    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_its_bill_of_materials_is_of_this_very_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{INFO}/sboms/onnxlet.cdx.json").decode()
        content = {name: archive.read(name) for name in archive.namelist()}
    metadata = Parser().parsestr(content[f"{INFO}/METADATA"].decode())

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/onnxlet@{__version__}"
    files = {each["name"]: each for each in bill["components"] if each["type"] == "data"}
    assert len(files) > 5
    for name, each in files.items():
        digest = hashlib.sha256(content[name]).hexdigest()
        assert each["hashes"] == [{"alg": "SHA-256", "content": digest}]
    asked = {Requirement(text).name for text in metadata.get_all("Requires-Dist", [])}
    assert asked == {each["name"] for each in bill["components"]} - files.keys()


def test_it_asks_for_what_is_locked_here(wheel: Path) -> None:
    """Names as in requirements/*.in; no newest version, so that an environment keeps its own."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())
    # By extra the file that lists it: what [boosters] has is in two, since a clone has LightGBM.
    files = {"convert": "build", "train": "convert", "boosters": "train"}
    extras = ("function", *files, "engines", "images", "edge", "pytest")
    asked: dict[str, set[str]] = {name: set() for name in extras}
    for text in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        assert {each.operator for each in requirement.specifier} <= {">="}, text
        found = re.search("extra == '(.*)'", str(requirement.marker).replace('"', "'"))
        asked[found.group(1) if found else "function"].add(requirement.name)

    assert asked.pop("pytest") == {"pytest"}
    for extra, names in asked.items():
        lines = (REQUIREMENTS / f"{files.get(extra, extra)}.in").read_text().splitlines()
        listed = {re.split(r"[ <>=]", line)[0] for line in lines if line[:1].isalpha()}
        moved = {"lightgbm"} & (listed if extra == "convert" else names)
        assert names - moved == listed - NOT_OURS - moved, extra
        assert moved == {"lightgbm"} if extra in ("convert", "boosters") else not moved
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]
    private = PRIVATE.search((ROOT / "pyproject.toml").read_text()) is not None
    assert ("Private :: Do Not Upload" in metadata.get_all("Classifier", [])) == private
    assert str(metadata.get_payload()).startswith("# onnxlet\n")


def test_an_editable_install_is_refused(tmp_path: Path) -> None:
    """It would put `tests`, `function`, `convert` and `edge` on the path, and no `onnxlet.edge`."""
    (tmp_path / "editables.py").write_text(
        "class EditableProject:\n    def __init__(self, *_): raise AssertionError('not refused')\n"
    )
    code = f"from hatchling.build import build_editable as b; b({str(tmp_path)!r})"
    done = ran([sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path)})

    assert "ValueError: Dev mode installations are unsupported" in done.stderr
    assert not list(tmp_path.glob("*.whl"))


@pytest.mark.parametrize("file", ["__init__.py", "folders.py", "environment.py"])
def test_what_a_zip_s_doctor_imports_is_read_by_old_pythons(file: str) -> None:
    ast.parse((ROOT / "onnxlet" / file).read_text(), feature_version=(3, 7))


@pytest.mark.parametrize("name", ["function", "convert", "edge"])
def test_ours_are_not_imported_by_names_that_may_be_somebody_s(name: str) -> None:
    def faults(line: str) -> str:
        done = ran(
            [sys.executable, "-m", "ruff", "check", "--stdin-filename", "function/x.py", "-"],
            input=f'"""Doc."""\n\n{line}\n',
        )
        return done.stdout

    assert f"Import onnxlet.{name}" in faults(f"import {name}.errors")
    assert f"Import onnxlet.{name}" in faults(f"from {name} import errors")
    assert "TID251" not in faults(f"from onnxlet.{name} import errors")


def test_folders_named_as_what_is_built_are_linted_too() -> None:
    """Ruff leaves out every `dist`, by its own list."""
    done = ran([sys.executable, "-m", "ruff", "check", "--show-files", "."], check=True)
    assert str(Path(__file__).resolve()) in done.stdout.splitlines()

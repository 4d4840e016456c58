"""What is in a bundle, and what is not."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import struct
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from onnxlet.convert.bundle import contents, stripping
from onnxlet.convert.bundle.contents import LICENCES, choose_models, place_models
from onnxlet.convert.bundle.package import IMAGES, description, write_models
from onnxlet.convert.bundle.parts import EDGE, Machine
from onnxlet.convert.errors import PackagingFailed
from onnxlet.convert.report import FILES
from onnxlet.function.errors import ModelError
from onnxlet.function.models.repository import Repository
from tests.conftest import ROOT
from tests.convert.bundle.conftest import ARCH, PYTHON, Made, make

MODELS = {"house-prices": 1, "iris": 1, "loan-default": 1, "shop": 1}


def names(made: Made) -> set[str]:
    with zipfile.ZipFile(made.zip) as bundle:
        return set(bundle.namelist())


def test_the_top_of_a_bundle(for_lambda: Made) -> None:
    top = {name.split("/")[0] for name in names(for_lambda)}
    packages = {name for name in top if not name.endswith(".dist-info")}

    assert packages - {"numpy.libs"} == {
        "bom.json", "bundle.json", "onnxlet", "models", "__pycache__", "blinker", "flask",
        "itsdangerous", "markupsafe", "numpy", "onnxruntime", "orjson", "serverless_wsgi.py",
        "werkzeug",
    }  # fmt: skip


def test_bundle_json_lists_every_file(for_lambda: Made) -> None:
    told = json.loads((for_lambda.folder / "bundle.json").read_text())
    files = told.pop("files")

    assert told == {"format": 1, "python": PYTHON, "arch": ARCH, "models": MODELS, "remote": []}
    assert set(files) == names(for_lambda) - {"bundle.json"}
    for path, digest in files.items():
        content = (for_lambda.folder / path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, path


def test_the_licences_of_the_code_are_beside_it(for_lambda: Made) -> None:
    for name in LICENCES:
        assert (for_lambda.folder / "onnxlet" / name).read_text() == (ROOT / name).read_text()
    assert "CityHash" in (for_lambda.folder / "onnxlet" / "NOTICE").read_text()


def test_an_installed_package_has_the_licences_in_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site" / "onnxlet-1.0.dist-info"
    (folder / "licenses").mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: onnxlet\nVersion: 1.0\n")
    (folder / "licenses" / "LICENSE").write_text("of the package")
    monkeypatch.setattr(contents, "CHECKOUT", False)
    monkeypatch.setattr(contents, "distribution", lambda name: PathDistribution(folder))
    (tmp_path / "onnxlet").mkdir()
    with pytest.raises(PackagingFailed, match="installed without its NOTICE"):
        contents.place_licences(tmp_path)
    (folder / "licenses" / "NOTICE").write_text("of others")

    assert contents.place_licences(tmp_path) == ["onnxlet/LICENSE", "onnxlet/NOTICE"]
    assert (tmp_path / "onnxlet" / "NOTICE").read_text() == "of others"


def test_every_file_of_the_function_and_of_the_models_is_there(
    for_lambda: Made, models: Path
) -> None:
    there = names(for_lambda)
    page = ROOT / "function" / "http" / "page"
    code = [*(ROOT / "function").rglob("*.py"), *page.iterdir()]
    assert {f"onnxlet/{path.relative_to(ROOT).as_posix()}" for path in code} <= there
    assert {f"onnxlet/{name}.py" for name in ("__init__", "environment", "folders")} <= there
    assert "onnxlet/commands.py" not in there
    for name in MODELS:
        for path in (models / name / "1").iterdir():
            inside = for_lambda.folder / "models" / name / "1" / path.name
            assert inside.read_bytes() == path.read_bytes()
    assert len([name for name in there if name.startswith("models/")]) == sum(
        1 for path in models.rglob("*") if path.is_file() and path.name != ".lock"
    )


def test_versions_that_have_names_are_packed_with_them(models: Path, tmp_path: Path) -> None:
    for version in ("1", "2", "3", "4"):
        shutil.copytree(models / "iris" / "1", tmp_path / "from" / "iris" / version)
    shutil.copytree(models / "shop", tmp_path / "from" / "shop")
    names = {"stable": 2, "before": 1, "again": 2}
    (tmp_path / "from" / "iris" / "aliases.json").write_text(json.dumps(names))
    chosen = choose_models(tmp_path / "from", (), ["iris"])

    paths = set(place_models(chosen, tmp_path / "to"))
    assert {f"models/iris/{v}/manifest.json" for v in (1, 2)} < paths
    assert {"models/iris/aliases.json", "models/shop/1/model.onnx"} < paths
    assert not [p for p in paths if p.startswith(("models/iris/3", "models/iris/4"))]
    assert not [p for p in paths if p.startswith("models/iris") and p.endswith(".onnx")]
    repository = Repository(tmp_path / "to" / "models", lazy=True)
    assert repository.choose("iris").version == 2
    assert repository.aliases("iris") == names
    told = description(Machine(PYTHON, ARCH), chosen, {})
    assert told["models"] == {"iris": 2, "shop": 1}
    assert told["versions"] == {"iris": [1, 2], "shop": [1]}
    write_models(chosen, tmp_path / "alone.zip", 7)  # a device has its own names
    with zipfile.ZipFile(tmp_path / "alone.zip") as archive:
        assert {name.split("/")[2] for name in archive.namelist() if "/iris/" in name} == {"2"}


def test_reports_are_left_out(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "iris", tmp_path / "from" / "iris")
    before = set(place_models(choose_models(tmp_path / "from", (), ()), tmp_path / "before"))
    for name in FILES:
        (tmp_path / "from" / "iris" / "1" / name).write_text("somebody's figures")
    chosen = choose_models(tmp_path / "from", (), ())

    assert set(place_models(chosen, tmp_path / "to")) == before
    write_models(chosen, tmp_path / "alone.zip", 7)
    with zipfile.ZipFile(tmp_path / "alone.zip") as archive:
        assert not [name for name in archive.namelist() if "report" in name]


def test_broken_names_stop_the_packaging(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "iris", tmp_path / "iris")
    (tmp_path / "iris" / "aliases.json").write_text('{"stable": 2}')
    with pytest.raises(
        ModelError, match=r"model iris: aliases\.json: 'stable': expected a version"
    ):
        choose_models(tmp_path, (), ())


@pytest.mark.long
def test_the_same_input_gives_the_same_bytes(
    for_lambda: Made, models: Path, tmp_path: Path
) -> None:
    for file in sorted(models.rglob("*"), reverse=True):
        if file.name == "manifest.json":
            file.touch()
    again = make("lambda", models, tmp_path / "deeper" / "other name.zip")

    assert again.sha256 == for_lambda.packaged.sha256
    assert (tmp_path / "deeper" / "other name.zip").read_bytes() == for_lambda.zip.read_bytes()
    assert hashlib.sha256(for_lambda.zip.read_bytes()).hexdigest() == again.sha256
    assert [path.name for path in (tmp_path / "deeper").iterdir()] == ["other name.zip"]


def test_entries_are_sorted_with_fixed_times_and_readable_by_all(for_lambda: Made) -> None:
    with zipfile.ZipFile(for_lambda.zip) as bundle:
        entries = bundle.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_a_device_has_every_file_of_lambda_unchanged(for_lambda: Made, for_device: Made) -> None:
    more = names(for_device) - names(for_lambda)
    for name in names(for_lambda):
        inside = (for_device.folder / name).read_bytes()
        assert inside == (for_lambda.folder / name).read_bytes(), name
    tops = {name.split("/")[0].split(".cpython")[0] for name in more}
    assert {top for top in tops if ".dist-info" not in top} == {
        "__main__.py", "device.json", "device-bom.json", "_cffi_backend", "click",
        "cryptography", "httptools", "onnxlet", "paho", "prometheus_client",
    }  # fmt: skip
    told = json.loads((for_device.folder / "device.json").read_text())
    assert (told["format"], told["release"]) == (1, 7)
    assert set(told["files"]) == more - {"device.json"}


def test_compiled_code_is_not_looked_up_again(for_lambda: Made) -> None:
    sources = [name for name in names(for_lambda) if name.endswith(".py")]
    assert len(sources) > 200
    for source in sources:
        made = for_lambda.folder / importlib.util.cache_from_source(source)
        head = made.read_bytes()[:16]
        assert head[:4] == importlib.util.MAGIC_NUMBER
        assert struct.unpack("<I", head[4:8]) == (0b01,), "a hash that is not checked"
        assert head[8:] == importlib.util.source_hash((for_lambda.folder / source).read_bytes())
    compiled = (for_lambda.folder / "onnxlet" / "function" / "__pycache__").glob("app.*.pyc")
    assert b"/var/task/onnxlet/function/app.py" in next(iter(compiled)).read_bytes()


def test_licences_stay(for_lambda: Made) -> None:
    there = names(for_lambda)
    packages = {name.split("/")[0] for name in there if ".dist-info/" in name}
    assert len(packages) == 9
    for package in packages:
        texts = [name for name in there if name.startswith(f"{package}/")]
        has = [name for name in texts if re.search("licen[cs]e", name, re.IGNORECASE)]
        has += ["onnxruntime/LICENSE"] * package.startswith("onnxruntime-")
        assert has, package
    assert {"onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"} <= there


@pytest.mark.parametrize(("kind", "file"), [("lambda", "bom.json"), ("device", "device-bom.json")])
def test_the_bill_of_materials(for_lambda: Made, for_device: Made, kind: str, file: str) -> None:
    made = for_lambda if kind == "lambda" else for_device
    text = (made.folder / file).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None

    components = {each["name"]: each for each in json.loads(text)["components"]}
    listed = {"cffi", "click", "cryptography", "httptools", "paho-mqtt", "prometheus_client"}
    if kind == "lambda":
        listed = {"blinker", "Flask", "itsdangerous", "MarkupSafe", "numpy", "onnxruntime"}
        listed |= {"orjson", "serverless-wsgi", "Werkzeug", *MODELS}
        manifest = json.loads((made.folder / "models" / "iris" / "1" / "manifest.json").read_text())
        assert components["iris"]["type"] == "machine-learning-model"
        assert components["iris"]["hashes"] == [
            {"alg": "SHA-256", "content": manifest["files"]["model.onnx"]}
        ]
        assert components["numpy"]["purl"] == f"pkg:pypi/numpy@{components['numpy']['version']}"
        assert components["Flask"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
        licences = {name: components[name]["licenses"][0]["license"] for name in UNNAMED}
        assert {
            name: each.get("id", each.get("name")) for name, each in licences.items()
        } == UNNAMED
    assert set(components) == listed
    of_models = MODELS if kind == "lambda" else ()
    assert {name for name, each in components.items() if "licenses" not in each} == {*of_models}


# Packages whose metadata name a licence by a classifier, or in words, alone.
UNNAMED = {
    "blinker": "MIT", "itsdangerous": "BSD License", "onnxruntime": "MIT", "serverless-wsgi": "MIT"
}  # fmt: skip


def test_every_rule_leaves_something_out(tmp_path: Path) -> None:
    contents.install(Machine("3.13", "aarch64"), tmp_path, [EDGE.lock, IMAGES])
    paths = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()]
    seen = [*paths, "numpy/__pycache__/x.pyc"]  # pip leaves these, uv does not
    from fnmatch import fnmatchcase

    idle = [
        pattern
        for rule in stripping.RULES
        for pattern in rule.patterns
        if not any(fnmatchcase(path, pattern) for path in seen)
    ]
    assert idle == []
    device = stripping.kept(paths, EDGE.needs)
    assert len(stripping.kept(paths)) < len(device) < len(paths)
    assert not [path for path in device if path.endswith(("/RECORD", "py.typed"))], "nor of click"


def test_the_document_lists_the_rules() -> None:
    text = (ROOT / "docs" / "how-to" / "packaging.md").read_text()
    rows = re.findall(
        r"^\| (`.*?`) \| (.*) \|$", text.split("## What is left out")[1], re.MULTILINE
    )
    told = [(re.findall("`(.*?)`", patterns), reason) for patterns, reason in rows]
    on_lambda = " (on lambda only)"
    assert told == [
        ([*rule.patterns], rule.reason + on_lambda * (rule.patterns == EDGE.needs))
        for rule in stripping.RULES
    ]

"""Bundles have what decodes images where a model takes some, and it decodes there."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from onnxlet import Images
from onnxlet.convert.bundle import contents, stripping
from onnxlet.convert.bundle.package import IMAGES
from onnxlet.convert.bundle.parts import ARCHES, FUNCTION, MEGABYTE, Machine
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.convert.bundle.conftest import Made, made
from tests.convert.bundle.test_running import RUN, alone
from tests.convert.images import FILES, encoded, faces, in_mode, noise
from tests.kept_builds import kept_builds

pytestmark = pytest.mark.long  # for its fixtures

OF_PILLOW = ("PIL/", "pillow")
LINKED = re.compile(rb"lib\w+-[0-9a-f]{8}\.so[.0-9]*")


@pytest.fixture(scope="session")
def of_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model, of faces."""
    folder = tmp_path_factory.mktemp("models of images")
    images, labels = faces()
    model = make_pipeline(Images(8, 8, "RGB"), GaussianNB()).fit(list(images), labels)
    return kept_builds({"faces": Source(model, images[::3])}, folder)


@pytest.fixture(scope="session")
def with_pillow(of_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A device's, which has every file of Lambda's: test_contents.py."""
    return made("device", of_images, tmp_path_factory.mktemp("with images"), release=1)


@pytest.fixture(scope="session")
def pillow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By architecture a folder with the whole of what decodes images there."""
    folders = {arch: tmp_path_factory.mktemp(arch) for arch in ARCHES}
    for arch, folder in folders.items():
        contents.install(Machine("3.13", arch), folder, [FUNCTION.lock, IMAGES])
    return folders


def paths_below(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]


def part(packaged: Any, name: str) -> list[str]:
    return [line for line in packaged.lines if line.split()[0] == name]


def test_only_bundles_of_models_with_images_have_it(with_pillow: Made, for_lambda: Made) -> None:
    assert not list(for_lambda.folder.glob("PIL")) + list(for_lambda.folder.glob("pillow*"))
    assert not part(for_lambda.packaged, "pillow")
    assert (with_pillow.folder / "PIL" / "Image.py").is_file()
    assert len(part(with_pillow.packaged, "pillow")) == 1


def test_its_bill_and_licence_are_there(with_pillow: Made) -> None:
    bill = json.loads((with_pillow.folder / "bom.json").read_bytes())

    [entry] = [each for each in bill["components"] if each["name"] == "pillow"]
    assert entry["purl"] == f"pkg:pypi/pillow@{version('pillow')}"
    assert entry["licenses"][0]["license"]["id"] == "MIT-CMU"
    assert len(list(with_pillow.folder.glob("pillow-*/licenses/LICENSE"))) == 1


def test_it_decodes_every_form_with_nothing_else_on_the_path(
    with_pillow: Made, of_images: Path
) -> None:
    images = [
        encoded(in_mode(noise(1, 20, 30), mode), form)
        for form, modes in FILES.items()
        for mode in modes
    ]
    rows = [[b64encode(content).decode()] for content in images]
    requests = [("POST", "/models/faces/predict", {"instances": rows})]

    [answer], outside = json.loads(alone(with_pillow.folder, RUN, given=json.dumps(requests)))

    client = create_app(of_images, settings=Settings(of_images)).test_client()
    wanted = client.post("/models/faces/predict", json={"instances": rows}).get_json()
    assert outside == []
    assert answer["statusCode"] == 200, answer["body"]
    got = json.loads(answer["body"])
    assert (got["prediction"], got["probabilities"]) == (
        wanted["prediction"], wanted["probabilities"],
    )  # fmt: skip


def test_it_is_the_function_s_and_not_the_device_s(with_pillow: Made) -> None:
    device = json.loads((with_pillow.folder / "device.json").read_bytes())["files"]
    function = json.loads((with_pillow.folder / "bundle.json").read_bytes())["files"]
    assert "PIL/Image.py" in function
    assert not [path for path in device if path.startswith(("PIL/", "pillow"))]


@pytest.mark.parametrize("arch", ARCHES)
def test_every_library_that_what_stays_is_linked_with_stays(
    pillow: dict[str, Path], arch: str
) -> None:
    folder = pillow[arch]
    paths = paths_below(folder)
    kept = [p for p in stripping.kept(paths) if p.startswith(OF_PILLOW)]
    libraries = {Path(path).name for path in kept if path.startswith("pillow.libs/")}
    compiled = [path for path in kept if ".so" in Path(path).name]

    named = {
        name.decode() for path in compiled for name in LINKED.findall((folder / path).read_bytes())
    }
    assert named == libraries
    assert len(libraries) >= 10
    assert sum((folder / path).stat().st_size for path in kept) < 14 * MEGABYTE


def test_every_rule_leaves_something_of_it_out(pillow: dict[str, Path]) -> None:
    for folder in pillow.values():
        paths = paths_below(folder)
        rules = [r for rule in stripping.RULES for r in rule.patterns if r.startswith(OF_PILLOW)]
        assert len(rules) > 30
        assert [rule for rule in rules if not any(fnmatchcase(path, rule) for path in paths)] == []

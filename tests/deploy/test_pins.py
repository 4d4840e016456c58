"""What is pinned is what is proven and called; a pin to what the bundle has not is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from onnxlet.function.errors import ModelError

pytestmark = pytest.mark.deploy


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """What a bundle says of two versions, and their manifests."""
    about = {"format": 1, "python": "3.13", "arch": "aarch64", "remote": ["iris"], "files": {}}
    about |= {"models": {"iris": 2, "shop": 1}, "versions": {"iris": [1, 2], "shop": [1]}}
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("bundle.json", json.dumps(about))
        archive.writestr("models/iris/aliases.json", '{"stable": 2, "before": 1}')
        for version in (1, 2):
            archive.writestr(f"models/iris/{version}/manifest.json", json.dumps({"is": version}))
    return tmp_path / "bundle.zip"


def test_the_version_that_is_served_is_the_bundle_s_or_the_pinned(bundle: Path) -> None:
    from tools.deploy.bundle import read_bundle

    for pins, version in (({}, 2), ({"iris": "1"}, 1), ({"iris": "before"}, 1)):
        got = read_bundle(bundle, pins)
        assert got.models == {"iris": version, "shop": 1}
        assert got.read("iris", "manifest.json") == {"is": version}
    assert got.read("iris", "manifest.json", 2) == {"is": 2}
    assert got.versions("iris") == [1, 2]


@pytest.mark.parametrize(
    ("pins", "reason"),
    [
        ({"iris": "3"}, "ONNXLET_SERVE=iris=3: no version 3; there are versions 1, 2"),
        ({"shop": "stable"}, "ONNXLET_SERVE=shop=stable: no alias stable; there is version 1"),
        ({"other": "1"}, "ONNXLET_SERVE: no model other; there are iris, shop"),
    ],
)
def test_a_pin_to_what_is_not_in_the_bundle_is_refused(
    bundle: Path, pins: dict[str, str], reason: str
) -> None:
    from tools.deploy.bundle import read_bundle

    with pytest.raises(ModelError, match=reason):
        read_bundle(bundle, pins)

"""The bytes of a container image, layer by layer."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.edge_device import convert
from bench.report import Figure, figures
from bench.serving import Fitted
from onnxlet.convert.bundle.parts import ARCHES, MEGABYTE

MODEL = "logistic"
MOST_MEGABYTES = 60
ABOUT = """\
A container image of the small model, with Debian's Python 3.13 in it: what a registry keeps and a
new machine pulls. A new model is the last layer, and only that is pulled again.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        return f"{ABOUT}\n{figures(_figures(models, Path(folder)))}"


def _figures(models: Path, folder: Path) -> Iterator[Figure]:
    for arch in ARCHES:
        image = folder / f"{arch}.tar"
        chosen = ("--models", models, "--model", MODEL, "--arch", arch)
        convert("package", "--target", "image", *chosen, "--require-pyc", "--out", image)
        whole = image.stat().st_size / MEGABYTE
        yield Figure(f"image, {arch}, compressed", whole, MOST_MEGABYTES, "MB", digits=1)
        for name, size in layers(image):
            yield Figure(f"... of that {name}", size / MEGABYTE, None, "MB", digits=1)


def layers(image: Path) -> list[tuple[str, int]]:
    """The name and the bytes of each layer, lowest first."""
    with tarfile.open(image) as tar:
        files = {member.name: member for member in tar}

        def read(name: str) -> bytes:
            opened = tar.extractfile(files[name])
            assert opened is not None
            return opened.read()

        [manifest] = json.loads(read("manifest.json"))
        names = [each["comment"] for each in json.loads(read(manifest["Config"]))["history"]]
    return [(name, files[path].size) for name, path in zip(names, manifest["Layers"], strict=True)]

"""`python -m tests.kept.release 1.0.0`: keep what this code makes, as `make release` has it."""

from __future__ import annotations

import lzma
import shutil
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from onnxlet.convert.build import build
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.sources.source import load_source
from tests.conftest import quiet
from tests.edge.update.conftest import Files, Maker, as_bytes, make_key
from tests.kept import sources
from tests.project.surface.comparison import RECORDED

HERE = Path(__file__).parent
KEPT_ROWS = 10  # of the background that `frame` brings
SENSITIVE = ("district",)  # groups of its report


def build_models(folder: Path, scratch: Path) -> None:
    """Version 1 of each model."""
    for name in ("iris", "text"):
        build(load_source(f"{HERE / 'sources.py'}:{name}"), name, folder, quiet)
    frame = load_source(f"{HERE / 'sources.py'}:frame")
    build(frame, "frame", folder, quiet, KEPT_ROWS, reported=SENSITIVE)
    file, sample, _ = sources.net(scratch)
    import_onnx(file, "net", folder, quiet, sample)


def write_device(files: Files, out: Path) -> None:
    """Write a bundle's files, the same bytes for the same ones."""
    with lzma.open(out, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(as_bytes(content))
            tar.addfile(member, BytesIO(as_bytes(content)))


def keep(folder: Path) -> None:
    """Write the models, a device's bundle of them, and the names that others rely on."""
    folder.mkdir()
    shutil.copy(RECORDED, folder / RECORDED.name)
    with TemporaryDirectory() as place:
        scratch = Path(place)
        build_models(folder / "models", scratch)
        key = make_key(scratch / "keys", "one")
        maker = Maker(scratch, folder / "models", scratch, key, sources.NAMES)
        write_device(maker.files(1), folder / "device.tar.xz")
    (folder / "models" / ".lock").unlink()  # of the builds


if __name__ == "__main__":
    keep(HERE / sys.argv[1])

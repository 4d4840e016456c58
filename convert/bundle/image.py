"""`convert package --target image`: a system, packages, code and models, each a layer."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet import __version__
from onnxlet.convert.bundle import contents, image_debian, image_system
from onnxlet.convert.bundle.archive import read, size_of
from onnxlet.convert.bundle.bill import bill_of_materials, debian_package
from onnxlet.convert.bundle.image_layer import (
    RUNNABLE,
    USER,
    Entries,
    Layer,
    LayerEntry,
    created_at,
    image_config,
    write_layer,
    write_layout,
)
from onnxlet.convert.bundle.package import (
    BUNDLE_FORMAT,
    Files,
    Order,
    Share,
    bundle_files,
    check,
    interpreter_for,
    table,
)
from onnxlet.convert.bundle.parts import ARCHITECTURES, Budget, Progress
from onnxlet.convert.directory.durable import whole
from onnxlet.convert.progress import Report

ROOT = "opt/onnxlet"  # of the bundle in there
LAYERS = ("packages", "onnxlet", "models")  # above the system, lowest first
TITLE = "org.opencontainers.image"
NOTES = {f"{TITLE}.title": "onnxlet", f"{TITLE}.version": __version__}
# Commands in a running container, which has no shell: podman exec NAME onnxlet status
SCRIPT = """\
#!/usr/bin/python{python} -IS
import runpy

runpy.run_path("/{root}", run_name="__main__")
"""
SECOND = 1_000_000_000  # nanoseconds, as Docker's configuration counts


class ImageFile(NamedTuple):
    """What was written."""

    digest: str  # of the manifest, which registries call the image by
    lines: list[str]  # a table of the layers
    packages: Mapping[str, str]  # version of each package of Debian's, by name


def write_image(order: Order, tag: str, report: Report, progress: Progress) -> ImageFile:
    """Write an image of these models; none means that they come by a volume.

    The tag is its name. PackagingFailed is raised where packages can't be had, nothing compiles, or
    it is over the budget; WrongUse for a SOURCE_DATE_EPOCH that is no number.
    """
    created = created_at(os.environ)
    interpreter, machine = interpreter_for(order, report), order.machine
    with (
        tempfile.TemporaryDirectory(prefix="onnxlet-image-") as scratch,
        bundle_files(order, report, interpreter) as files,
    ):
        report("fetching Debian's packages, by apt")
        (Path(scratch) / "apt").mkdir()
        fetched = image_debian.fetch(machine, Path(scratch, "apt"))
        debs = [image_debian.read(file) for file in fetched]
        system, packages = image_system.choose(machine.python, debs, _libraries(files))
        base = system | _compiled(system, interpreter, Path(scratch))
        report(f"writing {order.out}")
        own = _bundle_layers(order, files, packages)
        layers = _layers({"Debian's Python": base, **own}, Path(scratch), progress)
        lines = _judged(layers, order.budget)
        config = image_config(machine, layers, run_config(machine.python), created)
        order.out.parent.mkdir(parents=True, exist_ok=True)
        with whole(order.out) as part:
            digest = write_layout(part, tag, config, layers, NOTES)
    return ImageFile(digest, lines, packages)


def run_config(python: str) -> dict[str, Any]:
    """How a container of the image is run."""
    command = [f"/usr/bin/python{python}", "-IS", f"/{ROOT}"]
    return {
        "User": f"{USER}:{USER}",
        "Env": ["PATH=/usr/bin", "ONNXLET_DEVICE_HOST=0.0.0.0", "ORT_DISABLE_TELEMETRY=1"],
        "Entrypoint": command,
        "Cmd": ["serve"],
        "WorkingDir": "/",
        "ExposedPorts": {"8080/tcp": {}},
        "StopSignal": "SIGTERM",
        "Labels": NOTES,
        "Healthcheck": {
            "Test": ["CMD", *command, "health"],
            "Interval": 30 * SECOND,
            "Timeout": 5 * SECOND,
            "StartPeriod": 30 * SECOND,
            "Retries": 3,
        },
    }


def _libraries(files: Files) -> dict[str, bytes]:
    """The bundle's shared libraries, by path."""
    named = {path: read(files[path]) for path in files if ".so" in path.rsplit("/", 1)[-1]}
    return {path: content for path, content in named.items() if image_system.is_elf(content)}


def _compiled(entries: Entries, interpreter: str | None, scratch: Path) -> Entries:
    """Python's own library, compiled: nobody in a container may write it."""
    sources = {p: e for p, e in entries.items() if p.endswith(".py") and e.link is None}
    if interpreter is None:
        return {}
    for path, entry in sources.items():
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_bytes(entry.read())
    made = contents.compile_sources(scratch, sorted(sources), interpreter, "")
    return {path: LayerEntry((scratch / path).read_bytes()) for path in made}


def _bundle_layers(order: Order, files: Files, packages: Mapping[str, str]) -> dict[str, Entries]:
    """The bundle's files by layer: a new model is a new last layer, and no other."""
    layers: dict[str, Entries] = {name: {} for name in LAYERS}
    function, *others = order.parts
    of_models = (function.listing, function.bill)  # which list them
    ours = ("__main__.py", *(path for part in others for path in (part.listing, part.bill)))
    for path, content in files.items():
        is_ours = path.startswith("onnxlet/") or path in ours
        name = "onnxlet" if is_ours else "packages"
        if path.startswith("models/") or path in of_models:
            name = "models"
        layers[name][f"{ROOT}/{path}"] = LayerEntry(content)
    about = {"format": BUNDLE_FORMAT, "system": dict(packages)}
    layers["models"][f"{ROOT}/image.json"] = LayerEntry(
        json.dumps(about, indent=1).encode() + b"\n"
    )
    listed = [
        debian_package(name, version, ARCHITECTURES[order.machine.arch])
        for name, version in packages.items()
    ]
    bill = bill_of_materials("image", listed, {"architecture": order.machine.arch})
    layers["models"][f"{ROOT}/image-bom.json"] = LayerEntry(bill)
    layers["models"][f"{ROOT}/models"] = LayerEntry(mode=RUNNABLE, folder=True)
    script = SCRIPT.format(python=order.machine.python, root=ROOT)
    layers["onnxlet"]["usr/bin/onnxlet"] = LayerEntry(script.encode(), RUNNABLE)
    return layers


def _layers(named: Mapping[str, Entries], scratch: Path, progress: Progress) -> list[Layer]:
    sizes_of = [size_of(entry.content) for entries in named.values() for entry in entries.values()]
    with progress(sum(sizes_of)) as advance:
        return [
            write_layer(name, entries, scratch / f"{number}.tar.gz", advance)
            for number, (name, entries) in enumerate(named.items())
        ]


def _judged(layers: Sequence[Layer], budget: Budget) -> list[str]:
    """The table of the layers; raises where they are over the budget."""
    parts = [Share(each.name, each.unpacked, each.size) for each in layers]
    whole = sum(each.size for each in layers)
    check(parts, whole, budget)
    return table(parts, whole, {"budget": budget})

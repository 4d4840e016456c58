"""`convert package`: models, function and packages into one zip, with a bill of materials in it.

A table says what takes what, against the limits of where the
bundle goes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.bundle import contents
from onnxlet.convert.bundle.archive import Content, read, size_of, write_archive
from onnxlet.convert.bundle.bill import bill_of_materials, packages_of, served_model
from onnxlet.convert.bundle.contents import Chosen
from onnxlet.convert.bundle.parts import MEGABYTE, Budget, BundlePart, Machine, Progress
from onnxlet.convert.directory.model_directory import sha256
from onnxlet.convert.errors import PackagingFailed
from onnxlet.convert.progress import Report

PARTS_NAMED = 3
OTHERS = "the rest"
NAMES = {"PIL": "pillow"}  # of folders that are called otherwise than their package


class Share(NamedTuple):
    """Bytes of one part of a bundle."""

    name: str  # of a package, of `function`, or of a model's version
    unpacked: int  # bytes on disk
    zipped: int  # bytes in the zip


def parts_of(unpacked: Mapping[str, int], zipped: Mapping[str, int]) -> list[Share]:
    """The parts of a bundle, largest first, by the bytes of each file unpacked and in the zip."""
    sums: dict[str, list[int]] = {}
    for path, size in unpacked.items():
        both = sums.setdefault(_part(path), [0, 0])
        both[0] += size
        both[1] += zipped[path]
    return sorted((Share(name, *both) for name, both in sums.items()), key=lambda p: -p.unpacked)


def _part(path: str) -> str:
    folders = path.split("/")
    if folders[0] == "models":
        return "/".join(folders[:3])
    if len(folders) == 1:
        return folders[0].removesuffix(".py")
    name = folders[0].removesuffix(".libs").split("-")[0]
    return NAMES.get(name, name)


def table(parts: Iterable[Share], zip_bytes: int, limits: Mapping[str, Budget]) -> list[str]:
    """The parts and their sum against named limits, as lines to print."""
    parts = list(parts)
    shown = [part for part in parts if part.unpacked >= MEGABYTE / 10]
    rest = [part for part in parts if part.unpacked < MEGABYTE / 10]
    if rest:
        shown.append(Share(OTHERS, sum(p.unpacked for p in rest), sum(p.zipped for p in rest)))
    whole = Share("in all", sum(part.unpacked for part in parts), zip_bytes)
    shown.append(whole)
    shown += [Share(name, most.unpacked, most.zipped) for name, most in limits.items()]
    width = max(len(part.name) for part in shown)
    head = f"{'':{width}}  {'unpacked':>11}  {'zipped':>11}"
    return [
        head,
        *(
            f"{each.name:{width}}  {_megabytes(each.unpacked):>11}  {_megabytes(each.zipped):>11}"
            for each in shown
        ),
    ]


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MB"


def check(parts: Iterable[Share], zip_bytes: int, budget: Budget) -> None:
    """Refuse a bundle over its budget: PackagingFailed says so, and which parts are the largest."""
    parts = list(parts)
    unpacked = sum(part.unpacked for part in parts)
    over = [
        f"{what}: expected at most {_megabytes(most)}, got {_megabytes(got)}"
        for what, got, most in (
            ("unpacked", unpacked, budget.unpacked),
            ("zipped", zip_bytes, budget.zipped),
        )
        if got > most
    ]
    if over:
        largest = ", ".join(f"{p.name} {_megabytes(p.unpacked)}" for p in parts[:PARTS_NAMED])
        raise PackagingFailed(
            f"the bundle is over its budget: {'; '.join(over)}; the largest parts are {largest}",
            "Package fewer models (--model NAME), leave a model's graph to S3 (--remote NAME), "
            "or raise the budget (--max-zipped, --max-unpacked) where the target takes it.",
        )


BUNDLE_FORMAT = 1
IMAGES = "images.txt"  # the lock file of what decodes images
Files = dict[str, Content]


class Order(NamedTuple):
    """What is to be written."""

    parts: tuple[BundlePart, ...]  # of the bundle, the function first
    machine: Machine
    models: list[Chosen]  # proven once more; none means that an image gets them by a volume
    out: Path  # whole or not at all
    budget: Budget
    limits: Mapping[str, Budget] = {}  # what the target itself allows, by name
    name: str = "onnxlet"  # of the devices or the image
    release: int | None = None  # number of a device's bundle, or an image's tag
    require_pyc: bool = False  # stop where there is no interpreter to compile with


class Packaged(NamedTuple):
    """What was written."""

    sha256: str  # of the zip, in hexadecimal
    lines: list[str]  # a table of what takes what


def package(order: Order, report: Report, progress: Progress) -> Packaged:
    """Build a bundle: a zip, whole or not at all.

    PackagingFailed is raised where packages can't be had, nothing compiles, or it is over the
    budget.
    """
    interpreter = interpreter_for(order, report)
    with bundle_files(order, report, interpreter) as files:
        report(f"writing {order.out}")
        unpacked = {path: size_of(content) for path, content in files.items()}
        lines: list[str] = []

        def judge(zipped: Mapping[str, int], zip_bytes: int) -> None:
            parts = parts_of(unpacked, zipped)
            check(parts, zip_bytes, order.budget)
            lines.extend(table(parts, zip_bytes, {"budget": order.budget, **order.limits}))

        with progress(sum(unpacked.values())) as advance:
            digest = write_archive(order.out, files, advance, judge)
    return Packaged(digest, lines)


@contextmanager
def bundle_files(order: Order, report: Report, interpreter: str | None) -> Iterator[Files]:
    """The files of a bundle by their path, as long as the context lasts.

    There is no interpreter to compile with where it is None. PackagingFailed is raised where
    packages can't be had, or nothing compiles.
    """
    with tempfile.TemporaryDirectory(prefix="onnxlet-package-") as scratch:
        images = any(each.images for model in order.models for each in model.every)
        more = f" and {IMAGES}, for images" if images else ""
        report(f"installing the packages of requirements/{order.parts[-1].lock}{more}")
        function, *others = order.parts
        root = Path(scratch, function.code)
        machine, models = order.machine, order.models
        files, bill = _files(function, machine, root, {}, interpreter, [IMAGES] if images else [])
        placed = contents.place_licences(root) + contents.place_models(models, root)
        files |= {path: root / path for path in placed}
        graphs = [
            served_model(each.name, each.version, each.sha256) for m in models for each in m.every
        ]
        listed = [*packages_of(root, bill), *graphs]
        for_machine = {"python": machine.python, "architecture": machine.arch}
        files[function.bill] = bill_of_materials(function.name, listed, for_machine)
        files[function.listing] = _json(description(machine, models, files))
        for part in others:
            root = Path(scratch, part.code)
            own, bill = _files(part, machine, root, files, interpreter)
            own["__main__.py"] = root / "onnxlet" / part.code / part.entry
            own[part.bill] = bill_of_materials(part.name, packages_of(root, bill), for_machine)
            own[part.listing] = _json(part_description(order.release, own))
            files |= own
        yield files


def _files(
    part: BundlePart,
    machine: Machine,
    root: Path,
    before: Files,
    interpreter: str | None,
    more: Sequence[str] = (),
) -> tuple[Files, set[str]]:
    """Packages and code of a part beside those before it; the names of its distributions.

    They are spelt as their folders are. More lock files are of this part, too.
    """
    packages = contents.place_packages(machine, root, [part.lock, *more], part.needs)
    for path in packages:
        if path in before and read(before[path]) != (root / path).read_bytes():
            raise PackagingFailed(
                f"requirements/{part.lock} has other packages than function.txt: {path} differs",
                "Lock them again: make lock.",
            )
    packages = [path for path in packages if path not in before]
    paths = [*packages, *contents.place_code(part.code, root, part.beside)]
    if interpreter:
        sources = [path for path in paths if path.endswith(".py")]
        paths += contents.compile_sources(root, sources, interpreter)
    names = {path.split("-")[0] for path in packages if ".dist-info/" in path}
    return {path: root / path for path in paths}, names


def interpreter_for(order: Order, report: Report) -> str | None:
    """An interpreter to compile with; None where there is none, which is reported.

    PackagingFailed is raised where it is required.
    """
    python = order.machine.python
    found = contents.find_interpreter(python)
    if found is None:
        lost = f"there is no Python {python} here to compile with"
        hint = f"Install it (apt-get install python{python}, or uv python install {python})."
        if order.require_pyc:
            raise PackagingFailed(f"--require-pyc: {lost}", hint)
        report(f"{lost}: each cold start will take about 0.4 s longer. {hint}")
    return found


def description(machine: Machine, models: Sequence[Chosen], files: Files) -> dict[str, Any]:
    """What a bundle says of itself in bundle.json."""
    several = {model.name: [each.version for each in model.every] for model in models}
    return {
        "format": BUNDLE_FORMAT,
        "python": machine.python,
        "arch": machine.arch,
        "models": {model.name: model.version for model in models},  # that are served
        **({"versions": several} if any(model.others for model in models) else {}),
        "remote": [model.name for model in models if model.remote],
        "files": hashes(files),
    }


def part_description(release: int | None, files: Files) -> dict[str, Any]:
    """What its further part says of itself, as device.json."""
    return {"format": BUNDLE_FORMAT, "release": release, "files": hashes(files)}


def write_models(models: Sequence[Chosen], out: Path, release: int) -> None:
    """Write an archive of only models; the same input gives the same bytes."""
    files: Files = {
        f"models/{model.name}/{model.version}/{file}": model.directory / file
        for model in models
        for file in model.files
    }
    listing = {
        "format": BUNDLE_FORMAT,
        "release": release,
        "models": {model.name: model.version for model in models},
        "files": hashes(files),
    }
    files["models.json"] = json.dumps(listing, indent=1).encode() + b"\n"
    write_archive(out, files, lambda size: None, lambda sizes, whole: None)


def hashes(files: Files) -> dict[str, str]:
    """The SHA-256 of each file, by path, in hexadecimal."""
    return {path: sha256(read(files[path])) for path in sorted(files)}


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"

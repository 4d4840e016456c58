"""`python -m convert package`: models, function and packages into one zip."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.bundle import compiled, contents, sizes
from onnxlet.convert.bundle.archive import Content, read, size_of, write_archive
from onnxlet.convert.bundle.bill import bill_of_materials
from onnxlet.convert.bundle.contents import Chosen
from onnxlet.convert.bundle.target import Budget, Target
from onnxlet.convert.directory.model_directory import sha256
from onnxlet.convert.errors import PackagingFailed

BUNDLE_FORMAT = 1
IMAGES = "images.txt"  # the lock file of what decodes images
Files = dict[str, Content]
Report = Callable[[str], object]
Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]


class Packaged(NamedTuple):
    """What was written."""

    sha256: str  # of the zip, in hexadecimal
    lines: list[str]  # a table of what takes what


def package(
    target: Target,
    models: Sequence[Chosen],
    out: Path,
    budget: Budget,
    report: Report,
    progress: Progress,
    *,
    release: int | None = None,
    require_pyc: bool = False,
) -> Packaged:
    """Build a bundle: a zip, whole or not at all.

    PackagingFailed is raised where packages can't be had, nothing compiles, or it is over the
    budget.
    """
    interpreter = interpreter_for(target.python, require_pyc, report)
    with bundle_files(target, models, report, interpreter, release) as files:
        report(f"writing {out}")
        unpacked = {path: size_of(content) for path, content in files.items()}
        lines: list[str] = []

        def judge(zipped: Mapping[str, int], zip_bytes: int) -> None:
            parts = sizes.parts_of(unpacked, zipped)
            sizes.check(parts, zip_bytes, budget)
            lines.extend(sizes.table(parts, zip_bytes, {"budget": budget, **target.limits}))

        with progress(sum(unpacked.values())) as advance:
            sha256 = write_archive(out, files, advance, judge)
    return Packaged(sha256, lines)


@contextmanager
def bundle_files(
    target: Target,
    models: Sequence[Chosen],
    report: Report,
    interpreter: str | None,
    release: int | None,
) -> Iterator[Files]:
    """The files of a bundle by their path, as long as the context lasts.

    There is no interpreter to compile with where it is None. PackagingFailed is raised where
    packages can't be had, or nothing compiles.
    """
    with tempfile.TemporaryDirectory(prefix="onnxlet-package-") as scratch:
        images = any(each.images for model in models for each in model.every)
        more = f" and {IMAGES}, for images" if images else ""
        report(f"installing the packages of requirements/{target.lock}{more}")
        files = _function_part(
            replace(target, kind="lambda"), Path(scratch, "function"), models, interpreter, images
        )
        if target.kind != "lambda":
            device = replace(target, kind="device")
            files |= _device_part(device, Path(scratch, "device"), files, interpreter, release)
        yield files


def interpreter_for(python: str, required: bool, report: Report) -> str | None:
    """An interpreter to compile with; None where there is none, which is reported.

    PackagingFailed is raised where it is required.
    """
    found = compiled.find_interpreter(python)
    if found is None:
        lost = f"there is no Python {python} here to compile with"
        hint = f"Install it (apt-get install python{python}, or uv python install {python})."
        if required:
            raise PackagingFailed(f"--require-pyc: {lost}", hint)
        report(f"{lost}: each cold start will take about 0.4 s longer. {hint}")
    return found


def _function_part(
    target: Target,
    root: Path,
    models: Sequence[Chosen],
    interpreter: str | None,
    images: bool,
) -> Files:
    """What every bundle has, the same on Lambda and on a device; Pillow where it is needed."""
    packages = contents.place_packages(target, root, [IMAGES] if images else [])
    paths = [*packages, *_compiled(root, packages, interpreter)]
    code = contents.place_code("function", root, contents.TOP)
    paths += [*code, *_compiled(root, code, interpreter), *contents.place_licences(root)]
    paths += contents.place_models(models, root)
    files: Files = {path: root / path for path in paths}
    graphs = [(each.name, each.version, each.sha256) for m in models for each in m.every]
    files["bom.json"] = bill_of_materials(target, root, _names(packages), graphs)
    files["bundle.json"] = _json({**described(target, models), "files": hashes(files)})
    return files


def described(target: Target, models: Sequence[Chosen]) -> dict[str, Any]:
    """What a bundle says of itself, but for its files."""
    several = {model.name: [each.version for each in model.every] for model in models}
    return {
        "format": BUNDLE_FORMAT,
        "python": target.python,
        "arch": target.arch,
        "models": {model.name: model.version for model in models},  # that are served
        **({"versions": several} if any(model.others for model in models) else {}),
        "remote": [model.name for model in models if model.remote],
    }


def _device_part(
    target: Target, root: Path, function: Files, interpreter: str | None, release: int | None
) -> Files:
    """What a device has beside it."""
    packages = contents.place_packages(target, root)
    unlike = [
        path
        for path in packages
        if path in function and read(function[path]) != (root / path).read_bytes()
    ]
    if unlike:
        raise PackagingFailed(
            f"requirements/edge.txt has other packages than function.txt: {unlike[0]} differs",
            "Lock them again: make lock.",
        )
    packages = [path for path in packages if path not in function]
    paths = [*packages, *_compiled(root, packages, interpreter)]
    code = contents.place_code("edge", root)
    paths += [*code, *_compiled(root, code, interpreter)]
    files: Files = {path: root / path for path in paths}
    files["__main__.py"] = root / "onnxlet" / "edge" / "bundle_main.py"
    files["device-bom.json"] = bill_of_materials(target, root, _names(packages), [])
    files["device.json"] = _json(
        {"format": BUNDLE_FORMAT, "release": release, "files": hashes(files)}
    )
    return files


def _compiled(root: Path, paths: Sequence[str], interpreter: str | None) -> list[str]:
    sources = [path for path in paths if path.endswith(".py")]
    return compiled.compile_sources(root, sources, interpreter) if interpreter else []


def _names(packages: Sequence[str]) -> set[str]:
    """The distributions with records among these paths, spelt as their folders are."""
    return {path.split("-")[0] for path in packages if ".dist-info/" in path}


def hashes(files: Files) -> dict[str, str]:
    """The SHA-256 of each file, by path, in hexadecimal."""
    return {path: sha256(read(files[path])) for path in sorted(files)}


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"

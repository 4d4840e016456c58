"""`make model`, `make gallery`: builds examples into model directories, and prints their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NamedTuple

import click

import onnxlet.environment  # noqa: F401 - before NumPy
from onnxlet.commands import Command
from onnxlet.convert.build import Built
from onnxlet.convert.build import build as build_model
from onnxlet.convert.examples.parts import Scores
from onnxlet.convert.imported.import_onnx import import_lines, import_onnx, is_imported
from onnxlet.convert.options import models_option, progress
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.progress import Report
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.sources.source import Source
from onnxlet.convert.sources.users_function import called
from onnxlet.function.errors import WrongUse


class BuiltExample(NamedTuple):
    """An example that was built."""

    model: ProvenModel  # what was written
    source: Source | None  # the estimator and its data; None of a network
    scores: Scores  # by name, the model's and a baseline's
    lines: list[str]  # what is printed of it


def names() -> list[str]:
    """The examples, each the name of its file."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem for file in files if not file.stem.startswith("__"))


def make(name: str, folder: Path, report: Report) -> BuiltExample:
    """Build an example, named as its file or as its model, which has hyphens.

    WrongUse where there is none, Refusal where it can't be served and nothing was written.
    """
    file, title = name.replace("-", "_"), name.replace("_", "-")
    if file not in names():
        raise WrongUse(f"no example '{name}'", f"There are {', '.join(names())}.")
    example = import_module(f"onnxlet.convert.examples.{file}")
    source = None
    if hasattr(example, "build"):
        parts, origin = called(f"{example.__name__}:build")
        source = replace(Source(*parts), origin=origin)
    built = _built(example, source, title, folder, report)
    model = ProvenModel(built.directory.absolute(), title, built.version, built.manifest)
    scores = {
        metric.replace("_", " "): (pair["model"], pair["baseline"])
        for metric, pair in (built.manifest["metrics"] or {}).items()
    }
    further: Scores = {}
    if hasattr(example, "scores"):
        held_out = () if source is None else (source.X_test, source.y_test)
        further = example.scores(model.answer, *held_out)
    return BuiltExample(model, source, scores | further, list(_lines(model, further, built)))


def _built(
    example: ModuleType, source: Source | None, name: str, folder: Path, report: Report
) -> Built:
    if source is not None:
        kept = getattr(example, "KEEP_BACKGROUND", None)
        groups = getattr(example, "SENSITIVE", None)
        return build_model(source, name, folder, report, kept, reported=groups)
    with TemporaryDirectory() as place:
        return import_onnx(name=name, folder=folder, report=report, **example.model(Path(place)))


def _lines(model: ProvenModel, further: Scores, built: Built) -> Iterator[str]:
    """What was proven and measured, and where it was written."""
    lines = import_lines if is_imported(model.manifest) else certificate_lines
    yield from lines(model.name, model.version, model.manifest)
    for name, (own, baseline) in further.items():
        yield f"  {name}: {own:,.4g} (baseline: {baseline:,.4g})"
    state = "written to" if built.new else "is the same, byte for byte, as"
    yield f"{model.name} version {model.version} {state} {built.directory}"


@click.command(cls=Command, example="python -m onnxlet.convert.examples house_prices")
@click.argument("chosen", nargs=-1, metavar="[NAME]...")
@models_option
def main(chosen: tuple[str, ...], models: Path) -> None:
    """Build examples of docs/gallery.md: those named, or all of them, one after the other."""
    for name in chosen or names():
        with progress() as shown:
            made = make(name, models, shown)
        click.echo("\n".join(made.lines))


if __name__ == "__main__":
    main(prog_name="python -m onnxlet.convert.examples")

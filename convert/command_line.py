"""The commands of the laptop: build and verify model directories, and package them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxlet.environment  # noqa: F401 - before NumPy

try:
    import click

    from onnxlet.commands import Command
    from onnxlet.convert.bundle.commands import COMMANDS
    from onnxlet.convert.options import (
        breaking_option,
        data_option,
        decimal_option,
        describe_option,
        images_option,
        keep_background_option,
        models_option,
        progress,
        report,
        sheet_option,
        target_option,
        trust_option,
        unit_option,
    )
    from onnxlet.convert.prove.command import prove
    from onnxlet.convert.report import HTML
    from onnxlet.convert.score.command import score
    from onnxlet.convert.train.command import train
except ModuleNotFoundError as error:
    from onnxlet.not_set_up import stop

    stop(error, "convert")

if TYPE_CHECKING:
    from onnxlet.convert.build import Built


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Turn fitted scikit-learn models into model directories whose answers were theirs."""


@main.command(cls=Command, example="{command} my_model.py:build --name prices")
@click.argument("source")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@models_option
@data_option
@target_option
@images_option
@sheet_option
@decimal_option
@trust_option
@keep_background_option
@click.option(
    "--without", multiple=True, metavar="OUTPUT",
    help="Leave an output out, such as std or probabilities; can be given again.",
)  # fmt: skip
@click.option(
    "--report", "reported", is_flag=True,
    help="Write a report beside the model; the held-out rows need their true answers.",
)  # fmt: skip
@click.option(
    "--positive", metavar="LABEL",
    help="Of two labels the one that recall and the like are of: else ja, yes, 1, or the second.",
)  # fmt: skip
@click.option(
    "--sensitive", multiple=True, metavar="COL",
    help="Report, and compare the groups of this column in it; can be given again.",
)  # fmt: skip
@unit_option
@describe_option
@breaking_option
def build(
    source: str,
    name: str,
    models: Path,
    data: Path | None,
    target: str | None,
    images_from: Path | None,
    sheet: str,
    decimal: str | None,
    trust: tuple[str, ...],
    keep_background: int | None,
    without: tuple[str, ...],
    reported: bool,
    positive: str | None,
    sensitive: tuple[str, ...],
    unit: str | None,
    describe: Path | None,
    breaking: bool,
) -> None:
    """Convert a fitted estimator, and compare its answers with the estimator's.

    SOURCE is FILE.py:FUNCTION or MODULE:FUNCTION, which returns (estimator, X_test), with y_test
    and X_train behind them if you have them; or a .skops, .joblib or .pkl file, with --data; or a
    model folder of MLflow's, with --data or with the input example in it. What another scikit-learn
    wrote is answered as that one does, in an environment that is made for it once.
    Prefer .skops: the others run code when they are read, so open only your own.
    """
    from onnxlet.convert.about import described
    from onnxlet.convert.build import build as build_model
    from onnxlet.convert.directory.model_directory import check_name
    from onnxlet.convert.parity.certificate import certificate_lines
    from onnxlet.convert.reference.image_columns import images_root, with_images_beside
    from onnxlet.convert.sources.mlflow_folder import is_mlflow
    from onnxlet.convert.sources.source import load_source
    from onnxlet.convert.tables.rows_file import HowRead

    check_name(name)
    report("loading the estimator and its test set")
    folder = None if images_from is None else images_root(images_from)
    if data is None and is_mlflow(Path(source)):  # the rows are of its own example
        folder = folder or (Path(source) if Path(source).is_dir() else Path(source).parent)
    how = HowRead(sheet, decimal)
    loaded = with_images_beside(load_source(source, data, target, trust, report, how), folder)
    loaded = described(replace(loaded, without=without, positive=positive), describe, unit)
    groups = sensitive if reported or sensitive else None
    with progress() as shown:
        built = build_model(loaded, name, models, shown, keep_background, breaking, groups)
    for line in certificate_lines(name, built.version, built.manifest):
        click.echo(line)
    _say_where(name, built)
    if groups is not None:
        click.echo(f"report: {built.directory / HTML}")


@main.command(
    "import",
    cls=Command,
    example="{command} net.onnx --name net --sample in.npz --expected out.npz; of photos: "
    "{command} net.onnx --name net --image x=224x224,scale=1/255; with objects found in them: add "
    "--boxes boxes,scores,labels=names.txt",
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.onnx")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@models_option
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    metavar="IN.npz",
    help="Rows to try it with: an array for each input, by name; a folder of pictures; or a file"
    " of texts.",
)
@click.option(
    "--expected",
    type=click.Path(path_type=Path),
    metavar="OUT.npz",
    help="The framework's own answers to them: an array for each output, by name; or texts.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=SIZES",
    help="Sizes that the file leaves free: INPUT=1,3,320,320, or DIMENSION=128, or =..128 to let it"
    " vary up to there; can be given again.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="INPUT=HEIGHTxWIDTH,…",
    help="The input takes encoded pictures. Behind the size mode=RGB|BGR|L, scale=1/255,"
    " mean=a:b:c, std=a:b:c, layout=NCHW|NHWC, resize=bilinear; can be given again.",
)
@click.option(
    "--boxes",
    metavar="BOXES,SCORES,…",
    help="These outputs are boxes. Behind them format=xyxy|yxyx|xywh|cxcywh,"
    " units=relative|pixels, score=0.5, overlap=0.3, most=100, labels=FILE; or one output with"
    " columns=cx:cy:width:height:classes.",
)
@click.option(
    "--decoder", type=click.Path(path_type=Path), metavar="FILE.onnx",
    help="Answer texts with texts: FILE.onnx is the encoder, and this writes what it read.",
)  # fmt: skip
@click.option(
    "--vocabulary", type=click.Path(path_type=Path), metavar="FILE.json",
    help="With --decoder: which id stands for which character or word.",
)  # fmt: skip
@click.option(
    "--longest", type=int, metavar="N",
    help="With --decoder: units that a text and its answer may have; else as the vocabulary says.",
)  # fmt: skip
@click.option(
    "--column", metavar="NAME", help="With --decoder: what clients call the text; 'text' if not."
)
@click.option(
    "--link", "links", multiple=True, metavar="INPUT=TENSOR",
    help="With --decoder: what feeds an input of it whose name says nothing; can be given again.",
)  # fmt: skip
@breaking_option
def import_(
    file: Path,
    name: str,
    models: Path,
    shapes: tuple[str, ...],
    images: tuple[str, ...],
    boxes: str | None,
    breaking: bool,
    sample: Path | None,
    expected: Path | None,
    **texts: Any,
) -> None:
    """Take a model that another framework exported as ONNX.

    Without --expected nothing says that it answers as the framework did: the manifest then calls
    it unverified.

    With --decoder and --vocabulary it answers texts with texts. --sample and --expected then are
    files of texts: .txt with a text in each line, .csv, or .npz.
    """
    from onnxlet.convert.imported.import_onnx import import_lines, import_onnx
    from onnxlet.convert.imported.text_options import text_options

    others = {"shape": shapes, "image": images, "boxes": boxes}
    options = text_options(others, sample, expected, **texts)
    with progress() as shown:
        built = import_onnx(
            file, name, models, shown, sample, expected,
            shapes=shapes, images=images, boxes=boxes, breaking=breaking, texts=options,
        )  # fmt: skip
    for line in import_lines(name, built.version, built.manifest):
        click.echo(line)
    _say_where(name, built)


def _say_where(name: str, built: Built) -> None:
    from onnxlet.convert.directory.model_directory import still_served

    state = "written to" if built.new else "is the same, byte for byte, as"
    click.echo(f"{name} version {built.version} {state} {built.directory}")
    if line := still_served(built.directory, os.environ):
        click.echo(line)


@main.command(cls=Command, example="{command} models/house-prices/1")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR/N/V")
def verify(directory: Path) -> None:
    """Check a model directory's hashes and replay its golden rows."""
    from onnxlet.convert.directory.golden import verify as verify_directory
    from onnxlet.convert.directory.model_directory import check_version

    check_version(directory)
    real = Path(os.path.realpath(directory))  # resolve() raises for links in a circle, before 3.13
    model, rows = verify_directory(real)
    click.echo(f"{model.name} version {model.version}: {rows} golden rows answered as at build")


@main.command("report", cls=Command, example="{command} models/house-prices/1")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR/N/V")
def report_(directory: Path) -> None:
    """Write a model's report again, as page and model card, from its findings."""
    from onnxlet.convert.directory.model_directory import check_version
    from onnxlet.convert.report.files import write_again

    check_version(directory)
    for path in write_again(Path(os.path.realpath(directory))):
        click.echo(f"written to {path}")


for command in (prove, train, score, *COMMANDS):
    main.add_command(command)

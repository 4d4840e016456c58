"""The commands of the laptop: build and verify model directories, and package them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnxlet.environment  # noqa: F401 - before NumPy

try:
    import click

    from onnxlet.commands import Command
    from onnxlet.convert.build_command import build, say_where
    from onnxlet.convert.bundle.commands import COMMANDS
    from onnxlet.convert.options import breaking_option, models_option, progress
    from onnxlet.convert.prove.command import prove
    from onnxlet.convert.score.command import score
    from onnxlet.convert.train.command import train
except ModuleNotFoundError as error:
    from onnxlet.not_set_up import stop

    stop(error, "convert")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Turn fitted scikit-learn models into model directories whose answers were theirs."""


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
    say_where(name, built)


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


for command in (build, prove, train, score, *COMMANDS):
    main.add_command(command)

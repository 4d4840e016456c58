"""`onnxlet build`: from a fitted estimator to a model directory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onnxlet.commands import Command
from onnxlet.convert.options import (
    breaking_option,
    data_option,
    decimal_option,
    describe_option,
    images_option,
    keep_background_option,
    model_option,
    models_option,
    progress,
    report,
    sheet_option,
    target_option,
    trust_option,
    unit_option,
)
from onnxlet.convert.report import HTML

if TYPE_CHECKING:
    from onnxlet.convert.build import Built


@click.command(cls=Command, example="{command} my_model.py:build --name prices")
@click.argument("source")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@models_option
@data_option
@target_option
@images_option
@sheet_option
@decimal_option
@trust_option
@model_option
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
    model: str | None,
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
    model folder of MLflow's, with --data or with the input example in it; or the folder of an
    AutoGluon predictor, with --data. What another scikit-learn or AutoGluon wrote is answered as
    that one does, in an environment that is made for it once.
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
    loaded = load_source(source, data, target, trust, report, how, model)
    loaded = with_images_beside(loaded, folder)
    loaded = described(replace(loaded, without=without, positive=positive), describe, unit)
    groups = sensitive if reported or sensitive else None
    with progress() as shown:
        built = build_model(loaded, name, models, shown, keep_background, breaking, groups)
    for line in certificate_lines(name, built.version, built.manifest):
        click.echo(line)
    say_where(name, built)
    if groups is not None:
        click.echo(f"report: {built.directory / HTML}")


def say_where(name: str, built: Built) -> None:
    """Print where a version is, whether it is new, and what is served instead of it."""
    from onnxlet.convert.directory.model_directory import still_served

    state = "written to" if built.new else "is the same, byte for byte, as"
    click.echo(f"{name} version {built.version} {state} {built.directory}")
    if line := still_served(built.directory, os.environ):
        click.echo(line)

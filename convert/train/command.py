"""`onnxlet train`: from a table to a model directory and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxlet.commands import Command
from onnxlet.convert.options import (
    breaking_option,
    decimal_option,
    describe_option,
    images_option,
    keep_background_option,
    models_option,
    progress,
    report,
    sheet_option,
    unit_option,
)
from onnxlet.function.errors import WrongUse


@click.command(cls=Command, example="{command} churn.csv --target churn --name churn --seconds 60")
@click.argument("data")
@click.option("--target", required=True, metavar="COL", help="The column to predict.")
@click.option("--name", required=True, metavar="N", help="The model's name.")
@models_option
@click.option(
    "--seconds", type=click.FloatRange(1, 604_800), default=60.0, show_default=True, metavar="S",
    help="How long to search; all of it ends within 1.5 times that and a minute.",
)  # fmt: skip
@click.option("--metric", metavar="M", help="What is optimised, such as roc_auc or rmse.")
@click.option(
    "--sensitive", multiple=True, metavar="COL",
    help="Report how groups of this column fare; can be given again.",
)  # fmt: skip
@click.option(
    "--group", metavar="COL",
    help="Rows that share this value, such as a customer's, are never on both sides of a split.",
)  # fmt: skip
@click.option("--time", metavar="COL", help="Validate on rows that are later than those fitted on.")
@click.option(
    "--split", type=click.Choice(["auto", "random"]), default="auto", show_default=True,
    help="Whether rows that stand in the order of time are split by it, as --time does.",
)  # fmt: skip
@click.option(
    "--task", type=click.Choice(["binary", "multiclass", "regression"]),
    help="Instead of what the target looks like.",
)  # fmt: skip
@click.option(
    "--positive", metavar="LABEL",
    help="Of two labels the one that recall and the like are of: else ja, yes, 1, or the rarer.",
)  # fmt: skip
@unit_option
@describe_option
@click.option(
    "--columns", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.toml",
    help="What columns are to be taken for; --dry-run writes such a file.",
)  # fmt: skip
@click.option(
    "--column", "column", multiple=True, metavar="COL=KIND",
    help="What one column is to be taken for, such as zip=category; can be given again.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show the columns, write them to --columns, and end.")
@click.option(
    "--test", metavar="DATA",
    help="Held-out rows of your own; without it a part of the rows is set apart.",
)  # fmt: skip
@click.option(
    "--no-refit", "refit", is_flag=True, flag_value=False, default=True,
    help="Serve the model as it was measured, not fitted on its test rows as well.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="K")
@click.option(
    "--trials", type=click.IntRange(min=2), metavar="N",
    help="Try so many candidates, whatever they take: repeatable to the byte.",
)  # fmt: skip
@images_option
@sheet_option
@decimal_option
@click.option(
    "--augment", is_flag=True,
    help="With images: also fit on copies of training rows, shifted and with noise.",
)  # fmt: skip
@click.option("--small", is_flag=True, help="Of all that are as good, the smallest and fastest.")
@click.option(
    "--scheduler", metavar="ADDRESS",
    help="Fit on the workers of a Dask scheduler, such as tcp://10.0.0.1:8786.",
)  # fmt: skip
@keep_background_option
@breaking_option
def train(
    data: str,
    target: str,
    name: str,
    models: Path,
    file: Path | None,
    column: tuple[str, ...],
    dry_run: bool,
    keep_background: int | None,
    breaking: bool,
    **options: Any,
) -> None:
    """Train a model on a table, compare what is served with it, and report on it.

    DATA is CSV as programs and people write it, Parquet, a workbook or JSON; a path, or an address
    such as s3://bucket/table.csv. Or it is a folder of images, in a folder for each label.
    """
    from onnxlet.convert.directory.model_directory import check_folder, check_name
    from onnxlet.convert.train.columns import choices_text, read_choices
    from onnxlet.convert.train.preparing import Options, inspect_table
    from onnxlet.convert.train.refit import ModelDestination
    from onnxlet.convert.train.training import summary_lines, train

    chosen = read_choices(file) if file is not None and (file.exists() or not dry_run) else {}
    wanted = Options(columns={**chosen, **_chosen(column)}, **options)
    if dry_run:
        check_name(name)
        check_folder(models, name)
        columns = inspect_table(data, target, wanted, report).columns
        if file is None:
            click.echo(choices_text(columns), nl=False)
        else:
            file.write_text(choices_text(columns), encoding="utf-8")
            click.echo(f"written to {file}: change what is wrong, and train with --columns {file}")
        return
    with progress() as shown:
        to = ModelDestination(name, models, keep_background, breaking)
        trained = train(data, target, wanted, to, shown)
    for line in summary_lines(trained):
        click.echo(line)


def _chosen(column: tuple[str, ...]) -> dict[str, str]:
    """What `--column` says, by name."""
    faults = [text for text in column if "=" not in text.strip("=")]
    if faults:
        raise WrongUse(
            f"--column: expected COL=KIND, got {', '.join(repr(text) for text in faults)}",
            "For example --column zip=category.",
        )
    return dict(text.rpartition("=")[::2] for text in column)

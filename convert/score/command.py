"""`onnxlet score`: a table of any size is answered by a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxlet.commands import Command
from onnxlet.convert.options import decimal_option, models_option, progress, sheet_option
from onnxlet.not_set_up import check_installed


@click.command(
    cls=Command,
    example="{command} house-prices houses.parquet prices.parquet --keep Id",
)
@click.argument("model")
@click.argument("source", metavar="IN")
@click.argument("out")
@models_option
@click.option(
    "--keep", multiple=True, metavar="COL",
    help="Pass a column through, such as an id; can be given again.",
)  # fmt: skip
@click.option(
    "--on-error", type=click.Choice(["null", "stop", "side"]), default="null", show_default=True,
    help="A row that can't be answered is null in OUT, stops all, or is left out of OUT. Its reason"
    " is in a file beside it.",
)  # fmt: skip
@click.option(
    "--coverage", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="P",
    help="Add prediction intervals, or sets, of this coverage, such as 0.9.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="Add what each column adds to each answer.")
@click.option(
    "--k", type=click.IntRange(min=1), metavar="K",
    help="How many neighbours or items are answered, of a model that answers these.",
)  # fmt: skip
@click.option(
    "--unusual", is_flag=True,
    help="Add what is unusual of rows unlike the training rows; these have no interval or set.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=0), default=0, show_default=True, metavar="W",
    help="Processes; 0 is one for each core.",
)  # fmt: skip
@click.option(
    "--scheduler", metavar="ADDRESS",
    help="Do parts on the workers of a Dask scheduler, such as tcp://10.0.0.1:8786.",
)  # fmt: skip
@click.option(
    "--batch-rows", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True,
    metavar="N", help="Rows that are run together.",
)  # fmt: skip
@decimal_option
@sheet_option
@click.option(
    "--overwrite", is_flag=True, help="Start afresh where OUT was begun with something else."
)
def score(
    model: str,
    source: str,
    out: str,
    models: Path,
    workers: int,
    scheduler: str | None,
    overwrite: bool,
    keep: tuple[str, ...],
    **options: Any,
) -> None:
    """Predict a table of any size: CSV, Parquet, Excel or JSON, a file, a folder or s3://bucket/prefix.

    MODEL is DIR/N/V, DIR/N or a name in --models. Columns are found by their names.

    OUT is a file .csv or .parquet, or else a folder of parts in IN's format. Each part is there
    whole or not at all: the same command again goes on where it ended, even after a kill.
    """
    check_installed("pyarrow")  # an extra may be missing that brings others, too
    from onnxlet.convert.score.running import score as score_table
    from onnxlet.convert.score.tasks import Options

    chosen = Options(keep=tuple(dict.fromkeys(keep)), **options)
    with progress() as shown:
        scored = score_table(
            model, source, out, chosen,
            models=models, workers=workers, overwrite=overwrite, report=shown,
            scheduler=scheduler,
        )  # fmt: skip
        if not keep and not scored.none_answered:
            shown("note: only answers are written; --keep COL passes a column, such as an id")
    for line in scored.lines():
        click.echo(line)
    if scored.none_answered:
        raise SystemExit(1)

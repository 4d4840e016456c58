"""What several commands have: options, and how progress is reported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from onnxlet.convert.progress import Report, on_terminal
from onnxlet.function.errors import shortened

MODELS = Path("models")
models_option = click.option(
    "--models", type=click.Path(path_type=Path, file_okay=False), default=MODELS, metavar="DIR",
    show_default=True, envvar="ONNXLET_MODELS", show_envvar=True,
    help="Folder of model directories.",
)  # fmt: skip
images_option = click.option(
    "--images-from", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder of the images that rows name by paths, instead of the rows' own: no other file is"
    " read.",
)  # fmt: skip

data_option = click.option(
    "--data", type=click.Path(path_type=Path), metavar="FILE",
    help="Held-out rows: CSV, Parquet, Excel or JSON.",
)  # fmt: skip
target_option = click.option(
    "--target", metavar="COL", help="The column of --data that is the answer."
)
trust_option = click.option(
    "--trust", multiple=True, metavar="TYPE",
    help="For a .skops file: MODULE.CLASS of your own, or scikit-learn==VERSION to install.",
)  # fmt: skip
model_option = click.option(
    "--model", metavar="NAME",
    help="The model of an AutoGluon predictor that answers, instead of its best.",
)  # fmt: skip
breaking_option = click.option(
    "--breaking", is_flag=True, help="Clients of the served version need not go on with this one."
)
keep_background_option = click.option(
    "--keep-background", type=click.IntRange(1, 1000), metavar="N",
    help="Explain from N of your training rows, which go with the model; not from made-up ones.",
)  # fmt: skip
unit_option = click.option(
    "--unit",
    metavar="UNIT",
    help="Of what is predicted, such as EUR: reports and the page have it.",
)
describe_option = click.option(
    "--describe", type=click.Path(path_type=Path), metavar="FILE.toml",
    help="Units and descriptions of the target and of columns.",
)  # fmt: skip
sheet_option = click.option(
    "--sheet", default="", metavar="SHEET",
    help="Of a workbook the sheet, or cells of it as Sheet2!B3:F200, instead of its first table.",
)  # fmt: skip
decimal_option = click.option(
    "--decimal", type=click.Choice(["point", "comma"]),
    help="What stands before decimals, where a file of CSV leaves it open: 1.335 may be 1335.",
)  # fmt: skip


def report(line: str) -> None:
    """Progress, on standard error."""
    click.echo(shortened(f"  {line}"), err=True)


@contextmanager
def progress() -> Iterator[Report]:
    """What takes lines of progress; on a terminal with a bar where a step takes long."""
    if sys.stderr.isatty():
        with on_terminal(sys.stderr) as shown:
            yield shown
    else:
        yield report

"""The command `bench` of `edge`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from onnxlet.function.command_line import Command


@click.command(cls=Command, example="onnxlet bench --model house-prices")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder of model directories.  [default: ONNXLET_MODELS, else ./models, or a bundle's]",
)
@click.option("--model", metavar="N", help="Measure this one.  [default: the first by name]")
@click.option(
    "--seconds", type=click.FloatRange(2, 600), default=20.0, metavar="S",
    help="Measure for so long, without starts.  [default: 20]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def bench(models: Path | None, model: str | None, seconds: float, as_json: bool) -> None:
    """Measure how fast this machine answers, and report it with what the machine is.

    Golden rows are sent to a separate server on a free port; the live service goes on, and should
    have little to do meanwhile. The output can be pasted into an issue: it has no rows, names or
    addresses. Where the processor is emulated, times are left out.
    """
    from onnxlet.edge.bench import report
    from onnxlet.edge.bench.measure import bench as measure
    from onnxlet.edge.settings.device import models_folder

    folder = models_folder(models, os.environ)
    found = measure(folder, model, seconds, lambda line: click.echo(f"  {line}", err=True))
    click.echo(report.as_json(found) if as_json else report.as_markdown(found))


COMMANDS = (bench,)

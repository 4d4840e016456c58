"""The command that writes a report again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from onnxlet.function.command_line import Command


@click.command(cls=Command, example="{command} models/house-prices/1")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR/N/V")
def report(directory: Path) -> None:
    """Write a model's report again, as page and model card, from its findings."""
    from onnxlet.convert.directory.model_directory import check_version
    from onnxlet.convert.report.files import write_again

    check_version(directory)
    for path in write_again(Path(os.path.realpath(directory))):
        click.echo(f"written to {path}")

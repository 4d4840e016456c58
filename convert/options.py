"""What several commands have: the option of the models' folder, and how progress is reported."""

from __future__ import annotations

from pathlib import Path

import click

MODELS = Path("models")
models_option = click.option(
    "--models", type=click.Path(path_type=Path, file_okay=False), default=MODELS, metavar="DIR",
    show_default=True, envvar="ONNXLET_MODELS", show_envvar=True,
    help="Folder of model directories.",
)  # fmt: skip


def report(line: str) -> None:
    """Progress, on standard error."""
    click.echo(f"  {line}", err=True)

"""`onnxlet demo`: the first model, built and served from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from onnxlet.commands import Command
from onnxlet.convert.options import models_option
from onnxlet.folders import PACKAGE, in_root

SOURCE = PACKAGE / "convert" / "examples" / "house_prices.py"


@click.group()
def main() -> None:
    """What needs both sides, neither of which imports the other."""


@main.command(cls=Command, example="{command} --port 8080")
@models_option
@click.option("--port", default="8080", metavar="P", show_default=True, help="Listen on this port.")
def demo(models: Path, port: str) -> None:
    """Train and convert the house prices, prove them, and serve until Ctrl-C."""
    # A folder of this name, from where it is called, is somebody's own.
    onnxlet = [sys.executable, *([] if in_root() else ["-P"]), "-m", "onnxlet"]
    serve = [*onnxlet, "serve", "--port", port]
    there = ["--models", str(models)]
    build = [*onnxlet, "build", f"{SOURCE}:build", "--name", "house-prices", *there]
    # A port that is taken is reported before the training, not after it.
    for command in ([*serve, "--only-listen"], build):
        if failed := subprocess.run(command, check=False).returncode:  # noqa: S603 - our own
            sys.exit(failed)
    sys.stdout.flush()
    os.execv(sys.executable, [*serve, *there])  # noqa: S606 - our own, no shell

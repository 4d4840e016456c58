"""`python -m edge`: life on a device, or on a laptop."""

from __future__ import annotations

import gc

gc.disable()  # until the server runs: a collection while modules are imported finds nothing

from pathlib import Path  # noqa: E402

import click  # noqa: E402

from function.command_line import Command, run  # noqa: E402


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Serve model directories on this machine."""


@main.command(cls=Command, example="python -m edge serve --models models --port 8080")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of model directories.  [default: ONNXLET_MODELS, else models/ beside function/]",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="Listen here.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), metavar="P",
    help="Listen on this port; 0 takes a free one.",
)  # fmt: skip
def serve(models: Path | None, host: str, port: int) -> None:
    """Serve every model below a folder, until Ctrl-C."""
    import os

    from edge.serve import serve as serve_models
    from function.settings import Settings

    serve_models(models or Settings.from_environ(os.environ).models, host, port)


if __name__ == "__main__":
    run(main, "python -m edge")

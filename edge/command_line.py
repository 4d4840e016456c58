"""The commands that serve: on a laptop, a server or a device."""

from __future__ import annotations

import gc

gc.disable()  # until the server runs: a collection during imports would find nothing

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import onnxlet.environment  # noqa: E402, F401 - before NumPy

try:
    import click

    from onnxlet.edge.bench.commands import COMMANDS as BENCH
    from onnxlet.edge.forward.commands import COMMANDS as FORWARD
    from onnxlet.edge.install.commands import COMMANDS as INSTALL
    from onnxlet.edge.mqtt.commands import COMMANDS as MQTT
    from onnxlet.edge.update.commands import COMMANDS as UPDATE
    from onnxlet.function.command_line import Command
except ModuleNotFoundError as error:
    from onnxlet.function.not_set_up import stop

    stop(error, "edge")

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Serve model directories on this machine."""


@main.command(cls=Command, example="{command} --models models --port 8080")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of model directories.  [default: ONNXLET_MODELS, else ./models, or a bundle's]",
)
@click.option("--host", metavar="H", help="Listen here.  [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="P",
    help="Listen on this port; 0 takes a free one.  [default: 8080]",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(0, 999), metavar="W",
    help="Processes that share the port; 0 is one for each core.  [default: 1]",
)  # fmt: skip
@click.option("--tls-cert", type=FILE, metavar="FILE", help="Speak TLS, with this certificate.")
@click.option("--tls-key", type=FILE, metavar="FILE", help="The certificate's key.")
@click.option("--open", is_flag=True, help="Serve everybody who can connect, without an API key.")
@click.option("--only-listen", is_flag=True, hidden=True, help="Check that it can, and end.")
def serve(models: Path | None, only_listen: bool, **options: Any) -> None:
    """Serve every model below a folder, until Ctrl-C.

    Defaults come from the environment: ONNXLET_DEVICE_HOST, _PORT, _WORKERS,
    _TLS_CERT, _TLS_KEY, _OPEN.
    """
    import os
    from dataclasses import replace

    from onnxlet.edge.service.serve import listen
    from onnxlet.edge.settings.device import DeviceSettings, models_folder
    from onnxlet.edge.workers.serve import serve as serve_models
    from onnxlet.function.settings import Settings

    given = {name: v for name, v in options.items() if v is not None and v is not False}
    device = replace(DeviceSettings.from_environ(os.environ), **given)
    if only_listen:
        listen(device.host, device.port).close()
        return
    settings = Settings.from_environ(os.environ)
    serve_models(models_folder(models, os.environ, settings), device, settings)


@main.command(cls=Command, example="{command}")
def health() -> None:
    """Ask whether this machine's server is ready: exit code 0, else 1.

    Address and TLS are those of the environment: ONNXLET_DEVICE_HOST, _PORT, _TLS_CERT.
    """
    from onnxlet.edge.service.health import check

    check()
    click.echo("ready")


for command in (*INSTALL, *UPDATE, *MQTT, *FORWARD, *BENCH):
    main.add_command(command)

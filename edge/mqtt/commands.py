"""`edge mqtt` and `edge queue`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from onnxlet.function.command_line import Command

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(cls=Command, example="python -m edge mqtt --models models")
@click.option(
    "--models", type=FOLDER, metavar="DIR",
    help="Folder of model directories.  [default: ONNXLET_MODELS, else ./models, or a bundle's]",
)  # fmt: skip
def mqtt(models: Path | None) -> None:
    """Answer readings that come by MQTT, until Ctrl-C.

    ONNXLET_DEVICE_MQTT_URL, _READINGS and _ANSWERS say where; docs/mqtt.md has the others.
    """
    from dataclasses import replace

    from onnxlet.edge.device.slots import Places
    from onnxlet.edge.forward import starting
    from onnxlet.edge.mqtt.answering import Answering
    from onnxlet.edge.mqtt.serving import Serving, check, end_by_signals, link_of
    from onnxlet.edge.service.outlet import Outlet
    from onnxlet.edge.service.systemd import heartbeat, teller
    from onnxlet.edge.settings.device import DeviceSettings, models_folder
    from onnxlet.edge.update.setup import environ_of
    from onnxlet.function import request_log
    from onnxlet.function.settings import Settings

    request_log.put = Outlet(request_log.STANDARD_ERROR).put
    environ = environ_of(Places(), os.environ)
    settings = replace(Settings.from_environ(environ), api_keys={})
    device = DeviceSettings.from_environ(environ)
    check(device.mqtt)
    link_of(device.mqtt)  # reads the certificates, before anything is loaded
    keeping = starting.start(device.forward)
    folder = models_folder(models, environ)
    answering = Answering(folder, settings, keeping, device.mqtt.model)
    beat = heartbeat(os.environ)
    serving = Serving(device.mqtt, answering.answer, settings.max_body_bytes, beat=beat)
    end_by_signals(serving.stopping)
    if tell := teller(os.environ):
        tell("READY=1")
    serving.run()


@click.command(cls=Command, example="python -m edge queue --retry")
@click.option("--retry", is_flag=True, help="Send again what the other side refused.")
def queue(retry: bool) -> None:
    """Tell how many predictions wait here to be sent on."""
    from onnxlet.edge.device.owner import become_owner
    from onnxlet.edge.device.slots import Places
    from onnxlet.edge.forward.looking import look
    from onnxlet.edge.update.setup import device_settings

    options = device_settings(Places()).forward
    become_owner(options.queue)
    for line in look(options, retry):
        click.echo(line)


COMMANDS: Sequence[click.Command] = (mqtt, queue)

"""The command `mqtt` of `edge`."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from pathlib import Path

import click

from onnxlet.function.command_line import Command

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(cls=Command, example="{command} --models models")
@click.option(
    "--models", type=FOLDER, metavar="DIR",
    help="Folder of model directories.  [default: ONNXLET_MODELS, else ./models, or a bundle's]",
)  # fmt: skip
def mqtt(models: Path | None) -> None:
    """Answer readings that arrive by MQTT, until Ctrl-C.

    ONNXLET_DEVICE_MQTT_URL, _READINGS and _ANSWERS say where; docs/how-to/mqtt.md has the others.
    """
    from dataclasses import replace

    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.mqtt.responder import Responder
    from onnxlet.edge.mqtt.service import MqttService, check, end_by_signals, link_of
    from onnxlet.edge.service.app import start_forwarding, start_keeping
    from onnxlet.edge.service.log_writer import LogWriter
    from onnxlet.edge.service.systemd import heartbeat, notifier
    from onnxlet.edge.settings.device import DeviceSettings, models_folder
    from onnxlet.edge.settings.installed import service_environ
    from onnxlet.function import request_log
    from onnxlet.function.settings import Settings

    request_log.put = LogWriter(request_log.STANDARD_ERROR).put
    environ = service_environ(DevicePaths(), os.environ)
    settings = replace(Settings.from_environ(environ), api_keys={})
    device = DeviceSettings.from_environ(environ)
    check(device.mqtt)
    link_of(device.mqtt)  # reads the CA certificates: a fault is reported before models are loaded
    forward = start_forwarding(device.forward)
    folder = models_folder(models, environ, settings)
    keep = start_keeping(settings, device.forward)
    responder = Responder(folder, settings, forward, device.mqtt.model, keep)
    beat = heartbeat(os.environ)
    service = MqttService(
        device.mqtt, responder.answer, settings.max_body_bytes, beat=beat, drift=responder.drift
    )
    end_by_signals(service.stopping)
    if notify := notifier(os.environ):
        notify("READY=1")
    gc.freeze()
    gc.enable()  # the command line disables it; each lost connection leaves cycles behind
    service.run()


COMMANDS: Sequence[click.Command] = (mqtt,)

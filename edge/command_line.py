"""The commands that serve: on a laptop, a server or a device."""

from __future__ import annotations

import gc

gc.disable()  # until the server runs: a collection during imports would find nothing

import os  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import onnxlet.environment  # noqa: E402, F401 - before NumPy

try:
    import click

    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.device_commands import COMMANDS, report
    from onnxlet.edge.settings.device import DeviceSettings, models_folder
    from onnxlet.edge.settings.environment_file import device_settings, service_environ
    from onnxlet.function.command_line import Command
    from onnxlet.function.settings import Settings
except ModuleNotFoundError as error:
    from onnxlet.function.not_set_up import stop

    stop(error, "edge")

FILE = click.Path(path_type=Path, dir_okay=False)


def models_option(exists: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--models DIR`."""
    return click.option(
        "--models",
        type=click.Path(path_type=Path, file_okay=False, exists=exists),
        metavar="DIR",
        help="Folder of model directories.  "
        "[default: ONNXLET_MODELS, else ./models, or a bundle's]",
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Serve model directories on this machine."""


@main.command(cls=Command, example="{command} --models models --port 8080")
@models_option()
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
    from onnxlet.edge.service.serve import listen
    from onnxlet.edge.workers.serve import serve as serve_models

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


@main.command(cls=Command, example="{command} --models models")
@models_option()
def mqtt(models: Path | None) -> None:
    """Answer readings that arrive by MQTT, until Ctrl-C.

    ONNXLET_DEVICE_MQTT_URL, _READINGS and _ANSWERS say where; docs/how-to/mqtt.md has the others.
    """
    from onnxlet.edge.mqtt.responder import Responder
    from onnxlet.edge.mqtt.service import MqttService, check, end_by_signals, link_of
    from onnxlet.edge.service.app import start_forwarding, start_keeping
    from onnxlet.edge.service.log_writer import LogWriter
    from onnxlet.edge.service.systemd import heartbeat, notifier
    from onnxlet.function import request_log

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


@main.command(cls=Command, example="{command} --retry")
@click.option("--retry", is_flag=True, help="Send again what the other side refused.")
def queue(retry: bool) -> None:
    """Show how many predictions wait here to be sent on."""
    from onnxlet.edge.device.privileges import drop_privileges_to_owner
    from onnxlet.edge.forward.monitor import inspect

    options = device_settings(DevicePaths()).forward
    drop_privileges_to_owner(options.queue)
    for line in inspect(options, retry):
        click.echo(line)


@main.command(cls=Command, example="onnxlet bench --model house-prices")
@models_option(exists=True)
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
    from onnxlet.edge.bench.measure import bench as measure
    from onnxlet.edge.bench.report import as_json as write_json
    from onnxlet.edge.bench.report import as_markdown

    found = measure(models_folder(models, os.environ), model, seconds, report)
    click.echo(write_json(found) if as_json else as_markdown(found))


for command in COMMANDS:
    main.add_command(command)

"""The commands that serve, and those of a device's life: installing, checking and updating."""

from __future__ import annotations

import gc

gc.disable()  # until the server runs: a collection during imports would find nothing

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import onnxlet.environment  # noqa: E402, F401 - before NumPy

try:
    import click

    from onnxlet.commands import Command
    from onnxlet.edge.device.slots import DevicePaths, live_slot
    from onnxlet.edge.settings.device import KEYS, DeviceSettings, models_folder
    from onnxlet.edge.settings.environment_file import device_settings, service_environ
    from onnxlet.folders import ROOT, typed
    from onnxlet.function.errors import WrongUse
    from onnxlet.function.settings import Settings
except ModuleNotFoundError as error:
    from onnxlet.not_set_up import stop

    stop(error, "edge")

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
image_option = click.option(
    "--root", type=FOLDER, default="/", metavar="DIR",
    help="Root of a system image that is being built.",
)  # fmt: skip
root_option = click.option("--root", type=FOLDER, default="/", hidden=True)


def report(line: str) -> None:
    """Print progress on standard error."""
    click.echo(f"  {line}", err=True)


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
    from onnxlet.edge.service.serve import check_start
    from onnxlet.edge.workers.serve import serve as serve_models
    from onnxlet.edge.workers.serve import with_keys

    overrides = {name: v for name, v in options.items() if v is not None and v is not False}
    device = replace(DeviceSettings.from_environ(os.environ), **overrides)
    settings = Settings.from_environ(os.environ)
    folder = models_folder(models, os.environ, settings)
    if only_listen:
        return check_start(device, with_keys(folder, settings))
    serve_models(folder, device, settings)


@main.command(cls=Command, example="{command} --port 8081")
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="P",
    help="That it listens on.  [default: ONNXLET_DEVICE_PORT, else 8080]",
)  # fmt: skip
def health(port: int | None) -> None:
    """Ask whether this machine's server is ready: exit code 0, else 1.

    Address and TLS are those of the environment, and of a device's environment file:
    ONNXLET_DEVICE_HOST, _PORT, _TLS_CERT.
    """
    from onnxlet.edge.service.health import check

    check(port)
    click.echo("ready")


@main.command(cls=Command, example="{command} kitchen-display")
@click.argument("name")
@click.option("--reads", is_flag=True, help="It reads figures on rows, such as drift, and no more.")
@click.option("--replace", is_flag=True, help="Another key for a NAME that has one already.")
@models_option()
@root_option
def key(name: str, reads: bool, replace: bool, models: Path | None, root: Path) -> None:
    """Make an API key, print it once, and store its hash where the server reads it.

    On a device that is its environment file; elsewhere a file in the folder of models, which
    `serve` reads when it starts. NAME is shown in the log for each request that has the key.
    """
    from onnxlet.edge.settings.keys import PREDICTS, READS, make_key, text_of

    file, variable = DevicePaths(root).environment, READS if reads else PREDICTS
    device = models is None and (ROOT / "bundle.json").exists() and file.exists()
    file = file if device else models_folder(models, os.environ) / KEYS
    try:
        made = make_key(name, file, variable, replace)
    except OSError as error:
        hint = f"Name another folder (--models DIR), or set {variable} where the server starts."
        hint = "sudo onnxlet key … may write it." if device else hint
        raise WrongUse(f"{file}: {error.strerror}", hint) from error
    report(f"its hash is in {file}; keep the key, which is shown only now:")
    click.echo(made)
    takes = "sudo onnxlet install" if device else f"{typed('edge', 'serve')}, when it starts,"
    report(f"{takes} takes it; where no file is read, {variable}={text_of(name, made)} sets it")


@main.command(cls=Command, example="{command} --models models")
@models_option()
def mqtt(models: Path | None) -> None:
    """Answer readings that arrive by MQTT, until Ctrl-C.

    ONNXLET_DEVICE_MQTT_URL, _READINGS and _ANSWERS say where; docs/how-to/mqtt.md has the others.
    """
    from onnxlet.edge.mqtt.service import MqttService, Responder, check, end_by_signals, link_of
    from onnxlet.edge.service.app import start_forwarding, start_keeping
    from onnxlet.edge.service.log_writer import LogWriter
    from onnxlet.edge.service.systemd import heartbeat, notifier
    from onnxlet.function import request_log

    request_log.put = LogWriter(request_log.STANDARD_ERROR).put
    environ = service_environ(DevicePaths(), os.environ)
    settings = Settings.from_environ(environ)._replace(api_keys={})
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
    from onnxlet.edge.forward.monitor import inspect
    from onnxlet.edge.store.database import drop_privileges_to_owner

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


@main.command(cls=Command, example="sudo python3 onnxlet-….zip install --key onnxlet.pub")
@click.option(
    "--key", "keys", multiple=True, metavar="KEY",
    help="Take updates signed by this key of minisign's: a .pub file, or what stands in it.",
)  # fmt: skip
@click.option("--lock", type=int, hidden=True, help="A descriptor: the zip holds the lock already.")
@image_option
def install(keys: tuple[str, ...], lock: int | None, root: Path) -> None:
    """Install this bundle as a service that starts at boot; may be repeated."""
    from onnxlet.edge.install.install import Installation, run
    from onnxlet.edge.install.install import install as install_here

    install_here(Installation(DevicePaths(root), ROOT, run, click.echo, lock), keys)


@main.command(cls=Command, example="sudo onnxlet uninstall")
@click.option("--purge", is_flag=True, help="Remove settings, keys, models and records, too.")
@image_option
def uninstall(purge: bool, root: Path) -> None:
    """Remove the service and its program."""
    from onnxlet.edge.install.install import Installation, run
    from onnxlet.edge.install.install import uninstall as uninstall_here

    uninstall_here(Installation(DevicePaths(root), ROOT, run, click.echo), purge)


@main.command(cls=Command, example="onnxlet doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check this machine; the exit code is 1 if something is wrong."""
    from onnxlet.edge.device.checks import WRONG, Finding, findings, report
    from onnxlet.edge.device.machine import read_machine
    from onnxlet.edge.install.from_zip import needs_of
    from onnxlet.edge.update.status import silence

    paths = DevicePaths()
    needs = needs_of(ROOT)._replace(unpacks=live_slot(paths) is None)
    found = findings(read_machine(paths.data), needs)
    if why := silence(paths):
        found.append(Finding("service", WRONG, why))
    sys.exit(report(found, as_json))


@main.command(cls=Command, example="sudo onnxlet update https://example.com/pumps/stable")
@click.argument("source", metavar="[URL|FILE]", default="")
@click.option("--insecure-http", is_flag=True, help="Fetch without TLS, beyond this machine too.")
@root_option
def update(source: str, insecure_http: bool, root: Path) -> None:
    """Take a signed release, check it here, and roll back if it fails.

    URL|FILE is an archive (….zip, with ….zip.minisig beside it) or a channel that `convert
    publish` laid out; https:// or a path.  [default: ONNXLET_DEVICE_UPDATE_URL]
    """
    from onnxlet.edge.update.setup import make_setup
    from onnxlet.edge.update.update import update as take

    paths = DevicePaths(root)
    source = source or device_settings(paths).update_url
    if not source:
        raise WrongUse("no URL or FILE was given", "Give one, or set ONNXLET_DEVICE_UPDATE_URL.")
    for line in take(make_setup(paths, report, insecure_http), source):
        click.echo(line)


@main.command(cls=Command, example="python3 /var/lib/onnxlet/back settle", hidden=True)
@root_option
def settle(root: Path) -> None:
    """Finish an update that was interrupted, by the previous slot's code."""
    from onnxlet.edge.update.setup import make_setup
    from onnxlet.edge.update.update import exclusively
    from onnxlet.edge.update.update import settle as settle_update

    setup = make_setup(DevicePaths(root), report)
    with exclusively(setup.paths):
        settle_update(setup)


@main.command(cls=Command, example="sudo onnxlet rollback")
@click.option("--model", metavar="N", help="Roll back only this model's latest model-only update.")
@root_option
def rollback(model: str | None, root: Path) -> None:
    """Roll back to the previous release; the current one is not taken again."""
    from onnxlet.edge.update.setup import make_setup
    from onnxlet.edge.update.update import roll_model_back
    from onnxlet.edge.update.update import rollback as go_back

    setup = make_setup(DevicePaths(root), report)
    click.echo(roll_model_back(setup, model) if model else go_back(setup))


@main.command(cls=Command, example="onnxlet status --json")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@root_option
def status(as_json: bool, root: Path) -> None:
    """Show what is live, idle, accepted and refused, and how it drifts."""
    from onnxlet.edge.update.status import drift_of, lines, silence
    from onnxlet.edge.update.status import status as read_status

    paths = DevicePaths(root)
    found = read_status(paths)
    found["silence"] = silence(paths)
    found["drift"] = drift_of(paths, found["models"]) if found["live"] else {}
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))


@main.command(cls=Command, example="python3 /var/lib/onnxlet/live check")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Check these models, by this slot's code.",
)
def check(models: Path | None) -> None:
    """Compare this slot with its lists, and replay every golden row."""
    from onnxlet.edge.update.health import check_slot

    faults = check_slot(ROOT, models)
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    if faults:
        sys.exit(1)
    click.echo("whole, and every golden row is answered as at build")

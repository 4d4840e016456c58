"""The commands of a device's life: installing, checking and updating."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.settings.environment_file import device_settings
from onnxlet.folders import ROOT
from onnxlet.function.command_line import Command
from onnxlet.function.errors import WrongUse

FOLDER = click.Path(path_type=Path, file_okay=False)
image_option = click.option(
    "--root", type=FOLDER, default="/", metavar="DIR",
    help="Root of a system image that is being built.",
)  # fmt: skip
root_option = click.option("--root", type=FOLDER, default="/", hidden=True)


def report(line: str) -> None:
    """Print progress on standard error."""
    click.echo(f"  {line}", err=True)


@click.command(cls=Command, example="sudo python3 onnxlet-….zip install --key onnxlet.pub")
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


@click.command(cls=Command, example="sudo onnxlet uninstall")
@click.option("--purge", is_flag=True, help="Remove settings, keys, models and records, too.")
@image_option
def uninstall(purge: bool, root: Path) -> None:
    """Remove the service and its program."""
    from onnxlet.edge.install.install import Installation, run
    from onnxlet.edge.install.uninstall import uninstall as uninstall_here

    uninstall_here(Installation(DevicePaths(root), ROOT, run, click.echo), purge)


@click.command(cls=Command, example="onnxlet doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check this machine; the exit code is 1 if something is wrong."""
    from onnxlet.edge.device.checks import findings, report
    from onnxlet.edge.device.machine import read_machine
    from onnxlet.edge.install.bundle import needs_of

    sys.exit(report(findings(read_machine(DevicePaths().data), needs_of(ROOT)), as_json))


@click.command(cls=Command, example="sudo onnxlet update https://example.com/pumps/stable")
@click.argument("source", metavar="[URL|FILE]", default="")
@click.option("--insecure-http", is_flag=True, help="Fetch without TLS, beyond this machine too.")
@root_option
def update(source: str, insecure_http: bool, root: Path) -> None:
    """Take a signed release, check it here, and roll back if it fails.

    URL|FILE is an archive (….zip, with ….zip.minisig beside it) or a channel that `convert
    publish` laid out; https://, s3:// or a path.  [default: ONNXLET_DEVICE_UPDATE_URL]
    """
    from onnxlet.edge.update.setup import make_setup
    from onnxlet.edge.update.update import update as take

    paths = DevicePaths(root)
    source = source or device_settings(paths).update_url
    if not source:
        raise WrongUse("no URL or FILE was given", "Give one, or set ONNXLET_DEVICE_UPDATE_URL.")
    for line in take(make_setup(paths, report, insecure_http), source):
        click.echo(line)


@click.command(cls=Command, example="python3 /var/lib/onnxlet/back settle", hidden=True)
@root_option
def settle(root: Path) -> None:
    """Finish an update that was interrupted, by the previous slot's code."""
    from onnxlet.edge.update.setup import make_setup
    from onnxlet.edge.update.update import exclusively
    from onnxlet.edge.update.update import settle as settle_update

    setup = make_setup(DevicePaths(root), report)
    with exclusively(setup.paths):
        settle_update(setup)


@click.command(cls=Command, example="sudo onnxlet rollback")
@click.option("--model", metavar="N", help="Roll back only this model's latest model-only update.")
@root_option
def rollback(model: str | None, root: Path) -> None:
    """Roll back to the previous release; the current one is not taken again."""
    from onnxlet.edge.update.rollback import roll_model_back
    from onnxlet.edge.update.rollback import rollback as go_back
    from onnxlet.edge.update.setup import make_setup

    setup = make_setup(DevicePaths(root), report)
    click.echo(roll_model_back(setup, model) if model else go_back(setup))


@click.command(cls=Command, example="onnxlet status --json")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@root_option
def status(as_json: bool, root: Path) -> None:
    """Show what is live, idle, accepted and refused, and how it drifts."""
    from onnxlet.edge.update.status import drift_of, lines
    from onnxlet.edge.update.status import status as read_status

    paths = DevicePaths(root)
    found = read_status(paths)
    found["drift"] = drift_of(paths, found["models"]) if found["live"] else {}
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(lines(found)))


@click.command(cls=Command, example="python3 /var/lib/onnxlet/live check")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Check these models, by this slot's code.",
)
def check(models: Path | None) -> None:
    """Compare this slot with its lists, and replay every golden row."""
    from onnxlet.edge.update.check import check_slot

    faults = check_slot(ROOT, models)
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    if faults:
        sys.exit(1)
    click.echo("whole, and every golden row is answered as at build")


COMMANDS = (
    install, uninstall, doctor, update, settle, rollback, status, check,
)  # fmt: skip

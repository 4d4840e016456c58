"""`edge install`, `uninstall` and `doctor`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from onnxlet.folders import ROOT
from onnxlet.function.command_line import Command

root_option = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default="/", metavar="DIR",
    help="Root of a system image that is being built.",
)  # fmt: skip


@click.command(cls=Command, example="sudo python3 onnxlet-….zip install --key onnxlet.pub")
@click.option(
    "--key", "keys", multiple=True, metavar="KEY",
    help="Take updates signed by this key of minisign's: a .pub file, or what stands in it.",
)  # fmt: skip
@click.option("--lock", type=int, hidden=True, help="A descriptor: the zip holds the lock already.")
@root_option
def install(keys: tuple[str, ...], lock: int | None, root: Path) -> None:
    """Install this bundle as a service that starts at boot; may be repeated."""
    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.install.install import Installation
    from onnxlet.edge.install.install import install as install_here
    from onnxlet.edge.install.steps import run

    install_here(Installation(DevicePaths(root), ROOT, run, click.echo, lock), keys)


@click.command(cls=Command, example="sudo onnxlet uninstall")
@click.option("--purge", is_flag=True, help="Remove settings, keys, models and records, too.")
@root_option
def uninstall(purge: bool, root: Path) -> None:
    """Remove the service and its program."""
    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.install.install import Installation
    from onnxlet.edge.install.steps import run
    from onnxlet.edge.install.uninstall import uninstall as uninstall_here

    uninstall_here(Installation(DevicePaths(root), ROOT, run, click.echo), purge)


@click.command(cls=Command, example="onnxlet doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check this machine; the exit code is 1 if something is wrong."""
    from onnxlet.edge.device.checks import findings
    from onnxlet.edge.device.doctor import report
    from onnxlet.edge.device.machine import read_machine
    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.install.bundle import needs_of

    sys.exit(report(findings(read_machine(DevicePaths().data), needs_of(ROOT)), as_json))


COMMANDS = (install, uninstall, doctor)

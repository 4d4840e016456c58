"""`edge uninstall`: the service and its program go; what the device has gathered stays."""

from __future__ import annotations

import pwd
import shutil
from contextlib import nullcontext, suppress
from dataclasses import replace

from onnxlet.edge.device.slots import Places
from onnxlet.edge.install import steps, units
from onnxlet.edge.install.install import Setup
from onnxlet.edge.install.steps import InstallError
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.lock import locked
from onnxlet.edge.update.memory import read_memory, write_memory


def uninstall(setup: Setup, purge: bool) -> None:
    """Stop it, and take away what `install` brought; can be done again.

    Args:
        setup: of what is installed.
        purge: take away settings, keys, models and state, too.

    Raises:
        InstallError: systemd refuses.
        Failed: another user than root asks, or somebody else changes what is installed here.
    """
    with locked(setup.places) if setup.places.data.is_dir() else nullcontext():
        _uninstall(setup, purge)


def _uninstall(setup: Setup, purge: bool) -> None:
    places, root = setup.places, []
    if setup.is_image:
        root = [f"--root={places.root}"]
    for unit in (units.TIMER, units.MQTT, units.SETTLE, units.SERVICE):
        if (places.root / "etc/systemd/system" / unit).exists():
            setup.run(["systemctl", *root, "disable", *(() if root else ("--now",)), unit])
    try:
        steps.remove_files(places)
        if purge:
            shutil.rmtree(places.settings, ignore_errors=True)
            shutil.rmtree(places.data, ignore_errors=True)
        else:
            _forget_attempt(places)
            steps.remove_program(places)
    except PermissionError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", "Put sudo before it.") from error
    if not setup.is_image:
        setup.run(["systemctl", "daemon-reload"])
        if purge and any(user.pw_name == units.NAME for user in pwd.getpwall()):
            setup.run(["userdel", units.NAME])
    kept = "" if purge else f"; {places.settings}, {places.models} and {places.state} stay"
    setup.report(f"onnxlet is taken away{kept}")


def _forget_attempt(places: Places) -> None:
    """Take away what has not proven itself: nobody is left to judge it, or to go back."""
    with suppress(Refused):  # what is remembered can't be read, and stays
        memory = read_memory(places)
        if memory.attempt is not None:
            model_updates.take_away(places, memory.attempt.models or {})
            write_memory(places, replace(memory, attempt=None))

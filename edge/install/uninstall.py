"""`edge uninstall`: remove the service and its program; settings, models and state stay."""

from __future__ import annotations

import pwd
import shutil
from contextlib import nullcontext, suppress
from dataclasses import replace

from onnxlet.edge.device.slots import SLOTS, DevicePaths
from onnxlet.edge.install import units
from onnxlet.edge.install.install import Installation, InstallError
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.history import locked, read_history, write_history


def uninstall(setup: Installation, purge: bool) -> None:
    """Stop the service, and remove what `install` wrote; may be repeated.

    `purge` removes settings, keys, models and state, too. InstallError is raised where systemd
    refuses, Failed where this is not root, or another process holds the device's lock.
    """
    with locked(setup.paths) if setup.paths.data.is_dir() else nullcontext():
        _uninstall(setup, purge)


def _uninstall(setup: Installation, purge: bool) -> None:
    paths, root = setup.paths, []
    if setup.is_image:
        root = [f"--root={paths.root}"]
    for unit in (units.TIMER, units.MQTT, units.SETTLE, units.SERVICE):
        if (paths.root / "etc/systemd/system" / unit).exists():
            setup.run(["systemctl", *root, "disable", *(() if root else ("--now",)), unit])
    try:
        _remove_files(paths)
        if purge:
            shutil.rmtree(paths.settings, ignore_errors=True)
            shutil.rmtree(paths.data, ignore_errors=True)
        else:
            _forget_attempt(paths)
            _remove_program(paths)
    except PermissionError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", "Put sudo before it.") from error
    if not setup.is_image:
        setup.run(["systemctl", "daemon-reload"])
        if purge and any(user.pw_name == units.NAME for user in pwd.getpwall()):
            setup.run(["userdel", units.NAME])
    kept = "" if purge else f"; {paths.settings}, {paths.models} and {paths.state} stay"
    setup.report(f"onnxlet is removed{kept}")


def _forget_attempt(paths: DevicePaths) -> None:
    """Remove an unconfirmed update: nothing is left to confirm it or roll it back."""
    with suppress(Refused):  # the history can't be read; it stays
        history = read_history(paths)
        if history.attempt is not None:
            model_updates.take_away(paths, history.attempt.models or {})
            write_history(paths, replace(history, attempt=None))


def _remove_files(paths: DevicePaths) -> None:
    """Remove what the installation wrote."""
    for path in units.files(""):
        (paths.root / path).unlink(missing_ok=True)


def _remove_program(paths: DevicePaths) -> None:
    """Remove the slots, the links to them, and what an interrupted update left."""
    for link in (paths.live, paths.back):
        link.unlink(missing_ok=True)
    for name in (*SLOTS, ".incoming", ".outgoing", "download"):
        shutil.rmtree(paths.slot(name), ignore_errors=True)

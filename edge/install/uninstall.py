"""`edge uninstall`: the service and its program go; what the device has gathered stays."""

from __future__ import annotations

import pwd
import shutil

from edge.install import steps, units
from edge.install.install import Setup
from edge.install.steps import InstallError


def uninstall(setup: Setup, purge: bool) -> None:
    """Stop it, and take away what `install` brought; can be done again.

    Args:
        setup: of what is installed.
        purge: take away settings, keys, models and state, too.

    Raises:
        InstallError: another user than root asks, or systemd refuses.
    """
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
            steps.remove_program(places)
    except PermissionError as error:
        raise InstallError(f"{error.filename}: {error.strerror}", "Put sudo before it.") from error
    if not setup.is_image:
        setup.run(["systemctl", "daemon-reload"])
        if purge and any(user.pw_name == units.NAME for user in pwd.getpwall()):
            setup.run(["userdel", units.NAME])
    kept = "" if purge else f"; {places.settings}, {places.models} and {places.state} stay"
    setup.report(f"onnxlet is taken away{kept}")

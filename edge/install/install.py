"""`edge install`: from an unpacked slot to a running service; may be repeated."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.checks import BEFORE_INSTALLING, IN_AN_IMAGE, findings, wrong
from onnxlet.edge.device.machine import read_machine
from onnxlet.edge.device.slots import SLOTS, DevicePaths, live_slot, switch
from onnxlet.edge.install import steps, units
from onnxlet.edge.install.bundle import needs_of
from onnxlet.edge.install.keys import read_keys
from onnxlet.edge.install.steps import InstallError, Report, Run
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.installed import device_settings, service_environ
from onnxlet.edge.update.history import give_idle_slot, locked
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings

SYSTEM = Path("/")
PYTHON = "/usr/bin/python3"


class Installation(NamedTuple):
    """What is installed, and where."""

    paths: DevicePaths  # the device's folders
    slot: Path  # of the bundle that is installed
    run: Run  # runs one of the system's programs
    report: Report  # called with each step, in words
    lock: int | None = None  # a descriptor of the device's lock, if the zip's process took it

    @property
    def is_image(self) -> bool:
        """It is in a system image, where no systemd runs."""
        return self.paths.root != SYSTEM


def install(setup: Installation, keys: Sequence[str]) -> None:
    """Check the machine, replay golden rows, write files, switch the slot, and start.

    InstallError names all that is wrong; nothing was switched then. Failed is raised where another
    process holds the device's lock, Refused where the live slot is not confirmed yet, and may roll
    back to this one, ModelError where a model is broken.
    """
    paths = setup.paths
    trusted, faults = read_keys(keys, paths.keys)
    _check(setup, faults)
    with locked(paths, setup.lock):
        if live_slot(paths) != setup.slot.name:
            give_idle_slot(paths)
        steps.replay_golden_rows(setup.slot, setup.report)
        steps.make_folders(paths)
        steps.write_settings(paths, trusted)
        steps.write_files(paths, PYTHON if setup.is_image else sys.executable)
        before = live_slot(paths)
        if before != setup.slot.name:
            switch(paths, setup.slot.name)
        _enable_units(setup)
        if not setup.is_image:
            _start(setup, before)
    for line in _afterwards(setup):
        setup.report(line)


def _check(setup: Installation, faults: list[str]) -> None:
    paths = setup.paths
    checks = IN_AN_IMAGE if setup.is_image else BEFORE_INSTALLING
    found = findings(read_machine(paths.data), needs_of(setup.slot), checks)
    faults += [f"{each.told}. {each.hint}" for each in wrong(found)]
    if setup.slot.parent != paths.data.resolve() or setup.slot.name not in SLOTS:
        faults.append(
            f"{setup.slot} is no slot in {paths.data}. Install from the zip: "
            "sudo python3 onnxlet-….zip install"
        )
    faults += _settings_faults(paths)
    if faults:
        raise InstallError("\n".join(fault.rstrip(".") for fault in faults), "Nothing was changed.")


def _settings_faults(paths: DevicePaths) -> list[str]:
    faults = []
    try:
        environ = service_environ(paths, {})
    except SettingsError as error:
        return [f"{error.message}. {error.hint}"]
    for read in (Settings.from_environ, DeviceSettings.from_environ):
        try:
            read(environ)
        except SettingsError as error:
            faults.append(f"{paths.environment}: {error.message}")
    if not faults and (mqtt := device_settings(paths).mqtt).url:
        from onnxlet.edge.mqtt.service import check  # importing paho takes 40 ms

        try:
            check(mqtt)
        except SettingsError as error:
            faults.append(f"{paths.environment}: {error.message}")
    return faults


def _enable_units(setup: Installation) -> None:
    root = [f"--root={setup.paths.root}"] if setup.is_image else []
    setup.run(["systemd-sysusers", *root, "onnxlet.conf"])
    if not setup.is_image:
        setup.run(["systemctl", "daemon-reload"])
    setup.run(["systemctl", *root, "enable", units.SERVICE, units.SETTLE])
    for unit, wanted in optional(setup.paths).items():
        now = [] if setup.is_image or wanted else ["--now"]
        setup.run(["systemctl", *root, "enable" if wanted else "disable", *now, unit])


def optional(paths: DevicePaths) -> dict[str, bool]:
    """Units that are enabled only if a channel or a broker is set."""
    device = device_settings(paths)
    return {units.TIMER: bool(device.update_url), units.MQTT: bool(device.mqtt.url)}


def _start(setup: Installation, before: str | None) -> None:
    """Restart the service with the current settings; if it fails, from the previous slot."""
    setup.report("starting")
    try:
        setup.run(["systemctl", "restart", units.SERVICE])
    except InstallError as error:
        if before not in (None, setup.slot.name):
            switch(setup.paths, str(before))
            setup.run(["systemctl", "restart", units.SERVICE])
        log = setup.run(steps.LOG).strip()
        raise InstallError(f"{error.message}\n{log}", f"More: {' '.join(steps.LOG[:4])}") from error
    for unit in (unit for unit, wanted in optional(setup.paths).items() if wanted):
        setup.run(["systemctl", "start" if unit == units.TIMER else "restart", unit])


def _afterwards(setup: Installation) -> list[str]:
    paths = setup.paths
    lines = [f"installed: {paths.live} is {setup.slot}"]
    if not any(paths.keys.glob("*.pub")):
        lines.append("no key is trusted, so that no update is taken: install --key KEY")
    if not optional(paths)[units.TIMER]:
        lines.append(f"no channel is set, so that none is looked for: {paths.environment}")
    return lines

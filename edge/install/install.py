"""`edge install`: from a slot that is unpacked to a service that answers, and again to one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.checks import BEFORE_INSTALLING, IN_AN_IMAGE, findings, wrong
from onnxlet.edge.device.machine import read_machine
from onnxlet.edge.device.slots import SLOTS, Places, live_slot, switch
from onnxlet.edge.install import steps, units
from onnxlet.edge.install.bundle import needs_of
from onnxlet.edge.install.keys import read_keys
from onnxlet.edge.install.steps import InstallError, Report, Run
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.update.lock import locked
from onnxlet.edge.update.memory import give_idle_slot
from onnxlet.edge.update.setup import device_settings, environ_of
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings

SYSTEM = Path("/")
PYTHON = "/usr/bin/python3"


class Setup(NamedTuple):
    """What is installed where.

    Attributes:
        places: the device's folders.
        slot: of the bundle that is installed.
        run: runs one of the system's programs.
        report: told what is being done.
        lock: a descriptor of the device's lock, where the zip holds it already.
    """

    places: Places
    slot: Path
    run: Run
    report: Report
    lock: int | None = None

    @property
    def is_image(self) -> bool:
        """No systemd runs in it yet."""
        return self.places.root != SYSTEM


def install(setup: Setup, keys: Sequence[str]) -> None:
    """Check, prove, write, switch and start.

    Raises:
        InstallError: something is wrong; all of it is told, and nothing was switched.
        Failed: somebody else changes what is installed here.
        Refused: the slot that is live has not proven itself, and may go back to this one.
        ModelError: a model is broken.
    """
    places = setup.places
    trusted, faults = read_keys(keys, places.keys)
    _check(setup, faults)
    with locked(places, setup.lock):
        if live_slot(places) != setup.slot.name:
            give_idle_slot(places)
        steps.prove(setup.slot, setup.report)
        steps.make_folders(places)
        steps.write_settings(places, trusted)
        steps.write_files(places, PYTHON if setup.is_image else sys.executable)
        before = live_slot(places)
        if before != setup.slot.name:
            switch(places, setup.slot.name)
        _have_systemd_know(setup)
        if not setup.is_image:
            _start(setup, before)
    for line in _afterwards(setup):
        setup.report(line)


def _check(setup: Setup, faults: list[str]) -> None:
    places = setup.places
    checks = IN_AN_IMAGE if setup.is_image else BEFORE_INSTALLING
    found = findings(read_machine(places.data), needs_of(setup.slot), checks)
    faults += [f"{each.told}. {each.hint}" for each in wrong(found)]
    if setup.slot.parent != places.data.resolve() or setup.slot.name not in SLOTS:
        faults.append(
            f"{setup.slot} is no slot in {places.data}. Install from the zip: "
            "sudo python3 onnxlet-….zip install"
        )
    faults += _settings_faults(places)
    if faults:
        raise InstallError("; ".join(faults), "Nothing was changed.")


def _settings_faults(places: Places) -> list[str]:
    faults = []
    try:
        environ = environ_of(places, {})
    except SettingsError as error:
        return [f"{error.message}. {error.hint}"]
    for read in (Settings.from_environ, DeviceSettings.from_environ):
        try:
            read(environ)
        except SettingsError as error:
            faults.append(f"{places.environment}: {error.message}")
    if not faults and (mqtt := device_settings(places).mqtt).url:
        from onnxlet.edge.mqtt.serving import check  # paho takes 40 ms

        try:
            check(mqtt)
        except SettingsError as error:
            faults.append(f"{places.environment}: {error.message}")
    return faults


def _have_systemd_know(setup: Setup) -> None:
    root = [f"--root={setup.places.root}"] if setup.is_image else []
    setup.run(["systemd-sysusers", *root, "onnxlet.conf"])
    if not setup.is_image:
        setup.run(["systemctl", "daemon-reload"])
    setup.run(["systemctl", *root, "enable", units.SERVICE, units.SETTLE])
    for unit, wanted in optional(setup.places).items():
        now = [] if setup.is_image or wanted else ["--now"]
        setup.run(["systemctl", *root, "enable" if wanted else "disable", *now, unit])


def optional(places: Places) -> dict[str, bool]:
    """Units that there is something to do for only where it is set: a channel, a broker."""
    device = device_settings(places)
    return {units.TIMER: bool(device.update_url), units.MQTT: bool(device.mqtt.url)}


def _start(setup: Setup, before: str | None) -> None:
    """Start what is live now, with the settings of now; if it does not answer, what was before."""
    setup.report("starting")
    try:
        setup.run(["systemctl", "restart", units.SERVICE])
    except InstallError as error:
        if before not in (None, setup.slot.name):
            switch(setup.places, str(before))
            setup.run(["systemctl", "restart", units.SERVICE])
        said = setup.run(steps.LOG).strip()
        raise InstallError(
            f"{error.message}\n{said}", f"More: {' '.join(steps.LOG[:4])}"
        ) from error
    for unit in (unit for unit, wanted in optional(setup.places).items() if wanted):
        setup.run(["systemctl", "start" if unit == units.TIMER else "restart", unit])


def _afterwards(setup: Setup) -> list[str]:
    places = setup.places
    lines = [f"installed: {places.live} is {setup.slot}"]
    if not any(places.keys.glob("*.pub")):
        lines.append("no key is trusted, so that no update is taken: install --key KEY")
    if not optional(places)[units.TIMER]:
        lines.append(f"no channel is set, so that none is looked for: {places.environment}")
    return lines

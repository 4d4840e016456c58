"""`edge install`: from an unpacked slot to a running service; and `edge uninstall`.

Both may be repeated. An uninstallation leaves settings, models and state.
"""

from __future__ import annotations

import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.checks import BEFORE_INSTALLING, IN_AN_IMAGE, findings, wrong
from onnxlet.edge.device.machine import read_machine
from onnxlet.edge.device.slots import SLOTS, DevicePaths, live_slot, switch, write_durably
from onnxlet.edge.install import units
from onnxlet.edge.install.from_zip import needs_of
from onnxlet.edge.install.settings_faults import settings_faults, start_faults
from onnxlet.edge.settings.environment_file import device_settings, service_environ
from onnxlet.edge.update import model_updates
from onnxlet.edge.update.errors import Refused
from onnxlet.edge.update.history import give_idle_slot, locked, read_history, write_history
from onnxlet.edge.update.keys import PublicKey, read_keys
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.serving.golden import load_proven

SYSTEM = Path("/")
PYTHON = "/usr/bin/python3"
Run = Callable[[Sequence[str]], str]
Report = Callable[[str], object]
LOG = ("journalctl", "--namespace=onnxlet", "-u", "onnxlet", "-n", "4", "-o", "cat", "--no-pager")
SHOWN_OUTPUT = 600  # characters of a program's output


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

    @property
    def systemctl_root(self) -> list[str]:
        """The option by which systemd's programs change an image."""
        return [f"--root={self.paths.root}"] if self.is_image else []


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
        replay_golden_rows(setup.slot, setup.report)
        make_folders(paths)
        write_settings(paths, trusted)
        write_files(paths, PYTHON if setup.is_image else sys.executable)
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
    needs = needs_of(setup.slot)._replace(unpacks=False)
    found = findings(read_machine(paths.data), needs, checks)
    faults += [f"{each.told}. {each.hint}" for each in wrong(found)]
    if setup.slot.parent != paths.data.resolve() or setup.slot.name not in SLOTS:
        faults.append(
            f"{setup.slot} is no slot in {paths.data}. Install from the zip: "
            "sudo python3 onnxlet-….zip install"
        )
    faults += settings_faults(paths, setup.slot)
    if not faults and not setup.is_image:
        faults = start_faults(setup.slot, paths, service_environ(paths, {}))
    if faults:
        unpacked = f", but {setup.slot} is unpacked" * (setup.lock is not None)
        raise InstallError(
            "\n".join(fault.rstrip(".") for fault in faults), f"Nothing was changed{unpacked}."
        )


def _enable_units(setup: Installation) -> None:
    root = setup.systemctl_root
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
    since = f"--since=@{time.time():.3f}"  # what ran before had its own troubles
    restart = ["systemctl", "restart", units.SERVICE]
    try:
        setup.run(restart)
    except InstallError as error:
        log = setup.run([*LOG, since]).strip()
        hint = (
            f"Nothing serves now. Settings are in {setup.paths.environment}: mend them, then "
            f"sudo onnxlet install. More: {' '.join(LOG[:4])}"
        )
        if before not in (None, setup.slot.name):
            switch(setup.paths, str(before))
            with suppress(InstallError):
                setup.run(restart)
                hint = f"What served before serves again. More: {' '.join(LOG[:4])}"
        raise InstallError(f"{error.message}\n{log}", hint) from error
    for unit in (unit for unit, wanted in optional(setup.paths).items() if wanted):
        setup.run(["systemctl", "start" if unit == units.TIMER else "restart", unit])


def _afterwards(setup: Installation) -> list[str]:
    paths = setup.paths
    lines = [f"installed: {paths.live} is {setup.slot}"]
    if not any(paths.keys.glob("*.pub")):
        lines.append("no key is trusted, so that no update is taken: install --key KEY")
    if not optional(paths)[units.TIMER]:
        lines.append(
            f"no channel is set, so updates come by file only; set it in {paths.environment}"
        )
    return lines


class InstallError(OnnxletError):
    """Installing or uninstalling fails."""


def run(command: Sequence[str]) -> str:
    """Run one of the system's programs; its output.

    InstallError has its own message where it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        output = (done.stderr or done.stdout).strip()[-SHOWN_OUTPUT:]
        raise InstallError(f"{' '.join(command)}: exit code {done.returncode}: {output}")
    return done.stdout


def replay_golden_rows(slot: Path, report: Report) -> None:
    """Check every model of a slot on this very processor.

    Raises ModelError where one is broken, InstallError where one answers differently than at build.
    """
    for folder in sorted((slot / "models").iterdir()):
        for version in versions_in(folder) if NAME.fullmatch(folder.name) else ():
            model, rows, faults = load_proven(folder / str(version))
            if faults:
                raise InstallError(
                    f"model {model.name}/{version}: {len(faults)} of {rows} golden rows are "
                    f"answered differently than at build; {faults[0]}",
                    "Nothing was switched. Please report it, with: onnxlet doctor --json.",
                )
            report(f"{model.name}/{version}: {rows} golden rows are answered as at build")


def make_folders(paths: DevicePaths) -> None:
    """Create missing folders, owned by root: the service may write only to its state folder."""
    for folder in (paths.data, paths.models, paths.settings, paths.keys):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def write_settings(paths: DevicePaths, keys: Iterable[PublicKey]) -> None:
    """Write the environment file if there is none, and the keys."""
    if not paths.environment.exists():
        write_durably(paths.environment, units.ENVIRONMENT.encode(), 0o600)
    for key in keys:
        write_durably(paths.keys / key.name, key.content)


def write_files(paths: DevicePaths, python: str) -> None:
    """Write systemd's files and the command, where they differ."""
    for path, (text, mode) in units.files(python).items():
        file = paths.root / path
        with suppress(OSError):
            if file.read_bytes() == text.encode():
                continue
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, text.encode(), mode)


def uninstall(setup: Installation, purge: bool) -> None:
    """Stop the service, and remove what `install` wrote; may be repeated.

    `purge` removes settings, keys, models and state, too. InstallError is raised where systemd
    refuses, Failed where this is not root, or another process holds the device's lock.
    """
    with locked(setup.paths) if setup.paths.data.is_dir() else nullcontext():
        _uninstall(setup, purge)


def _uninstall(setup: Installation, purge: bool) -> None:
    paths, root = setup.paths, setup.systemctl_root
    for unit in (units.TIMER, units.MQTT, units.SETTLE, units.SERVICE):
        if (paths.root / "etc/systemd/system" / unit).exists():
            setup.run(["systemctl", *root, "disable", *(() if root else ("--now",)), unit])
    try:
        for path in units.files(""):
            (paths.root / path).unlink(missing_ok=True)
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


def _remove_program(paths: DevicePaths) -> None:
    """Remove the slots, the links to them, and what an interrupted update left."""
    for link in (paths.live, paths.back):
        link.unlink(missing_ok=True)
    for name in (*SLOTS, ".incoming", ".outgoing", "download"):
        shutil.rmtree(paths.slot(name), ignore_errors=True)

"""What is wrong with a device's settings, before the service gets them: a restart would end it."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from onnxlet.edge.device.checks import HOMES
from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.install import units
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.environment_file import ignored_lines, service_environ
from onnxlet.edge.update import fetch
from onnxlet.edge.update.health import of_slot
from onnxlet.function.errors import OnnxletError, SettingsError
from onnxlet.function.settings import DEFAULT_MODELS, Settings

UNSEEN = (*HOMES, "/tmp/", "/var/tmp/")  # noqa: S108 - the services see none of them, or their own
START_SECONDS = 60
TAKEN = "Address already in use"
DROP_INS = "etc/systemd/system/onnxlet.service.d"  # by which a service may do more


def settings_faults(paths: DevicePaths, slot: Path) -> list[str]:
    """All faults of the environment file, for the bundle in a slot."""
    try:
        environ = service_environ(paths, {})
        faults = ignored_lines(paths.environment)
    except SettingsError as error:
        return [f"{error.message}. {error.hint}"]
    for read in (Settings.from_environ, DeviceSettings.from_environ):
        faults += _found_by(read, environ)
    if not faults:
        settings, device = Settings.from_environ(environ), DeviceSettings.from_environ(environ)
        faults = _unserved(paths, slot, settings, device) + _channel_faults(device.update_url)
        if device.mqtt.url:
            from onnxlet.edge.mqtt.service import check  # importing paho takes 40 ms

            faults += _found_by(check, device.mqtt)
    return [f"{paths.environment}: {fault}" for fault in faults]


def _found_by(check: Callable[..., object], *given: object) -> list[str]:
    """What a check finds wrong with what it is given."""
    try:
        check(*given)
    except OnnxletError as error:
        return [error.message]
    return []


def _unserved(
    paths: DevicePaths, slot: Path, settings: Settings, device: DeviceSettings
) -> list[str]:
    """Models that are to answer, and that neither the slot nor an update has."""
    folder = slot / "models" if settings.models == DEFAULT_MODELS else settings.models
    there = sorted({each.name for within in (folder, paths.models) for each in within.glob("*")})
    named = {"ONNXLET_DEFAULT_MODEL": settings.default_model}
    named |= {"ONNXLET_DEVICE_MQTT_MODEL": device.mqtt.url and device.mqtt.model}
    return [
        f"{variable}: expected one of {', '.join(there)}, got '{name}'"
        for variable, name in named.items()
        if name and name not in there
    ]


def _channel_faults(url: str) -> list[str]:
    """Why the timer could not look there."""
    if url.startswith("s3://"):
        faults = ["a device has no boto3: use the bucket's https:// address"]
    elif url.startswith(UNSEEN):
        faults = [
            "the timer's service sees neither homes nor /tmp: use another folder, such as /srv"
        ]
    else:
        faults = [f"{why}: use https://" for why in _found_by(fetch.check, url, False)]
    return [f"ONNXLET_DEVICE_UPDATE_URL: {fault}" for fault in faults]


def start_faults(slot: Path, paths: DevicePaths, environ: Mapping[str, str]) -> list[str]:
    """Why the service could not listen: its own code tries, as its user, where there is one.

    A port that is taken counts only where nothing serves yet: it may be the service's own.
    """
    if (paths.root / DROP_INS).exists():
        return []
    command, usual = of_slot(slot, "serve", "--only-listen")
    known = any(user.pw_name == units.NAME for user in pwd.getpwall())
    user = units.NAME if known and os.geteuid() == 0 else None
    groups: list[str | int] | None = [] if user else None
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, env={**usual, **environ}, user=user, group=user, extra_groups=groups, cwd="/",
            capture_output=True, text=True, check=False, timeout=START_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):  # the restart will tell
        return []
    if not done.returncode or (TAKEN in done.stderr and paths.live.is_symlink()):
        return []
    return [f"{paths.environment}: {done.stderr.strip().removeprefix('error: ')}"]

"""This device, as updates see it: from its settings, its file of them, and the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.machine import this_arch
from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.environment_file import read_environment_file
from onnxlet.edge.update.health import Service
from onnxlet.edge.update.offer import Device
from onnxlet.edge.update.sources import Web
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings

UNPACKED = 4  # times the bytes of the largest archive
SERVICE_SECONDS = 30.0


class Setup(NamedTuple):
    """This device, as updates see it.

    Attributes:
        paths: its folders.
        device: decides which offers fit.
        identity: of this device, which decides whether it takes releases meant for some.
        web: how patient fetching is.
        service: that runs here.
        report: told what is being done.
        pins: of models by name the version, or its alias, that the service is to serve.
    """

    paths: DevicePaths
    device: Device
    identity: str
    web: Web
    service: Service
    report: Callable[[str], object]
    pins: Mapping[str, str] = {}


def environ_of(paths: DevicePaths, own: Mapping[str, str]) -> dict[str, str]:
    """The service's variables, from its file; those that are set here count before them.

    Raises:
        SettingsError: the file can't be used.
    """
    told: dict[str, str] = {}
    with suppress(FileNotFoundError, PermissionError):  # systemd has read it for its services
        told = read_environment_file(paths.environment)
    ours = {name: value for name, value in told.items() if name.startswith("ONNXLET_")}
    return {**ours, **own}


def make_setup(
    paths: DevicePaths, report: Callable[[str], object], insecure: bool = False
) -> Setup:
    """Read what this device is.

    Raises:
        SettingsError: a variable can't be used.
    """
    settings = device_settings(paths)
    most = settings.max_bundle_bytes
    device = Device(
        settings.channel,
        settings.name,
        this_arch(),
        "{}.{}".format(*sys.version_info[:2]),
        most,
        most * UNPACKED,
    )
    service = Service(
        _url(settings), settings.api_key, settings.restart, SERVICE_SECONDS, paths.state
    )
    identity = settings.id or _machine_id()
    web = Web(insecure)
    return Setup(paths, device, identity, web, service, report, pins_of(paths))


def device_settings(paths: DevicePaths) -> DeviceSettings:
    """This device's settings.

    Raises:
        SettingsError: a variable can't be used.
    """
    return DeviceSettings.from_environ(environ_of(paths, os.environ))


def pins_of(paths: DevicePaths) -> Mapping[str, str]:
    """Of models by name the version, or its alias, that the service is to serve."""
    variable = "ONNXLET_SERVE"
    with suppress(SettingsError):  # then the service does not start, and updates go on
        text = environ_of(paths, os.environ).get(variable, "")
        return Settings.from_environ({variable: text}).pins
    return {}


def _url(settings: DeviceSettings) -> str:
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - told, not bound
    host = anywhere.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    return f"http{'s' * bool(settings.tls_cert)}://{host}:{settings.port}"


def _machine_id() -> str:
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with suppress(OSError):
            return path.read_text().strip()
    return platform.node()

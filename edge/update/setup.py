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
from onnxlet.edge.device.slots import Places
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.environment_file import read_environment_file
from onnxlet.edge.update.offer import Device
from onnxlet.edge.update.prove import Service
from onnxlet.edge.update.sources import Web
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings

UNPACKED = 4  # times the bytes of the largest archive
SERVICE_SECONDS = 30.0


class Setup(NamedTuple):
    """This device, as updates see it.

    Attributes:
        places: its folders.
        device: decides which offers fit.
        identity: of this device, which decides whether it takes releases meant for some.
        web: how patient fetching is.
        service: that runs here.
        report: told what is being done.
        pins: of models by name the version, or its alias, that the service is to serve.
    """

    places: Places
    device: Device
    identity: str
    web: Web
    service: Service
    report: Callable[[str], object]
    pins: Mapping[str, str] = {}


def environ_of(places: Places, own: Mapping[str, str]) -> dict[str, str]:
    """The service's variables, from its file; those that are set here count before them.

    Raises:
        SettingsError: the file can't be used.
    """
    told: dict[str, str] = {}
    with suppress(FileNotFoundError, PermissionError):  # systemd has read it for its services
        told = read_environment_file(places.environment)
    ours = {name: value for name, value in told.items() if name.startswith("ONNXLET_")}
    return {**ours, **own}


def make_setup(places: Places, report: Callable[[str], object], insecure: bool = False) -> Setup:
    """Read what this device is.

    Raises:
        SettingsError: a variable can't be used.
    """
    settings = device_settings(places)
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
        _url(settings), settings.api_key, settings.restart, SERVICE_SECONDS, places.state
    )
    identity = settings.id or _machine_id()
    web = Web(insecure)
    return Setup(places, device, identity, web, service, report, pins_of(places))


def device_settings(places: Places) -> DeviceSettings:
    """This device's settings.

    Raises:
        SettingsError: a variable can't be used.
    """
    return DeviceSettings.from_environ(environ_of(places, os.environ))


def pins_of(places: Places) -> Mapping[str, str]:
    """Of models by name the version, or its alias, that the service is to serve."""
    variable = "ONNXLET_SERVE"
    with suppress(SettingsError):  # then the service does not start, and updates go on
        text = environ_of(places, os.environ).get(variable, "")
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

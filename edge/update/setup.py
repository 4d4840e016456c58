"""What an update needs to know of this device: its settings and the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.device.machine import machine_id, this_arch
from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.settings.device import in_url
from onnxlet.edge.settings.environment_file import device_settings, pins_of
from onnxlet.edge.update.fetch import Web
from onnxlet.edge.update.find import Device
from onnxlet.edge.update.health import LocalServer

UNPACKED = 4  # limit of unpacked bytes, as a multiple of the largest archive's
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
SERVICE_SECONDS = 30.0  # until a restarted service must answer


class Setup(NamedTuple):
    """What an update needs to know of this device."""

    paths: DevicePaths
    device: Device  # decides which offers fit
    identity: str  # of this device; decides whether it takes releases in staged rollouts
    web: Web  # limits and retries of fetching
    service: LocalServer  # the server that runs here
    report: Callable[[str], object]  # called with each step, in words
    pins: Mapping[str, str] = {}  # by model, the version or alias that the service must serve


def make_setup(
    paths: DevicePaths, report: Callable[[str], object], insecure: bool = False
) -> Setup:
    """Read this device's settings and facts.

    SettingsError is raised where a variable is invalid.
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
    url = f"http{'s' * bool(settings.tls_cert)}://{in_url(settings.host)}:{settings.port}"
    service = LocalServer(url, settings.api_key, settings.restart, SERVICE_SECONDS, paths.state)
    identity = settings.id or machine_id(*MACHINE_IDS)
    web = Web(insecure)
    return Setup(paths, device, identity, web, service, report, pins_of(paths))

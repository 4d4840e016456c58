"""The settings of the device that is installed here, from its environment file and this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.edge.settings.environment_file import read_environment_file
from onnxlet.function.errors import SettingsError
from onnxlet.function.settings import Settings


def service_environ(paths: DevicePaths, own: Mapping[str, str]) -> dict[str, str]:
    """The service's variables, from its file; this process's own ones override them.

    SettingsError is raised where the file can't be used.
    """
    values: dict[str, str] = {}
    with suppress(FileNotFoundError, PermissionError):  # systemd has read it for its services
        values = read_environment_file(paths.environment)
    ours = {name: value for name, value in values.items() if name.startswith("ONNXLET_")}
    return {**ours, **own}


def device_settings(paths: DevicePaths) -> DeviceSettings:
    """This device's settings; SettingsError is raised where a variable is invalid."""
    return DeviceSettings.from_environ(service_environ(paths, os.environ))


def pins_of(paths: DevicePaths) -> Mapping[str, str]:
    """By model, the version or alias that the service must serve."""
    variable = "ONNXLET_SERVE"
    with suppress(SettingsError):  # the service does not start then, but updates go on
        text = service_environ(paths, os.environ).get(variable, "")
        return Settings.from_environ({variable: text}).pins
    return {}

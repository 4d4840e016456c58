"""`edge health`: whether the server of this machine or container is ready; for health checks.

A container has no curl, and its port may speak TLS.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.edge.settings.device import DeviceSettings, reached_at
from onnxlet.function.errors import OnnxletError

if TYPE_CHECKING:
    from onnxlet.edge.device.slots import DevicePaths

FILE = Path("/etc/onnxlet/environment")  # a device's, as DevicePaths has it
ROUTE = "/v2/health/ready"
SECONDS = 4.0


class NotReady(OnnxletError):
    """The server is not there, or not ready."""


def main() -> None:
    """`edge health` as health checks run it, without click."""
    try:
        check()
        print("ready")
    except OnnxletError as error:
        sys.exit(f"error: {error}")


def check(port: int | None = None, paths: DevicePaths | None = None) -> None:
    """Ask the server that the environment, or this device's file, sets; or on another port.

    NotReady is raised where it does not answer, or says so; SettingsError for a variable.
    """
    import http.client

    file = paths.environment if paths else FILE
    device = _settings(paths, file)
    port = device.port if port is None else port
    host = reached_at(device.host)
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    if device.tls_cert:
        from onnxlet.edge.net.http_client import unchecked_context

        connection = http.client.HTTPSConnection(
            host, port, timeout=SECONDS, context=unchecked_context()
        )
    try:
        connection.request("GET", ROUTE)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        unread = os.access(file, os.F_OK) and not os.access(file, os.R_OK)
        hint = f"sudo reads the address that {file} sets." * unread
        raise NotReady(f"{host} port {port} does not answer: {error}", hint) from None
    finally:
        connection.close()
    if status != http.client.OK:
        raise NotReady(f"{host} port {port}: expected status 200, got {status}")


def _settings(paths: DevicePaths | None, file: Path) -> DeviceSettings:
    """The settings that hold here; a container has no file, and is asked every few seconds."""
    if not os.access(file, os.F_OK):
        return DeviceSettings.from_environ(os.environ)
    from onnxlet.edge.device.slots import DevicePaths
    from onnxlet.edge.settings.environment_file import device_settings

    return device_settings(paths or DevicePaths())

"""Inside the namespaces: the folders that a function sees on Lambda, and only a loopback."""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

SET_INTERFACE_FLAGS = 0x8914  # SIOCSIFFLAGS of linux/sockios.h
UP_AND_RUNNING = 0x1 | 0x40  # IFF_UP | IFF_RUNNING of linux/if.h
STAGING = Path("/mnt")
PLACE = Path("/var")


def bring_up_loopback() -> None:
    """A new network namespace has one interface, and that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", UP_AND_RUNNING)
        fcntl.ioctl(any_socket, SET_INTERFACE_FLAGS, request)


def mount_places(places: Mapping[str, Path], logs: Path, hide: Path | None) -> None:
    """Make /var of these folders, read-only; the function can write only to an empty /tmp.

    Args:
        places: folders by the name that they get below /var.
        logs: a folder that the driver can write to, at /var/log.
        hide: a folder that is to be empty.
    """
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", STAGING)
    for name, folder in places.items():
        (STAGING / name).mkdir()
        _mount("--bind", folder, STAGING / name)
        _mount("-o", "remount,bind,ro", STAGING / name)
    (STAGING / "log").mkdir()
    _mount("--bind", logs, STAGING / "log")
    _mount("--move", STAGING, PLACE)  # the folders may have been below /var or /tmp
    _mount("-o", "remount,bind,ro", PLACE)
    _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")  # noqa: S108 - a new one
    _mount("-t", "tmpfs", "-o", "ro", "tmpfs", "/dev/shm")  # noqa: S108 - Lambda has none
    if hide is not None:
        _mount("-t", "tmpfs", "-o", "ro", "tmpfs", hide)
    _mount("-o", "remount,bind,ro", "/")


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)

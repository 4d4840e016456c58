"""A device, a router and the world, each in a network namespace of its own, and a name server.

The test itself is in the world. Within `at("device")` its thread is on the device, and what it
starts or connects there stays there. `cut` has the router drop everything without a word.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import lacking
from tests.edge.forward.endpoint import wait_until

WORLD, DEVICE = "10.99.1.2", "10.99.2.2"
ROUTER = ("10.99.1.1", "10.99.2.1")
NAME = "collector.test"
CLONE_NEWNET = 0x40000000
RESOLV = f"nameserver {WORLD}\noptions timeout:1 attempts:1\n"
NAMES_FROM = "hosts: files dns\n"
WITH_NAMES = (
    'mount --bind "$0/resolv.conf" /etc/resolv.conf && '
    'mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"'
)
LAYOUT = """
ip link add to-world type veth peer name eth0 netns {world}
ip link add to-device type veth peer name eth0 netns {device}
ip address add {router[0]}/24 dev to-world
ip address add {router[1]}/24 dev to-device
ip link set to-world up
ip link set to-device up
echo 1 >/proc/sys/net/ipv4/ip_forward
"""
END = """
ip link set lo up
ip address add {own}/24 dev eth0
ip link set eth0 up
ip route add default via {router}
"""


class Network:
    """Three namespaces, as long as the processes that hold them run.

    Args:
        folder: for files of the device's name service.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holders = {
            name: subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
            for name in ("world", "router", "device")
        }
        (folder / "resolv.conf").write_text(RESOLV)
        (folder / "nsswitch.conf").write_text(NAMES_FROM)
        home = Path("/proc/self/ns/net").readlink()
        for holder in self._holders.values():
            own = Path(f"/proc/{holder.pid}/ns/net")
            wait_until(lambda: own.readlink() != home)  # noqa: B023 - waits here
        world, device = self._holders["world"].pid, self._holders["device"].pid
        self.run("router", LAYOUT.format(world=world, device=device, router=ROUTER))
        self.run("world", END.format(own=WORLD, router=ROUTER[0]))
        self.run("device", END.format(own=DEVICE, router=ROUTER[1]))

    def run(self, name: str, script: str) -> None:
        """Have a shell do something in one of them."""
        inside = ["nsenter", f"--net=/proc/{self._holders[name].pid}/ns/net"]
        subprocess.run([*inside, "sh", "-ec", script], check=True, timeout=60)

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """This thread is in one of them, and so is what it starts and connects."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/proc/{self._holders[name].pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            yield
        finally:
            _enter(before)
            os.close(before)
            os.close(there)

    def with_names(self, command: Sequence[str]) -> list[str]:
        """A command that asks the world's name server for names."""
        shell = ["unshare", "--mount", "sh", "-c", WITH_NAMES]
        return [*shell, str(self._folder), *command]

    def cut(self) -> None:
        """Nothing gets through any more, without an error."""
        for own in (WORLD, DEVICE):
            self.run("router", f"ip route add blackhole {own}/32")

    def mend(self) -> None:
        """Everything gets through again."""
        for own in (WORLD, DEVICE):
            self.run("router", f"ip route del blackhole {own}/32")

    def close(self) -> None:
        """End what holds them, and with it they end."""
        for holder in self._holders.values():
            holder.communicate()


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def unavailable() -> str:
    """Why there can be no such network here; empty where there can."""
    missing = [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        return f"networks of one's own need root, util-linux and iproute2; {missing} lack"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "one", "type", "veth", "peer", "name", "two"],
        capture_output=True,
        text=True,
    )
    return tried.stderr.strip()


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """One, with the test in its world."""
    if why := unavailable():
        lacking(why)
    made = Network(folder)
    try:
        with made.at("world"):
            yield made
    finally:
        made.close()


class Names:
    """A name server that knows one name, as long as it runs."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((WORLD, 53))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                asked, who = self._socket.recvfrom(512)
                if not asked:
                    return
                self._socket.sendto(answer_to(asked), who)

    def close(self) -> None:
        """Refuse connections."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def answer_to(asked: bytes) -> bytes:
    """RFC 1035's answer: the world's address, or that there is none of this kind."""
    end = asked.index(b"\0", 12) + 5
    known = asked[12:end].endswith(b"\x04test\0\0\x01\0\x01")
    head = asked[:2] + struct.pack(">HHHHH", 0x8180, 1, known, 0, 0)
    reported = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(WORLD)
    return head + asked[12:end] + reported * known

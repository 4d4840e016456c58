"""Debian's arm64 system and kernel as files that QEMU boots; nothing is registered with the host.

Maintainer scripts run by qemu-user, which a user namespace of its own knows as the interpreter of
arm64 programs. The kernel is Debian's for the cloud: it has NVMe and ext4 built in, so that no
initramfs is needed.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.lambda_runtime.machines import Unavailable, made, run

SUITE, PYTHON, ARCH = "trixie", "3.13", "aarch64"  # trixie's Python
TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-aarch64": "qemu-user",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "minisign": "minisign",
    "unshare": "util-linux",
}
PACKAGES = "systemd,systemd-sysv,udev,dbus,sudo,python3-minimal,python3.13,libstdc++6"
ARM64 = (
    r":qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    ":/usr/bin/qemu-aarch64:FP"
)
INSIDE = ["unshare", "--user", "--map-users=0:0:65536", "--map-groups=0:0:65536"]
INSIDE += ["--mount", "--pid", "--fork", "--kill-child", f"--load-interp={ARM64}"]
# The system's own package of a kernel would have an initramfs made, which takes minutes.
KERNEL = """
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
cd "$1" && apt-get download $(apt-cache depends linux-image-cloud-arm64 | sed -n 's/.*Depends: //p')
dpkg-deb --fsys-tarfile linux-image-*.deb | tar -xO --wildcards './boot/vmlinuz-*' >boot/vmlinuz
rm linux-image-*.deb
"""
DEBIAN = ["mmdebstrap", "--mode=root", "--variant=minbase", "--architectures=arm64"]
DEBIAN += ["--quiet", "--skip=check/qemu", f"--include={PACKAGES}"]
DEBIAN += ['--aptopt=Apt::Install-Recommends "false"', f"--customize-hook={KERNEL}"]
DEBIAN += [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
# What a person at the keyboard would be: commands come over a port of their own.
AGENT = """\
[Unit]
Description=commands from the tests
RequiresMountsFor=/srv
[Service]
ExecStart=/usr/bin/python3 -I -S -B /srv/agent.py
"""
FILES = {
    "etc/hostname": "device\n",
    "etc/hosts": "127.0.0.1 localhost device\n",
    "etc/resolv.conf": "",
    "etc/fstab": "LABEL=srv /srv ext4 ro 0 0\n",
    "etc/systemd/system/agent.service": AGENT,
}
SIZE = 2 << 30  # bytes of the root's disk; what is empty takes no space
# The kernel numbers disks as it finds them, and knows its root by the signature in this table.
SECTOR, START, SIGNATURE = 512, 2048, 0x6F6E6E78  # bytes, sectors
ROOT_ID = f"PARTUUID={SIGNATURE:08x}-01"


class System(NamedTuple):
    """What QEMU boots: a kernel, and a disk that is to be copied."""

    kernel: Path
    disk: Path


def make_system() -> System:
    """Debian, made once.

    Raises:
        Unavailable: a tool is missing, or Debian's archive can't be reached.
    """
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing or os.geteuid() != 0:
        raise Unavailable(f"needs root, and apt-get install {' '.join(missing)}".rstrip())
    if (
        "--load-interp"
        not in subprocess.run(["unshare", "--help"], capture_output=True, text=True).stdout
    ):
        raise Unavailable("needs util-linux 2.41 or newer: unshare has no --load-interp")
    folder = made(f"{SUITE}-machine", f"{DEBIAN} {FILES} {SIZE}", _make)
    return System(folder / "vmlinuz", folder / "disk")


def _make(folder: Path) -> None:
    folder.mkdir()
    root = folder / "root"
    try:
        run([*INSIDE, *DEBIAN, SUITE, str(root)])
        for path, text in FILES.items():
            (root / path).unlink(missing_ok=True)
            (root / path).write_text(text)
        wanted = root / "etc/systemd/system/multi-user.target.wants"
        (wanted / "agent.service").symlink_to("/etc/systemd/system/agent.service")
        (root / "boot/vmlinuz").rename(folder / "vmlinuz")
        make_disk(root, folder / "disk", f"{SIZE // 1024 - 1024}", start=SECTOR * START)
        with (folder / "disk").open("r+b") as disk:
            disk.write(partition_table())
            disk.truncate(SIZE)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def partition_table() -> bytes:
    """The first sector of a disk whose one partition is the rest of it, as MBR has it."""
    partition = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", START, SIZE // SECTOR - START)
    return struct.pack("<440xI2x16s48xH", SIGNATURE, partition, 0xAA55)


def make_disk(content: Path, disk: Path, size: str, label: str = "root", start: int = 0) -> Path:
    """A file that is a disk with one ext4 file system, which holds a folder's content.

    Args:
        content: becomes the file system's root, with its owners and modes.
        disk: the file.
        size: as mke2fs takes it, such as `200M`.
        label: that it is mounted by.
        start: bytes before it.
    """
    command = ["mke2fs", "-q", "-t", "ext4", "-L", label, "-E", f"offset={start}"]
    run([*command, "-d", str(content), str(disk), size])
    return disk

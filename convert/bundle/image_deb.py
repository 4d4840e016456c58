"""Debian's packages, read: what they are, and what they would install. Nothing of them is run."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import IO, NamedTuple

from onnxlet.convert.bundle.image_entry import READABLE, RUNNABLE, Entries, Entry, link
from onnxlet.convert.errors import PackagingFailed

# A merged /usr, as Debian has had it since bookworm: these are links, whatever a package says.
MERGED = ("bin", "lib", "lib64", "sbin")


class Deb(NamedTuple):
    """One package."""

    name: str  # Debian's
    version: str  # Debian's
    control: str  # its description, as dpkg's database has it
    files: Entries  # files and links, by path


def read(file: Path) -> Deb:
    """Read a package; PackagingFailed is raised where dpkg-deb can't."""
    control = _said(file, "--field").decode()
    fields = dict(
        line.split(": ", 1) for line in control.splitlines() if ": " in line and line[0] != " "
    )
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        ["dpkg-deb", "--fsys-tarfile", str(file)],  # noqa: S607 - whichever is on the PATH
        stdout=subprocess.PIPE,
    )
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as tar:
        files = _files(tar)
    return Deb(fields["Package"], fields["Version"], control, files)


def _files(tar: tarfile.TarFile) -> Entries:
    files: Entries = {}
    for member in tar:
        path = canonical(member.name)
        if member.issym():
            files[path] = link(member.linkname)
        elif member.islnk():
            files[path] = files[canonical(member.linkname)]
        elif member.isfile():
            content: IO[bytes] | None = tar.extractfile(member)
            mode = RUNNABLE if member.mode & 0o100 else READABLE
            files[path] = Entry(content.read() if content else b"", mode)
    return files


def canonical(name: str) -> str:
    """A path as it is with a merged /usr, without what stands before its first folder."""
    path = name.removeprefix("./").strip("/")
    return f"usr/{path}" if path.split("/")[0] in MERGED and "/" in path else path


def _said(file: Path, action: str) -> bytes:
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["dpkg-deb", action, str(file)],  # noqa: S607 - whichever is on the PATH
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise PackagingFailed(f"{file.name} is no package: {done.stderr.decode().strip()}")
    return done.stdout

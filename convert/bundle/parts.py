"""What bundles are made of, and for which machines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}  # and what Debian and OCI call them
ARCHES = tuple(ARCHITECTURES)
# ONNX Runtime's own wheels ask for it; Amazon Linux 2023 has 2.34, bookworm 2.36, trixie 2.41.
GLIBC = "2_28"
MEGABYTE = 1_000_000

# Given the bytes to write, a context of what is called with the bytes of each file.
Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]


class Machine(NamedTuple):
    """The machine that a bundle runs on."""

    python: str  # major and minor version of CPython, such as 3.13
    arch: str  # as `uname -m` says it, aarch64 or x86_64

    @property
    def platform(self) -> str:
        """The platform as uv calls it."""
        return f"{self.arch}-manylinux_{GLIBC}"

    def __str__(self) -> str:
        return f"Python {self.python}, {self.arch}"


class Budget(NamedTuple):
    """Most bytes that a bundle may have."""

    zipped: int
    unpacked: int  # of all the files in it


class BundlePart(NamedTuple):
    """A part of a bundle: packages, code of this project, and the lists of them."""

    name: str  # in its bill of materials
    lock: str  # the lock file of its packages
    code: str  # the folder
    beside: tuple[str, ...]  # files that stand beside it
    listing: str  # the file that has the hash of each file
    bill: str  # the file of the bill of materials
    entry: str = ""  # the module below its folder that is the bundle's `__main__.py`
    needs: tuple[str, ...] = ()  # the patterns of the rule of stripping that does not hold for it


FUNCTION = BundlePart(
    "lambda", "function.txt", "function", ("__init__.py", "environment.py", "folders.py"),
    "bundle.json", "bom.json",
)  # fmt: skip
EDGE = BundlePart(
    "device", "edge.txt", "edge", ("commands.py", "not_set_up.py"), "device.json",
    "device-bom.json", "bundle_main.py",
    ("click/*", "click-*.dist-info/*"),  # of the commands
)  # fmt: skip

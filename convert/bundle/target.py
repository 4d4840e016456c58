"""What a bundle is for: one Python on one architecture, on Lambda, a device or in a container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHES = ("aarch64", "x86_64")
KINDS = ("lambda", "device", "image")
# ONNX Runtime's own wheels ask for it; Amazon Linux 2023 has 2.34, bookworm 2.36, trixie 2.41.
GLIBC = "2_28"
MEGABYTE = 1_000_000


class Budget(NamedTuple):
    """Most bytes that a bundle may have."""

    zipped: int  # of the zip
    unpacked: int  # of all the files in it


# Unpacked. Zipped there is none by way of S3, as osls uploads: it is no more than unpacked.
LAMBDA_LIMITS = Budget(250 * 2**20, 250 * 2**20)
BUDGETS = {
    "lambda": LAMBDA_LIMITS,
    "device": Budget(100 * MEGABYTE, 300 * MEGABYTE),  # a Pi's card, twice over for two slots
    "image": Budget(1000 * MEGABYTE, 3000 * MEGABYTE),  # each new machine pulls it to start
}


@dataclass(frozen=True)
class Target:
    """Where a bundle will run."""

    kind: str  # `lambda`, `device` or `image`
    python: str  # major and minor version of CPython, such as 3.13
    arch: str  # as `uname -m` says it, aarch64 or x86_64

    @property
    def platform(self) -> str:
        """The platform as uv calls it."""
        return f"{self.arch}-manylinux_{GLIBC}"

    @property
    def lock(self) -> str:
        """The lock file of what is installed."""
        return "function.txt" if self.kind == "lambda" else "edge.txt"

    @property
    def limits(self) -> dict[str, Budget]:
        """What the target itself allows, by name."""
        return {"Lambda's limit": LAMBDA_LIMITS} if self.kind == "lambda" else {}

    def __str__(self) -> str:
        return f"{self.kind}, Python {self.python}, {self.arch}"

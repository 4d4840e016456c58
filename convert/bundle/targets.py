"""What a bundle is for. A target is one object: its parts, its limits, and how it is written.

Whatever differs between targets is asked of it. Its parts say which packages and which code they
have, and what is stripped of them.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from onnxlet.folders import CHECKOUT

if TYPE_CHECKING:
    from onnxlet.convert.bundle.contents import Chosen

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHES = ("aarch64", "x86_64")
# ONNX Runtime's own wheels ask for it; Amazon Linux 2023 has 2.34, bookworm 2.36, trixie 2.41.
GLIBC = "2_28"
MEGABYTE = 1_000_000

Report = Callable[[str], object]  # called with a line for each step
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


class Part(NamedTuple):
    """A part of a bundle: packages, code of this project, and the lists of them."""

    name: str  # in its bill of materials
    lock: str  # the lock file of its packages
    code: str  # the folder
    beside: tuple[str, ...]  # files that stand beside it
    listing: str  # the file that has the hash of each file
    bill: str  # the file of the bill of materials
    entry: str = ""  # the module below its folder that is the bundle's `__main__.py`
    needs: tuple[str, ...] = ()  # what the rules of stripping would leave out, and stays


FUNCTION = Part(
    "lambda", "function.txt", "function", ("__init__.py", "environment.py", "folders.py"),
    "bundle.json", "bom.json",
)  # fmt: skip
EDGE = Part(
    "device", "edge.txt", "edge", (), "device.json", "device-bom.json", "bundle_main.py",
    ("click/*", "click-*.dist-info/*"),  # of the commands
)  # fmt: skip


class Order(NamedTuple):
    """What is to be written."""

    machine: Machine
    models: list[Chosen]  # proven once more; none means that an image gets them by a volume
    out: Path  # whole or not at all
    budget: Budget
    name: str = "onnxlet"  # of the devices or the image
    release: int | None = None  # number of a device's bundle, or an image's tag
    require_pyc: bool = False  # stop where there is no interpreter to compile with


@dataclass(frozen=True)
class Target:
    """A target whose bundle is a zip."""

    name: str
    parts: tuple[Part, ...]  # the function first
    budget: Budget  # unless another is given
    limits: Mapping[str, Budget] = field(default_factory=dict)  # what it itself allows, by name
    suffix: str = ".zip"
    is_numbered: bool = True  # by --release
    needs_number: bool = False
    signed_as: str = ""  # the kind in a trusted comment; empty where nobody asks for a signature
    may_lack_models: bool = False

    def usual_arch(self) -> str:
        """Graviton and boards are arm64."""
        return ARCHES[0]

    def describe(self, machine: Machine) -> str:
        """A bundle in words."""
        return f"{self.name}, {machine}"

    def write(self, order: Order, report: Report, progress: Progress) -> list[str]:
        """Write a bundle; what is said of it."""
        from onnxlet.convert.bundle.package import package

        done = package(self, order, report, progress)
        return [*done.lines, f"{order.out}: {self.describe(order.machine)}, sha256 {done.sha256}"]


class LambdaTarget(Target):
    """AWS Lambda; a clone has the make that deploys, which is named elsewhere."""

    def write(self, order: Order, report: Report, progress: Progress) -> list[str]:
        """Write a bundle; what is said of it."""
        lines = super().write(order, report, progress)
        hint = f"to deploy it, in a clone of onnxlet: {deploy_line(order.out)}"
        return lines if CHECKOUT else [*lines, hint]


class ImageTarget(Target):
    """A container's image: a device's bundle, and a system beneath."""

    def usual_arch(self) -> str:
        """This machine's: an image is tried where it is built."""
        names = {"arm64": "aarch64", "AMD64": "x86_64"}
        here = names.get(platform.machine(), platform.machine())
        return here if here in ARCHES else super().usual_arch()

    def write(self, order: Order, report: Report, progress: Progress) -> list[str]:
        """Write an image; what is said of it."""
        from onnxlet.convert.bundle.image import write_image

        tag = f"{order.name.lower()}:{order.release or 'latest'}"
        done = write_image(self, order, tag, report, progress)
        return [
            *done.lines,
            *(f"{name} {version}" for name, version in done.packages.items()),
            f"{order.out}: {self.describe(order.machine)}, {tag}, sha256 {done.digest}",
            f"to try it: podman load -i {shlex.quote(str(order.out))}",
        ]


class ModelsTarget(Target):
    """Only models, for devices that run."""

    def write(self, order: Order, report: Report, progress: Progress) -> list[str]:
        """Write an archive; nothing is said of it."""
        from onnxlet.convert.bundle.package import write_models

        write_models(order.models, order.out, order.release or 0)
        return []


def deploy_line(bundle: Path) -> str:
    """The command of a clone that deploys a bundle, as a shell takes it."""
    return f"make deploy BUNDLE={shlex.quote(str(bundle.resolve()).replace('$', '$$'))}"


# Unpacked. Zipped there is none by way of S3, as osls uploads: it is no more than unpacked.
LAMBDA_LIMITS = Budget(250 * 2**20, 250 * 2**20)
ON_A_CARD = Budget(100 * MEGABYTE, 300 * MEGABYTE)  # a Pi's, twice over for two slots
PULLED = Budget(1000 * MEGABYTE, 3000 * MEGABYTE)  # by each new machine, to start

LAMBDA = LambdaTarget(
    "lambda", (FUNCTION,), LAMBDA_LIMITS, {"Lambda's limit": LAMBDA_LIMITS}, is_numbered=False
)
DEVICE = Target("device", (FUNCTION, EDGE), ON_A_CARD, signed_as="bundle")
IMAGE = ImageTarget("image", (FUNCTION, EDGE), PULLED, suffix=".tar", may_lack_models=True)
MODELS = ModelsTarget("models", (), ON_A_CARD, needs_number=True, signed_as="models")
TARGETS = {each.name: each for each in (LAMBDA, DEVICE, IMAGE, MODELS)}

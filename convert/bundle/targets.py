"""What a bundle is for. A target is one object: its parts, its limits, and how it is written.

Whatever differs between targets is asked of it. Its parts say which packages and which code they
have, and what is stripped of them.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from onnxlet.convert.bundle.parts import (
    ARCHES,
    EDGE,
    FUNCTION,
    MEGABYTE,
    Budget,
    BundlePart,
    Machine,
    Progress,
)
from onnxlet.convert.progress import Report
from onnxlet.folders import CHECKOUT

if TYPE_CHECKING:
    from onnxlet.convert.bundle.package import Order


@dataclass(frozen=True)
class BundleTarget:
    """A target whose bundle is a zip."""

    name: str
    parts: tuple[BundlePart, ...]  # the function first
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

        done = package(order, report, progress)
        return [*done.lines, f"{order.out}: {self.describe(order.machine)}, sha256 {done.sha256}"]


class LambdaTarget(BundleTarget):
    """AWS Lambda; a clone has the make that deploys, which is named elsewhere."""

    def write(self, order: Order, report: Report, progress: Progress) -> list[str]:
        """Write a bundle; what is said of it."""
        lines = super().write(order, report, progress)
        hint = f"to deploy it, in a clone of onnxlet: {deploy_line(order.out)}"
        return lines if CHECKOUT else [*lines, hint]


class ImageTarget(BundleTarget):
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
        done = write_image(order, tag, report, progress)
        return [
            *done.lines,
            *(f"{name} {version}" for name, version in done.packages.items()),
            f"{order.out}: {self.describe(order.machine)}, {tag}, sha256 {done.digest}",
            f"to try it: podman load -i {shlex.quote(str(order.out))}",
        ]


class BrowserTarget(BundleTarget):
    """A folder that a web server serves, and browsers run; its Python is Pyodide's."""

    def describe(self, machine: Machine) -> str:
        """A bundle in words."""
        return self.name

    def write(self, order: Order, report: Report, progress: Progress) -> list[str]:
        """Write a folder; what is said of it."""
        from onnxlet.convert.bundle.browser import write_browser

        return write_browser(order._replace(machine=BROWSER_MACHINE), report)


class ModelsTarget(BundleTarget):
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
DEVICE = BundleTarget("device", (FUNCTION, EDGE), ON_A_CARD, signed_as="bundle")
IMAGE = ImageTarget("image", (FUNCTION, EDGE), PULLED, suffix=".tar", may_lack_models=True)
# Without compiled modules: what Pyodide has no build of is not taken.
BROWSER_MACHINE = Machine("3.14", "x86_64")
BROWSER = BrowserTarget("browser", (FUNCTION,), ON_A_CARD, suffix="")
MODELS = ModelsTarget("models", (), ON_A_CARD, needs_number=True, signed_as="models")
TARGETS = {each.name: each for each in (LAMBDA, DEVICE, IMAGE, BROWSER, MODELS)}

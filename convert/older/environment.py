"""Environments of other scikit-learns, or of AutoGluon, made once by uv in the user's cache."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.progress import Report
from onnxlet.function.files import locked

Version = tuple[int, ...]
# No file of a folder names a package index: one that came with a model may be a stranger's.
UV = (sys.executable, "-P", "-m", "uv", "--no-config")
BESIDE = ("joblib", "cloudpickle", "skops")  # what files are read with
SHOWN_LINES = 4  # of what uv says
RELEASE = re.compile(r"\d{1,4}(?:\.\d{1,6}){1,3}")
RUNNING = (sys.version_info.major, sys.version_info.minor)


class Belonging(NamedTuple):
    """What belongs to a scikit-learn, from this version on."""

    since: Version
    oldest: Version  # Python that its wheels are for
    newest: Version
    packages: tuple[str, ...]  # below the first versions that changed under it


# By what each version was released and tested with, and has wheels for.
TABLE = (
    Belonging((0, 24), (3, 8), (3, 9), ("numpy<1.22", "scipy<1.8", "pandas<1.4")),
    Belonging((1, 0, 2), (3, 8), (3, 10), ("numpy<1.24", "scipy<1.9", "pandas<1.5")),
    Belonging((1, 1, 3), (3, 8), (3, 11), ("numpy<1.24", "scipy<1.10", "pandas<2")),
    Belonging((1, 2), (3, 8), (3, 11), ("numpy<1.25", "scipy<1.11", "pandas<2.1")),
    Belonging((1, 3), (3, 8), (3, 12), ("numpy<2", "scipy<1.12", "pandas<2.2")),
    Belonging((1, 4), (3, 9), (3, 12), ("numpy<2", "scipy<1.14", "pandas<2.3")),
    Belonging((1, 5), (3, 9), (3, 12), ("numpy<2.2", "scipy<1.15", "pandas<2.3")),
    Belonging((1, 5, 2), (3, 9), (3, 13), ("numpy<2.2", "scipy<1.15", "pandas<2.3")),
    Belonging((1, 6), (3, 9), (3, 13), ("numpy<2.3", "scipy<1.16", "pandas<2.3")),
    Belonging((1, 7), (3, 10), (3, 13), ("numpy<2.4", "scipy<1.17", "pandas<3")),
    Belonging((1, 7, 2), (3, 10), (3, 14), ("numpy<2.4", "scipy<1.17", "pandas<3")),
    Belonging((1, 8), (3, 11), (3, 14), ("numpy", "scipy", "pandas<4")),
)


class Needed(NamedTuple):
    """An environment that a file needs."""

    name: str  # in messages, and of its folder
    packages: tuple[str, ...]  # with their versions; the first one is what it is made for
    oldest: Version  # Python
    newest: Version
    tag: str = ""  # of the folder, where several of a name have other packages


class NoEnvironment(SourceFailed):
    """An environment can't be made: what is missing, and the commands that make it."""


def belonging(version: str) -> Belonging:
    """What belongs to a version of scikit-learn.

    Raises SourceFailed where it is no release, or older than any that is made.
    """
    numbers = tuple(map(int, version.split("."))) if RELEASE.fullmatch(version) else ()
    known = [each for each in TABLE if each.since <= numbers]
    if not known:
        first = ".".join(map(str, TABLE[0].since))
        raise SourceFailed(
            f"expected a release of scikit-learn from {first} on, got {version}",
            "Build where it was trained, or fit it again.",
        )
    return known[-1]


def consent(version: str) -> str:
    """What of `--trust` allows that an environment with this scikit-learn is made."""
    return f"scikit-learn=={version}"


def interpreter_of(version: str, report: Report, may_be_made: bool = True) -> Path:
    """The interpreter of an environment with this scikit-learn; see `python_of`."""
    belongs = belonging(version)
    packages = (consent(version), *belongs.packages, *BESIDE)
    needed = Needed(f"scikit-learn {version}", packages, belongs.oldest, belongs.newest)
    return python_of(needed, report, may_be_made)


def python_of(needed: Needed, report: Report, may_be_made: bool = True) -> Path:
    """The interpreter of an environment, which is made where there is none.

    Making it takes a moment and a network: `report` is called with a line.

    Raises NoEnvironment where it can't be made: what is missing, and the commands that make it; or
    where it may not be.
    """
    try:
        cache().mkdir(parents=True, exist_ok=True)
        python = _python(needed)
        stem = f"{needed.name.replace(' ', '-').lower()}{needed.tag}"
        folder = cache() / f"{stem}-python{python[0]}.{python[1]}"
        with locked(folder.parent / f".{folder.name}.lock"):
            if not (folder / "bin" / "python").exists():
                if not may_be_made:
                    raise _not_allowed(needed, folder)
                report(f"making an environment with {needed.name}, once: '{folder}'")
                _make(needed, python, folder)
    except OSError as error:
        raise NoEnvironment(
            f"an environment with {needed.name} can't be kept: {error}",
            "XDG_CACHE_HOME names another folder for it.",
        ) from error
    return folder / "bin" / "python"


def _not_allowed(needed: Needed, folder: Path) -> NoEnvironment:
    return NoEnvironment(
        f"the file says that {needed.name} wrote it, which is installed for no .skops "
        f"file unasked: {', '.join(needed.packages)} would be, in '{folder}'",
        f"Add --trust {needed.packages[0]} if they may be.",
    )


def cache() -> Path:
    """The folder of the user's where environments are kept."""
    said = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative one counts for nothing
    home = said if said.is_absolute() else Path.home() / ".cache"
    return home / "onnxlet" / "environments"


def _python(needed: Needed) -> Version:
    """The running Python where there are wheels for it, else the newest older one that is here."""
    if needed.oldest <= RUNNING <= needed.newest:
        return RUNNING
    for minor in range(needed.newest[1], needed.oldest[1] - 1, -1):
        found = _uv("python", "find", "--no-project", "--no-python-downloads", f"3.{minor}")
        if found.returncode == 0:
            return (3, minor)
    least, most = (".".join(map(str, each)) for each in (needed.oldest, needed.newest))
    raise NoEnvironment(
        f"{needed.name} has wheels for Python {least} to {most}, and none of them is "
        f"installed beside {RUNNING[0]}.{RUNNING[1]}",
        f"'{shlex.join(UV[:-1])} python install {most}' brings one; then build again.",
    )


def _make(needed: Needed, python: Version, folder: Path) -> None:
    """Make the environment beside its place, and rename it once it is whole."""
    making = Path(mkdtemp(prefix=f".making-{folder.name}-", dir=folder.parent))
    named = f"{python[0]}.{python[1]}" if python != RUNNING else sys.executable
    try:
        for step in commands(making, named, needed.packages):
            done = _uv(*step)
            if "UnknownIssuer" in done.stderr:  # a certificate that the system knows, not uv
                done = _uv(*step, "--system-certs")
            if done.returncode:
                said = "\n".join(done.stderr.strip().splitlines()[:SHOWN_LINES])
                steps = commands(folder, f"{python[0]}.{python[1]}", needed.packages)
                shown = " && ".join(shlex.join([*UV, *each]) for each in steps)
                raise NoEnvironment(
                    f"an environment with {needed.name} can't be made:\n{said}",
                    "Is the package index reachable, and does it have these versions? Where it "
                    f"does, this makes it: {shown}",
                )
        shutil.rmtree(folder, ignore_errors=True)  # one whose Python is gone
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def commands(folder: Path, python: str, packages: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What uv is called with, to make an environment in a folder."""
    yield "venv", "--quiet", "--no-project", "--allow-existing", "--python", python, str(folder)
    installs = ("pip", "install", "--quiet", "--only-binary", ":all:", "--python")
    yield *installs, str(folder / "bin" / "python"), *packages


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In the cache folder: uv takes a Python, too, from a `.venv` of the folder that it runs in."""
    return subprocess.run(  # noqa: S603 - our own arguments
        [*UV, *arguments], capture_output=True, text=True, check=False, cwd=cache()
    )

"""What installing does, step by step; each can be done again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.device.slots import SLOTS, Places, write_durably
from onnxlet.edge.install import units
from onnxlet.edge.install.keys import PublicKey
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.serving.golden import load_proven

Run = Callable[[Sequence[str]], str]
Report = Callable[[str], object]
LOG = ("journalctl", "--namespace=onnxlet", "-u", "onnxlet", "-n", "4", "-o", "cat", "--no-pager")
SHOWN = 600  # characters of what a program said


class InstallError(OnnxletError):
    """It can't be installed, or taken away, as it was asked for."""


def run(command: Sequence[str]) -> str:
    """Run one of the system's programs; what it prints.

    Raises:
        InstallError: it fails; with its own words.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-SHOWN:]
        raise InstallError(f"{' '.join(command)}: exit code {done.returncode}: {said}")
    return done.stdout


def prove(slot: Path, report: Report) -> None:
    """Check every model of a slot on this very processor.

    Raises:
        ModelError: one is broken.
        InstallError: one answers otherwise than at its build.
    """
    for folder in sorted((slot / "models").iterdir()):
        for version in versions_in(folder) if NAME.fullmatch(folder.name) else ():
            model, rows, faults = load_proven(folder / str(version))
            if faults:
                raise InstallError(
                    f"model {model.name}/{version}: {len(faults)} of {rows} golden rows are "
                    f"answered otherwise than at build; {faults[0]}",
                    "Nothing was switched. Please report it, with: onnxlet doctor --json.",
                )
            report(f"{model.name}/{version}: {rows} golden rows are answered as at build")


def make_folders(places: Places) -> None:
    """Make what is not there; root's, since the service may write to its own state alone."""
    for folder in (places.data, places.models, places.settings, places.keys):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def write_settings(places: Places, keys: Iterable[PublicKey]) -> None:
    """Write the environment where there is none, and the keys."""
    if not places.environment.exists():
        write_durably(places.environment, units.ENVIRONMENT.encode(), 0o600)
    for key in keys:
        write_durably(places.keys / key.name, key.content)


def write_files(places: Places, python: str) -> None:
    """Write what systemd reads, and the command, where it is not so already."""
    for path, (text, mode) in units.files(python).items():
        file = places.root / path
        with suppress(OSError):
            if file.read_bytes() == text.encode():
                continue
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, text.encode(), mode)


def remove_files(places: Places) -> None:
    """Take away what `write_files` wrote."""
    for path in units.files(""):
        (places.root / path).unlink(missing_ok=True)


def remove_program(places: Places) -> None:
    """Take away the slots, the links to them, and what an update left that was cut off."""
    for link in (places.live, places.back):
        link.unlink(missing_ok=True)
    for name in (*SLOTS, ".incoming", ".outgoing", "download"):
        shutil.rmtree(places.slot(name), ignore_errors=True)

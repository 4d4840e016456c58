"""The steps of installing and uninstalling; each may be repeated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.device.slots import SLOTS, DevicePaths, write_durably
from onnxlet.edge.install import units
from onnxlet.edge.install.keys import PublicKey
from onnxlet.function.errors import OnnxletError
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.serving.golden import load_proven

Run = Callable[[Sequence[str]], str]
Report = Callable[[str], object]
LOG = ("journalctl", "--namespace=onnxlet", "-u", "onnxlet", "-n", "4", "-o", "cat", "--no-pager")
SHOWN_OUTPUT = 600  # characters of a program's output


class InstallError(OnnxletError):
    """Installing or uninstalling fails."""


def run(command: Sequence[str]) -> str:
    """Run one of the system's programs; its output.

    InstallError has its own message where it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        output = (done.stderr or done.stdout).strip()[-SHOWN_OUTPUT:]
        raise InstallError(f"{' '.join(command)}: exit code {done.returncode}: {output}")
    return done.stdout


def replay_golden_rows(slot: Path, report: Report) -> None:
    """Check every model of a slot on this very processor.

    Raises ModelError where one is broken, InstallError where one answers differently than at build.
    """
    for folder in sorted((slot / "models").iterdir()):
        for version in versions_in(folder) if NAME.fullmatch(folder.name) else ():
            model, rows, faults = load_proven(folder / str(version))
            if faults:
                raise InstallError(
                    f"model {model.name}/{version}: {len(faults)} of {rows} golden rows are "
                    f"answered differently than at build; {faults[0]}",
                    "Nothing was switched. Please report it, with: onnxlet doctor --json.",
                )
            report(f"{model.name}/{version}: {rows} golden rows are answered as at build")


def make_folders(paths: DevicePaths) -> None:
    """Create missing folders, owned by root: the service may write only to its state folder."""
    for folder in (paths.data, paths.models, paths.settings, paths.keys):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def write_settings(paths: DevicePaths, keys: Iterable[PublicKey]) -> None:
    """Write the environment file if there is none, and the keys."""
    if not paths.environment.exists():
        write_durably(paths.environment, units.ENVIRONMENT.encode(), 0o600)
    for key in keys:
        write_durably(paths.keys / key.name, key.content)


def write_files(paths: DevicePaths, python: str) -> None:
    """Write systemd's files and the command, where they differ."""
    for path, (text, mode) in units.files(python).items():
        file = paths.root / path
        with suppress(OSError):
            if file.read_bytes() == text.encode():
                continue
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, text.encode(), mode)


def remove_files(paths: DevicePaths) -> None:
    """Remove what `write_files` wrote."""
    for path in units.files(""):
        (paths.root / path).unlink(missing_ok=True)


def remove_program(paths: DevicePaths) -> None:
    """Remove the slots, the links to them, and what an interrupted update left."""
    for link in (paths.live, paths.back):
        link.unlink(missing_ok=True)
    for name in (*SLOTS, ".incoming", ".outgoing", "download"):
        shutil.rmtree(paths.slot(name), ignore_errors=True)

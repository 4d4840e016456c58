"""scikit-learn's example gallery: it is in the source package, and no wheel has it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "build" / "harvest"

# pip asks a source package's backend for its name before it keeps the file. scikit-learn's would
# have a compiler look at the whole of it; this one reads what is written there.
BACKEND = """
from pathlib import Path

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    made = Path(folder, "scikit_learn.dist-info")
    made.mkdir()
    (made / "METADATA").write_bytes(Path("PKG-INFO").read_bytes())
    return made.name
"""


def examples() -> list[Path]:
    """The examples of the installed scikit-learn, in order; brought by pip the first time.

    Raises:
        CalledProcessError: the package index has no such source package.
    """
    wanted = f"scikit_learn-{version('scikit-learn')}"
    root = FOLDER / wanted
    if not root.is_dir():
        with tarfile.open(_downloaded(wanted)) as archive:
            archive.extractall(FOLDER, _only_examples(archive, wanted), filter="data")
    return sorted(root.glob("examples/**/plot_*.py"))


def _only_examples(archive: tarfile.TarFile, root: str) -> Sequence[tarfile.TarInfo]:
    return [member for member in archive if member.name.startswith(f"{root}/examples/")]


def _downloaded(name: str) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    backend = FOLDER / "backend"
    backend.mkdir(exist_ok=True)
    (backend / "mesonpy.py").write_text(BACKEND)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--no-build-isolation", "--dest", os.fspath(FOLDER)]
    command += [f"scikit-learn=={version('scikit-learn')}"]
    environment = {**os.environ, "PYTHONPATH": os.fspath(backend)}
    subprocess.run(command, check=True, env=environment)  # noqa: S603 - our own arguments
    return FOLDER / f"{name}.tar.gz"

"""`make harvest`: scikit-learn's gallery, or the examples named; docs/reference/harvest.md.

What an example has come to is kept in build/harvest/results, and only judged again where that is
removed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tools.evaluation.harvest.document import FILE, document, summary
from tools.evaluation.harvest.judging import Judged

FOLDER = Path(__file__).resolve().parents[3] / "build" / "harvest"

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
EXAMPLE_SECONDS = 120
PATIENCE = 1800  # seconds for all the models of an example


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs, or ends in a traceback."""
    results = FOLDER / "results"
    results.mkdir(parents=True, exist_ok=True)
    judged: list[Judged] = []
    for example in examples():
        if names and not any(name in str(example) for name in names):
            continue
        file = results / f"{example.parent.name}-{example.stem}.jsonl"
        if names or not file.exists():
            _judge(example, file)
        found = [Judged(**json.loads(line)) for line in file.read_text().splitlines()]
        for one in found if names else ():
            print(f"{one.example}: {one.shown}: {one.result}: {one.detail} [{one.seconds:.1f} s]")
        judged += found
    if not names:
        FILE.write_text(document(judged, len(examples())))
    print(summary(judged))
    wrong = [one for one in judged if one.result in ("differs", "traceback")]
    for one in wrong:
        print(f"{one.example}: {one.shown}: {one.result}: {one.detail}", file=sys.stderr)
    return 1 if wrong else 0


def _judge(example: Path, file: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tools.evaluation.harvest.one_example"]
    part = file.with_suffix(".part")
    command += [os.fspath(example), os.fspath(part), str(EXAMPLE_SECONDS)]
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": os.fspath(Path.cwd())}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    try:
        subprocess.run(command, env=environment, timeout=PATIENCE, stderr=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired:
        print(f"{example.name}: left after {PATIENCE} s", file=sys.stderr)
    if part.exists():
        part.rename(file)
    else:
        file.write_text("")


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

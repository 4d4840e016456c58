"""What goes into a bundle: models, this project's own code, packages; and all of it compiled.

Compiled Python (`.pyc`) is made by an interpreter of the target's very version. Without it Lambda
compiles everything at each cold start, since it can't write beside the code: 600 ms instead of 210.
Unchecked hashes (PEP 552) say nothing of when a file was made, so that the same sources give the
same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.bundle import stripping
from onnxlet.convert.bundle.parts import Machine
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import PackagingFailed
from onnxlet.folders import CHECKOUT, PACKAGE, ROOT, documented, typed
from onnxlet.function.errors import WrongUse
from onnxlet.function.model_files import read_file, read_within
from onnxlet.function.models.aliases import file_of, read, serves
from onnxlet.function.models.repository import NAME, versions_in

SCRIPT = Path(__file__).with_name("compile_tree.py")
ROOT_ON_LAMBDA = "/var/task"  # what tracebacks say
ASK = "import sys; print(*sys.version_info[:2], sys.implementation.name, sys.version_info[3])"


def find_interpreter(python: str) -> str | None:
    """An interpreter of this version, such as 3.13, from the PATH or from uv; None without one."""
    return next((path for path in _candidates(python) if _is(path, python)), None)


def _candidates(python: str) -> Iterator[str]:
    yield sys.executable
    for name in (f"python{python}", "python3"):
        for folder in os.get_exec_path():
            found = shutil.which(name, path=folder)
            if found:
                yield found
    for action in (["find", "--managed-python", "--no-python-downloads"], ["install"]):
        uv = [sys.executable, "-P", "-m", "uv", "python", *action, python]
        environ = {**os.environ, "UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "0"}
        if _said(uv, environ, seconds=300) is None:
            continue
        found = _said([*uv[:5], "find", "--managed-python", python], environ, seconds=60)
        if found:
            yield found


def _is(path: str, python: str) -> bool:
    """Whether it runs (a name on the PATH may be a shim with nothing behind) and is that one."""
    said = _said([path, "-I", "-c", ASK], dict(os.environ), seconds=20)
    return said == f"{python.replace('.', ' ')} cpython final"


def _said(command: Sequence[str], environ: dict[str, str], seconds: float) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, env=environ, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def compile_sources(
    folder: Path, sources: Sequence[str], interpreter: str, there: str = ROOT_ON_LAMBDA
) -> list[str]:
    """Compile sources below a folder into the `__pycache__` folders beside them.

    Returns the paths of what was made. Tracebacks say that the folder is `there`. PackagingFailed
    is raised where a source can't be compiled.
    """
    # A fixed seed, since sets of constants are written in the order of their hashes.
    environ = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(  # noqa: S603 - our own arguments
        [interpreter, "-S", str(SCRIPT), str(folder), there],
        input="\n".join(sources),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagingFailed(f"{interpreter} can't compile: {done.stderr.strip()[-500:]}")
    return done.stdout.splitlines()


BROWSER = PACKAGE / "edge" / "browser"
CODE = (".py", ".html", ".css", ".js")
GRAPH = "model.onnx"
REQUIREMENTS = PACKAGE / "requirements"
SHOWN_LINES = 12
LICENCES = ("LICENSE", "NOTICE")  # this project's own, and of what its code was written after


class Chosen(NamedTuple):
    """One model of a bundle: the version that is served, proven once more."""

    name: str  # the model's
    version: int  # that is served where a request names none
    directory: Path  # that it is in
    files: list[str]  # what the manifest lists, and the manifest
    sha256: str  # of the graph
    remote: bool  # the graph is fetched from S3, and not in the bundle
    aliases: Path | None = None  # the file of them; None where there is none
    others: tuple[Chosen, ...] = ()  # other versions that aliases name
    images: bool = False  # it takes some, which Pillow decodes

    @property
    def every(self) -> list[Chosen]:
        """The versions that are taken, lowest first."""
        return sorted([self, *self.others], key=lambda each: each.version)


def choose_models(folder: Path, names: Sequence[str], remote: Sequence[str]) -> list[Chosen]:
    """The served version of each model, and those with names; hashes checked, golden rows answered.

    No names mean all models; graphs of `remote` ones are left to S3. Raises WrongUse where there is
    no such folder or model, ModelError where one is broken or answers differently than at its
    build.
    """
    there = {
        entry.name: versions
        for entry in sorted(folder.iterdir() if folder.is_dir() else [])
        if NAME.fullmatch(entry.name) and (versions := versions_in(entry))
    }
    if not there:
        raise WrongUse(
            f"--models: no models in '{folder}'",
            f"Build one: {typed('convert', 'build SOURCE --name N')}.",
        )
    unknown = sorted({*names, *remote} - there.keys())
    if unknown:
        raise WrongUse(
            f"no model {', '.join(unknown)} in '{folder}'", f"There are {', '.join(there)}."
        )
    outside = sorted(set(remote) - set(names or there))
    if outside:
        raise WrongUse(
            f"--remote: {', '.join(outside)} is not among the models that are packaged",
            "Name it with --model, too.",
        )
    return [
        _chosen(folder / name, versions, name in remote)
        for name, versions in there.items()
        if not names or name in names
    ]


def _chosen(home: Path, versions: Sequence[int], remote: bool) -> Chosen:
    file = file_of([home.parent], home.name)
    aliases = read(file, versions)
    served = _proven(home / str(serves(home.name, versions, aliases)), remote)
    others = sorted({*aliases.values()} - {served.version})
    named = tuple(_proven(home / str(number), remote) for number in others)
    return served._replace(aliases=file, others=named)


def _proven(directory: Path, remote: bool) -> Chosen:
    model, _ = verify(directory)
    listed: dict[str, Any] = model.manifest["files"]
    files = sorted(["manifest.json", *listed])
    images = any("image" in each for each in model.manifest["graph"]["inputs"])
    return Chosen(model.name, model.version, directory, files, listed[GRAPH], remote, images=images)


def place_models(models: Iterable[Chosen], root: Path) -> list[str]:
    """Copy models below a bundle's root; the paths that are new there."""
    paths = []
    for model in models:
        for each in model.every:
            below = f"models/{each.name}/{each.version}"
            (root / below).mkdir(parents=True)
            for file in each.files:
                if not (each.remote and file == GRAPH):
                    (root / below / file).write_bytes(read_file(each.directory, file))
                    paths.append(f"{below}/{file}")
        if model.aliases is not None:
            paths.append(f"models/{model.name}/{model.aliases.name}")
            content = read_within(model.aliases.parent, model.aliases.name)
            (root / paths[-1]).write_bytes(content)
    return paths


def place_code(folder: str, root: Path, files: Sequence[str] = ()) -> list[str]:
    """Copy a folder of this project's code, and files beside it, below a bundle's root.

    Returns the paths that are new there. What browsers have is only in its own target.
    """
    paths = []
    for source in sorted([*map(PACKAGE.joinpath, files), *(PACKAGE / folder).rglob("*")]):
        if BROWSER in source.parents and PACKAGE / folder != BROWSER:
            continue
        if source.is_file() and source.suffix in CODE and "__pycache__" not in source.parts:
            path = f"onnxlet/{source.relative_to(PACKAGE).as_posix()}"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, root / path)
            paths.append(path)
    return paths


def place_licences(root: Path) -> list[str]:
    """Write this project's licences below a bundle's root, beside its code; their paths.

    PackagingFailed is raised where the installed package came without them.
    """
    paths = []
    for name in LICENCES:
        text = (ROOT / name).read_text() if CHECKOUT else _installed_licence(name)
        paths.append(f"onnxlet/{name}")
        (root / paths[-1]).write_text(text)
    return paths


def _installed_licence(name: str) -> str:
    text = distribution("onnxlet").read_text(f"licenses/{name}")
    if text is None:
        raise PackagingFailed(f"onnxlet is installed without its {name}", "Install it again.")
    return text


def place_packages(
    machine: Machine, root: Path, locks: Sequence[str], needs: tuple[str, ...] = ()
) -> list[str]:
    """Install the packages of lock files below a bundle's root; the paths that stay, sorted.

    PackagingFailed is raised where they can't be installed, or bring a file of this project's own
    names.
    """
    install(machine, root, locks)
    paths = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    ours = ("onnxlet/", "models/", "bundle.json", "bom.json", "__main__.py")
    clash = sorted(path for path in paths if path.startswith(ours))
    if clash:
        raise PackagingFailed(f"a package brings {clash[0]}, which is this project's own name")
    return stripping.kept(paths, needs)


def install(machine: Machine, folder: Path, locks: Sequence[str]) -> None:
    """Install what lock files name by uv, as it would be on another machine, hashes checked.

    Nothing is built and nothing is run: a wheel that does not exist for it, or that has
    another hash than the lock, stops it. PackagingFailed is raised with uv's own words.
    """
    command = [sys.executable, "-P", "-m", "uv", "pip", "install", "--quiet", "--no-progress"]
    command += ["--python", sys.executable, "--target", str(folder), "--no-deps"]
    command += ["--python-version", machine.python, "--python-platform", machine.platform]
    command += ["--only-binary", ":all:", "--require-hashes", "--link-mode", "copy"]
    for lock in locks:
        command += ["-r", str(REQUIREMENTS / lock)]
    done = _run(command)
    if "UnknownIssuer" in done.stderr:  # a certificate that the system knows, and uv does not
        done = _run([*command, "--system-certs"])
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[:SHOWN_LINES])
        raise PackagingFailed(
            f"requirements/{', '.join(locks)}: the wheels for Python {machine.python} on "
            f"{machine.arch} can't be installed:\n{said}",
            "Every locked package needs a wheel there; is the package index reachable?"
            + documented(" docs/how-to/packaging.md lists the Pythons that work."),
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments

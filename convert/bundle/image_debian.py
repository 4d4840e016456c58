"""Debian's packages for an image, fetched by this machine's own apt, which checks the signatures.

They are read, and nothing of them is run.

apt works on folders of its own here: the machine's packages, lists and locks stay as they are, no
right of root is needed, and it can be for another processor than this machine's.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from onnxlet.convert.bundle.image_layer import READABLE, RUNNABLE, Entries, LayerEntry, link
from onnxlet.convert.bundle.parts import ARCHITECTURES, Machine
from onnxlet.convert.errors import PackagingFailed
from onnxlet.folders import documented

TOOLS = ("apt-get", "apt-config", "dpkg-deb")
SHOWN_LINES = 8
NEEDED = (
    "An image is made of Debian's packages, by apt: make it on Debian 13 (for Python 3.13), or on "
    "another Debian or Ubuntu with --python as theirs is; no root is needed."
    + documented(" docs/how-to/containers.md says how to do so elsewhere.")
)
# What is not said here is as on this machine: keys, proxies, pins. This file is read last.
SETTINGS = """\
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/cache/archives";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/sources";
Dir::State "{folder}/state";
Dir::State::lists "{folder}/state/lists";
Dir::State::status "{folder}/status";
"""
# A merged /usr, as Debian has had it since bookworm: these are links, whatever a package says.
MERGED = ("bin", "lib", "lib64", "sbin")
FLAGS = re.MULTILINE | re.IGNORECASE
UNSIGNED = re.compile(r"^(Trusted:[ \t]*(yes|true|with|on|enable|1)|Enabled:[ \t]*no)\b", FLAGS)
UNSIGNED_LINE = re.compile(r"^deb\s+\[[^]]*\btrusted=(yes|true|with|on|enable|1)\b", re.IGNORECASE)


def fetch(machine: Machine, folder: Path) -> list[Path]:
    """Download the packages that an image's Python needs, signatures checked; their files, sorted.

    The folder is an empty one, for apt. PackagingFailed is raised, with apt's own words, where
    there is no apt, no such Python in its signed sources, or they can't be reached or are not
    signed.
    """
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise PackagingFailed(f"an image needs {', '.join(missing)}, which is not here", NEEDED)
    for name in ("cache/archives/partial", "state/lists/partial", "sources"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()  # nothing is installed
    architecture = ARCHITECTURES[machine.arch]
    settings = SETTINGS.format(architecture=architecture, folder=folder)
    (folder / "apt.conf").write_text(settings)
    for number, (suffix, text) in enumerate(_sources()):
        (folder / "sources" / f"{number}{suffix}").write_text(signed_only(text, suffix))
    _apt(folder, ["update", "--error-on=any"], "the sources of this machine can't be read")
    # apt adds what these depend on.
    asked = [f"python{machine.python}-minimal", f"libpython{machine.python}-stdlib"]
    asked += ["libstdc++6", "ca-certificates", "base-files"]
    _apt(
        folder,
        ["install", "--yes", "--download-only", *asked],
        f"Python {machine.python} for {architecture} can't be had from the signed sources here",
    )
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _apt(folder: Path, command: Sequence[str], lost: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["apt-get", "-q", "-c", str(folder / "apt.conf"), *command],  # noqa: S607 - of the PATH
        env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
        printed = "\n".join(said[:SHOWN_LINES]) or done.stderr.strip()[-500:]
        raise PackagingFailed(f"{lost}:\n{printed}", NEEDED)


def _sources() -> list[tuple[str, str]]:
    """This machine's lists of sources: the suffix, which says the form, and the text."""
    keys = ["ONE", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"]
    said = subprocess.run(  # noqa: S603 - our own arguments
        ["apt-config", "shell", *keys],  # noqa: S607 - of the PATH
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    places = dict(line.split("=", 1) for line in shlex.split(said))
    parts = Path(places["PARTS"])
    files = [Path(places["ONE"]), *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]
    return [(file.suffix, file.read_text()) for file in files if file.is_file()]


def signed_only(text: str, suffix: str) -> str:
    """A list of sources without those that are trusted unsigned, and open to each architecture.

    Its suffix is `.list`, with a source a line, or `.sources`, with a paragraph each.
    """
    if suffix == ".list":
        lines = [line.strip() for line in text.splitlines() if re.match(r"\s*deb\s", line)]
        kept = [line for line in lines if not UNSIGNED_LINE.match(line)]
        return "".join(re.sub(r"\barch=[^]\s]*", "", line) + "\n" for line in kept)
    plain = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    paragraphs = [each.strip("\n") for each in re.split(r"\n(?:[ \t]*\n)+", plain)]
    kept = [each for each in paragraphs if each and not UNSIGNED.search(each)]
    return "".join(re.sub(r"^Architectures:.*\n?", "", f"{each}\n\n", flags=FLAGS) for each in kept)


class Deb(NamedTuple):
    """One package."""

    name: str  # Debian's
    version: str  # Debian's
    control: str  # its description, as dpkg's database has it
    files: Entries  # files and links, by path


def read(file: Path) -> Deb:
    """Read a package; PackagingFailed is raised where dpkg-deb can't."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        ["dpkg-deb", "--field", str(file)],  # noqa: S607 - whichever is on the PATH
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise PackagingFailed(f"{file.name} is no package: {done.stderr.decode().strip()}")
    control = done.stdout.decode()
    fields = dict(
        line.split(": ", 1) for line in control.splitlines() if ": " in line and line[0] != " "
    )
    process = subprocess.Popen(  # noqa: S603 - our own arguments
        ["dpkg-deb", "--fsys-tarfile", str(file)],  # noqa: S607 - whichever is on the PATH
        stdout=subprocess.PIPE,
    )
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as tar:
        files = _files(tar)
    return Deb(fields["Package"], fields["Version"], control, files)


def _files(tar: tarfile.TarFile) -> Entries:
    files: Entries = {}
    for member in tar:
        path = canonical(member.name)
        if member.issym():
            files[path] = link(member.linkname)
        elif member.islnk():
            files[path] = files[canonical(member.linkname)]
        elif member.isfile():
            content: IO[bytes] | None = tar.extractfile(member)
            mode = RUNNABLE if member.mode & 0o100 else READABLE
            files[path] = LayerEntry(content.read() if content else b"", mode)
    return files


def canonical(name: str) -> str:
    """A path as it is with a merged /usr, without what stands before its first folder."""
    path = name.removeprefix("./").strip("/")
    return f"usr/{path}" if path.split("/")[0] in MERGED and "/" in path else path

"""`make audit`: the locked versions against known vulnerabilities, as https://osv.dev has them.

uv asks, in one go for all lock files: out of these one lock of its own is made.
"""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
SOURCE = 'source = { registry = "." }'  # any: uv asks by names and versions only
PROJECT = '[project]\nname = "locked"\nversion = "0"\nrequires-python = ">=3.11"\n'
HEAD = 'version = 1\nrequires-python = ">=3.11"\n\n[[package]]\nname = "locked"\nversion = "0"\n'
FAILED = 2  # uv's exit code where it can't ask; 1 is that something is known


def pins_of(folder: Path) -> list[tuple[str, str]]:
    """The locked versions in a folder's lock files, each once."""
    found = (PIN.findall(file.read_text()) for file in folder.rglob("*.txt"))
    return sorted({(name.lower(), version) for each in found for name, version in each})


def audit(folder: Path, *options: str) -> int:
    """Have uv print what is known of the versions in a folder's lock files; 0 where it is nothing.

    Its options may be given, such as the address of another service.
    """
    pins = pins_of(folder)
    asked = ", ".join(f'{{ name = "{n}", version = "{v}", {SOURCE} }}' for n, v in pins)
    packages = (f'\n[[package]]\nname = "{n}"\nversion = "{v}"\n{SOURCE}\n' for n, v in pins)
    lock = f'{HEAD}source = {{ virtual = "." }}\ndependencies = [{asked}]\n{"".join(packages)}'
    command = [sys.executable, "-m", "uv", "audit", "--preview-features", "audit-command"]
    with TemporaryDirectory() as project:
        Path(project, "pyproject.toml").write_text(PROJECT)
        Path(project, "uv.lock").write_text(lock)
        done = subprocess.run([*command, "--frozen", *options], cwd=project, check=False)  # noqa: S603 - our own arguments
    if done.returncode == FAILED:
        print("hint: known vulnerabilities are asked of api.osv.dev, by network", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(audit(FOLDER, *sys.argv[1:]))

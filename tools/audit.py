"""`make audit`: the locked versions against known vulnerabilities, as https://osv.dev has them.

uv asks, in one go for all lock files; its own lock, which it reads them from, is made up of them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
SOURCE = 'source = { registry = "https://pypi.org/simple" }'
PROJECT = '[project]\nname = "locked"\nversion = "0"\nrequires-python = ">=3.11"\n'
HEAD = 'version = 1\nrequires-python = ">=3.11"\n\n[[package]]\nname = "locked"\nversion = "0"\n'
ASK = ("--frozen", "--preview-features", "audit-command,json-output", "--output-format", "json")
FOUND = 1  # uv's exit code where there is something; others are failures

Pin = tuple[str, str]  # a package, and its version


def pins_of(files: Sequence[Path]) -> dict[Pin, list[str]]:
    """The locked versions, each with the lock files that have it."""
    pins: dict[Pin, list[str]] = {}
    for file in files:
        for name, version in PIN.findall(file.read_text()):
            pins.setdefault((name.lower(), version), []).append(file.name)
    return pins


def lock_of(pins: Mapping[Pin, Sequence[str]]) -> str:
    """A lock of uv's that has all of them; several versions of a package, too."""
    about = {(n, v): f'name = "{n}", version = "{v}", {SOURCE}' for n, v in sorted(pins)}
    asked = ", ".join(f"{{ {each} }}" for each in about.values())
    packages = [f'[[package]]\nname = "{n}"\nversion = "{v}"\n{SOURCE}\n' for n, v in about]
    whole = f'{HEAD}source = {{ virtual = "." }}\ndependencies = [{asked}]\n'
    return "\n".join([whole, *packages])


def audit(files: Sequence[Path], *more: str) -> Iterator[str]:
    """A line for each vulnerability: the package, what it is, where it is fixed, its lock files.

    Raises RuntimeError with what uv says where it can't ask; more of its options may be given.
    """
    pins = pins_of(files)
    with TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(PROJECT)
        Path(folder, "uv.lock").write_text(lock_of(pins))
        command = [sys.executable, "-m", "uv", "audit", *ASK, *more]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode not in (0, FOUND) or not done.stdout:
        raise RuntimeError(done.stderr.strip())
    told = json.loads(done.stdout)
    if told["summary"]["audited_packages"] != len(pins):
        raise RuntimeError(f"uv has asked of {told['summary']['audited_packages']} of {len(pins)}")
    for each in told["vulnerabilities"]:
        name, version = each["dependency"]["name"], each["dependency"]["version"]
        fixed = ", ".join(each["fix_versions"]) or "no version yet"
        locks = ", ".join(sorted(pins[name, version]))
        what = each["summary"] or each["link"]
        yield f"{name} {version}: {each['display_id']}: {what}; fixed in {fixed}; in {locks}"


def main(*more: str) -> int:
    """Print what is found; 0 where that is nothing."""
    files = sorted((ROOT / "requirements").rglob("*.txt"))
    try:
        lines = list(audit(files, *more))
    except RuntimeError as error:
        print(f"error: known vulnerabilities can't be asked for:\n{error}", file=sys.stderr)
        print("hint: make audit needs a network, and asks api.osv.dev", file=sys.stderr)
        return 2
    print(*lines, sep="\n", end="\n" * bool(lines))
    print(f"{len(pins_of(files))} locked versions in {len(files)} files: {len(lines)} found")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

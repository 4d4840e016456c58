"""`make release VERSION=1.0.0`: of a checkout that CI has passed, a commit, its tag and its files.

All of it is done in a worktree, and the checkout gets the commit when the last check has passed:
whatever fails leaves it as it was. Nothing is pushed: what publishes is
.github/workflows/publish.yml, once the tag is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from onnxlet.folders import VERSION
from onnxlet.function.errors import OnnxletError

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
CHECKS = ROOT / ".venv-release" / "bin"
EXTRAS = "convert,edge"
SAY = "import onnxlet; print(onnxlet.__version__)"
FORM = re.compile(r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)")
# What documents say until there is a release, and in a comment what they say from then on.
FIRST = re.compile(
    r"<!-- until the first release -->\n.*?<!-- from the first release\n(.*?)-->\n", re.DOTALL
)
PRIVATE = re.compile(r'  "Private :: Do Not Upload",.*\n')
UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class NoRelease(OnnxletError):
    """What is missing, or what a check found."""


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a command to its end, and give back what it printed; NoRelease where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise NoRelease(f"{' '.join(words)} failed\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.strip()


def numbers(version: str) -> tuple[int, ...]:
    """A version's three numbers, in its order."""
    return tuple(map(int, version.split(".")))


def faults(version: str, root: Path, now: str = VERSION) -> Iterator[str]:
    """What a checkout lacks for the release of a version after `now`."""
    if not FORM.fullmatch(version):
        yield f"VERSION={version}: expected three numbers, such as 1.0.0"
    elif numbers(version) <= numbers(now):
        yield f"VERSION={version}: expected a later version than {now}"
    elif run("git", "tag", "--list", f"v{version}", cwd=root):
        yield f"VERSION={version}: there is a tag v{version}"
    if run("git", "status", "--porcelain", cwd=root):
        yield "the checkout has changes: commit them"
    head = run("git", "rev-parse", "HEAD", cwd=root)
    record = Path(root, run("git", "rev-parse", "--git-common-dir", cwd=root), "ci-passed")
    if not record.is_file() or head not in record.read_text().split():
        yield f"{record} has no line {head}: SHARE=1 .ci/run writes it when it has passed"
    found = UNRELEASED.search((root / "CHANGELOG.md").read_text())
    entries = found.group(1) if found else ""
    if "\n- " not in entries:
        yield "CHANGELOG.md: expected entries under 'Unreleased'"
    breaks = FORM.fullmatch(version) and numbers(version)[0] == numbers(now)[0]
    if breaks and "\n### Breaking\n" in entries:
        yield f"CHANGELOG.md has 'Breaking': expected version {numbers(now)[0] + 1}.0.0"


def write(version: str, tree: Path) -> None:
    """Have a worktree say the version, with its changelog and what is kept of each release."""
    today = datetime.now(UTC).date().isoformat()
    replace(tree / "onnxlet" / "folders.py", r'(?m)^(VERSION = )".*"$', rf'\1"{version}"')
    replace(tree / "CHANGELOG.md", "(?m)^(## Unreleased\n)", rf"\1\n## {version} - {today}\n")
    project = tree / "pyproject.toml"
    project.write_text(PRIVATE.sub("", project.read_text()))
    for document in [tree / "README.md", *tree.glob("docs/**/*.md")]:
        document.write_text(FIRST.sub(r"\1", document.read_text()))
    run(sys.executable, "-m", "tests.kept.release", version, cwd=tree)


def replace(file: Path, pattern: str, by: str) -> None:
    """Replace the one place of a pattern; NoRelease where there is none, or more than one."""
    text, count = re.subn(pattern, by, file.read_text())
    if count != 1:
        raise NoRelease(f"{file.name}: expected {pattern} once, got it {count} times")
    file.write_text(text)


def built(*trees: Path) -> list[Path]:
    """The wheel and the source archive, of the same bytes in each worktree."""
    for tree in trees:
        # The environment is this checkout's: files that are newer here don't make it anew.
        run("make", "-o", ".venv/dev", "dist", cwd=tree)
    first, *others = (sorted((tree / "dist").iterdir()) for tree in trees)
    for other in others:
        for one, again in zip(first, other, strict=True):
            if (one.name, one.read_bytes()) != (again.name, again.read_bytes()):
                raise NoRelease(f"{one.name} has other bytes when it is built again")
    return first


def is_there(python: str) -> bool:
    """Whether a Python can make environments; a name on the PATH may be a shim without one."""
    with suppress(NoRelease, FileNotFoundError):
        run(python, "-c", "import ensurepip, venv")
        return True
    return False


def check(files: list[Path], version: str, scratch: Path) -> None:
    """What indexes ask of the files, and an environment of each for each Python that is there."""
    run(CHECKS / "twine", "check", "--strict", *files)
    run(CHECKS / "check-wheel-contents", *(file for file in files if file.suffix == ".whl"))
    for python in filter(is_there, PYTHONS):
        for file in files:
            place = scratch / f"{python}{file.suffix}"
            run(python, "-m", "venv", place)
            # What the archive asks for is what the wheel does.
            asked = [f"{file}[{EXTRAS}]"] if file.suffix == ".whl" else [file, "--no-deps"]
            run(place / "bin" / "python", "-m", "pip", "install", "--no-compile", *asked)
            said = run(place / "bin" / "python", "-c", SAY, cwd=scratch)
            if said != version:
                raise NoRelease(f"{file.name} on {python}: expected version {version}, got {said}")
            if file.suffix == ".whl":
                run(place / "bin" / "onnxlet", "build", "--help", cwd=scratch)
            print(f"{file.name}: installed on {python}", file=sys.stderr)


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """A commit's files in a folder of their own, with this checkout's environment."""
    with TemporaryDirectory() as folder:
        tree = Path(folder, "onnxlet")
        run("git", "worktree", "add", "--quiet", "--detach", tree, commit)
        try:
            (tree / ".venv").symlink_to(ROOT / ".venv")
            run("sh", "tools/links.sh", cwd=tree)
            yield tree
        finally:
            run("git", "worktree", "remove", "--force", tree)


def release(version: str) -> None:
    """Make the release; NoRelease with all that is missing, or the first check that fails."""
    if missing := list(faults(version, ROOT)):
        raise NoRelease("\n".join(missing))
    with worktree("HEAD") as tree:
        write(version, tree)
        run("git", "add", "--all", cwd=tree)
        run("git", "commit", "--quiet", "-m", f"Release {version}", cwd=tree)
        commit = run("git", "rev-parse", "HEAD", cwd=tree)
        with worktree(commit) as again, TemporaryDirectory() as scratch:
            files = built(tree, again)
            check(files, version, Path(scratch))
        run("git", "merge", "--quiet", "--ff-only", commit)
        run("git", "tag", "--annotate", f"v{version}", "-m", f"Release {version}")
        shutil.rmtree(ROOT / "dist", ignore_errors=True)  # as `make dist` does
        (ROOT / "dist").mkdir()
        for file in files:
            print(shutil.copy(file, ROOT / "dist"))
    print(f"Committed and tagged here. To publish it: git push origin HEAD v{version}")


if __name__ == "__main__":
    try:
        release(*sys.argv[1:])
    except NoRelease as error:
        sys.exit("\n".join(f"error: {line}" for line in error.message.splitlines()))

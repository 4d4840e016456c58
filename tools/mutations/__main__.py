"""`make mutations`: put each fault of the list into a copy of the checkout, and run its tests.

A fault that no test notices is named at the end, and so is an entry whose text or tests are not
there any more. Words given are looked for in rooms and names: only those faults are tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = Path(__file__).with_name("mutations.toml")
PRODUCT = ("function", "convert", "edge", "onnxlet")
COPIES = 2  # mutations that are tried at once
TESTS_FAILED = 1  # pytest's exit code; others are of tests that did not run


class Mutation(NamedTuple):
    """One fault; its fields are those of the list."""

    room: str  # what it is about
    name: str  # what is then wrong
    file: str  # that has the text
    old: str  # text that stands once in it
    new: str  # what takes its place
    tests: Sequence[str]  # that have to notice, files or folders


def mutations(words: Sequence[str] = ()) -> list[Mutation]:
    """Those of the list whose room or name has one of the words; all without words."""
    entries = tomllib.loads(LIST.read_text())["mutation"]
    found = [Mutation(**entry) for entry in entries]
    return [m for m in found if not words or any(w in f"{m.room}: {m.name}" for w in words)]


def mended(mutation: Mutation, root: Path) -> Mutation:
    """The mutation with the files that have its text and its tests now, should they have moved.

    LookupError where they are nowhere, or in several places.
    """
    named = root / mutation.file
    product = (path for top in PRODUCT for path in (root / top).rglob("*.py"))
    some = [named] if named.is_file() and mutation.old in named.read_text() else product
    files = [path for path in some if mutation.old in path.read_text()]
    if len(files) != 1 or files[0].read_text().count(mutation.old) != 1:
        raise LookupError(f"its text stands in {len(files)} files: {mutation.old!r}")
    tests = [_test(path, root) for path in mutation.tests]
    return mutation._replace(file=str(files[0].relative_to(root)), tests=tests)


def _test(path: str, root: Path) -> str:
    moved = [path] if (root / path).exists() else list((root / "tests").rglob(Path(path).name))
    if len(moved) != 1:
        raise LookupError(f"there are {len(moved)} of its tests {path}")
    return str(root.joinpath(moved[0]).relative_to(root))


def copied(to: Path) -> Path:
    """A copy of the checkout without what was built; uncommitted changes are in it."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        listed, cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)
    return to


def exit_code(tests: Sequence[str], root: Path) -> int:
    """Pytest's exit code of these tests in a copy, up to the first that fails; 0 is all right."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(root.parent)}
    with (root.parent / f"{root.name}.log").open("w") as log:
        return subprocess.run(  # noqa: S603 - our own arguments
            command, cwd=root, env=environ, stdout=log, stderr=log, check=False
        ).returncode


def tried(mutation: Mutation, root: Path) -> str:
    """What came of a mutation: `caught`, or what is wrong."""
    try:
        mutation = mended(mutation, root)
    except LookupError as error:
        return f"ERROR: {error}"
    file = root / mutation.file
    content = file.read_text()
    file.write_text(content.replace(mutation.old, mutation.new))
    try:
        code = exit_code(mutation.tests, root)
    finally:
        file.write_text(content)
    return {TESTS_FAILED: "caught", 0: "NOT CAUGHT"}.get(code, f"ERROR: pytest ended with {code}")


def results(wanted: Sequence[Mutation], folder: Path) -> Iterator[tuple[Mutation, str, float]]:
    """Each mutation with what came of it, and the seconds that it took."""
    free: SimpleQueue[Path] = SimpleQueue()
    for number in range(COPIES):
        free.put(copied(folder / f"copy{number}"))

    def one(mutation: Mutation) -> tuple[Mutation, str, float]:
        root, start = free.get(), time.monotonic()
        try:
            return mutation, tried(mutation, root), time.monotonic() - start
        finally:
            free.put(root)

    with ThreadPoolExecutor(COPIES) as pool:
        yield from pool.map(one, wanted)


def main(words: Sequence[str]) -> int:
    """Try what is wanted, and write a line for each; 1 where one is not caught."""
    wanted, bad = mutations(words), 0
    with tempfile.TemporaryDirectory() as folder:
        for mutation, found, seconds in results(wanted, Path(folder)):
            bad += found != "caught"
            print(f"{found:10} {seconds:5.0f} s  {mutation.room}: {mutation.name}", flush=True)
    print(f"{len(wanted) - bad} of {len(wanted)} are caught")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

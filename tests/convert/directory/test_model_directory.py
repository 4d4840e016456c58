"""Versions of a model on disk: the same bytes for the same input, whole or not there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import numpy as np
import onnx
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from onnxlet.convert.build import Built, build
from onnxlet.convert.directory.model_directory import replace_files, still_served, write_version
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source, load_source
from onnxlet.function.errors import OnnxletError, WrongUse
from tests.convert.helpers import FILES, ROOT, built, contents, invoked

X = np.random.default_rng(2).normal(size=(40, 3))
Y = X @ [1.0, 2.0, 3.0]
LINEAR = LinearRegression().fit(X, Y)


def linear(models: Path, factor: float = 1.0) -> Built:
    return built(Source(LinearRegression().fit(X, factor * Y), X), models)


# Names


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-n", ".n", "é", "n\n", "x" * 101])
def test_names_that_are_no_folder_or_address_are_wrong_use(name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="--name"):
        built(Source(LINEAR, X), tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_holds_no_wrong_character_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"expected a letter or digit, then up to 99 .*, got '\.\.'"):
        built(Source(LINEAR, X), tmp_path, "..")


# Folders that no version can be written to


def _locked_by_a_folder(folder: Path) -> None:
    (folder / ".lock").mkdir(parents=True)


def _locked_by_a_link(folder: Path) -> None:
    folder.mkdir()
    (folder.parent / "theirs").write_text("somebody's own")
    (folder / ".lock").symlink_to(folder.parent / "theirs")


def _locked_by_a_pipe(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / ".lock")


def _with_a_file_named_as_the_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "m").touch()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda folder: folder.symlink_to(folder.name),
            "models': Too many levels of symbolic links",
        ),
        (lambda folder: folder.symlink_to("gone"), "models' is not a folder"),
        (lambda folder: folder.symlink_to("/proc"), "models' can't be written to"),
        (_locked_by_a_folder, ".lock' is a folder"),
        (_locked_by_a_link, ".lock' is a link"),
        (_locked_by_a_pipe, ".lock' is a pipe"),
        (_with_a_file_named_as_the_model, "m' is not a folder"),
    ],
)
def test_a_folder_that_no_version_goes_into_is_refused_before_any_work(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "models")
    steps: list[str] = []
    with pytest.raises(WrongUse, match=f"^--models: .*{reason}"):
        build(Source(LINEAR, X), "m", tmp_path / "models", steps.append)
    assert steps == []


@pytest.mark.parametrize("make", [_locked_by_a_link, _locked_by_a_pipe])
def test_a_lock_that_is_no_file_stays_as_it_is_also_where_it_came_meanwhile(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "models")
    with pytest.raises(OnnxletError, match=r"it is (a link|no regular file).*\.lock"):
        write_version(tmp_path / "models", "m", {"manifest.json": b"{}"})
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]
    if make is _locked_by_a_link:
        assert (tmp_path / "theirs").read_text() == "somebody's own"


def test_a_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("somebody's own")
    (tmp_path / f".report.html.{os.getpid()}.part").symlink_to(theirs)
    replace_files(tmp_path, {"report.html": b"a page"})
    assert (tmp_path / "report.html").read_bytes() == b"a page"
    assert not (tmp_path / "report.html").is_symlink()
    assert theirs.read_text() == "somebody's own"


def test_a_path_that_is_too_long_is_refused_in_words(project: Path) -> None:
    source = f"{project / 'source.py'}:linear"
    end = invoked("build", source, "--name", "m", "--models", "x" * 300)
    assert (end.exit_code, isinstance(end.exception, SystemExit)) == (2, True)
    assert "File name too long\nhint: " in end.stderr


# The same input is the same bytes


TWO_BUILDS = """
from onnxlet.convert.command_line import main
for arguments in (
    ["source.py:mixed", "--name", "mixed"],
    ["model.joblib", "--name", "saved", "--data", "held_out.csv", "--target", "Status"],
):
    main(["build", *arguments, "--models", MODELS], standalone_mode=False)
"""


@pytest.mark.pipelines  # two processes that build
def test_builds_at_once_with_other_hash_seeds_are_one_version(
    project: Path, tmp_path: Path
) -> None:
    def run(seed: str) -> None:
        end = subprocess.run(
            [sys.executable, "-c", f"MODELS = {str(tmp_path)!r}{TWO_BUILDS}"],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert end.returncode == 0, end.stderr

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, ("0", "4242")))
    for name in ("mixed", "saved"):
        assert contents(tmp_path, name).keys() == {f"1/{file}" for file in FILES}


def test_a_build_that_is_the_same_says_so(project: Path, tmp_path: Path) -> None:
    source = f"{project / 'source.py'}:linear"
    for state in ("written to", "is the same, byte for byte, as"):
        end = invoked("build", source, "--name", "m", "--models", tmp_path)
        assert f"m version 1 {state} {tmp_path / 'm' / '1'}" in end.stdout
    assert contents(tmp_path).keys() == {f"1/{file}" for file in FILES}


def test_a_build_says_which_version_stays_served(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = linear(tmp_path).directory.parent
    linear(tmp_path, 2.0)
    aliases = written / "aliases.json"

    def last_line(serve: str) -> str:
        return still_served(written / "2", {"ONNXLET_SERVE": serve})

    assert (last_line(""), last_line("other=1, m=2"), last_line("no pin")) == ("", "", "")
    assert last_line("m=1") == "version 1 stays served: ONNXLET_SERVE=m=1 is set"
    assert last_line("m=best").startswith("version 2 is not served: ONNXLET_SERVE=m=best: no alias")
    aliases.write_text('{"stable": 1, "best": 2}')
    assert last_line("") == f"version 1 stays served: it is 'stable' in {aliases}"
    assert last_line("m=best") == ""

    monkeypatch.delenv("ONNXLET_SERVE", raising=False)
    end = invoked(
        *("build", f"{project / 'source.py'}:linear", "--name", "m", "--models", tmp_path),
        "--breaking",
    )
    assert end.stdout.splitlines()[-2:] == [
        f"m version 3 written to {written / '3'}",
        f"version 1 stays served: it is 'stable' in {aliases}",
    ]


def test_a_graph_names_each_domain_once(tmp_path: Path) -> None:
    model = onnx.load(linear(tmp_path).directory / "model.onnx")
    imported = [entry.domain for entry in model.opset_import]
    assert len(imported) == len(set(imported))
    assert model.graph.name == model.producer_name == "onnxlet"


def test_a_forest_with_several_threads_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    forest = RandomForestRegressor(30, n_jobs=2, random_state=0).fit(X, Y)
    versions = {built(Source(forest, X), tmp_path).version for _ in range(3)}
    assert versions == {1}
    assert forest.n_jobs == 2  # the user's own is left as it was


# Versions


def test_a_changed_model_gets_the_next_version(tmp_path: Path) -> None:
    first = linear(tmp_path)
    before = contents(tmp_path)
    second, back = linear(tmp_path, 2.0), linear(tmp_path)

    assert [(b.version, b.new) for b in (first, second, back)] == [(1, True), (2, True), (3, True)]
    assert [b.directory for b in (first, second, back)] == [
        tmp_path / "m" / str(number) for number in (1, 2, 3)
    ]
    assert before.items() <= contents(tmp_path).items()


def test_versions_go_on_above_the_highest_by_number(tmp_path: Path) -> None:
    first = linear(tmp_path)
    for number in ("9", "10"):
        shutil.copytree(first.directory, tmp_path / "m" / number)
    (tmp_path / "m" / "notes").mkdir()

    same, changed = linear(tmp_path), linear(tmp_path, 2.0)
    assert (same.version, same.new) == (10, False)
    assert (changed.version, changed.new) == (11, True)


def test_an_altered_highest_version_is_not_taken_for_the_same(tmp_path: Path) -> None:
    (linear(tmp_path).directory / "model.onnx").write_bytes(b"")

    assert linear(tmp_path).version == 2


# Whole, or not there


def test_a_refusal_writes_nothing_beside_what_was_there(at_home: Path, tmp_path: Path) -> None:
    linear(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(Refusal):
        built(load_source("source.py:forgotten"), tmp_path)

    assert contents(tmp_path) == before
    assert {entry.name for entry in tmp_path.iterdir()} - {".lock"} == {"m"}


WITHOUT_SPACE = """
import json, sys
from pathlib import Path
from onnxlet.convert.directory.model_directory import replace_files, still_served, write_version
from onnxlet.function.errors import OnnxletError
folder = Path(sys.argv[1])
try:
    write_version(folder, "m", {"model.onnx": bytes(2**20), "manifest.json": bytes(2**22)})
except OnnxletError as error:
    told = [error.message, error.hint]
print(json.dumps([*told, [entry.name for entry in folder.iterdir()]]))
"""


def test_a_full_disk_is_reported_as_that_and_nothing_is_left(tmp_path: Path) -> None:
    """A real one, of two megabytes, in a mount namespace of its own."""
    inside = f'mount -t tmpfs -o size=2m none {tmp_path} && exec "$@"'
    alone = ["unshare", "--mount", "sh", "-c", inside, "sh"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*alone, "true"], capture_output=True).returncode
    ):
        pytest.skip("mounting needs root on Linux")
    command = [*alone, sys.executable, "-c", WITHOUT_SPACE, str(tmp_path)]

    message, hint, left = json.loads(subprocess.check_output(command, cwd=ROOT, timeout=60))

    assert message.startswith(f"can't write below '{tmp_path}': [Errno 28] No space left")
    assert hint == "Free some of its disk, or choose another folder with --models."
    assert left == [".lock"]


def test_whatever_stops_a_build_leaves_nothing_half_made(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_version(tmp_path, "m", {"model.onnx": b"", "manifest.json": None})  # type: ignore[dict-item]
    assert [entry.name for entry in tmp_path.iterdir()] == [".lock"]


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    for name in (".building-m", ".building-other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(b"half")

    linear(tmp_path)

    assert {entry.name for entry in tmp_path.iterdir()} - {".lock"} == {"m"}
    assert {entry.name for entry in (tmp_path / "m" / "1").iterdir()} == FILES


# A child builds one new version after another until it is killed.
BUILDING = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from sklearn.linear_model import LinearRegression
from onnxlet.convert.build import build
from onnxlet.convert.converters.registry import converters
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.directory.model_directory import replace_files, still_served, write_version
from onnxlet.convert.sources.source import Source

models, kills = Path(sys.argv[1]), int(sys.argv[2])
X = np.random.default_rng(0).normal(size=(30, 3))
chance = random.Random(int(sys.argv[3]))
converters()

def once():
    y = X @ np.random.default_rng().normal(size=3)
    build(Source(LinearRegression().fit(X, y), X), "m", models, lambda line: None)

def endlessly():
    while True:
        once()

started = time.monotonic()
once()
# On a busy machine, more; where it stood still meanwhile, as much would be too long for all kills.
seconds = min(time.monotonic() - started, 3)
kill = left = 0
while kill < kills or len([*(models / "m").iterdir()]) < 4:  # where the machine is busy, more kills
    kill += 1
    child = os.fork()
    if not child:
        endlessly()
    time.sleep(chance.uniform(0.5, 4) * seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left += any(models.glob(".building-*"))
    for version in (models / "m").glob("*"):
        files = {entry.name for entry in version.iterdir()}
        whole = {"background.json", "golden.json", "manifest.json", "model.onnx"}
        assert files == whole, (kill, version, files)
        verify(version)
versions = sorted(int(entry.name) for entry in (models / "m").iterdir())
assert versions == list(range(1, len(versions) + 1)), versions
print(len(versions), left)
"""


@pytest.mark.pipelines  # many processes
def test_builds_killed_at_random_moments_leave_whole_versions_alone(tmp_path: Path) -> None:
    end = subprocess.run(
        [sys.executable, "-c", BUILDING, str(tmp_path), "8", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert end.returncode == 0, end.stderr
    versions, _ = map(int, end.stdout.split())
    assert versions > 3


def test_writers_at_once_leave_whole_versions_and_none_twice(tmp_path: Path) -> None:
    """Each opens the lock for itself, as processes do."""
    contents_of = [{file: (file + letter).encode() for file in FILES} for letter in "abaabbab"]
    start = Barrier(len(contents_of))

    def write(files: dict[str, bytes]) -> tuple[int, bool]:
        start.wait()
        return write_version(tmp_path, "m", files)

    with ThreadPoolExecutor(len(contents_of)) as pool:
        ends = list(pool.map(write, contents_of))

    new = sorted(version for version, is_new in ends if is_new)
    assert new == list(range(1, len(new) + 1))
    there = [
        {file: content.decode() for file, content in files.items()}
        for files in (
            {path.name: path.read_bytes() for path in (tmp_path / "m" / str(v)).iterdir()}
            for v in new
        )
    ]
    assert all(files.keys() == FILES for files in there)
    assert all(a != b for a, b in pairwise(there))
    for (version, _), files in zip(ends, contents_of, strict=True):
        assert {f: c.encode() for f, c in there[version - 1].items()} == files

"""Kills at random times, processes that end, disks that are full, rights that are missing."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from onnxlet.convert.score.errors import Unfinished
from onnxlet.convert.score.tasks import ScoreTask
from onnxlet.convert.workers.processes import FreshProcess
from tests.conftest import ROOT, hear_ctrl_c
from tests.convert.score.tables import content, golden_table, journal, read_parts, write
from tests.convert.score.test_running import PRICES, Run, run, small_parts

__all__ = ["run", "small_parts"]  # fixtures
pytestmark = pytest.mark.faults
ROWS, GROUP = 1_200_000, 60_000  # two of them would be too large for one part


@pytest.fixture(scope="module")
def source(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of twenty parts."""
    folder = tmp_path_factory.mktemp("tables")
    return Path(write(golden_table(models, PRICES, ROWS), folder / "in.parquet", group=GROUP))


def command(models: Path, source: Path, out: Path, *more: str) -> list[str]:
    words = ["score", PRICES, str(source), str(out), "--models", str(models), "--keep", "id"]
    return [sys.executable, "-m", "onnxlet", *words, "--workers", "2", *more]


def started(words: Sequence[str], **more: Any) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, preexec_fn=hear_ctrl_c, start_new_session=True, env=environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def ended(words: Sequence[str], **more: Any) -> tuple[int, str, str]:
    process = started(words, **more)
    said, errors = process.communicate(timeout=200)
    return process.returncode, said, errors


def noted(out: Path) -> int:
    """Parts that are in the journal."""
    file = out / "_journal.jsonl"
    return max(0, file.read_bytes().count(b"\n") - 1) if file.exists() else 0


def wait_for_parts(out: Path, process: subprocess.Popen[str], count: int) -> None:
    while noted(out) < count:
        # It may have done all the rest, and ended, while this process stood still.
        assert process.poll() is None or noted(out) >= count, process.communicate()
        time.sleep(0.01)


def test_ten_kills_lose_no_row_and_double_none(models: Path, source: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert ended(command(models, source, whole))[0] == 0
    out, draw = tmp_path / "out", random.Random(7)  # noqa: S311 - nothing secret
    for kill in range(10):
        before = noted(out)
        process = started(command(models, source, out))
        wait_for_parts(out, process, min(before + draw.randrange(3), 17))
        time.sleep(draw.random() / 4)
        if kill % 2 and process.poll() is None:  # also its workers
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.communicate()
    assert ended(command(models, source, out))[0] == 0
    assert content(out) == content(whole)
    assert read_parts(out)["id"].to_pylist() == list(range(ROWS))
    lines = [line["part"] for line in journal(out) if "part" in line]
    assert sorted(lines) == sorted(content(whole))


def test_ten_kills_of_what_becomes_one_file(models: Path, source: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    began = time.monotonic()
    assert ended(command(models, source, whole))[0] == 0
    took, draw = time.monotonic() - began, random.Random(8)  # noqa: S311 - nothing secret
    for _ in range(10):
        process = started(command(models, source, out))
        time.sleep(took * draw.random())
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not out.exists() or out.read_bytes() == whole.read_bytes()
    ended_before = out.exists() and not (tmp_path / "_out.parquet").exists()
    code, _, errors = ended(command(models, source, out))
    # What had ended before it was killed left nothing to go on with.
    assert code == (2 if ended_before else 0), errors
    assert (f"there is '{out}' already" in errors) is ended_before
    assert out.read_bytes() == whole.read_bytes()
    assert parquet.read_table(out)["id"].to_pylist() == list(range(ROWS))
    assert not (tmp_path / "_out.parquet").exists()
    assert not list(tmp_path.glob(".*"))


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(
    models: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = started(command(models, source, out))
    wait_for_parts(out, process, 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 1
    *_, message, hint = errors.splitlines()
    done = noted(out)
    assert message == f"error: interrupted: {done} of 20 parts are done ({done * GROUP:,} rows)"
    assert hint == "hint: The same command goes on from there."
    assert "Traceback" not in errors
    code, said, errors = ended(command(models, source, out))
    assert (code, said) == (0, f"1,200,000 rows scored: {out}\n")
    assert f"going on: {done} of 20 parts are done" in errors


def test_workers_end_with_whoever_asked(models: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(command(models, source, out))
    wait_for_parts(out, process, 1)
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(found) == 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{each}").exists() for each in found):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(models: Path, source: Path, small_disk: Path) -> None:
    out = small_disk / "out"
    code, _, errors = ended(command(models, source, out))
    assert code == 1
    assert "error: can't write '" in errors
    assert "No space left on device" in errors
    assert "hint: The disk is full: free some of it. The same command goes on" in errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert not list(out.glob(".*"))
    done = noted(out)
    assert 0 < done < 20
    assert read_parts(out).num_rows == done * GROUP
    subprocess.run(["mount", "-o", "remount,size=90M", str(small_disk)], check=True)
    code, said, errors = ended(command(models, source, out))
    assert (code, said) == (0, f"1,200,000 rows scored: {out}\n")
    assert sorted(read_parts(out)["id"].to_pylist()) == list(range(ROWS))


def test_a_disk_that_is_full_from_the_start(models: Path, source: Path, small_disk: Path) -> None:
    (small_disk / "filled").write_bytes(bytes(2 << 20))
    code, _, errors = ended(command(models, source, small_disk / "out.parquet"))
    assert code == 1
    assert "No space left on device" in errors
    assert "Traceback" not in errors


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that others may walk into: any start of pytest closes its own to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_rights_that_are_missing(models: Path, source: Path, public: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    below, out = public / "in", public / "out"
    models = shutil.copytree(models, public / "models")
    below.mkdir()
    for name in ("a", "b", "c"):
        (below / f"{name}.parquet").write_bytes(source.read_bytes())
    for path in public.rglob("*"):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    code, _, errors = ended([*nobody, *command(models, below, out)], cwd=public)
    assert code == 1
    assert f"error: can't write '{out}': Permission denied" in errors
    assert "hint: Let this user write there." in errors
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    (below / "b.parquet").chmod(0)
    code, _, errors = ended([*nobody, *command(models, below, out)], cwd=public)
    assert code == 2, errors
    assert "IN: 1 of 3 files can't be scored:\n  'b.parquet': it can't be read" in errors
    assert content(out) == {}
    below.chmod(0o700)
    code, _, errors = ended([*nobody, *command(models, below, out)], cwd=public)
    assert code == 2, errors
    assert "can't be read" in errors
    assert "Traceback" not in errors


@pytest.fixture
def kill_when(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[ScoreTask], bool]], None]:
    """Have processes killed as soon as they are sent some parts."""
    send = FreshProcess.send

    def killing(chosen: Callable[[ScoreTask], bool]) -> None:
        def send_and_kill(worker: FreshProcess, argument: bytes) -> None:
            send(worker, argument)
            if argument and chosen(pickle.loads(argument)):  # noqa: S301 - our own
                worker.process.kill()

        monkeypatch.setattr(FreshProcess, "send", send_and_kill)

    return killing


def test_a_worker_that_is_killed_loses_nothing(
    models: Path, tmp_path: Path, run: Run, kill_when: Any
) -> None:
    write(golden_table(models, PRICES, 3000), tmp_path / "in.parquet", group=500)
    run("in.parquet", "whole")
    sent: list[str] = []

    def first_two(task: ScoreTask) -> bool:
        sent.append(task.name)
        return len(sent) <= 2

    kill_when(first_two)
    assert run("in.parquet", "out", workers=2).rows == 3000
    assert len(sent) == 6 + 2
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_part_that_kills_its_process_twice_is_named(
    models: Path, tmp_path: Path, run: Run, kill_when: Any
) -> None:
    write(golden_table(models, PRICES, 900), tmp_path / "in.parquet", group=300)
    kill_when(lambda task: task.name == "in-00001.parquet")
    with pytest.raises(Unfinished) as unfinished:
        run("in.parquet", "out", workers=2)
    assert "1 of 3 parts could not be done" in unfinished.value.message
    assert "part 'in-00001.parquet': its process ended twice (SIGKILL)" in unfinished.value.message
    assert "Use fewer --workers" in unfinished.value.hint
    assert sorted(content(tmp_path / "out")) == ["in-00000.parquet", "in-00002.parquet"]

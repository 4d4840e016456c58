"""Parts on a Dask cluster of processes: the same files as here, whoever of it is killed."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.score import on_cluster, running
from onnxlet.convert.score.errors import Unfinished
from onnxlet.convert.score.running import Scored
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.tables import formats
from onnxlet.convert.workers.cluster import Cluster, SchedulerGone, connected
from onnxlet.convert.workers.contract import Work
from onnxlet.function.errors import WrongUse
from tests.convert.score.tables import content, golden_table, journal, write
from tests.convert.workers.dask_processes import Processes, cluster

pytestmark = pytest.mark.engines
NAME = "loan-default"
Run = Callable[..., Scored]
KEPT = Options(keep=("id",), batch_rows=300)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=2) as started:
        yield started


@pytest.fixture
def run(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Scores below this test's folder, in many small parts."""
    monkeypatch.setattr(formats, "SMALL_GROUP", 1)

    def scored(source: str, out: str, options: Options = KEPT, **more: Any) -> Scored:
        given = {"models": models, "workers": 1, **more}
        return running.score(NAME, str(tmp_path / source), str(tmp_path / out), options, **given)

    return scored


@pytest.fixture
def table(models: Path, tmp_path: Path) -> Path:
    """Many row groups, some of whose rows can't be answered."""
    rows = golden_table(models, NAME, 4000)
    number = next(i for i, field in enumerate(rows.schema) if pa.types.is_floating(field.type))
    cells = rows.column(number).to_pylist()
    cells[10] = cells[3333] = float("inf")
    field = rows.schema.field(number)
    write(rows.set_column(number, field, pa.array(cells, field.type)), tmp_path / "in.parquet", 100)
    return tmp_path / "in.parquet"


def kill_after(lines: int, kill: Callable[[], object], address: str) -> Any:
    """The cluster's engine, during whose work something is killed."""

    def killing(tasks: Any, tick: Any) -> Iterator[Any]:
        for number, outcome in enumerate(on_cluster.on_cluster(address, tasks, tick)):
            yield outcome
            if number == lines:
                kill()

    return killing


def test_the_same_files_as_here_though_a_worker_is_killed_half_way(
    table: Path, tmp_path: Path, run: Run
) -> None:
    here = run("in.parquet", "here")
    with cluster(tmp_path / "cluster", workers=2) as started:
        engine = kill_after(7, started.workers[0].kill, started.address)
        there = run("in.parquet", "there", engine=engine)
    assert there.parts == here.parts == 40
    assert there.rows == here.rows == 4000
    assert there.bad == here.bad == 2
    parts = [line["part"] for line in journal(tmp_path / "there") if "part" in line]
    assert len(parts) == len(set(parts)) == 40
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_a_file_is_put_together_here_and_csv_too(
    pair: Processes, models: Path, tmp_path: Path, run: Run
) -> None:
    write(golden_table(models, NAME, 1000), tmp_path / "many" / "a" / "one.csv")
    write(golden_table(models, NAME, 1000, 1), tmp_path / "many" / "two.csv")
    run("many", "here.parquet")
    run("many", "there.parquet", scheduler=pair.address)
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()


@pytest.mark.filterwarnings("ignore")  # what Dask leaves behind when it gives up
def test_when_the_scheduler_goes_away_the_same_goes_on_elsewhere(
    table: Path, tmp_path: Path, run: Run
) -> None:
    with cluster(tmp_path / "cluster", workers=2) as started:
        engine = kill_after(4, started.scheduler.kill, started.address)
        with pytest.raises(SchedulerGone, match="has gone away"):
            run("in.parquet", "there", engine=engine)
    done = len([line for line in journal(tmp_path / "there") if "part" in line])
    assert 5 <= done < 40
    with cluster(tmp_path / "another", workers=1) as started:
        scored = run("in.parquet", "there", scheduler=started.address)
    assert scored.already == done
    assert scored.rows == 4000
    run("in.parquet", "here")
    assert content(tmp_path / "there") == content(tmp_path / "here")
    # All is done: nobody is asked any more, so that there need be no scheduler.
    assert run("in.parquet", "there", scheduler="tcp://127.0.0.1:1").already == 40


def test_rows_that_are_to_stop_all_do(
    pair: Processes, table: Path, tmp_path: Path, run: Run
) -> None:
    with pytest.raises(Unfinished, match=r"'in\.parquet', row \d+, column"):
        run("in.parquet", "there", Options(on_error="stop"), scheduler=pair.address)


def task_of(table: Path, tmp_path: Path, run: Run) -> Any:
    """A part as the cluster's engine is given it."""
    given: list[Any] = []

    def listening(tasks: Any, tick: Any) -> Iterator[Any]:
        given.extend(tasks)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("in.parquet", "out", engine=listening)
    return given[0]


def test_a_worker_that_sees_other_files_is_refused(
    pair: Processes, table: Path, tmp_path: Path, run: Run
) -> None:
    task = task_of(table, tmp_path, run)
    head = on_cluster._head(task.target)
    packed = on_cluster._packed(Path(task.model), task.graph)
    others = {
        "sees no '.*/(in|none).parquet', or another one": (
            (replace(task, changed=task.changed + 1), head),
            (replace(task, size=task.size + 1), head),
            (replace(task, file="none.parquet"), head),
        ),
        "sees another folder '.*/out' than the client, or none": ((task, "other"),),
    }  # fmt: skip
    with connected(pair.address, on_cluster.PACKAGES) as client:
        for words, wrong in others.items():
            for each in wrong:
                carrier = Cluster(client, on_cluster.BEGIN, packed, each)
                (result,) = carrier.run(iter([Work(task, pickle.dumps(task))]))
                with pytest.raises(WrongUse, match=f"--scheduler: worker .* {words}"):
                    on_cluster._outcome(result)


def test_a_worker_that_answers_otherwise_is_refused(
    pair: Processes, table: Path, tmp_path: Path, run: Run
) -> None:
    task = task_of(table, tmp_path, run)
    packed = io.BytesIO(on_cluster._packed(Path(task.model), task.graph))
    other = io.BytesIO()
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, b"another" if name == "proof" else archive.read(name))
    with connected(pair.address, on_cluster.PACKAGES) as client:
        common = (task, on_cluster._head(task.target))
        carrier = Cluster(client, on_cluster.BEGIN, other.getvalue(), common)
        with pytest.raises(Refusal, match="answers the golden rows with other last digits"):
            list(carrier.run(iter([Work(task, pickle.dumps(task))])))
    assert "in-00000.parquet" not in os.listdir(tmp_path / "out")  # noqa: PTH208

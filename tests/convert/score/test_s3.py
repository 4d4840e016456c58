"""Tables in S3 are read, and answers written, as on this machine; a real server, over HTTP."""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from onnxlet.convert.score import journal, running
from onnxlet.convert.score.errors import Unfinished
from onnxlet.convert.score.journal import journal_of
from onnxlet.convert.score.storage import storage_of
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.tables import formats
from onnxlet.convert.tables.rows_file import _opened
from onnxlet.convert.train.table import read_table
from onnxlet.function.errors import WrongUse
from tests.convert.score.tables import content, golden_table, write
from tests.convert.score.test_running import Ends
from tests.s3_server import S3, Stored, running_s3

PRICES = "house-prices"
OPTIONS = Options(keep=("id",), batch_rows=300)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with running_s3() as server:
        _opened.cache_clear()  # keys are read once
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(formats, "SMALL_GROUP", 1)
        yield server


@pytest.fixture
def whole(models: Path, tmp_path: Path, s3: S3) -> dict[str, bytes]:
    """The answers to a table that lies here and in the bucket."""
    table = golden_table(models, PRICES, 900)
    for name in ("a.parquet", "below/b.parquet"):
        path = Path(write(table, tmp_path / "in" / name, group=300))
        s3.put(f"bucket/in/{name}", path.read_bytes())
    s3.put("bucket/in/_SUCCESS", b"")
    score(models, tmp_path / "in", tmp_path / "out")
    return content(tmp_path / "out")


def score(models: Path, source: object, out: object, **more: Any) -> running.Scored:
    more = {"workers": 1, **more}
    return running.score(PRICES, str(source), str(out), OPTIONS, models=models, **more)


def answers(s3: S3, prefix: str = "bucket/out/") -> dict[str, bytes]:
    return {
        path.removeprefix(prefix): stored.content
        for path, stored in sorted(s3.objects.items())
        if path.startswith(prefix) and "_journal" not in path and path[-1] != "/"
    }


def files(s3: S3) -> dict[str, Stored]:
    """All objects but those by which PyArrow marks folders."""
    return {path: stored for path, stored in s3.objects.items() if path[-1] != "/"}


def test_from_s3_to_s3(models: Path, s3: S3, whole: dict[str, bytes]) -> None:
    scored = score(models, "s3://bucket/in/", "s3://bucket/out", workers=2)
    assert answers(s3) == whole
    assert (scored.out, scored.rows, scored.parts) == ("s3://bucket/out", 1800, 6)
    before = files(s3)
    again = score(models, "s3://bucket/in", "s3://bucket/out/")
    assert again.already == 6
    assert files(s3) == before


def test_from_s3_to_here_and_back(
    models: Path, s3: S3, whole: dict[str, bytes], tmp_path: Path
) -> None:
    score(models, "s3://bucket/in", tmp_path / "here")
    assert content(tmp_path / "here") == whole
    score(models, tmp_path / "in", "s3://bucket/one.parquet")
    one = parquet.read_table(io.BytesIO(s3.objects["bucket/one.parquet"].content))
    assert one["id"].to_pylist() == [*range(900), *range(900)]
    assert [path for path in files(s3) if "one" in path] == ["bucket/one.parquet"]


def test_one_object_and_csv(models: Path, s3: S3, whole: dict[str, bytes], tmp_path: Path) -> None:
    score(models, "s3://bucket/in/a.parquet", "s3://bucket/out")
    assert answers(s3) == {k: v for k, v in whole.items() if k.startswith("a-")}
    path = Path(write(golden_table(models, PRICES, 100), tmp_path / "rows.csv"))
    s3.put("bucket/rows.csv", path.read_bytes())
    score(models, path, tmp_path / "rows.out.csv")
    score(models, "s3://bucket/rows.csv", "s3://bucket/rows.out.csv")
    expected = (tmp_path / "rows.out.csv").read_bytes()
    assert s3.objects["bucket/rows.out.csv"].content == expected


def test_going_on(models: Path, s3: S3, whole: dict[str, bytes]) -> None:
    ends = Ends(3, KeyboardInterrupt())
    with pytest.raises(Unfinished, match="3 of 6 parts are done"):
        score(models, "s3://bucket/in", "s3://bucket/out", engine=ends)
    assert "bucket/out/_lock" not in s3.objects
    rest = Ends(9, KeyboardInterrupt())
    assert score(models, "s3://bucket/in", "s3://bucket/out", engine=rest).already == 3
    assert len(rest.did) == 3
    assert answers(s3) == whole
    stored = s3.objects["bucket/in/a.parquet"]
    s3.objects["bucket/in/a.parquet"] = stored._replace(at=stored.at - 1000)
    with pytest.raises(WrongUse, match=r"'a.parquet' has changed since"):
        score(models, "s3://bucket/in", "s3://bucket/out")


def test_what_may_not_be_written_is_reported(models: Path, s3: S3, whole: dict[str, bytes]) -> None:
    s3.put("bucket/out/_journal", b"")
    del s3.objects["bucket/out/_journal"]

    class Refused(Ends):
        def __call__(self, tasks: Any, tick: Any) -> Iterator[Any]:
            s3.refused = 1000
            yield from super().__call__(tasks, tick)

    with pytest.raises(Unfinished, match=r"can't write 's3://bucket/out/a-00000.parquet'"):
        score(models, "s3://bucket/in", "s3://bucket/out", engine=Refused(9, ValueError()))
    s3.refused = 0
    assert answers(s3) == {}
    assert score(models, "s3://bucket/in", "s3://bucket/out").rows == 1800
    assert answers(s3) == whole


def test_one_process_at_a_time(models: Path, s3: S3, whole: dict[str, bytes]) -> None:
    s3.put("bucket/out/_lock", b'{"holder": "elsewhere, process 7"}')
    with pytest.raises(WrongUse, match="another process \\(elsewhere, process 7\\) writes to"):
        score(models, "s3://bucket/in", "s3://bucket/out")
    stored = s3.objects["bucket/out/_lock"]
    s3.objects["bucket/out/_lock"] = stored._replace(at=stored.at - journal.STALE - 5)
    assert score(models, "s3://bucket/in", "s3://bucket/out").rows == 1800
    assert "bucket/out/_lock" not in s3.objects


def test_one_thread_at_a_time(s3: S3) -> None:
    out = storage_of("s3://bucket/out")
    with journal_of(out):
        refused = pytest.raises(WrongUse, match="this process writes to 's3://bucket/out' already")
        with refused, journal_of(storage_of("s3://bucket/out")):
            pass
        assert "bucket/out/_lock" in s3.objects
        with journal_of(storage_of("s3://bucket/elsewhere")):
            pass
    with journal_of(out):
        assert "bucket/out/_lock" in s3.objects


def test_a_killed_process_of_the_same_name_holds_nothing_up(s3: S3) -> None:
    name = f"{socket.gethostname()}, process {os.getpid()}"
    s3.put("bucket/out/_lock", json.dumps({"holder": name}).encode())
    with journal_of(storage_of("s3://bucket/out")):
        pass
    assert "bucket/out/_lock" not in s3.objects


def test_a_mark_is_renewed(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RENEWED", 0.05)
    s3.put("bucket/x", b"")
    with journal_of(storage_of("s3://bucket/out")):
        first = s3.objects["bucket/out/_lock"].at
        while s3.objects["bucket/out/_lock"].at == first:
            pass


def test_what_is_not_there(models: Path, s3: S3, whole: dict[str, bytes]) -> None:
    with pytest.raises(WrongUse, match=r"there is no CSV or Parquet in 's3://bucket/gone'"):
        score(models, "s3://bucket/gone", "s3://bucket/out")
    assert answers(s3) == {}


def test_training_and_building_read_s3_by_the_same_way(s3: S3) -> None:
    s3.put("bucket/rows.csv", b"a,b\n1,x\n2,y\n")
    table = read_table("s3://bucket/rows.csv", 0)
    pd.testing.assert_frame_equal(table.frame, pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    with pytest.raises(WrongUse, match=r"there is no file 's3://bucket/gone.csv'"):
        read_table("s3://bucket/gone.csv", 0)


@pytest.mark.parametrize("out", ["s3://", "S3:///", "s3://answers.csv"])
def test_an_address_without_a_bucket(out: str, models: Path, tmp_path: Path) -> None:
    source = write(golden_table(models, PRICES, 10), tmp_path / "in.csv")
    with pytest.raises(WrongUse, match="expected s3://bucket/prefix, got"):
        running.score(PRICES, source, out, Options(), models=models, workers=1)

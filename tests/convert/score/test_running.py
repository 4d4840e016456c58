"""A table is scored in parts, as the app answers its rows; and gone on with, whatever ended it."""

from __future__ import annotations

import csv as python_csv
import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from onnxlet.convert.score import running
from onnxlet.convert.score.engines import here
from onnxlet.convert.score.errors import Unfinished
from onnxlet.convert.score.journal import journal_of
from onnxlet.convert.score.running import Scored
from onnxlet.convert.score.storage import LocalFolder
from onnxlet.convert.score.tasks import Options, ScoreTask
from onnxlet.convert.tables import formats
from onnxlet.function.errors import OnnxletError, WrongUse
from tests.convert.score.tables import (
    client_of_all,
    content,
    golden_table,
    journal,
    predictions_of_app,
    read_parts,
    with_years,
    write,
)

Run = Callable[..., Scored]
PRICES = "house-prices"
KEPT = Options(keep=("id",), batch_rows=300)


@pytest.fixture
def run(models: Path, tmp_path: Path) -> Run:
    """Scores below this test's folder, in this process."""

    def scored(
        source: str, out: str, options: Options = KEPT, model: str = PRICES, **more: Any
    ) -> Scored:
        more = {"models": models, "workers": 1, **more}
        return running.score(model, str(tmp_path / source), str(tmp_path / out), options, **more)

    return scored


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "SMALL_GROUP", 1)


class Ends:
    """Ends after some parts, as a kill would; the last of them is not noted."""

    def __init__(self, after: int, error: BaseException) -> None:
        self.after, self.error = after, error
        self.did: list[str] = []

    def __call__(self, tasks: Sequence[ScoreTask], tick: Any) -> Iterator[Any]:
        for number, outcome in enumerate(here(tasks, tick)):
            self.did.append(tasks[number].name)
            if number == self.after:
                raise self.error
            yield outcome


def test_parquet_is_answered_as_by_http(models: Path, tmp_path: Path, run: Run) -> None:
    table = golden_table(models, PRICES, 2500)
    write(table, tmp_path / "in.parquet", group=1000)
    scored = run("in.parquet", "out")
    answers = read_parts(tmp_path / "out")

    expected = [
        each
        for start in (0, 1000, 2000)
        for each in predictions_of_app(client_of_all(models), PRICES, table.slice(start, 1000), 300)
    ]
    assert answers["prediction"].to_pylist() == expected
    assert answers["id"].to_pylist() == list(range(2500))
    assert answers.schema.names == ["id", "prediction"]
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "_journal.jsonl", "in-00000.parquet", "in-00001.parquet", "in-00002.parquet"
    ]  # fmt: skip
    assert scored == Scored(str(tmp_path / "out"), 2500, 0, (), None, 3, 0)


@pytest.mark.parametrize("name", ["house-prices", "loan-default", "iris", "shop"])
def test_csv_and_parquet_give_the_same_answers(
    name: str, models: Path, tmp_path: Path, run: Run
) -> None:
    table = golden_table(models, name, 700)
    write(table, tmp_path / "in.parquet")
    write(table, tmp_path / "in.csv")
    for source in ("in.parquet", "in.csv"):
        for out in (f"{source}.of.csv", f"{source}.of.parquet"):
            assert run(source, out, model=name).rows == 700
    of_csv, of_parquet = (
        parquet.read_table(tmp_path / f"in.{form}.of.parquet") for form in ("csv", "parquet")
    )
    assert of_csv.drop("id") == of_parquet.drop("id")
    predicted = predictions_of_app(client_of_all(models), name, table, 300)
    assert of_parquet["prediction"].to_pylist() == predicted
    texts = [(tmp_path / f"in.{form}.of.csv").read_text() for form in ("csv", "parquet")]
    lines = [text.replace('"', "").splitlines() for text in texts]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 701


def test_a_folder_is_answered_below_out_as_it_is_below_in(
    models: Path, tmp_path: Path, run: Run
) -> None:
    table = golden_table(models, PRICES, 90)
    for name, start in (("b.parquet", 60), ("2026/a.parquet", 0), ("2026/b.pq", 30)):
        write(table.slice(start, 30), tmp_path / "in" / name)
    (tmp_path / "in" / "_SUCCESS").touch()
    (tmp_path / "in" / ".hidden.parquet").write_bytes(b"no table")
    (tmp_path / "in" / "notes.txt").write_text("read me")
    lines: list[str] = []
    scored = run("in", "out", report=lines.append)

    assert (scored.rows, scored.parts) == (90, 3)
    assert sorted(content(tmp_path / "out")) == [
        "2026/a-00000.parquet", "2026/b-00000.parquet", "b-00000.parquet"
    ]  # fmt: skip
    assert read_parts(tmp_path / "out")["id"].to_pylist() == list(range(90))
    assert "note: left out, by their names: notes.txt" in lines
    one = run("in", "all.csv")
    read = csv.read_csv(tmp_path / "all.csv")
    assert (one.rows, read["id"].to_pylist()) == (90, list(range(90)))


def test_the_number_of_workers_changes_no_byte(models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 3000), tmp_path / "in.parquet", group=800)
    write(golden_table(models, PRICES, 3000), tmp_path / "in.csv")
    for source in ("in.parquet", "in.csv"):
        run(source, "one")
        run(source, "two", workers=2)
        assert content(tmp_path / "one") == content(tmp_path / "two")
        shutil.rmtree(tmp_path / "one")
        shutil.rmtree(tmp_path / "two")


def test_a_row_group_larger_than_a_batch_is_read_in_batches_of_one_size(
    models: Path, tmp_path: Path, run: Run
) -> None:
    table = golden_table(models, PRICES, 2500)
    write(table, tmp_path / "in.parquet", group=2500)
    run("in.parquet", "out.parquet")
    expected = predictions_of_app(client_of_all(models), PRICES, table, 300)
    assert parquet.read_table(tmp_path / "out.parquet")["prediction"].to_pylist() == expected


# Going on


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), RuntimeError("a bug")])
def test_what_is_done_is_not_done_again(
    error: BaseException, models: Path, tmp_path: Path, run: Run
) -> None:
    write(golden_table(models, PRICES, 2500), tmp_path / "in.parquet", group=500)
    run("in.parquet", "whole")
    ends = Ends(2, error)
    expected = Unfinished if isinstance(error, KeyboardInterrupt) else type(error)
    with pytest.raises(expected) as ended:
        run("in.parquet", "out", engine=ends)
    if isinstance(ended.value, Unfinished):
        assert ended.value.message == "interrupted: 2 of 5 parts are done (1,000 rows)"
        assert ended.value.hint == "The same command goes on from there."
    rest = Ends(9, error)
    scored = run("in.parquet", "out", engine=rest)

    assert ends.did + rest.did[1:] == [f"in-{number:05}.parquet" for number in range(5)]
    assert rest.did[0] == ends.did[-1]  # it was not noted
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert (scored.rows, scored.already) == (2500, 2)


@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_nothing_stays_beside_one_file(out: str, models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 900), tmp_path / "in.parquet", group=300)
    run("in.parquet", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.parquet", out])
    with pytest.raises(WrongUse, match=r"there is '.*' already"):
        run("in.parquet", out)


def test_when_all_is_done_nothing_is(models: Path, tmp_path: Path, run: Run) -> None:
    out = "out"
    write(golden_table(models, PRICES, 900), tmp_path / "in.parquet", group=300)
    first = run("in.parquet", out)
    before = content(tmp_path)
    none = Ends(-1, AssertionError("nothing is left"))
    again = run("in.parquet", out, engine=none)
    assert none.did == []
    assert again == Scored(**{**vars(first), "already": 3})
    assert content(tmp_path) == before
    assert again.lines() == [f"900 rows already scored: {tmp_path / out}"]


def test_a_part_that_was_lost_or_altered_is_done_again(
    models: Path, tmp_path: Path, run: Run
) -> None:
    write(golden_table(models, PRICES, 900), tmp_path / "in.parquet", group=300)
    run("in.parquet", "out")
    before = content(tmp_path / "out")
    (tmp_path / "out" / "in-00000.parquet").unlink()
    altered = bytearray((tmp_path / "out" / "in-00002.parquet").read_bytes())
    altered[50] ^= 1
    (tmp_path / "out" / "in-00002.parquet").write_bytes(altered)
    lines: list[str] = []
    assert run("in.parquet", "out", report=lines.append).rows == 900
    assert content(tmp_path / "out") == before
    assert lines == [
        "note: 2 parts are not as they were written, and are done again",
        "going on: 1 of 3 parts are done",
    ]


def test_a_line_that_was_cut_off_is_no_line(models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 900), tmp_path / "in.parquet", group=300)
    run("in.parquet", "out")
    before, file = content(tmp_path / "out"), tmp_path / "out" / "_journal.jsonl"
    whole = file.read_bytes()
    *lines, _, _ = whole.splitlines(keepends=True)
    for cut in (1, 7, len(lines[-1])):
        file.write_bytes(b"".join(lines)[:-cut])
        assert run("in.parquet", "out").rows == 900
        assert content(tmp_path / "out") == before
        assert len(journal(tmp_path / "out")) == 5


def test_what_a_kill_left_is_removed(models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in.parquet")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".123-abc.part").write_bytes(b"half")
    run("in.parquet", "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_journal.jsonl", "in-00000.parquet"
    ]  # fmt: skip


def test_what_somebody_else_writes_is_not_taken_for_half_written(
    models: Path, tmp_path: Path, run: Run
) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in.parquet")
    own = tmp_path / "out" / ".film.part"
    own.parent.mkdir()
    own.write_bytes(b"half")
    with pytest.raises(WrongUse, match=r"something else in it, such as '.film.part'"):
        run("in.parquet", "out")
    own.rename(tmp_path / ".film.part")
    run("in.parquet", "out")
    (tmp_path / ".film.part").rename(own)
    assert run("in.parquet", "out").already == 1
    assert own.read_bytes() == b"half"


@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_what_a_kill_left_beside_one_file_is_removed(
    out: str, models: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = with_years(golden_table(models, PRICES, 900), {7: 1999.5})
    write(table, tmp_path / "in.parquet", group=300)
    half, others = tmp_path / f".123-{out}.part", tmp_path / f".123-other-{out}.part"
    for path in (half, others):
        path.write_bytes(b"half")
    with monkeypatch.context() as patch:  # as a kill there does
        patch.setattr(LocalFolder, "remove", lambda folder, path: None)
        run("in.parquet", out)
    assert (half.exists(), others.exists()) == (False, True)
    work = tmp_path / f"_{out}"
    assert len(content(work)) == 4  # one has its bad row aside
    assert run("in.parquet", out).already == 3
    assert not work.exists()


# What has changed


def test_what_changed_is_said_and_refused(models: Path, tmp_path: Path, run: Run) -> None:
    shutil.copytree(models / PRICES, tmp_path / "models" / PRICES)
    write(golden_table(models, PRICES, 900), tmp_path / "in" / "a.parquet", group=300)
    model = str(tmp_path / "models" / PRICES)
    with pytest.raises(Unfinished):
        run("in", "out", model=model, engine=Ends(1, KeyboardInterrupt()))
    before = content(tmp_path / "out")

    write(golden_table(models, PRICES, 900, seed=1), tmp_path / "in" / "a.parquet", group=300)
    write(golden_table(models, PRICES, 1), tmp_path / "in" / "b.parquet")
    shutil.copytree(tmp_path / "models" / PRICES / "1", tmp_path / "models" / PRICES / "2")
    other = Options(keep=(), batch_rows=10, on_error="side")
    with pytest.raises(WrongUse) as refused:
        run("in", "out", other, model=model)
    assert refused.value.message.splitlines()[1:] == [
        "  the model was house-prices version 1, and is house-prices version 2",
        "  --keep was ['id'], and is not given",
        "  --batch-rows was 300, and is 10",
        "  'b.parquet' is new in IN",
        "  'a.parquet' has changed since",
    ]
    assert refused.value.hint == "--overwrite starts afresh. Or write elsewhere."
    assert content(tmp_path / "out") == before

    assert run("in", "out", other, model=model, overwrite=True).rows == 901
    assert read_parts(tmp_path / "out").schema.names == ["prediction"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_parts_that_a_kill_left_unnoted_don_t_stay(
    overwrite: bool, models: Path, tmp_path: Path, run: Run
) -> None:
    path = tmp_path / "in" / "a.parquet"
    write(golden_table(models, PRICES, 900), path, group=100)
    with pytest.raises(Unfinished):
        run("in", "out", engine=Ends(0, KeyboardInterrupt()))
    for number in range(1, 9):  # as if several processes had been killed at once
        shutil.copy(
            tmp_path / "out" / "a-00000.parquet", tmp_path / "out" / f"a-{number:05}.parquet"
        )
    assert len(journal(tmp_path / "out")) == 1
    write(golden_table(models, PRICES, 200), path, group=100)
    options = Options(keep=("id",), batch_rows=10) if overwrite else KEPT
    assert run("in", "out", options, overwrite=overwrite).rows == 200
    assert read_parts(tmp_path / "out")["id"].to_pylist() == list(range(200))


def test_a_model_that_was_built_again_is_noticed(models: Path, tmp_path: Path, run: Run) -> None:
    shutil.copytree(models / PRICES, tmp_path / "models" / PRICES)
    model = tmp_path / "models" / PRICES / "1"
    write(golden_table(models, PRICES, 10), tmp_path / "in.parquet")
    run("in.parquet", "out", model=str(model))
    manifest = json.loads((model / "manifest.json").read_text())
    del manifest["files"]["background.json"]
    (model / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WrongUse, match="version 1 was built again: its files are another"):
        run("in.parquet", "out", model=str(model))


def test_a_file_of_which_no_part_is_done_may_be_mended(
    models: Path, tmp_path: Path, run: Run
) -> None:
    table = golden_table(models, PRICES, 600)
    write(table.slice(0, 300), tmp_path / "in" / "a.parquet")
    broken = Path(write(table.slice(300), tmp_path / "in" / "b.parquet"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[:200] + bytes(200) + whole[400:])  # pages, not the footer
    with pytest.raises(Unfinished) as unfinished:
        run("in", "out")
    assert "1 of 2 parts could not be done:\n  'b.parquet', row groups 0 to 0" in (
        unfinished.value.message
    )
    assert "Is the file whole? The same command goes on" in unfinished.value.hint
    assert sorted(content(tmp_path / "out")) == ["a-00000.parquet"]
    broken.write_bytes(whole)
    scored = run("in", "out")
    assert (scored.rows, scored.already) == (600, 1)
    assert read_parts(tmp_path / "out")["id"].to_pylist() == list(range(600))


def test_a_table_that_changes_while_it_is_read(models: Path, tmp_path: Path, run: Run) -> None:
    table = golden_table(models, PRICES, 900)
    path = Path(write(table, tmp_path / "in.parquet", group=300))

    def rewriting(tasks: Sequence[ScoreTask], tick: Any) -> Iterator[Any]:
        def rewrite(rows: int) -> None:
            os.utime(path, ns=(1, 1))

        yield from here(tasks, rewrite)

    with pytest.raises(Unfinished) as unfinished:
        run("in.parquet", "out", engine=rewriting)
    gc.collect()  # what was begun is not ended into a file that is closed
    assert unfinished.value.message.count("'in.parquet' has changed since it was looked at") == 3
    assert content(tmp_path / "out") == {}
    assert run("in.parquet", "out").rows == 900


# OUT


def test_another_process_is_refused(models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in.parquet")
    with (
        journal_of(LocalFolder(str(tmp_path / "out"))),
        pytest.raises(WrongUse, match="another process writes to"),
    ):
        run("in.parquet", "out")
    assert run("in.parquet", "out").rows == 10


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("in", "is in IN, or IN in it"),
        ("in/out", "is in IN, or IN in it"),
        (".", "is in IN, or IN in it"),
        ("answers.json", "expected a file .csv or .parquet, or a folder, got 'answers.json'"),
        ("answers.csv.gz", "expected a file .csv or .parquet, or a folder, got 'answers.csv.gz'"),
        ("full", "is a folder with something else in it, such as 'mine.txt'"),
        ("there.csv", "there is '"),
    ],
)
def test_where_answers_can_t_go(
    out: str, said: str, models: Path, tmp_path: Path, run: Run
) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in" / "a.csv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "there.csv").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(WrongUse, match="OUT: ") as refused:
        run("in", out)
    assert said in refused.value.message
    assert content(tmp_path) == before


def test_a_file_is_replaced_where_that_is_asked_for(models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in.csv")
    (tmp_path / "out.csv").write_text("mine")
    assert run("in.csv", "out.csv", overwrite=True).rows == 10
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 11


def test_a_version_s_number_is_no_suffix(models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in.csv")
    run("in.csv", "scores-1.2")
    assert sorted(content(tmp_path / "scores-1.2")) == ["in-00000.csv"]


@pytest.mark.parametrize("out", ["linked/in.csv", "linked/../in/in.csv", "linked/out"])
def test_links_and_dots_don_t_lead_to_in(out: str, models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in" / "in.csv")
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    before = content(tmp_path)
    source = "in" if out.endswith("out") else "in/in.csv"
    with pytest.raises(WrongUse, match="is in IN, or IN in it"):
        run(source, out, overwrite=True)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "[]", "", "null", '{"format": 1}', "x", "{first}\n{}", '{first}\n{"part": "in"}'),
        pytest.param("[" * 100_000, id="nested too deeply"),
    ],
)
def test_what_is_no_journal(text: str, models: Path, tmp_path: Path, run: Run) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "in.csv")
    run("in.csv", "out")
    file = tmp_path / "out" / "_journal.jsonl"
    file.write_text(text.replace("{first}", file.read_text().splitlines()[0]) + "\n")
    for overwrite in (False, True):
        with pytest.raises(OnnxletError, match="journal") as refused:
            run("in.csv", "out", overwrite=overwrite)
        assert refused.value.hint.startswith("Remove the folder that it is in, with its parts")
    shutil.rmtree(tmp_path / "out")
    assert run("in.csv", "out").rows == 10


def test_what_csv_has_of_other_columns(models: Path, tmp_path: Path, run: Run) -> None:
    odd = {
        "image": pa.array([b"\xff\xd8", None]),
        "bytes": pa.array([b"text", b""]),
        "sizes": pa.array([[Decimal("1.50")], [None]], pa.list_(pa.decimal128(3, 2))),
        "view": pa.array(["a", None], pa.string_view()),
        "uuid": pa.array([b"0" * 16, None], pa.uuid()),
        "coded": pa.array([b"\xff", b"a"]).dictionary_encode(),
    }
    table = golden_table(models, PRICES, 2)
    for name, array in odd.items():
        table = table.append_column(name, array)
    write(table, tmp_path / "in.parquet")
    run("in.parquet", "out.csv", Options(keep=tuple(odd)))
    header, *rows = python_csv.reader((tmp_path / "out.csv").read_text().splitlines())
    assert header == [*odd, "prediction"]
    uuid = "30303030-3030-3030-3030-303030303030"
    assert [row[:-1] for row in rows] == [
        ["/9g=", "text", '["1.50"]', "a", uuid, "/w=="],
        ["", "", "[null]", "", "", "a"],
    ]


def test_what_stopped_before_any_part_may_be_asked_for_otherwise(
    models: Path, tmp_path: Path, run: Run
) -> None:
    write(with_years(golden_table(models, PRICES, 10), {0: 1999.5}), tmp_path / "in.parquet")
    with pytest.raises(Unfinished):
        run("in.parquet", "out", Options(on_error="stop"))
    (tmp_path / "out" / "in-00000.parquet").write_bytes(b"what a kill left")
    assert run("in.parquet", "out", Options(on_error="side", keep=("id",))).rows == 9
    assert read_parts(tmp_path / "out")["id"].to_pylist() == list(range(1, 10))

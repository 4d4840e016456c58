"""Rows that can't be answered: null, left out or a stop, and always with the reason of HTTP."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from onnxlet.convert.score import running
from onnxlet.convert.score.errors import NoneAnswered, Unfinished
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.tables import formats
from onnxlet.function.errors import WrongUse
from tests.convert.score.tables import (
    client_of_all,
    content,
    golden_table,
    read_parts,
    with_years,
    write,
)

PRICES = "house-prices"
BAD = {3: 1999.5, 4: 1e300, 77: 0.25, 150: -1.5}  # rows whose year is no whole number


@pytest.fixture
def table(models: Path) -> Any:
    return with_years(golden_table(models, PRICES, 200), BAD)


def run(models: Path, source: str, out: Path, on_error: Any, **more: Any) -> running.Scored:
    options = Options(keep=("id",), on_error=on_error, batch_rows=60)
    return running.score(PRICES, source, str(out), options, models=models, workers=1, **more)


def reasons_of_http(models: Path, table: Any) -> dict[int, str]:
    """Each bad row's reasons, as the app gives them to all rows at once."""
    rows = table.drop("id").to_pylist()
    answer = client_of_all(models).post(f"/models/{PRICES}/predict?on_error=null", rows).json()
    found: dict[int, list[str]] = {}
    for each in answer.get("errors", []):
        found.setdefault(each["row"], []).append(f"column '{each['column']}': {each['detail']}")
    assert [row for row, one in enumerate(answer["prediction"]) if one is None] == sorted(found)
    return {row: "; ".join(details) for row, details in found.items()}


def test_bad_rows_are_null_and_stand_aside_with_their_reasons(
    models: Path, table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "SMALL_GROUP", 1)
    expected = reasons_of_http(models, table)
    assert expected
    source = write(table, tmp_path / "in.parquet", group=100)
    nulls = run(models, source, tmp_path / "nulls", "null")
    side = run(models, source, tmp_path / "side", "side")

    whole, rest = read_parts(tmp_path / "nulls"), read_parts(tmp_path / "side")
    assert [n for n, x in enumerate(whole["prediction"].to_pylist()) if x is None] == list(expected)
    assert whole["id"].to_pylist() == list(range(200))
    assert rest == whole.filter(pa.compute.is_valid(whole["prediction"]))
    assert (nulls.rows, side.rows, nulls.bad, side.bad) == (
        200, 200 - len(expected), len(expected), len(expected)
    )  # fmt: skip
    for out, scored in (("nulls", nulls), ("side", side)):
        found = pa.concat_tables(
            parquet.read_table(path) for path in sorted((tmp_path / out / "_bad").iterdir())
        )
        assert scored.side == str(tmp_path / out / "_bad")
        assert found["_file"].to_pylist() == ["in.parquet"] * len(expected)
        assert dict(zip(*(found[n].to_pylist() for n in ("_row", "_reason")), strict=True)) == (
            expected
        )
        given = table.take(pa.array(list(expected)))
        assert found.drop(["_file", "_row", "_reason"]) == given.select(found.schema.names[3:])
    assert nulls.problems[0] == f"'in.parquet', row {next(iter(expected))}, " + next(
        iter(expected.values())
    )
    # What reads a folder of Parquet reads the answers only.
    assert parquet.read_table(tmp_path / "nulls").num_rows == 200


def test_bad_rows_of_csv_are_named_by_line(models: Path, table: Any, tmp_path: Path) -> None:
    expected = reasons_of_http(models, table)
    source = Path(write(table, tmp_path / "in.csv"))
    lines = source.read_text().splitlines()
    lines[10] += ",9"  # a field too many
    lines.insert(5, "")
    source.write_text("\n".join(lines))
    scored = run(models, str(source), tmp_path / "out.csv", "null")
    bad = csv.read_csv(tmp_path / "_bad_out.csv")
    answers = csv.read_csv(tmp_path / "out.csv")

    # The header is line 1, and a blank line is no row.
    known = {row + 2 + (row >= 4): reason for row, reason in expected.items()}
    width = len(table.schema.names)
    known[12] = f"expected {width} fields, got {width + 1}"
    assert dict(zip(bad["_line"].to_pylist(), bad["_reason"].to_pylist(), strict=True)) == known
    assert (scored.rows, scored.bad) == (200, len(known))
    nulls = [n for n, each in enumerate(answers["prediction"].to_pylist()) if each is None]
    assert nulls == sorted({*expected, 9})
    assert scored.side == str(tmp_path / "_bad_out.csv")
    assert f"{len(known)} rows could not be answered" in scored.lines()[1]


def test_to_stop_is_to_say_where_and_to_go_on_otherwise(
    models: Path, table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "SMALL_GROUP", 1)
    expected = reasons_of_http(models, table)
    at = max(expected)
    good = [row for row in range(200) if row not in expected or row == at]
    source = write(table.take(pa.array(good)), tmp_path / "in.parquet", group=60)
    with pytest.raises(Unfinished) as stopped:
        run(models, source, tmp_path / "out", "stop")
    row = good.index(at)
    message, state = stopped.value.message.splitlines()
    assert message == f"'in.parquet', row {row}, {expected[at]}"
    assert state == f"{row // 60} of 4 parts are done ({row // 60 * 60} rows)"
    assert stopped.value.hint.startswith("Correct it; or --on-error null")
    before = content(tmp_path / "out")

    scored = run(models, source, tmp_path / "out", "null")
    assert (scored.rows, scored.bad, scored.already) == (len(good), 1, row // 60)
    assert before.items() <= content(tmp_path / "out").items()
    with pytest.raises(WrongUse, match="--on-error was null, and is side"):
        run(models, source, tmp_path / "out", "side")


def test_where_no_row_can_be_answered_nothing_is_written(
    models: Path, table: Any, tmp_path: Path
) -> None:
    at = table.schema.get_field_index("Lot_Area")
    texts = table.set_column(at, "Lot_Area", pa.array(["1'335 m2"] * table.num_rows))
    source = write(texts, tmp_path / "in.csv")
    with pytest.raises(NoneAnswered) as caught:
        run(models, source, tmp_path / "out.csv", "null")
    first, only = caught.value.message.splitlines()
    assert first.startswith("IN: no row can be answered, of 60 that were looked at.")
    assert only == (
        "  'in.csv', line 2, column 'Lot_Area': expected a whole number, got \"1'335 m2\""
    )
    assert not (tmp_path / "out.csv").exists()


def test_rows_that_fail_in_the_end_only_are_not_scored(
    models: Path, table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks at some of them first is not all that counts."""
    monkeypatch.setattr(running, "check_some_are_answered", lambda tasks, model: None)
    at = table.schema.get_field_index("Lot_Area")
    texts = table.set_column(at, "Lot_Area", pa.array(["big"] * table.num_rows))
    source = write(texts, tmp_path / "in.csv")
    for on_error in ("null", "side"):
        scored = run(models, source, tmp_path / f"{on_error}.csv", on_error)
        assert scored.none_answered
        assert scored.lines()[0].startswith("none of 200 rows could be answered: ")
    assert not run(
        models, write(table, tmp_path / "a.csv"), tmp_path / "b.csv", "null"
    ).none_answered


def test_a_folder_that_is_not_there_is_no_place_for_answers(
    models: Path, table: Any, tmp_path: Path
) -> None:
    source = write(table, tmp_path / "in.csv")
    for out in ("not/there.csv", "not/there"):
        with pytest.raises(WrongUse, match=r"OUT: there is no folder '.*/not' for 'there"):
            run(models, source, tmp_path / out, "null")
    assert not (tmp_path / "not").exists()


def test_progress_says_which_part_how_fast_and_how_long() -> None:
    def task(name: str) -> Any:
        return SimpleNamespace(name=name, span=SimpleNamespace(weight=10))

    tasks = [task(str(number)) for number in range(20)]
    now = [0.0]
    lines: list[str] = []
    rate = running.Rate(tasks, tasks[2:], [], lines.append, lambda: now[0])
    assert rate.words() == "part 3 of 20, 0 rows a second; 2 were there"
    for number in (2, 3, 4):
        now[0] += 6
        rate.rows(41_000 * 6)
        rate.done({"part": str(number)})
    assert rate.words() == "part 6 of 20, 41,000 rows a second, 2 min left; 2 were there"
    assert lines == ["part 5 of 20, 41,000 rows a second, 2 min left; 2 were there"]

"""`from onnxlet import score`: what notebooks and scripts do with it; and the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import csv

import onnxlet
from onnxlet.convert.command_line import main
from onnxlet.function.errors import InvalidRows, WrongUse
from tests.conftest import ROOT, quiet
from tests.convert.score.tables import client_of_all, golden_table, predictions_of_app, write

PRICES, LOANS = "house-prices", "loan-default"


@pytest.fixture
def table(models: Path) -> Any:
    return golden_table(models, LOANS, 250)


def test_a_frame_is_answered_by_a_frame(models: Path, table: Any) -> None:
    frame = table.to_pandas().set_index(pd.RangeIndex(1000, 1250))
    answers = onnxlet.score(LOANS, frame, models=models, keep=["id"], batch_rows=100)
    assert isinstance(answers, pd.DataFrame)
    assert answers.index.equals(frame.index)
    expected = predictions_of_app(client_of_all(models), LOANS, table, 100)
    assert answers["prediction"].tolist() == expected
    assert answers["id"].tolist() == frame["id"].tolist()
    shares = [name for name in answers.columns if name.startswith("probabilities.")]
    assert len(shares) == 2
    assert answers[shares].sum(axis=1).to_numpy() == pytest.approx(1)

    of_table = onnxlet.score(models / LOANS, table, batch_rows=100)
    assert isinstance(of_table, pa.Table)
    assert of_table["prediction"].to_pylist() == expected
    [batch] = table.slice(0, 100).combine_chunks().to_batches()
    assert onnxlet.score(LOANS, batch, models=models) == of_table.slice(0, 100)
    assert onnxlet.score(LOANS, frame[:0], models=models).shape == (0, len(answers.columns) - 1)


def test_rows_of_a_frame_that_can_t_be_answered(models: Path) -> None:
    frame = golden_table(models, PRICES, 250).to_pandas()
    frame["Year_Built"] = frame["Year_Built"].astype(float)
    frame.loc[[7, 200], "Year_Built"] = 1999.5
    answers = onnxlet.score(PRICES, frame, models=models, batch_rows=100)
    assert answers.index[answers["prediction"].isna()].tolist() == [7, 200]
    with pytest.raises(InvalidRows) as refused:
        onnxlet.score(PRICES, frame[150:], models=models, batch_rows=20, on_error="stop")
    assert str(refused.value.problems[0]).startswith("row 50, column 'Year_Built': expected")
    with pytest.raises(WrongUse, match="expected 'null' or 'stop' for a frame, got 'side'"):
        onnxlet.score(PRICES, frame, models=models, on_error="side")


def test_what_is_no_frame(models: Path, table: Any) -> None:
    with pytest.raises(WrongUse, match="a list can't be scored"):
        onnxlet.score(LOANS, [[1, 2]], models=models)
    with pytest.raises(WrongUse, match=r"column '\w+': missing"):
        onnxlet.score(LOANS, table.select(["id"]), models=models)
    with pytest.raises(WrongUse, match=r"^keep: there is no column 'gone'"):
        onnxlet.score(LOANS, table, models=models, keep="gone")
    with pytest.raises(WrongUse, match="out: a frame is answered by a frame"):
        onnxlet.score(LOANS, table, "out.csv", models=models)
    with pytest.raises(WrongUse, match="out: expected a file or a folder"):
        onnxlet.score(LOANS, "rows.csv", models=models)
    mixed = table.to_pandas().astype(object)
    mixed.iat[3, 0] = [1, 2]
    with pytest.raises(WrongUse, match="a DataFrame can't be scored"):
        onnxlet.score(LOANS, mixed, models=models)


def test_a_file_is_answered_by_a_file(models: Path, table: Any, tmp_path: Path) -> None:
    source = write(table, tmp_path / "in.csv")
    proven = onnxlet.verify(models / LOANS / "1")
    scored = onnxlet.score(proven, source, tmp_path / "out.csv", workers=1, report=quiet)
    assert (scored.rows, scored.bad, scored.out) == (250, 0, str(tmp_path / "out.csv"))
    assert repr(scored) == f"250 rows scored: {tmp_path / 'out.csv'}"
    assert scored._repr_html_() == f"<span>250 rows scored: {tmp_path / 'out.csv'}</span>"


@pytest.mark.long
def test_a_script_that_scores_is_not_run_again_by_workers(models: Path, tmp_path: Path) -> None:
    write(golden_table(models, PRICES, 300_000), tmp_path / "in.parquet", group=150_000)
    (tmp_path / "script.py").write_text(
        "import onnxlet\n"
        "print('begins')\n"
        f"print(onnxlet.score({str(models / PRICES)!r}, 'in.parquet', 'out', workers=2))\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=100,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "begins", "scoring 2 parts", "300,000 rows scored: out"
    ]  # fmt: skip
    assert done.stderr == ""


def test_the_command(models: Path, table: Any, tmp_path: Path) -> None:
    source, out = write(table, tmp_path / "in.csv"), str(tmp_path / "out.csv")
    words = ["score", LOANS, source, out, "--models", str(models), "--keep", "id"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (0, f"250 rows scored: {out}\n")
    assert done.stderr == "  scoring 1 part\n  putting the parts together\n"
    assert csv.read_csv(out).schema.names[:2] == ["id", "prediction"]
    again = CliRunner().invoke(main, words)
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr == (
        f"error: OUT: there is '{out}' already\n"
        "hint: --overwrite replaces it; or write elsewhere.\n"
    )
    words[3] = str(tmp_path / "out")
    once, again = (CliRunner().invoke(main, words) for _ in range(2))
    assert [once.exit_code, again.exit_code] == [0, 0]
    assert again.stdout == f"250 rows already scored: {words[3]}\n"
    other = CliRunner().invoke(main, [*words, "--batch-rows", "7"])
    assert (other.exit_code, other.stdout) == (2, "")
    assert other.stderr == (
        f"error: OUT: '{words[3]}' was begun with something else:\n"
        "  --batch-rows was 10000, and is 7\n"
        "hint: --overwrite starts afresh. Or write elsewhere.\n"
    )


def test_interval_and_explanations_are_columns(models: Path, tmp_path: Path) -> None:
    frame = golden_table(models, PRICES, 40).to_pandas()
    answers = onnxlet.score(PRICES, frame, models=models, coverage=0.9, explain=True)
    assert (answers["interval.low"] < answers["prediction"]).all()
    assert (answers["interval.high"] > answers["prediction"]).all()
    assert any(name.startswith("explanation.") for name in answers.columns)
    with pytest.raises(WrongUse):
        onnxlet.score("shop", golden_table(models, "shop", 5), models=models, k=3)


def test_unusual_rows_are_a_column_in_every_form(models: Path, tmp_path: Path) -> None:
    frame = golden_table(models, PRICES, 40).to_pandas()
    frame.loc[frame.index[3], "Gr_Liv_Area"] = -5
    answers = onnxlet.score(PRICES, frame, models=models, coverage=0.9, unusual=True)
    assert '"outside":"below"' in answers["unusual"].iloc[3]
    assert pd.isna(answers["interval.low"].iloc[3])
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    frame.to_csv(source, index=False)
    words = ["score", PRICES, str(source), str(out), "--models", str(models), "--unusual"]
    assert CliRunner().invoke(main, words).exit_code == 0
    written = pd.read_csv(out)
    assert written["unusual"].notna().tolist() == answers["unusual"].notna().tolist()
    assert written["unusual"][3].startswith('{"columns":{"Gr_Liv_Area":')


def test_whole_numbers_beside_gaps_stay_whole(models: Path) -> None:
    frame = golden_table(models, "iris", 3).drop_columns("id").to_pandas()
    frame["id"] = [2**53 + 1, 2**63 - 1, -(2**53) - 1]
    whole = onnxlet.score("iris", frame, models=models)
    frame.loc[1, frame.columns[0]] = float("inf")
    answers = onnxlet.score("iris", frame, models=models, keep="id")
    assert answers["id"].tolist() == frame["id"].tolist()
    assert answers["prediction"].isna().tolist() == [False, True, False]
    assert answers["prediction"].drop(1).tolist() == whole["prediction"].drop(1).tolist()
    assert (str(whole["prediction"].dtype), str(answers["prediction"].dtype)) == ("int64", "Int64")


def test_what_is_asked_for_wrongly_is_said_at_once(models: Path, table: Any) -> None:
    wrong: Any = {"on_error": "Stop", "coverage": 1, "k": 0, "batch_rows": 0, "workers": "2"}
    with pytest.raises(WrongUse) as refused:
        onnxlet.score(LOANS, table, models=models, **wrong)
    assert refused.value.message == (
        "workers: expected a whole number from 0, got '2'; on_error: expected one of "
        "null, stop, side, got 'Stop'; "
        "coverage: expected a number between 0 and 1, such as 0.9, got 1; "
        "k: expected a whole number from 1, got 0; "
        "batch_rows: expected a whole number from 1, got 0"
    )

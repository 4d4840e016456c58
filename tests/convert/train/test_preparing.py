"""What a table is prepared to, and what is said of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from onnxlet.convert.train.preparing import Options, inspect_table, prepare


def test_a_label_that_is_in_no_training_row_is_named(tmp_path: Path) -> None:
    rows = np.arange(100)
    frame = pd.DataFrame({"a": rows % 7, "day": rows, "y": np.where(rows % 3 == 0, "one", "two")})
    frame.loc[95:, "y"] = "new"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    said: list[str] = []
    for options, expected in ((Options(time="day"), True), (Options(), False)):
        said.clear()
        table = inspect_table(str(tmp_path / "rows.csv"), "y", options, said.append)
        prepared = prepare(table, options, said.append)
        note = (
            "labels that no training row has, and no model can answer, in 5 test rows of "
            f"{len(prepared.splits.test)}: 'new'"
        )
        assert (note in said, note in table.notes) == (expected, expected)
        assert any("no training row" in line for line in said) is expected


def test_a_column_of_groups_says_that_it_is_one(tmp_path: Path) -> None:
    rows = np.arange(100)
    pd.DataFrame({"a": rows % 7, "who": rows % 20, "y": rows % 2}).to_csv(
        tmp_path / "rows.csv", index=False
    )
    for options, why in (
        (Options(group="who"), "left out: rows of one stay on one side, as --group says"),
        (Options(group="who", columns={"who": "number"}), "whole numbers, 20 different"),
    ):
        taken = inspect_table(str(tmp_path / "rows.csv"), "y", options, lambda line: None).columns
        assert next(one.why for one in taken if one.name == "who").startswith(why)

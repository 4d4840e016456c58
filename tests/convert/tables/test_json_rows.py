"""Rows of JSON, in each form that programs write."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.convert.train.table import read_table
from onnxlet.function.errors import WrongUse

ROWS: list[dict[str, Any]] = [
    {"a": 1, "b": "x", "c": True},
    {"a": 2.5, "b": "007", "d": "é"},
    {"b": None, "a": -3, "c": False},
]
LINES = "\n".join(map(json.dumps, ROWS))
FORMS = {
    "lines": LINES,
    "lines with blank ones": f"\n{LINES}\n\n",
    "a list": json.dumps(ROWS),
    "a list over lines": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "a request": json.dumps({"instances": ROWS}),
    "with a mark": f"\ufeff{json.dumps(ROWS)}",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_rows(form: str, packed: bool, tmp_path: Path) -> None:
    content = FORMS[form].encode()
    path = tmp_path / ("rows.json.gz" if packed else "rows.json")
    path.write_bytes(gzip.compress(content) if packed else content)
    for frame in (read_table(str(path), 0).frame, read_table_file(path)):
        assert list(frame.columns) == ["a", "b", "c", "d"]
        assert frame["a"].tolist() == [1, 2.5, -3]
        assert frame["b"].tolist()[:2] == ["x", "007"]
        assert frame["b"].isna().tolist() == [False, False, True]
        assert [c for c in frame["c"].tolist() if not pd.isna(c)] == [True, False]
        assert frame["d"].tolist()[1] == "é"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": 1}\n{"a": \n', "line 2: it is not JSON"),
        (b'[{"a": 1}, 3]', "row 1: expected an object, got 3"),
        (b'[{"a": 1}, {"a": "x"}]', "several kinds: a number in row 0, text in row 1"),
        (b'[{"a": 1}, {"a": [1]}]', "several kinds: a number in row 0, a list in row 1"),
        (b'{"a": 1}\n{"a": "\xff"}', "is not UTF-8"),
        (b"[{}]", "has no rows"),
    ],
)
def test_what_is_no_table(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(WrongUse, match=why) as caught:
        read_table(str(tmp_path / "rows.jsonl"), 0)
    assert caught.value.hint

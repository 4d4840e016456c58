"""Rows of JSON with keys of their own: refused before the cells that they lack are made."""

from __future__ import annotations

import subprocess
import sys

CHILD = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (600 << 20,) * 2)  # a peak would have the parent's in it
from onnxlet.convert.tables.json_rows import table_of
from onnxlet.function.errors import WrongUse
rows = "".join('{"k%d": 1}\\n' % n for n in range(30_000)).encode()
try:
    table_of(rows, "DATA: 'rows.jsonl'")
except WrongUse as error:
    print(error)
"""


def test_rows_with_a_key_each_are_refused_before_their_cells_are_made() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-400:]
    assert "cells without a value, got 899,970,000" in done.stdout

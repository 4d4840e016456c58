"""How many workers `--workers 0` is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onnxlet.edge.workers.serve import cores


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        ("max 100000\n", None),
        ("50000 100000\n", 1),
        ("150000 100000\n", 2),
        ("", None),
        ("x", None),
    ],
)
def test_a_container_s_limit_counts(content: str, limit: int | None, tmp_path: Path) -> None:
    may = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    (tmp_path / "cpu.max").write_text(content)
    assert cores(tmp_path / "cpu.max") == min(may, limit or may)
    assert cores(tmp_path / "nothing") == may

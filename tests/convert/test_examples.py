"""`python -m onnxlet.convert.examples`: an example that is a network, and its scores."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.examples import __main__ as examples
from tests.conftest import quiet
from tests.convert.imported import onnx_files

ROWS = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]], dtype=np.float32)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An example `small_net`, and the folders that it was given to write to."""
    folders: list[Path] = []
    module = ModuleType("onnxlet.convert.examples.small_net")

    def model(folder: Path) -> dict[str, Any]:
        folders.append(folder)
        np.savez(folder / "in.npz", features=ROWS)
        return {"path": onnx_files.save(folder, onnx_files.linear()), "sample": folder / "in.npz"}

    def scores(answer: Any) -> dict[str, tuple[float, float]]:
        return {"first sum": (sum(answer(ROWS[:1])["prediction"][0]), 0.5)}

    vars(module).update(model=model, scores=scores)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(examples, "names", lambda: ["small_net"])
    return folders


def test_a_network_is_imported_and_scored(network: list[Path], tmp_path: Path) -> None:
    made = examples.make("small_net", tmp_path, quiet)

    expected = float(onnx_files.linear_answers(ROWS)[0].sum())
    assert (made.source, made.scores) == (None, {"first sum": (expected, 0.5)})
    assert made.lines[0] == "imported small-net version 1 from frame 2.1"
    assert made.lines[-2:] == [
        f"  first sum: {expected:,.4g} (baseline: 0.5)",
        f"small-net version 1 written to {tmp_path / 'small-net' / '1'}",
    ]
    assert [folder.exists() for folder in network] == [False]

    again = examples.make("small_net", tmp_path, quiet)
    assert again.lines[-1].startswith("small-net version 1 is the same, byte for byte, as ")

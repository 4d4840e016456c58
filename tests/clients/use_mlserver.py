"""MLServer's `infer` command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.given import ADDRESS, MODELS, outputs, tensors

COMMAND = str(Path(sys.executable).with_name("mlserver"))
DATATYPES = {"f": "FP64", "i": "INT64", "b": "BOOL", "O": "BYTES"}


def infer(model: str, lines: list[Any], folder: Path, *options: str) -> list[Any]:
    """What the command writes, in the order of what it read."""
    (folder / "requests").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = ["-i", str(folder / "requests"), "-o", str(folder / "answers")]
    done = subprocess.run(
        [COMMAND, "infer", "-u", ADDRESS, "-m", model, "-r", "1", *files, *options],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in (folder / "answers").read_text().splitlines()]
    return sorted(answers, key=lambda answer: int(answer["parameters"]["batch_index"]))


def complete(model: str) -> list[int]:
    """Rows that lack nothing: the command sends no null."""
    columns = [array.tolist() for array in tensors(model).values()]
    rows = zip(*columns, strict=True)
    return [n for n, row in enumerate(rows) if not any(v is None or v != v for v in row)]


def request(model: str, rows: list[int]) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "name": name,
                "shape": list(array[rows].shape),
                "datatype": DATATYPES[array.dtype.kind],
                "data": array[rows].ravel().tolist(),
            }
            for name, array in tensors(model).items()
        ]
    }


TOGETHER = ("-b", "-s", "3")  # bytes, three requests as one
CASES = [*[(m, o) for m in MODELS for o in ((), TOGETHER)], ("shop", ("-s", "4", "-w", "2"))]


@pytest.mark.parametrize(("model", "options"), CASES)
def test_requests_from_a_file(model: str, options: tuple[str, ...], tmp_path: Path) -> None:
    whole = complete(model)
    parts = [part for part in (whole[:2], whole[2:3], whole[3:9], whole[9:]) if part]

    answers = infer(model, [request(model, part) for part in parts], tmp_path, *options)

    assert len(answers) == len(parts) > 1
    for part, answer in zip(parts, answers, strict=True):
        assert answer["model_name"] == model
        for output in answer["outputs"]:
            expected = np.array(outputs(model)[output["name"]])[part]
            got = np.array(output["data"]).reshape(expected.shape)
            if expected.dtype.kind == "U":
                assert got.tolist() == expected.tolist()
            else:
                np.testing.assert_allclose(got, expected)


def test_an_error_is_written_out(tmp_path: Path) -> None:
    wrong = request("iris", [0])
    wrong["inputs"][0]["name"] = "other"

    [answer] = infer("iris", [wrong], tmp_path)

    assert "column 'other': unknown input" in answer["error"]["msg"]

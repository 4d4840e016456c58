"""The function of a packaged folder in Node, with any models, and how its answers compare."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.bundle.browser import tar_of
from onnxlet.convert.bundle.browser_models import public_model
from onnxlet.convert.bundle.contents import choose_models
from onnxlet.convert.bundle.npm import command
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.function.models.model import Model
from onnxlet.function.serving.golden import differences, floor_of
from tests.conftest import ran
from tests.kept_builds import kept

MANY = Path(__file__).with_name("many.mjs")
EXACT = 1e-12  # relative, of float64
SINGLE = TOLERANCE  # of float32, as from scikit-learn; absolute for probabilities


def packaged(model: str, models: Path) -> Path:
    """A folder as the command writes it, of one model; its function answers for any other."""

    def write(into: Path) -> None:
        done = ran(
            [sys.executable, "-m", "convert", "package", "--models", models, "--model", model,
             "--target", "browser", "--out", into / "site"]
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return kept("browser-function", write) / "site"


class Engine:
    """The function as browsers run it; `faults` has the models that are not served, and why."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        proof = json.loads(self._said())
        self.faults: Mapping[str, list[str]] = {
            each["name"]: each["faults"] for each in proof if each["faults"]
        }
        self.served = [each["name"] for each in proof if not each["faults"]]

    def ask(self, path: str, body: bytes, query: str = "") -> tuple[int, Any]:
        """The status and the JSON of an answer to a JSON body."""
        sent = {"path": path, "query": query, "body": base64.b64encode(body).decode()}
        assert self._process.stdin is not None
        print(json.dumps(sent), file=self._process.stdin, flush=True)
        reply = json.loads(self._said())
        return reply["status"], json.loads(reply["body"])

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the engine has ended"
        return line


@contextmanager
def engine_of(site: Path, models: Path, names: Sequence[str] = ()) -> Iterator[Engine]:
    """The function of a folder with the models of another, of which only these names."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("tars", "python"):
            Path(scratch, name).mkdir()
        for chosen in choose_models(models, names, []):
            tar = tar_of(public_model(chosen).files)
            Path(scratch, "tars", f"{chosen.name}.tar").write_bytes(tar)
        process = subprocess.Popen(
            [command("node"), str(MANY), str(site), f"{scratch}/tars", f"{scratch}/python"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            try:
                yield Engine(process)
            finally:
                process.kill()


class Found(NamedTuple):
    """How an output compares with the function's own answer."""

    unlike: int  # labels, or forms, that differ
    largest: float  # difference of numbers: relative, of a float32's probabilities absolute
    single: bool  # whether the graph computes float32

    @property
    def is_equal(self) -> bool:
        return not self.unlike and self.largest <= (SINGLE if self.single else EXACT)


def compared(model: Model, got: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Found]:
    """The outputs of two native answers, by name; a missing number is equal to another."""
    found = {}
    for name, type_ in model.output_types.items():
        if got.get(name) == expected[name]:
            found[name] = Found(0, 0.0, type_ == "float32")
            continue
        mine, own = list(_leaves(got.get(name))), list(_leaves(expected[name]))
        if [_kind(each) for each in mine] != [_kind(each) for each in own]:
            found[name] = Found(max(len(mine), len(own)), math.inf, False)
            continue
        pairs = zip(mine, own, strict=True)
        unlike = sum(a != b for a, b in pairs if not isinstance(b, float))
        numbers = [(a, b) for a, b in zip(mine, own, strict=True) if isinstance(b, float)]
        largest = _largest(name, type_ == "float32", numbers)
        found[name] = Found(unlike, largest, type_ == "float32")
    return found


def largest_of(got: Any, expected: Any) -> float:
    """The largest relative difference of two forms in JSON; infinite where more differs."""
    pairs = list(zip(_leaves(got), _leaves(expected), strict=True))
    if any(a != b and not (isinstance(a, float) and isinstance(b, float)) for a, b in pairs):
        return math.inf
    return max([abs(a - b) / abs(b) for a, b in pairs if a != b], default=0.0)


def _largest(name: str, single: bool, numbers: Sequence[tuple[float, float]]) -> float:
    if not numbers:
        return 0.0
    got, expected = np.array(numbers).T
    floor = floor_of(name, expected[:, np.newaxis])  # of all columns
    absolute, relative = differences(got, expected, floor)
    return float((absolute if single and name == "probabilities" else relative).max())


def _leaves(value: Any) -> Iterator[Any]:
    """What is in lists within lists, and where each of them begins."""
    if isinstance(value, list):
        yield len(value)
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _kind(value: Any) -> Any:
    return type(value)

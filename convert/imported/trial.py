"""Trying a graph where it can do no harm: in a process of its own, with an end to time and memory.

A graph is a program: a Loop may never end, and a few bytes can ask for terabytes (a Tile, an
Expand, a Resize, a constant's shape, two dimensions that are broadcast). ONNX Runtime ends a run
between two nodes only, and folds constants as soon as it loads a graph.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.onnx_file import all_nodes
from onnxlet.convert.workers.program import MOST_MEMORY, PATIENCE, run_apart

LONG = " Or let it vary less: --shape NAME=..128."

# Made-up rows are those of `sample.made_rows`. What can't be tried here is refused later.
TRIAL = r"""
import json, re, sys
import numpy as np
import onnxruntime


def run():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(
        sys.stdin.buffer.read(), options, providers=["CPUExecutionProvider"]
    )
    given = dict(np.load(sys.argv[1], allow_pickle=False)) if sys.argv[1] else {}
    limits = json.loads(sys.argv[2])

    def answer(length, *several):
        random, rows = np.random.default_rng(0), {}
        for entry in session.get_inputs():
            dtype = re.sub(r"tensor\((.*)\)", r"\1", entry.type)
            dtype = {"float": "float32", "double": "float64", "string": "O"}.get(dtype, dtype)
            dims = [min(length or 7, limits[d]) if d in limits else d for d in entry.shape[1:]]
            shape = (3, *dims)
            if given:
                made = np.take(given[entry.name], range(3), axis=0, mode="wrap")
                for axis, dim in enumerate(dims, 1):
                    if length and entry.shape[axis] in limits:
                        made = np.take(made, range(dim), axis=axis, mode="wrap")
            elif dtype.startswith("float"):
                made = random.normal(size=shape)
            else:
                made = np.full(shape, "a") if dtype == "O" else random.integers(0, 2, shape)
            rows[entry.name] = made.astype(dtype)
        for some in several:
            session.run(None, {name: array[some] for name, array in rows.items()})

    def runs(length):
        try:
            answer(length, [0])
        except Exception:
            return False
        return True

    answer(0, [0], [0, 1, 2], [1], [2])
    if limits:
        low, high = 1, max(limits.values())
        if runs(high):
            low = high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if runs(middle) else (low, middle)
        print(low)

try:
    run()
except MemoryError:
    sys.exit(3)
except Exception as error:
    sys.exit(3 if re.search("allocate memory|bad_alloc", str(error)) else 0)
"""


def check_it_ends(
    content: bytes, sample: Path | None, longest: Mapping[str, int]
) -> dict[str, int]:
    """Load a graph and run it, in a process that can be ended.

    Its rows are those of an .npz file, or made up. How long each named dimension may be comes back,
    shorter where the graph does not run so long. Refusal: it does not end, needs more memory than
    there is, or crashes ONNX Runtime.
    """
    there = sample is not None and sample.is_file()
    written = sample.stat().st_mtime_ns if sample is not None and there else 0
    limits = json.dumps(dict(longest), sort_keys=True)
    ran, why = _outcome(content, os.fspath(sample or "") if there else "", written, limits)
    if why is not None:
        raise Refusal(*why)
    return {name: min(most, ran or most) for name, most in longest.items()}


@lru_cache(maxsize=64)
def _outcome(
    content: bytes, sample: str, written: int, limits: str
) -> tuple[int | None, tuple[str, str] | None]:
    """The length that ran, and what went wrong, with what to do.

    It is kept until the sample is `written` again.
    """
    done = run_apart(TRIAL, content, sample, limits, seconds=PATIENCE, memory=MOST_MEMORY)
    if done.late:
        return None, (
            f"the model does not answer one row, and three, {done.late}",
            "Has it a Loop that ends only by what it computes? Export it with a fixed number of "
            "turns, or give rows for which it ends: --sample IN.npz." + LONG * (limits != "{}"),
        )
    if done.large:
        return None, (
            f"the model needs {done.large} for three rows",
            "Has it a Tile, Expand, Resize or ConstantOfShape to a size that it computes? Give "
            "rows as it takes them: --sample IN.npz." + LONG * (limits != "{}"),
        )
    if done.code < 0:
        return None, (
            f"ONNX Runtime crashes on the model: signal {-done.code}",
            "Export it again, for a lower opset.",
        )
    return int(done.output or 0) or None, None


def check_loops(proto: onnx.ModelProto) -> None:
    """Refuse a Loop that does nothing: ONNX Runtime checks its deadline only between nodes.

    No deadline would end it once it is asked for many turns.
    """
    for node in all_nodes(proto):
        if node.op_type == "Loop" and node.domain in ("", "ai.onnx"):
            [body] = [attribute.g for attribute in node.attribute if attribute.name == "body"]
            made = {name for each in body.node for name in each.output}
            if not any(output.name in made for output in body.output):
                raise Refusal(
                    f"the body of Loop '{node.name}' computes nothing: it could not be ended",
                    "Export the model without it.",
                )

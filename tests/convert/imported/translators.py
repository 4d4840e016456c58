"""Small encoders and decoders of texts with weights known by hand, and their greedy decoding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.convert.imported.onnx_files import BOOL, FLOAT, INT64, model, node, value

LETTERS = "abcdefgh"
READ = ["<pad>", "<unk>", *LETTERS, "."]  # behind a full stop nothing is written
WRITTEN = ["<pad>", "<s>", "</s>", *LETTERS.upper()]
VOCABULARY: dict[str, Any] = {
    "unit": "character",
    "input": READ,
    "output": WRITTEN,
    "start": "<s>",
    "end": "</s>",
    "unknown": "<unk>",
    "pad": "<pad>",
    "longest": 12,
    "longest_output": 8,
    "example": "abc",
}
# The logits of what comes next, by the unit that is read there; unknown ones are written as A.
NEXT = np.full((len(READ), len(WRITTEN)), -3.0, np.float32)
for _at in range(len(LETTERS)):
    NEXT[2 + _at, 3 + _at] = 2.0 + _at / 4
NEXT[1, 3:5] = 1.5  # A and B are as likely
END = np.full(len(WRITTEN), -3.0, np.float32)
END[2] = 4.0
NEXT[-1, 2] = 1.0
TABLE = np.vstack([NEXT, END])  # behind the units, of where the text has ended


def encoder(mask: bool = False) -> onnx.ModelProto:
    """Ids to `memory`, each unit's row of TABLE and END behind them, and `at`, where to begin."""
    masked = [node("Cast", "mask", "kept", to=INT64), node("Mul", "ids kept", "seen")]
    nodes = [
        *(masked if mask else [node("Identity", "ids", "seen")]),
        node("Gather", "table seen", "rows"),
        node("Shape", "ids", "count", start=0, end=1),
        node("Concat", "count one_row", "sizes", axis=0),
        node("Expand", "end sizes", "ends"),
        node("Concat", "rows ends", "memory", axis=1),
        node("Expand", "zero count", "at"),
    ]
    constants = {
        "table": TABLE,
        "end": END.reshape(1, 1, -1),
        "one_row": np.array([1, len(WRITTEN)]),
        "zero": np.array([0]),
    }
    inputs = [value("ids", INT64, ("batch", "length"))]
    inputs += [value("mask", BOOL, ("batch", "length"))] if mask else []
    outputs = [
        value("memory", FLOAT, ("batch", "more", len(WRITTEN))),
        value("at", INT64, ("batch",)),
    ]
    return model(nodes, inputs, outputs, constants)


def stepwise(at: str = "at", new: str = "new_at", flat: bool = True) -> onnx.ModelProto:
    """The last id, where to read, and the memory, to logits and where to read next.

    Args:
        at: what the state is called.
        new: what it is called behind the step.
        flat: the last ids have the shape (rows,), else (rows, 1), and logits (rows, 1, width).
    """
    nodes = [
        node("Shape", "memory", "size", start=1, end=2),
        node("Sub", "size one", "last_row"),
        node("Min", f"{at} last_row", "there"),
        node("Reshape", "there column", "where"),
        node("GatherND", "memory where", "found", batch_dims=1),
        node("Identity", "found", "logits") if flat else node("Unsqueeze", "found one", "logits"),
        node("Add", f"{at} one", new),
    ]
    ids = value("last", INT64, ("batch",) if flat else ("batch", 1))
    width = len(WRITTEN)
    return model(
        nodes,
        [ids, value(at, INT64, ("batch",)), value("memory", FLOAT, ("batch", "more", width))],
        [
            value("logits", FLOAT, ("batch", width) if flat else ("batch", 1, width)),
            value(new, INT64, ("batch",)),
        ],
        {"column": np.array([-1, 1]), "one": np.array([1])},
    )


def whole() -> onnx.ModelProto:
    """All ids that were written, and the memory, to logits behind each of them."""
    nodes = [
        node("Shape", "written", "count", start=1, end=2),
        node("Slice", "memory from count axis", "logits"),
    ]
    width = len(WRITTEN)
    return model(
        nodes,
        [
            value("written", INT64, ("batch", "steps")),
            value("memory", FLOAT, ("batch", "more", width)),
        ],
        [value("logits", FLOAT, ("batch", "steps", width))],
        {"from": np.array([0]), "axis": np.array([1])},
    )


def decoded(text: str, most: int = 8) -> tuple[str, float]:
    """What is written for a text, and the sum of the logarithms, in float64 and without ONNX."""
    rows = [TABLE[READ.index(c) if c in READ else 1].astype(np.float64) for c in text]
    total, found = 0.0, ""
    for row in [*rows, END.astype(np.float64)][:most]:
        best = int(np.argmax(row))
        total += float(row[best] - np.log(np.exp(row).sum()))
        if best == 2:
            break
        found += WRITTEN[best]
    return found, total


def save_all(
    folder: Path,
    first: onnx.ModelProto,
    second: onnx.ModelProto,
    vocabulary: Mapping[str, Any] = VOCABULARY,
) -> dict[str, Path]:
    """Files of an encoder, a decoder and a vocabulary."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "encoder.onnx").write_bytes(first.SerializeToString())
    (folder / "decoder.onnx").write_bytes(second.SerializeToString())
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary), "utf-8")
    return {
        "encoder": folder / "encoder.onnx",
        "decoder": folder / "decoder.onnx",
        "vocabulary": folder / "vocabulary.json",
    }


def lines(path: Path, texts: Sequence[str]) -> Path:
    """A file with a text in each line."""
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return path

"""About what one row costs to answer, from what its graph holds: the same on every machine.

Samples are as large as this allows. A clock would choose others on each run.
"""

from __future__ import annotations

from typing import Any

import onnx

from onnxlet.function.models.model import GRAPH, Model

LEAST = 5.0  # microseconds of any row
OF_A_TREE = 0.15  # of a tree's path from root to leaf
OF_A_MEGABYTE = 130.0  # of weights that each row is multiplied with, or compared to
OF_TEXT = 150.0  # cut into tokens
OF_STEPS = 20.0  # of a front end's step in Python
OF_A_CELL = 0.05


def microseconds(model: Model) -> float:
    """About how long a row takes among many."""
    signature = model.signature
    found = LEAST + OF_A_CELL * len(signature.columns)
    found += OF_TEXT * len(signature.token_feeds) + OF_STEPS * len(signature.step_feeds)
    if model.directory is None or not (model.directory / GRAPH).is_file():
        return found
    return found + _of_graph(onnx.load(model.directory / GRAPH).graph)


def _of_graph(graph: Any) -> float:
    weights = sum(tensor.ByteSize() for tensor in graph.initializer) / 1e6
    trees = sum(_trees(node) for node in graph.node)
    return float(OF_A_MEGABYTE * weights + OF_A_TREE * trees)


def _trees(node: Any) -> int:
    """How many trees a node has; it has its numbers as attributes."""
    for attribute in node.attribute:
        if attribute.name == "tree_roots":
            return len(attribute.ints)
        if attribute.name == "nodes_treeids":
            return len(set(attribute.ints))
    return 0

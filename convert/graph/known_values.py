"""Which values a tensor can have, where a table of the graph has made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper, numpy_helper

from onnxlet.function.arrays import Array

if TYPE_CHECKING:
    from onnxlet.convert.graph.builder import GraphBuilder

PASSED_ON = frozenset({"ArrayFeatureExtractor", "Cast", "Concat", "Identity"})
LOOKED_UP = frozenset({"Gather", "GatherElements"})


def known_values(graph: GraphBuilder, name: str) -> Array | None:
    """Every value that the tensor of a name may hold, each once; None where they are not known."""
    node = graph.node_that_makes(name)
    if node is None:
        return None
    if node.op_type == "LabelEncoder":
        tables = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        parts = [numpy_helper.to_array(tables[k]) for k in ("values_tensor", "default_tensor")]
        return np.unique(np.concatenate(parts))
    if node.op_type in LOOKED_UP:
        constant = graph.constant_of(node.input[0])
        return None if constant is None else np.unique(constant)
    if node.op_type not in PASSED_ON:
        return None
    inputs = node.input if node.op_type == "Concat" else node.input[:1]
    found = [known_values(graph, one) for one in inputs]
    known = [values for values in found if values is not None]
    return np.unique(np.concatenate(known)) if len(known) == len(found) else None

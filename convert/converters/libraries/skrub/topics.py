"""GapEncoder: how much of each topic is in a text, by repeated multiplicative updates.

Source: `skrub/_gap_encoder.py`, `_multiplicative_update_h`: each text is updated by itself, until
its activations change by less than a thousandth, at most a hundred times. A text of the training
rows begins with the activations that fit has left, any other with equal ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skrub import GapEncoder

from onnxlet.convert.converters.libraries.skrub.texts import filled
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.loops import repeat

MOST_UPDATES = 100
EPSILON = 1e-3  # of change, relative to the activations


def gap(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The activations that explain a text's n-grams, over one scale."""
    text = filled(graph, table)
    parts = [fitted.ngrams_count_, *([fitted.word_count_] if fitted.add_words else [])]
    column = Table((text,), flat=True)
    counted = graph.concat([graph.call(part, column, "transform") for part in parts])
    begun = _begun(graph, fitted, text)
    return {"transform": _updated(graph, fitted, counted, begun) / float(fitted.scaling_factor_)}


def _begun(graph: Graph, fitted: Any, text: Tensor) -> Tensor:
    """The activations to begin with."""
    count = fitted.n_components
    known = np.array(list(fitted.H_dict_), dtype=object)
    meaning = Meaning(known, np.array(list(fitted.H_dict_.values())), np.full(count, 1.0 / count))
    return look_up(graph, Table((text,)), [meaning], "float64")


def _updated(graph: Graph, fitted: Any, counted: Tensor, begun: Tensor) -> Tensor:
    """The activations where they no longer change."""
    weights = np.asarray(fitted.W_, dtype=np.float64)
    if fitted.rescale_W:
        sums = np.full(len(weights), 1 + 1 / fitted.gamma_scale_prior)
    else:
        sums = weights.sum(axis=1) + 1 / fitted.gamma_scale_prior
    added = ((fitted.gamma_shape_prior - 1) / sums).reshape(1, -1)
    indices, counts = counted.compact or (None, counted)
    counts = counts.cast("float64")
    topics = _columns(graph, weights, indices)
    shares = _columns(graph, weights / sums.reshape(-1, 1), indices)
    shares = graph.op("Transpose", shares, width=len(weights), perm=[1, 0], dimensions=2)

    def step(active: Tensor, going: Tensor) -> tuple[list[Tensor], Tensor]:
        explained = graph.op("MatMul", active, topics, dimensions=2) + 1e-10
        aux = graph.op("MatMul", counts / explained, shares, width=len(weights), dimensions=2)
        new = active * aux + added
        change = (new - active).sum_of_squares() / active.sum_of_squares()
        on = going.equals(1)
        still = on & (change > EPSILON**2)
        return [on.where(new, active), still.cast("int64")], still

    going = (begun.sum() * 0.0).cast("int64") + 1
    return repeat(graph, MOST_UPDATES, step, [begun, going])[0]


def _columns(graph: Graph, weights: Any, indices: Tensor | None) -> Tensor:
    made = graph.constant(weights, "float64")
    return made if indices is None else graph.op("Gather", made, indices, axis=1, dimensions=2)


CONVERTERS: dict[type, Converter] = {GapEncoder: gap}

"""Whether what a graph says of a score's terms is what the estimator says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnxlet.convert.graph.additive import Additive
from onnxlet.convert.graph.nodes import Unsupported
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model


def check_terms(model: Model, terms: Additive, reference: Reference, rows: Sequence[Cells]) -> None:
    """Compare the terms of rows that the model answers with the estimator's.

    Raises:
        Unsupported: they differ.
    """
    got = model.terms(validate_rows(list(rows), model.signature))
    task = replace(reference.task, methods={"prediction": terms.method}, margin=None)
    wanted = replace(reference, task=task).answers(rows)["prediction"]
    off = np.abs(got - wanted.reshape(got.shape)) / np.maximum(1.0, np.abs(got))
    if not np.max(off, initial=0.0) <= TOLERANCE:
        raise Unsupported(f"its terms are not those of {terms.method}", "Please report this model.")

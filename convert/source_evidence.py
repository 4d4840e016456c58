"""What a build and `prove` have in common: a source's reference, and the rows that it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.about import TRAINED, DescribedRows
from onnxlet.convert.converters.registration import is_followed
from onnxlet.convert.evidence.drawn_rows import drawing_once, like_held_out
from onnxlet.convert.evidence.evidence import gather_evidence
from onnxlet.convert.parity.attempts import SearchState
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Task
from onnxlet.convert.reference.estimators import copied, one_threaded, parts_of
from onnxlet.convert.reference.image_columns import takes_images
from onnxlet.convert.reference.inputs import Cells, Data, read_inputs
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.reference.row_forms import as_pandas, known_keys
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column


@dataclass(frozen=True)
class ReferenceSource:
    """A source whose estimator is asked as the reference."""

    source: Source  # with one thread, and an X_test that no step shares with its user
    given: Source  # the same, with X_test in pandas where it is a frame
    reference: Reference
    X: Data  # X_test as scikit-learn is given it in comparisons

    @property
    def these(self) -> str:
        """What messages call the rows."""
        return "held-out rows" if self.source.before is None else "replayed rows"


def reference_source(source: Source, task: Task, report: Report) -> ReferenceSource:
    """The reference of a source, and its test set as comparisons hold it.

    Raises Refusal where X_test is no table.
    """
    # A function in a step may write to what it is given.
    X_test = copied(source.X_test, "X_test")
    if type(X_test) is np.ndarray:  # BLAS sums in the order of the memory, which no request has
        X_test = X_test.copy(order="C")
    source = replace(source, estimator=one_threaded(source.estimator), X_test=X_test)
    given = replace(source, X_test=as_pandas(X_test))  # with the names of whatever frame it is
    keys = known_keys(source.estimator, source.X_train)
    inputs, X = read_inputs(given.X_test, keys=keys, images=takes_images(source.estimator))
    inputs = replace(inputs, strict=_depends_on_dtypes(source.estimator))
    reference = Reference(source.estimator, task, inputs, answered_by=source.answered_by)
    made = ReferenceSource(source, given, reference, X)
    report(f"{task.name}: {type(source.estimator).__name__}, {len(X)} {made.these}")
    return made


def _depends_on_dtypes(estimator: Any) -> bool:
    """Whether a step compares the dtypes of text, or is code that asks pandas about text."""
    return any(
        hasattr(part, "X_dtypes_")
        or (isinstance(part, FunctionTransformer) and part.func is not None)
        or is_followed(type(part))
        for part in parts_of(estimator)
    )


def search_state(
    reference: Reference,
    columns: Sequence[Column],
    rows: Sequence[Cells],
    described: DescribedRows,
    these: str,
    report: Report,
) -> SearchState:
    """Held-out rows, edge cases and drawn rows with the reference's answers, to compare with."""
    others: Sequence[Cells] = ()
    if described.of == TRAINED:
        others = like_held_out(reference.inputs.columns, rows, described.columns, described.rows)
    draw = drawing_once()
    evidence, judging = gather_evidence(reference, columns, rows, others=others, draw=draw)
    report(
        f"comparing on {evidence.held_out} {these}, {evidence.edge_cases} edge cases "
        f"and {evidence.drawn + judging.drawn} drawn rows"
    )
    return SearchState(reference, columns, evidence, judging, others=others, draw=draw)

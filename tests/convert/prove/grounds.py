"""A source's evidence, gathered once, for many subjects to be compared by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.about import described_rows
from onnxlet.convert.parity.attempts import SearchState
from onnxlet.convert.prove.outputs import matched
from onnxlet.convert.prove.python_function import PythonFunction
from onnxlet.convert.prove.trial import Trial, tried
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.held_out import held_out_rows
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.source_evidence import reference_source, search_state
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import quiet


@dataclass(frozen=True)
class Grounds:
    """What `prove` would compare by."""

    state: SearchState

    def trial(self, function: Callable[[Any], Any]) -> Trial:
        reference = self.state.reference
        rows = self.state.evidence.rows[:12]
        subject = PythonFunction("subject", function, reference)
        return tried(self.state, matched(subject, reference.task, rows, reference.answers(rows)))


def grounds(source: Source) -> Grounds:
    asked = reference_source(source, task_of(source.estimator), quiet)
    reference = asked.reference
    rows, _ = held_out_rows(asked.source, asked.given, reference, asked.X)
    described = described_rows(asked.source, reference.inputs, rows)
    columns = probe_columns(reference, rows)
    return Grounds(search_state(reference, columns, rows, described, asked.these, quiet))

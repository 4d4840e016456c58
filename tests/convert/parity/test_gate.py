"""The parity gate is tested as a gate: a conversion that is wrong in one place must not pass.

Every kind of graph is mutated in every way that `mutations` knows. Which mutants change an
answer at all is found on rows that builds don't know of (`independent_rows`); each of these has
to be refused by the comparison on held-out rows, edge cases and drawn rows, as a build makes it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
import pytest

from onnxlet.convert.evidence.evidence import Evidence, gather_evidence
from onnxlet.convert.parity.attempts import Attempt, SearchState
from onnxlet.convert.parity.comparison import answering, compare
from onnxlet.convert.parity.rounding import forgive_rounding
from onnxlet.convert.parity.search import find_equal_conversion
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.estimators import one_threaded
from onnxlet.convert.reference.image_columns import takes_images
from onnxlet.convert.reference.inputs import Cells, read_inputs
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model
from tests.convert.evidence.independent_rows import independent_rows
from tests.convert.helpers import quiet
from tests.convert.parity.gate_models import MODELS
from tests.convert.parity.gate_models_libraries import LIBRARY_MODELS
from tests.convert.parity.mutations import Mutant, mutants

QUICK = ("logistic", "tree", "categories")
EACH, EACH_QUICK = 8, 2  # mutants of each kind


@dataclass
class Gate:
    """A model that a build accepts, and what it was judged on."""

    state: SearchState
    attempt: Attempt

    def passes(self, mutant: Mutant) -> bool:
        """Whether a build would accept this in the conversion's place."""
        return self._is_equal(mutant, self.state.evidence)

    def changes_an_answer(self, mutant: Mutant) -> bool:
        """On independent rows; never mind those where rounding decides."""
        return not self._is_equal(mutant, self.others)

    def _is_equal(self, mutant: Mutant, evidence: Evidence) -> bool:
        model = Model("mutant", 1, mutant.manifest, mutant.onnx)
        floors = self.attempt.comparison.floors  # as loose near zero as the build was
        comparison = compare(
            answering(model), self.reference.task, evidence.rows, evidence.expected, floors
        )
        forgive_rounding(comparison, answering(model), evidence, self.reference)
        return comparison.passed

    @property
    def reference(self) -> Reference:
        """Scikit-learn."""
        return self.state.reference

    @property
    def original(self) -> Mutant:
        """The conversion itself."""
        return Mutant("none", "", self.attempt.converted.onnx, self.attempt.manifest)

    @cached_property
    def others(self) -> Evidence:
        """Independent rows."""
        evidence = self.state.evidence
        model = Model("converted", 1, self.attempt.manifest, self.attempt.converted.onnx)

        def run(rows: Sequence[Cells]) -> Array:
            answers = model.run(validate_rows(rows, model.signature))
            return answers.get("probabilities", answers["prediction"])

        proto = onnx.load_from_string(self.attempt.converted.onnx)
        held_out = evidence.rows[: evidence.held_out]
        tried = independent_rows(model.signature.columns, held_out, proto, run)
        found, answers = self.reference.answers_where_answered(tried)
        rows = [row for row, is_one in zip(tried, found, strict=True) if is_one]
        return Evidence(rows, answers, len(rows))


def gate_of(source: Source) -> Gate:
    """Build up to the point where the conversion is accepted."""
    estimator = one_threaded(source.estimator)
    inputs, X = read_inputs(source.X_test, images=takes_images(source.estimator))
    rows = inputs.rows(X)
    reference = Reference(estimator, task_of(estimator), inputs)
    columns = probe_columns(reference, rows)
    state = SearchState(reference, columns, *gather_evidence(reference, columns, rows))
    found = find_equal_conversion(state, quiet)
    return Gate(found.state, found.attempt)


def tried(name: str, each: int, make: Callable[[], Source]) -> tuple[Counter[str], list[str]]:
    """How many mutants change an answer, by kind, and those of them that the gate lets pass."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        gate = gate_of(make())
    assert not gate.changes_an_answer(gate.original), "the conversion itself is wrong"
    counts: Counter[str] = Counter()
    missed = []
    for mutant in mutants(gate.attempt.converted.onnx, gate.attempt.manifest, each):
        try:
            passes, changes = gate.passes(mutant), gate.changes_an_answer(mutant)
        except Exception:  # it is no graph, or stops at rows: no build would take it
            counts["no graph"] += 1
            continue
        counts[mutant.kind] += changes or not passes
        counts["equivalent"] += passes and not changes
        if passes and changes:
            missed.append(f"{name}: {mutant}")
    return counts, missed


def told(counts: Counter[str], missed: Sequence[str]) -> str:
    """The share of mutants that the gate catches."""
    apart = ("equivalent", "no graph")
    changing = sum(count for kind, count in counts.items() if kind not in apart)
    return (
        f"caught {changing - len(missed)} of {changing} mutations that change an answer "
        f"({counts['equivalent']} more change none, {counts['no graph']} make no graph)"
    )


@pytest.mark.long
@pytest.mark.parametrize("name", QUICK)
def test_the_gate_refuses_what_changes_an_answer(name: str) -> None:
    counts, missed = tried(name, EACH_QUICK, MODELS[name])
    print(f"\n{name}: {told(counts, missed)}")
    assert not missed, "\n".join(missed)


@pytest.mark.gate
@pytest.mark.parametrize("name", MODELS)
def test_the_gate_refuses_every_mutation_of(name: str) -> None:
    counts, missed = tried(name, EACH, MODELS[name])
    print(f"\n{name}: {told(counts, missed)}; {dict(counts)}")
    assert not missed, "\n".join(missed)


@pytest.mark.gate
@pytest.mark.parametrize(("library", "name"), LIBRARY_MODELS)
def test_the_gate_refuses_every_mutation_of_libraries(library: str, name: str) -> None:
    pytest.importorskip(library)
    counts, missed = tried(name, EACH, LIBRARY_MODELS[library, name])
    print(f"\n{library}, {name}: {told(counts, missed)}; {dict(counts)}")
    assert not missed, "\n".join(missed)

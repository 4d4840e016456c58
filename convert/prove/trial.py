"""How a subject's answers compare with the reference's, by the evidence of a build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.attempts import SearchState
from onnxlet.convert.parity.comparison import Comparison
from onnxlet.convert.parity.limits import limited
from onnxlet.convert.parity.rounding import FORGIVABLE, rounds, too_many_forgiven
from onnxlet.convert.parity.search import NARROWINGS, narrower_columns
from onnxlet.convert.prove.outputs import Matched
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import which_are_answered
from onnxlet.function.arrays import EXACT, LARGEST_FLOAT32, Array
from onnxlet.function.errors import InvalidRows

USUAL = ("held-out", "drawn")


@dataclass(frozen=True)
class Trial:
    """A subject, asked all of the evidence."""

    matched: Matched
    state: SearchState  # with the rows that were compared as its evidence
    comparison: Comparison
    refused: Evidence  # rows that the reference answers and the subject does not
    reason: str = ""  # what it says of one of them
    unasked: Counter[str] = field(default_factory=Counter)  # rows without a form there, by reason
    unrefused: int = 0  # rows that it answers, and for which the reference raises
    limits: Mapping[str, Any] = field(default_factory=dict)  # beyond which rounding takes over

    @property
    def forgiven(self) -> str:
        """How many rows would have to be forgiven, if too many; else ''.

        Of what computes in float32, edge cases at thresholds are on either side of these.
        """
        evidence, of = self.state.evidence, USUAL if self.state.single else FORGIVABLE
        return too_many_forgiven(self.comparison, evidence, 1, of)

    @property
    def equal(self) -> bool:
        """Whether every row that was asked is answered as the reference does."""
        return self.comparison.passed and not self.refused.rows and not self.forgiven


def tried(state: SearchState, matched: Matched) -> Trial:
    """Compare a subject on all rows; where it differs, as a build would before it refuses.

    That is with the reference in float64 where it is in float32 itself, and without numbers far
    beyond the held-out ones where sums give out.
    """
    trial = _tried(state, matched)
    reference = state.reference
    if not trial.equal and reference.precision == "float32" and not state.single:
        again = _tried(state.again(reference=reference.in_float64()), matched)
        trial = again if again.equal else trial
    for _ in range(NARROWINGS if rounds(reference.estimator) else 0):
        # What is refused is no matter of rounding.
        if trial.equal or trial.comparison.passed or trial.refused.rows:
            break
        columns = narrower_columns(trial.state, trial.comparison)
        if columns is None:
            break
        trial = _tried(trial.state.again(columns=columns), matched)
    return replace(trial, limits=limited(state.columns, trial.state.columns))


def _tried(state: SearchState, matched: Matched) -> Trial:
    evidence = state.evidence.joined(state.judging)
    if state.single:
        evidence = _in_float32(evidence, state)
    why = [matched.subject.unasked(row) for row in evidence.rows]
    evidence = evidence.only(np.array([not reason for reason in why], dtype=bool))
    asked = replace(state, evidence=evidence)
    comparison = _compared(asked, matched)
    refused, reason = evidence.only(np.zeros(len(evidence.rows), dtype=bool)), ""
    if comparison.refused:
        reason = comparison.refused[0]
        fine = answered(matched.answers, evidence.rows)
        refused, asked = evidence.only(~fine), replace(state, evidence=evidence.only(fine))
        comparison = _compared(asked, matched)
    comparison.outputs = {n: o for n, o in comparison.outputs.items() if n in matched.names}
    raising = [row for row in evidence.raising if not matched.subject.unasked(row)]
    unrefused = int(answered(matched.answers, raising).sum())
    unasked = Counter(filter(None, why))
    return Trial(matched, asked, comparison, refused, reason, unasked, unrefused)


def _compared(asked: SearchState, matched: Matched) -> Comparison:
    return asked.compared(matched.answers, replace(asked.evidence, raising=()))[0]


def answered(answer: Callable[[list[Cells]], object], rows: Sequence[Cells]) -> Array:
    """Which of the rows a subject answers, rather than refusing them; bool, shape (rows,)."""

    def takes(some: list[Cells]) -> bool:
        try:
            answer(some)
        except InvalidRows:
            return False
        return True

    return np.array(which_are_answered([[row] for row in rows], takes), dtype=bool)


def _in_float32(evidence: Evidence, state: SearchState) -> Evidence:
    """The evidence with numbers rounded to float32, and the reference's answers to these."""
    fits = [not any(map(_is_too_large, row)) for row in evidence.rows]
    evidence = evidence.only(np.array(fits, dtype=bool))
    rows = [list(map(rounded, row)) for row in evidence.rows]
    found, expected = state.reference.answers_where_answered(rows)
    answered_ones = replace(evidence, rows=rows).only(np.array(found, dtype=bool))
    return replace(answered_ones, expected=expected)


def _is_too_large(cell: Any) -> bool:
    return type(cell) is float and LARGEST_FLOAT32 < abs(cell) < np.inf


def rounded(cell: Any) -> Any:
    """A cell as float32 holds it; whole numbers beyond float64's own are left as they are."""
    if type(cell) is float:
        return float(np.float32(cell))
    return int(np.float32(cell)) if type(cell) is int and abs(cell) <= EXACT else cell

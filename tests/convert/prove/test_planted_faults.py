"""Faults of ten times the tolerance are found, whatever is forgiven and limited on the way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.convert.sources.source import Source
from tests.convert.prove.faults import KINDS, MODELS, Answers, asked, faulty, source
from tests.convert.prove.grounds import Grounds, grounds

QUICK = ("logistic", KINDS[::4])


@cache
def _grounds(name: str) -> tuple[Source, Grounds]:
    made = source(name)
    return made, grounds(made)


def _is_off(ours: Answers, theirs: Answers) -> bool:
    """Whether a label differs, or a number by ten times the tolerance, in NumPy's own words."""
    for name, array in ours.items():
        other = theirs[name]
        if array.shape != other.shape or (array.dtype.kind in "OU" and (array != other).any()):
            return True
        if array.dtype.kind == "f":
            size = np.maximum(np.abs(array), np.median(np.abs(array), axis=0))
            size = 1.0 if name == "probabilities" else size
            if (np.abs(array - other) >= 10 * TOLERANCE * size).any():
                return True
    return False


def _check(name: str, kind: str) -> None:
    made, ground = _grounds(name)
    evidence = ground.state.evidence
    fault = faulty(made.estimator, kind)
    X = ground.state.reference.inputs.data(evidence.rows)
    with np.errstate(all="ignore"):
        some = X.loc[~(X["income"].abs() > 1e30)]  # beyond, some raise
        assert _is_off(asked(made.estimator, some), fault(some)), "it is no fault"

    trial = ground.trial(fault)

    assert not trial.equal
    assert trial.comparison.wrong or trial.refused.rows or trial.forgiven


@pytest.mark.long
@pytest.mark.parametrize("kind", QUICK[1])
def test_a_fault_is_found(kind: str) -> None:
    _check(QUICK[0], kind)


@pytest.mark.gate
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_found(name: str, kind: str) -> None:
    _check(name, kind)


@pytest.mark.gate
@pytest.mark.parametrize("name", MODELS)
def test_the_estimator_itself_is_equal(name: str) -> None:
    made, ground = _grounds(name)

    assert ground.trial(lambda X: asked(made.estimator, X)).equal


def test_there_are_a_hundred() -> None:
    assert (len(KINDS), len(MODELS)) == (20, 5)

"""category_encoders's estimators: what they are made with where they need something, and data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import category_encoders as encoders
from category_encoders.wrapper import NestedCVWrapper, PolynomialWrapper

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case
from tools.evaluation.support.libraries import estimators_of
from tools.evaluation.support.samples import Sample, with_gaps

MADE: dict[str, Any] = {
    "HashingEncoder": encoders.HashingEncoder(max_process=1),
    "NestedCVWrapper": NestedCVWrapper(encoders.TargetEncoder(), random_state=0),
    "PolynomialWrapper": PolynomialWrapper(encoders.TargetEncoder()),
}


def loans_with_gaps() -> Sample:
    """Who asked for loans, in text and numbers, without some of the values."""
    X, y, others = samples.loans()
    return Sample(with_gaps(X, 1), y, with_gaps(others, 2))


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    for name, kind in estimators_of("category_encoders").items():
        yield Case(
            name, MADE[name] if name in MADE else kind(), (samples.categories, loans_with_gaps)
        )

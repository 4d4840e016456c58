"""quantile-forest's estimators, of three quantiles."""

from __future__ import annotations

from collections.abc import Iterator

from tools.evaluation.support import samples
from tools.evaluation.support.estimators import Case
from tools.evaluation.support.libraries import estimators_of


def cases() -> Iterator[Case]:
    """All estimators, by name."""
    for name, kind in estimators_of("quantile_forest").items():
        made = kind(n_estimators=20, default_quantiles=[0.1, 0.5, 0.9], random_state=0)
        yield Case(name, made, (samples.one_target,), gaps=False)

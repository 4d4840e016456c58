"""What comes out for one estimator: exact, refused, transductive, or differs, which is a bug."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import get_tags

from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.parity.refusals import NoConversion
from onnxlet.convert.reference.answers import OTHER_METHODS
from onnxlet.convert.sources.source import Source
from tools.evaluation.support.estimators import TARGETS_ONLY, Case
from tools.evaluation.support.rows import rows_of
from tools.evaluation.support.samples import Sample, with_gaps

STEP = "step "  # how the reason of a step that has no conversion begins

Result = Literal["exact", "refused", "transductive", "differs"]


@dataclass(frozen=True)
class Outcome:
    """What came out."""

    name: str  # of the estimator
    result: Result  # differs is an error of a converter, of the comparison or of this sweep
    detail: str  # what was compared, or why not; one line


def outcome_of(case: Case) -> Outcome:
    """Fit, convert and compare on every sample, in both precisions, with gaps where allowed."""
    if reason := _nothing_to_serve(case):
        return Outcome(case.name, "transductive", reason)
    if case.needs:
        return Outcome(case.name, "refused", f"not tried: its fit needs {case.needs}")
    found: list[tuple[Fitted, Result, str]] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for fit in fitted(case):
            found.append((fit, *_built(fit.estimator, fit.X)))
    for worst in ("differs", "refused"):
        for fit, result, detail in found:
            if result == worst:
                return Outcome(case.name, result, f"{detail} ({fit.sample}, {fit.variant})")
    outputs = " and ".join(dict.fromkeys(detail for _, _, detail in found))
    return Outcome(case.name, "exact", f"{outputs}: {_compared([fit for fit, _, _ in found])}")


def _compared(fits: Sequence[Fitted]) -> str:
    """The samples, each with its variants."""
    by_sample: dict[str, list[str]] = {}
    for fit in fits:
        by_sample.setdefault(fit.sample, []).append(fit.variant)
    return ", ".join(f"{sample} ({', '.join(found)})" for sample, found in by_sample.items())


def _nothing_to_serve(case: Case) -> str:
    """Why it answers no new rows; an empty string where it does."""
    if case.name in TARGETS_ONLY:
        return "encodes targets, not rows"
    if any(hasattr(case.estimator, name) for name in ("predict", "transform", *OTHER_METHODS)):
        return ""
    if hasattr(case.estimator, "fit_resample"):
        return "changes the rows of a fit; a pipeline leaves it out when it answers"
    transductive = ("fit_predict", "fit_transform", "biclusters_")
    if any(hasattr(type(case.estimator), method) for method in transductive):
        return "answers only for the rows that it is fitted on"
    return "has neither predict nor transform"


@dataclass(frozen=True)
class Fitted:
    """An estimator fitted on one kind of data."""

    sample: str  # what the data is
    variant: str  # in which form
    estimator: Any
    X: Any  # rows to be compared on


def fitted(case: Case) -> Iterator[Fitted]:
    """The estimator fitted on each kind of data, and the rows to be compared on."""
    for make in case.samples:
        name, sample = make.__name__.replace("_", " "), make()
        rows = rows_of(sample)
        if _is_numbers(sample.X):
            for dtype in ("float64", "float32"):
                cast = Sample(sample.X.astype(dtype), sample.y, None)
                yield Fitted(name, dtype, _fitted(case.estimator, cast), rows.astype(dtype))
        else:
            yield Fitted(name, "as they come", _fitted(case.estimator, sample), rows)
        holey = _is_numbers(sample.X) or isinstance(sample.X, pd.DataFrame)
        if holey and case.gaps and _takes_gaps(case.estimator):
            holed = Sample(with_gaps(sample.X, 1), sample.y, None)
            try:
                estimator = _fitted(case.estimator, holed)
            except ValueError:  # its tag is wrong
                continue
            yield Fitted(name, "gaps", estimator, with_gaps(rows, 2))


def _takes_gaps(estimator: Any) -> bool:
    """Whether it says so in its tags; some libraries' estimators have none."""
    try:
        return bool(get_tags(estimator).input_tags.allow_nan)
    except AttributeError:
        return False


def _is_numbers(X: Any) -> bool:
    return isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.ndim == 2


def _fitted(estimator: Any, sample: Sample) -> Any:
    # Some libraries' estimators have no parameters to be cloned by.
    copy = clone(estimator) if hasattr(estimator, "get_params") else deepcopy(estimator)
    fit = copy.fit(sample.X) if sample.y is None else copy.fit(sample.X, sample.y)
    return copy if fit is None else fit


def _built(estimator: Any, X: Any) -> tuple[Result, str]:
    """As a user builds it: by the same recipes, with the same comparison."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = build(Source(estimator, X), "swept", Path(folder), lambda line: None)
        except Refusal as refusal:
            return _refused(refusal)
    outputs = made.manifest["signature"]["outputs"]
    return "exact", ", ".join(entry["name"] for entry in outputs)


def _refused(refusal: Refusal) -> tuple[Result, str]:
    if not isinstance(refusal, NoConversion):
        return "refused", _line(refusal.message)
    kinds = {_kind(failed.reason) for failed in refusal.failed}
    result: Result = "differs" if "differs" in kinds else "refused"
    wanted = result if result in kinds else "narrow"
    reasons = [f for f in refusal.failed if _kind(f.reason) == wanted]
    if result == "refused":
        return result, _line(_without_its_step(reasons[0].reason))
    return result, "; ".join(dict.fromkeys(f"{f.recipe}: {f.reason}" for f in reasons))


def _without_its_step(reason: str) -> str:
    return reason.partition(": ")[2] if reason.startswith(STEP) else reason


def _kind(reason: str) -> str:
    if reason.startswith(STEP):
        return "refused"
    return "narrow" if reason.startswith("scikit-learn answers numbers beyond") else "differs"


def _line(text: str) -> str:
    return " ".join(text.split())

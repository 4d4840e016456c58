"""Trying one way of typing the inputs after another, until one answers as scikit-learn does.

What was found is judged by rows that the search has not seen; where these speak against it, the
search begins again with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onnxlet.convert.evidence.evidence import (
    Evidence,
    Failed,
    NoConversion,
    OnRounding,
    no_conversion,
    why_not,
)
from onnxlet.convert.parity.attempts import Attempt, Judged, first_to_differ
from onnxlet.convert.parity.certificate import certificate, off_in_float32
from onnxlet.convert.parity.comparison import Comparison
from onnxlet.convert.parity.limits import limited, narrowed
from onnxlet.convert.parity.rounding import too_many_forgiven
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.to_onnx import Converted, recipes, why_too_narrow

NARROWINGS = 6  # times that columns get tighter bounds
JUDGEMENTS = 3  # draws at most that judge what was found

Report = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A conversion that passes.

    Attributes:
        attempt: the conversion.
        judged: what it was found with.
        failed: the ways of typing that did not pass.
        limits: by column, bounds beyond which scikit-learn answers and the function does not.
    """

    attempt: Attempt
    judged: Judged
    failed: Sequence[Failed]
    limits: Mapping[str, Any] = field(default_factory=dict)


def first_equal(judged: Judged, report: Report) -> tuple[Attempt, Judged, dict[str, Any]]:
    """The first conversion that passes with room to spare, else the first that passes at all.

    Returns:
        The conversion, what it was judged on, and its certificate.

    Raises:
        NoConversion: none passes, or only if a large share of the rows is forgiven.
    """
    narrow = judged.reference
    try:
        return _certified(_confirmed(judged, report))
    except OnRounding as error:
        if narrow.precision == "float64":
            raise
        shaky = error
    report("its answers in float32 depend on rounding: comparing with those in float64")
    try:
        found = _confirmed(judged.again(reference=narrow.in_float64()), report)
    except NoConversion as error:
        raise shaky.in_both(error) from error
    return _certified(found, narrow)


def _confirmed(judged: Judged, report: Report) -> Found:
    """The conversion that the search has found, once rows that it was not chosen by agree."""
    failed: dict[str, Failed] = {}  # by recipe
    for judgement in range(JUDGEMENTS):
        found = _searched(judged, report)
        comparison, unrefused = found.judged.compared(found.attempt.model, found.judged.last)
        against, shaky = _against(found.judged, comparison, unrefused)
        if not against:
            attempt = replace(
                found.attempt,
                comparison=found.attempt.comparison.joined(comparison),
                unrefused=found.attempt.unrefused + unrefused,
            )
            return replace(found, attempt=attempt)
        recipe = str(found.attempt.recipe)
        failed[recipe] = Failed(recipe, f"on rows of another draw, {against}")
        if shaky and (judged.reference.precision == "float32" or judgement == JUDGEMENTS - 1):
            raise OnRounding(_name(judged), shaky, list(failed.values()))
        if judgement < JUDGEMENTS - 1:
            report(f"{recipe} passed, but not on rows of another draw: trying again")
            judged = judged.again(draws=judged.draws + 1)
    raise no_conversion(_name(judged), list(failed.values()))


def _against(judged: Judged, comparison: Comparison, unrefused: int) -> tuple[str, str]:
    """What speaks against a conversion on the rows of the last draw.

    Returns:
        The reason; and how many rows would have to be forgiven, where that are too many.
    """
    shaky = _shaky(judged, comparison, judged.last)
    if not comparison.passed:
        return why_not(comparison, judged.last, judged.columns), shaky
    if unrefused and not judged.evidence.raising:  # nobody knew that there was something to watch
        return f"scikit-learn raises for {unrefused} rows that the function answers", shaky
    return f"{shaky} would have to be forgiven" if shaky else "", shaky


def _searched(judged: Judged, report: Report) -> Found:
    failed: list[Failed] = []
    differing: list[Attempt] = []
    passed: Attempt | None = None
    converted: Converted | None = None
    in_float32, forgiven = judged.reference.precision == "float32", ""
    for recipe in recipes(judged.columns):
        if narrow := why_too_narrow(judged.columns, recipe):
            failed.append(Failed(str(recipe), narrow))
            continue
        if recipe.cast and converted is not None and not converted.of_skl2onnx:
            continue  # it would be the same graph
        report(f"trying {recipe}")
        attempt = judged.attempt(recipe)
        if isinstance(attempt, Failed):
            failed.append(attempt)
            continue
        converted = attempt.converted
        shaky = _shaky(judged, attempt.comparison, judged.evidence)
        forgiven = forgiven or shaky
        if attempt.comparison.passed and shaky:
            failed.append(Failed(str(recipe), f"{shaky} would have to be forgiven"))
        elif attempt.comparison.close:
            return Found(attempt, judged, failed)
        elif attempt.comparison.passed:
            passed = passed or attempt
            failed.append(Failed(str(recipe), "it is equal, but only just: others were tried"))
        else:
            reason = why_not(attempt.comparison, judged.evidence, judged.columns)
            step, hint = first_to_differ(judged, attempt)
            failed.append(Failed(str(recipe), reason + step, hint))
            differing.append(attempt)
    if passed is not None:
        others = [one for one in failed if one.recipe != str(passed.recipe)]
        return Found(passed, judged, others)
    if in_float32 and forgiven:
        raise OnRounding(_name(judged), forgiven, failed)
    for attempt in differing:
        if found := _within_limits(judged, attempt, report):
            narrower, within = found
            limits = limited(judged.columns, within.columns)
            return Found(narrower, within, failed, limits)
    if forgiven:
        raise OnRounding(_name(judged), forgiven, failed)
    raise no_conversion(_name(judged), failed)


def _shaky(judged: Judged, comparison: Comparison, evidence: Evidence) -> str:
    """How many rows would have to be forgiven, where that are too many; empty where others differ.

    One row is no share: for it no model is refused that has no other reference. And where there
    is one, rows that differ may be right in that.
    """
    in_float32 = judged.reference.precision == "float32"
    if not (in_float32 or comparison.passed or comparison.unstable):
        return ""
    return too_many_forgiven(comparison, evidence, 0 if in_float32 else 1)


def _name(judged: Judged) -> str:
    return type(judged.reference.estimator).__name__


def _within_limits(
    judged: Judged, attempt: Attempt, report: Report
) -> tuple[Attempt, Judged] | None:
    """The same conversion with bounds on the columns, where it differs only far beyond them."""
    for _ in range(NARROWINGS):
        columns = narrowed(judged.columns, judged.evidence, attempt.comparison)
        if columns is None or columns == judged.columns:
            return None
        report(f"trying {attempt.recipe}, without numbers far beyond those of X_test")
        judged = judged.again(columns=columns)
        again = judged.attempt(attempt.recipe)
        if isinstance(again, Failed):
            return None
        if again.comparison.passed:
            shaky = _shaky(judged, again.comparison, judged.evidence)
            return None if shaky else (again, judged)
        attempt = again
    return None


def _certified(
    found: Found, narrow: Reference | None = None
) -> tuple[Attempt, Judged, dict[str, Any]]:
    attempt, judged = found.attempt, found.judged
    parity = certificate(
        attempt.comparison,
        [judged.evidence, judged.last],
        judged.reference.precision,
        str(attempt.recipe),
        found.failed,
        found.limits,
        attempt.unrefused,
    )
    if narrow is not None:
        parity["float32"] = off_in_float32(narrow, [judged.evidence, judged.last])
    return attempt, judged, parity

"""The search for a recipe that answers as scikit-learn does: one after another is tried.

The one that is found is judged by rows that the search has not seen; where it differs on these, the
search begins again and includes them.

There is a gate at each end of it. A pipeline with a step that has no converter is refused before
its estimator is asked anything: asking is what takes long, for UMAP's rows minutes. In the end
X_test as its user holds it is compared with the model as it will be served. Evidence is asked in
frames made of requests' cells: what these lose of a test set, both sides would lose. Here the
answers are those to the user's own frame, and its cells have gone through JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import thread_time
from typing import Any

import numpy as np
from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.pipeline import Pipeline

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.graph.converter import Graph, Table, Unsupported
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.parity.attempts import Attempt, SearchState, first_differing_step
from onnxlet.convert.parity.certificate import certificate
from onnxlet.convert.parity.comparison import Comparison, answering
from onnxlet.convert.parity.limits import limited, narrowed
from onnxlet.convert.parity.refusals import (
    DependsOnRounding,
    FailedRecipe,
    NoConversion,
    differences_in_words,
    leave_out,
    no_conversion,
)
from onnxlet.convert.parity.rounding import rounds, too_many_forgiven
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.column_groups import is_wide, kinds_of_columns
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.users_code import is_users_own
from onnxlet.convert.spacing import spaced_indices
from onnxlet.convert.to_onnx import Converted, float32_refusal, recipes
from onnxlet.function import json_text
from onnxlet.function.arrays import EXACT, Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import Model

NARROWINGS = 6  # times that columns get tighter bounds
JUDGEMENTS = 3  # draws at most that judge what was found
# Of the processor, not of the clock: a busy machine finds what an idle one does.
SEARCH_SECONDS = 60.0
NOT_TRIED = f"not tried: others took the {SEARCH_SECONDS:g} seconds that a search may take"


@dataclass(frozen=True)
class EqualConversion:
    """A conversion that answers as scikit-learn does."""

    attempt: Attempt
    state: SearchState  # what it was found with: the reference, the columns and the evidence
    failed: Sequence[FailedRecipe]  # the recipes that did not pass
    # By column, bounds beyond which scikit-learn answers and the function does not.
    limits: Mapping[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)  # empty until it is confirmed


def find_equal_conversion(state: SearchState, report: Report) -> EqualConversion:
    """Find the first conversion that passes with room to spare, else the first that passes at all.

    Its state may be another than the one that is given. NoConversion is raised where none passes,
    or only if a large share of the rows is forgiven.
    """
    state = replace(state, ends=thread_time() + SEARCH_SECONDS)
    narrow = state.reference
    try:
        return _certified(_confirmed(state, report))
    except NoConversion as error:
        in_float32 = error
        in_float64 = narrow.precision == "float64"
        if in_float64 or state.overdue or not _may_be_rounding(error, narrow):
            raise
    report("its answers in float32 depend on rounding: comparing with those in float64")
    try:
        found = _confirmed(state.again(reference=narrow.in_float64()), report)
    except NoConversion as error:
        if not isinstance(in_float32, DependsOnRounding):
            raise in_float32 from error
        raise in_float32.in_both(error) from error
    return _certified(found, narrow)


def _may_be_rounding(error: NoConversion, narrow: Reference) -> bool:
    """Whether answers in float32 may differ only because sums there have few digits."""
    if isinstance(error, DependsOnRounding):
        return True
    converted = all(one.error is None for one in error.failed)
    return converted and rounds(narrow.estimator)


def _confirmed(state: SearchState, report: Report) -> EqualConversion:
    """The conversion that the search has found, once rows that it was not chosen by agree."""
    failed: dict[str, FailedRecipe] = {}  # by recipe
    for judgement in range(JUDGEMENTS):
        found = _searched(state, report)
        comparison, unrefused = found.state.compared(
            answering(found.attempt.model), found.state.judging
        )
        against, forgiven = _against(found.state, comparison, unrefused)
        if not against:
            attempt = replace(
                found.attempt,
                comparison=found.attempt.comparison.joined(comparison),
                unrefused=found.attempt.unrefused + unrefused,
            )
            return replace(found, attempt=attempt)
        recipe = str(found.attempt.recipe)
        failed[recipe] = FailedRecipe(recipe, f"on rows of another draw, {against}")
        if forgiven and (state.reference.precision == "float32" or judgement == JUDGEMENTS - 1):
            raise DependsOnRounding(_name(state), forgiven, list(failed.values()))
        if state.overdue:
            break
        if judgement < JUDGEMENTS - 1:
            report(f"{recipe} passed, but not on rows of another draw: trying again")
            state = state.again(draws=state.draws + 1)
    raise no_conversion(_name(state), list(failed.values()))


def _against(state: SearchState, comparison: Comparison, unrefused: int) -> tuple[str, str]:
    """What speaks against a conversion on the rows of the last draw.

    With it, how many rows would have to be forgiven, where that are too many.
    """
    too_many = _too_many_forgiven(state, comparison, state.judging)
    if not comparison.passed:
        return differences_in_words(comparison, state.judging, state.columns), too_many
    if unrefused and not state.evidence.raising:  # nobody knew that there was something to watch
        return f"scikit-learn raises for {unrefused} rows that the function answers", too_many
    return f"{too_many} would have to be forgiven" if too_many else "", too_many


def _searched(state: SearchState, report: Report) -> EqualConversion:
    failed: list[FailedRecipe] = []
    differing: list[Attempt] = []
    passed: Attempt | None = None
    converted: Converted | None = None
    in_float32, forgiven = state.reference.precision == "float32", ""
    for recipe in recipes(state.columns):
        if narrow := float32_refusal(state.columns, recipe):
            failed.append(FailedRecipe(str(recipe), narrow))
            continue
        if recipe.cast and converted is not None and not converted.of_skl2onnx:
            continue  # it would be the same graph
        if converted is not None and state.overdue:
            failed.append(FailedRecipe(str(recipe), NOT_TRIED))
            continue
        report(f"trying {recipe}")
        attempt = state.attempt(recipe)
        if isinstance(attempt, FailedRecipe):
            failed.append(attempt)
            continue
        converted = attempt.converted
        too_many = _too_many_forgiven(state, attempt.comparison, state.evidence)
        forgiven = forgiven or too_many
        if attempt.comparison.passed and too_many:
            reason = f"{too_many} would have to be forgiven"
            failed.append(FailedRecipe(str(recipe), reason, leave_out(attempt.comparison)))
        elif attempt.comparison.close:
            return EqualConversion(attempt, state, failed)
        elif attempt.comparison.passed:
            passed = passed or attempt
            failed.append(
                FailedRecipe(str(recipe), "it is equal, but only just: others were tried")
            )
        else:
            reason = differences_in_words(attempt.comparison, state.evidence, state.columns)
            step, hint = first_differing_step(state, attempt)
            hint = hint or leave_out(attempt.comparison)
            failed.append(FailedRecipe(str(recipe), reason + step, hint))
            differing.append(attempt)
    if passed is not None:
        others = [one for one in failed if one.recipe != str(passed.recipe)]
        return EqualConversion(passed, state, others)
    if in_float32 and forgiven:
        raise DependsOnRounding(_name(state), forgiven, failed)
    hopeless: list[list[int]] = []  # rows that no bounds leave out
    for attempt in differing:
        if attempt.comparison.wrong in hopeless:
            continue
        hopeless.append(attempt.comparison.wrong)
        if found := _within_limits(state, attempt, report):
            narrower, within = found
            limits = limited(state.columns, within.columns)
            return EqualConversion(narrower, within, failed, limits)
    if forgiven:
        raise DependsOnRounding(_name(state), forgiven, failed)
    raise no_conversion(_name(state), failed)


def _too_many_forgiven(state: SearchState, comparison: Comparison, evidence: Evidence) -> str:
    """How many rows would have to be forgiven, if too many; empty where others differ, too.

    One row is no share: for it no model is refused that has no other reference. And where there
    is one, rows that differ may be right in that.
    """
    in_float32 = state.reference.precision == "float32"
    if not (in_float32 or comparison.passed or comparison.unstable):
        return ""
    return too_many_forgiven(comparison, evidence, 0 if in_float32 else 1)


def _name(state: SearchState) -> str:
    return type(state.reference.estimator).__name__


def _within_limits(
    state: SearchState, attempt: Attempt, report: Report
) -> tuple[Attempt, SearchState] | None:
    """The same conversion with bounds on the columns, where it differs only far beyond them."""
    for _ in range(NARROWINGS):
        narrower = narrower_columns(state, attempt.comparison)
        if narrower is None or state.overdue:
            return None
        report(f"trying {attempt.recipe}, without numbers far beyond those of X_test")
        state = state.again(columns=narrower)
        again = state.attempt(attempt.recipe)
        if isinstance(again, FailedRecipe):
            return None
        if again.comparison.passed:
            too_many = _too_many_forgiven(state, again.comparison, state.evidence)
            return None if too_many else (again, state)
        attempt = again
    return None


def narrower_columns(state: SearchState, comparison: Comparison) -> list[Column] | None:
    """The columns with bounds that leave out what differs far beyond X_test; None where none do."""
    inputs, estimator = state.reference.inputs, state.reference.estimator
    kinds = kinds_of_columns(inputs, estimator) if is_wide(len(state.columns)) else []
    narrow = [p for p, column in enumerate(inputs.columns) if column.ends]
    columns = narrowed(state.columns, state.evidence, comparison, kinds, narrow)
    return None if columns == state.columns else columns


def _certified(found: EqualConversion, narrow: Reference | None = None) -> EqualConversion:
    parity = certificate(found.attempt, found.state, found.failed, found.limits, narrow)
    return replace(found, certificate=parity)


def refuse_what_has_no_converter(estimator: Any) -> None:
    """Raise NoConversion for an estimator, or a step of a pipeline, whose class no one knows."""
    graph = Graph("float64", converters(), fallback)
    for path, step in _steps(estimator, ()):
        try:
            known = graph.knows(type(step)) or type(step) in sklearn_operator_name_map
            if known or is_users_own(type(step)):
                continue
            fallback(graph, step, Table(()))
        except Unsupported as error:
            names = " > ".join((*path, type(step).__name__))
            failed = FailedRecipe("", f"step {names}: {error}", error.hint, error)
            raise no_conversion(type(estimator).__name__, [failed]) from error


def _steps(estimator: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All steps that are no pipelines, each with the pipelines that lead to it."""
    if type(estimator) is not Pipeline:
        yield path, estimator
        return
    for _, step in estimator.steps:
        if step is not None and not isinstance(step, str):
            yield from _steps(step, (*path, type(estimator).__name__))


def refuse_other_answers(
    model: Model, state: SearchState, rows: Sequence[Cells], answers: Answers
) -> None:
    """Raise Refusal where a model answers X_test's rows otherwise than scikit-learn does X_test.

    The rows are some of X_test, evenly spaced; the answers are the estimator's to all of X_test, as
    its user has it.
    """
    some = spaced_indices(len(answers["prediction"]), len(rows))
    known = state.evidence.expected
    own = {name: _as_compared(array[some], known[name]) for name, array in answers.items()}
    if state.reference.wide:  # which the user's own answers are only near to
        own = state.reference.answers(rows)
    evidence = Evidence([_through_json(row) for row in rows], own, len(rows))
    comparison, _ = state.compared(answering(model), evidence)
    forgiven = too_many_forgiven(comparison, evidence, 1)
    shown = forgiven and f"{forgiven} would have to be forgiven"
    if not comparison.passed:
        shown = differences_in_words(comparison, evidence, state.columns)
    if not shown:
        return
    raise Refusal(
        f"X_test's own rows are answered differently once a request carries them: {shown}",
        "A request has 64-bit numbers, booleans and text, one row at a time: give X_test such "
        "columns, and fit the estimator on the same.",
    )


def _as_compared(own: Array, known: Array) -> Array:
    """Whole numbers as floats where a gap makes these of them, unless they lose digits by that."""
    if known.dtype.kind != "f" or own.dtype.kind not in "biuO":
        return own
    floats = own.astype(np.float64)
    return own if np.abs(floats).max(initial=0, where=np.isfinite(floats)) > EXACT else floats


def _through_json(row: Cells) -> Cells:
    """The row as a server reads it; infinities, for which JSON has no form, as they are."""
    if any(type(cell) is float and math.isinf(cell) for cell in row):
        return row
    read: Cells = json_text.loads(json_text.dumps(row))
    return read

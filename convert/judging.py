"""Trying one way of typing the inputs after another, until one answers as scikit-learn does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sklearn.pipeline import Pipeline

from convert.answers import Answers, Task, dense
from convert.certificate import certificate
from convert.converters.graph import Unsupported
from convert.errors import Refusal
from convert.evidence import Evidence, Failed, no_conversion, shortened, why_not
from convert.hard_rows import hard_rows
from convert.inputs import Cells, Inputs
from convert.jumps import Unanswered
from convert.limits import limited, narrowed
from convert.manifest import serving_part
from convert.parity import Comparison, compare
from convert.probe import is_answered, which_are_answered
from convert.recipes import Converted, Recipe, convert, recipes, why_too_narrow
from convert.undecided import begins_in_float32, forgive_undecided, rounds_before_a_step
from function.errors import InvalidRows
from function.model import Model
from function.signature import Array, Column
from function.table import read_table

LOOKED_AT = 50  # rows that differ and are sent through the steps one after another
ROUNDING_HINT = (
    "The steps before it agree up to their last digits, and it may be these that decide: round "
    "what it is given, by FunctionTransformer(np.round, kw_args={'decimals': 9}), and fit again."
)
TIED_HINT = (
    "Among training rows that are as far as each other, such as equal ones or texts without a "
    "known word, chance chooses: drop them before fit, scale the columns, or use another model."
)
TOGETHER_HINT = (
    "What one column may hold hangs on the others, and bounds of single columns can't tell that: "
    "keep the model from raising, for example by np.clip of what it takes the logarithm of."
)
NARROWINGS = 6  # times that columns get tighter bounds

Report = Callable[[str], None]


def gathered(
    estimator: Any, task: Task, inputs: Inputs, columns: Sequence[Column], rows: list[Cells]
) -> Evidence:
    """Held-out rows and rows made hard, with scikit-learn's answers.

    Raises:
        Refusal: it answers each of them alone, but not all of them together.
    """
    ask = partial(task.answers, estimator)

    def which(tried: Sequence[Cells]) -> list[bool]:
        found = which_are_answered(
            [[row] for row in tried], lambda some: is_answered(ask, inputs.data(some))
        )
        return list(found)

    def watched(tried: Sequence[Cells]) -> Array:
        try:
            answers = ask(inputs.data(tried))
        except Exception as error:  # whatever it raises, it does not answer them
            answered = which(tried)
            if all(answered):
                raise
            raise Unanswered(answered) from error
        return answers.get("probabilities", answers.get("score", answers["prediction"]))

    every = [*rows, *hard_rows(columns, rows, estimator, watched, inputs.data)]
    with suppress(Exception):  # some row is one that scikit-learn raises for: find which
        return Evidence(every, ask(inputs.data(every)), len(rows), [])
    found = which(every)
    answered = [row for row, is_one in zip(every, found, strict=True) if is_one]
    try:
        expected = ask(inputs.data(answered))
    except Exception as error:
        raise Refusal(
            "the estimator answers rows one by one that it does not answer together: "
            f"{type(error).__name__}: {shortened(error)}",
            "A row's answer hangs on the rows beside it, perhaps by the dtype that a column has "
            "without gaps alone: turn columns into floats first.",
        ) from error
    raising = [row for row, is_one in zip(every, found, strict=True) if not is_one]
    return Evidence(answered, expected, len(rows), raising)


@dataclass(frozen=True)
class Attempt:
    """A conversion by one recipe, and how its answers compare.

    Attributes:
        unrefused: how many rows it answers that scikit-learn raises for.
    """

    recipe: Recipe
    converted: Converted
    manifest: dict[str, Any]
    comparison: Comparison
    unrefused: int


@dataclass(frozen=True)
class Judged:
    """What conversions are judged on.

    Attributes:
        estimator: scikit-learn's.
        task: what it is asked for.
        inputs: the test set's columns.
        columns: the signature's.
        evidence: rows, and scikit-learn's answers to them.
    """

    estimator: Any
    task: Task
    inputs: Inputs
    columns: Sequence[Column]
    evidence: Evidence

    def attempt(self, recipe: Recipe) -> Attempt | Failed:
        """Convert by one recipe, and compare."""
        watches = bool(self.evidence.raising)
        try:
            attempt = self._tried(recipe, watches)
            if watches and attempt.comparison.refused:  # not for what scikit-learn raises for alone
                attempt = self._tried(recipe, watches=False)
        except Unsupported as error:
            return Failed(str(recipe), str(error), error.hint, error)
        except Exception as error:
            reason = f"{type(error).__name__}: {shortened(error)}"
            return Failed(str(recipe), reason, error=error)
        return attempt

    def _tried(self, recipe: Recipe, watches: bool) -> Attempt:
        series = self.inputs.form == "series"
        converted = convert(self.estimator, self.task, self.columns, recipe, watches, series)
        manifest = serving_part(
            self.task, self.inputs, self.columns, converted, self.evidence.expected
        )
        model = Model("built", 1, manifest, converted.onnx)
        comparison = compare(model, self.task, self.evidence.rows, self.evidence.expected)
        narrow = self.inputs.narrow or begins_in_float32(self.estimator)
        forgive_undecided(
            comparison,
            model,
            self.task,
            self.evidence,
            self._ask,
            self.estimator,
            self._ask_in_float64 if narrow else None,
        )
        unrefused = _unrefused(model, self.evidence.raising)
        return Attempt(recipe, converted, manifest, comparison, unrefused)

    def _ask(self, rows: Sequence[Cells]) -> Answers:
        return self.task.answers(self.estimator, self.inputs.data(rows))

    def _ask_in_float64(self, rows: Sequence[Cells]) -> Answers:
        return self.task.answers(self.estimator, self.inputs.in_float64(rows))


def _unrefused(model: Model, rows: Sequence[Cells]) -> int:
    """How many of the rows a model answers."""
    if rows:
        try:
            model.run(read_table(rows, model.signature))
        except InvalidRows as error:
            return len(rows) - error.count
    return len(rows)


def first_equal(
    judged: Judged, rows: list[Cells], report: Report
) -> tuple[Attempt, Evidence, dict[str, Any]]:
    """The first conversion that passes with room to spare, else the first that passes at all.

    Returns:
        The conversion, the evidence that it was judged on, and its certificate.
    """
    failed: list[Failed] = []
    differing: list[Attempt] = []
    passed: Attempt | None = None
    converted: Converted | None = None
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
        if attempt.comparison.close:
            return _certified(attempt, judged.evidence, failed)
        if attempt.comparison.passed:
            passed = passed or attempt
            failed.append(Failed(str(recipe), "it is equal, but only just: others were tried"))
        else:
            reason = why_not(attempt.comparison, judged.evidence, judged.columns)
            step, hint = _first_to_differ(judged, attempt)
            failed.append(Failed(str(recipe), reason + step, hint))
            differing.append(attempt)
    if passed is not None:
        others = [one for one in failed if one.recipe != str(passed.recipe)]
        return _certified(passed, judged.evidence, others)
    for attempt in differing:
        if found := _within_limits(judged, attempt, rows, report):
            narrower, within = found
            limits = limited(judged.columns, within.columns)
            return _certified(narrower, within.evidence, failed, limits)
    cause = next((one.error for one in failed if one.error), None)
    raise no_conversion(type(judged.estimator).__name__, failed) from cause


def _first_to_differ(judged: Judged, attempt: Attempt) -> tuple[str, str]:
    """Which step of a pipeline is the first whose columns differ, on the rows that do; a hint."""
    if attempt.comparison.refused:
        return "", TOGETHER_HINT
    steps = judged.estimator.steps if isinstance(judged.estimator, Pipeline) else []
    differ = {row for off in attempt.comparison.outputs.values() for row in off.wrong}
    rows = [judged.evidence.rows[row] for row in sorted(differ)[:LOOKED_AT]]
    task, columns = Task("transformation", {"prediction": "transform"}), judged.inputs.data(rows)
    for number, (name, step) in enumerate(steps[:-1], start=1):
        if not hasattr(step, "transform"):
            continue
        try:
            columns = step.transform(columns)
        except Exception:  # it raises for these rows together
            return "", ""
        evidence = Evidence(rows, {"prediction": dense(columns)}, len(rows))
        part = Pipeline(steps[:number])
        tried = replace(judged, estimator=part, task=task, evidence=evidence)
        part_attempt = tried.attempt(attempt.recipe)
        if not isinstance(part_attempt, Attempt) or not part_attempt.comparison.passed:
            hint = TIED_HINT if hasattr(step, "n_neighbors") else ""
            return f"; the first step to differ is '{name}' ({type(step).__name__})", hint
    if len(steps) > 1:
        name, step = steps[-1]
        return f"; the step that differs is '{name}' ({type(step).__name__})", _hint(judged, step)
    return "", _hint(judged, judged.estimator)


def _hint(judged: Judged, last: Any) -> str:
    """What to do where the last step differs, though it is given the same."""
    if hasattr(last, "n_neighbors"):
        return TIED_HINT
    among_others = last is not judged.estimator and rounds_before_a_step(judged.estimator)
    return ROUNDING_HINT if among_others else ""


def _within_limits(
    judged: Judged, attempt: Attempt, rows: list[Cells], report: Report
) -> tuple[Attempt, Judged] | None:
    """The same conversion with bounds on the columns, where it differs far beyond them alone."""
    for _ in range(NARROWINGS):
        columns = narrowed(judged.columns, judged.evidence, attempt.comparison)
        if columns is None or columns == judged.columns:
            return None
        report(f"trying {attempt.recipe}, without numbers far beyond those of X_test")
        evidence = gathered(judged.estimator, judged.task, judged.inputs, columns, rows)
        judged = replace(judged, columns=columns, evidence=evidence)
        again = judged.attempt(attempt.recipe)
        if isinstance(again, Failed):
            return None
        if again.comparison.passed:
            return again, judged
        attempt = again
    return None


def _certified(
    attempt: Attempt,
    evidence: Evidence,
    failed: Sequence[Failed],
    limits: Mapping[str, Any] | None = None,
) -> tuple[Attempt, Evidence, dict[str, Any]]:
    parity = certificate(
        attempt.comparison,
        evidence,
        str(attempt.recipe),
        failed,
        limits or {},
        attempt.unrefused,
    )
    return attempt, evidence, parity

"""One way of typing the inputs: its conversion, and how its answers compare with scikit-learn's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from time import thread_time
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from onnxlet.convert.errors import shortened
from onnxlet.convert.evidence.drawn_rows import Draw, drawn_rows
from onnxlet.convert.evidence.evidence import Evidence, gather_evidence
from onnxlet.convert.graph.additive import Additive
from onnxlet.convert.graph.builder import K
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.convert.manifest import serving_part
from onnxlet.convert.parity.comparison import (
    TOLERANCE,
    Answering,
    Comparison,
    answering,
    compare,
)
from onnxlet.convert.parity.refusals import FailedRecipe
from onnxlet.convert.parity.rounding import (
    floors_of,
    forgive_rounding,
    looser,
    most_wrong,
    rounds,
    rounds_before_a_step,
)
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference, given_sparse
from onnxlet.convert.to_onnx import Behaviour, Converted, Recipe, convert
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.serving.golden import differences

SHOWN_COLUMNS = 4
STEPPED = 50  # rows that differ and are sent through the steps one after another
ROUNDING_HINT = (
    "The steps before it agree up to their last digits, and it may be these that decide: round "
    "what it is given, by FunctionTransformer(np.round, kw_args={'decimals': 9}), and fit again."
)
TIED_HINT = (
    "Among training rows that are as far as each other, such as equal ones or texts without a "
    "known word, chance chooses: drop them before fit, scale the columns, or use another model."
)
WHOLE_HINT = (
    "Among rows of whole numbers that are as far as each other scikit-learn leaves the choice to "
    "chance, among floats it takes the first: fit it on X.astype(float), and give floats."
)
ARROW_HINT = (
    "PyArrow holds the text, and has other methods of text than Python where letters are not "
    "ASCII's: fit on text as objects, X.astype({'COLUMN': object}), and give X_test so."
)
TOGETHER_HINT = (
    "What one column may hold depends on the others, which no bound of a single column can say: "
    "keep the model from raising, for example by np.clip of what it takes the logarithm of."
)


@dataclass(frozen=True)
class Attempt:
    """A conversion by one recipe, and how its answers compare."""

    recipe: Recipe
    converted: Converted
    manifest: dict[str, Any]
    model: Model  # as it would be served
    comparison: Comparison
    unrefused: int  # rows that it answers and that scikit-learn raises for


@dataclass(frozen=True)
class SearchState:
    """The state of a search for a conversion: what it compares with; each restart makes another."""

    reference: Reference
    columns: Sequence[Column]  # the signature's
    evidence: Evidence  # by which a recipe is chosen
    judging: Evidence  # of one more draw, which judges the recipe that was chosen
    draws: int = 1  # of rows, among the evidence
    others: Sequence[Cells] = ()  # like those held out, that rows are drawn from too
    draw: Draw = drawn_rows
    models: dict[bytes, Model] = field(default_factory=dict)  # by graph: a session opens slowly
    single: bool = False  # what is compared computes in float32, while the reference does not
    ends: float = math.inf  # when nothing else is tried, on the clock of `time.thread_time`

    @property
    def overdue(self) -> bool:
        """Whether the search has taken as long as it may."""
        return thread_time() > self.ends

    def again(self, **changed: Any) -> SearchState:
        """With another reference, other columns or more draws: rows are gathered anew."""
        new = replace(self, **changed)
        rows = self.evidence.rows[: self.evidence.held_out]
        evidence, judging = gather_evidence(
            new.reference, new.columns, rows, new.draws, new.others, new.draw
        )
        return replace(new, evidence=evidence, judging=judging)

    def attempt(self, recipe: Recipe) -> Attempt | FailedRecipe:
        """Convert by one recipe, and compare."""
        behaviour = self._behaviour
        try:
            attempt = self._tried(recipe, behaviour)
            if behaviour.raises and attempt.comparison.refused:  # more than scikit-learn raises for
                attempt = self._tried(recipe, replace(behaviour, raises=False))
        except Unsupported as error:
            return FailedRecipe(str(recipe), str(error), error.hint, error)
        except Exception as error:
            reason = f"{type(error).__name__}: {shortened(error)}"
            return FailedRecipe(str(recipe), reason, error=error)
        return attempt

    @cached_property
    def _behaviour(self) -> Behaviour:
        inputs, expected = self.reference.inputs, self.evidence.expected
        return Behaviour(
            raises=bool(self.evidence.raising),
            form=inputs.form,
            labels={c.name: c.label for c in inputs.columns if not isinstance(c.label, str)},
            whole=frozenset(name for name, array in expected.items() if array.dtype.kind in "iu"),
            categoricals=frozenset(c.name for c in inputs.columns if c.category is not None),
            nones=frozenset(
                c.name for c in inputs.columns if c.type == "string" and c.missing is None
            ),
            sparse=given_sparse(self.reference, self.evidence.rows[:1]),
            of_arrow=frozenset(c.name for c in inputs.columns if inputs.strict and c.of_arrow),
        )

    def _tried(self, recipe: Recipe, behaviour: Behaviour) -> Attempt:
        reference = self.reference
        converted = convert(reference.estimator, reference.task, self.columns, recipe, behaviour)
        manifest = serving_part(
            reference.task, reference.inputs, self.columns, converted, self.evidence.expected
        )
        same = converted.onnx, repr(converted.inputs)
        if same not in self._tried_graphs:  # two layouts of one type of columns are one graph
            known = self.models.get(converted.onnx)  # before columns got bounds, or rows a draw
            model = known.with_manifest(manifest) if known else Model("built", 1, manifest, same[0])
            self.models[converted.onnx] = model
            comparison, unrefused = self.compared(answering(model), self.evidence)
            if converted.terms is not None and comparison.passed:
                _check_terms(model, converted.terms, reference, self.evidence.rows)
            if converted.k is not None and comparison.passed:
                self._compare_counts(model, converted.k, comparison)
            self._tried_graphs[same] = model, comparison, unrefused
        return Attempt(recipe, converted, manifest, *self._tried_graphs[same])

    def _compare_counts(self, model: Model, k: K, comparison: Comparison) -> None:
        """Compare other numbers of nearest than the estimator's own; what is off is so in all."""
        for count in other_counts(k):
            reference = replace(self.reference, task=self.reference.task.at(count))
            evidence = replace(self.evidence, expected=reference.answers(self.evidence.rows))
            state = replace(self, reference=reference, evidence=evidence)
            comparison.include(state.compared(answering(model.at_k(count)), evidence)[0])

    @cached_property
    def _tried_graphs(self) -> dict[tuple[bytes, str], tuple[Model, Comparison, int]]:
        return {}

    def compared(self, answer: Answering, evidence: Evidence) -> tuple[Comparison, int]:
        """How answers compare, and how many rows are answered that scikit-learn raises for."""
        reference = self.reference
        ask = partial(compare, answer, reference.task, evidence.rows, evidence.expected)
        narrow = self.single or reference.precision == "float32"
        if not narrow:
            spans = [evidence.kinds[kind] for kind in ("held-out", "drawn", "edge-case")]
            ask = partial(ask, spans=spans, most_wrong=most_wrong(evidence))
        comparison = ask(self._floors)
        if comparison.wrong and not narrow and rounds(reference.estimator):
            differing = {name: self._looser[name] for name in comparison.off & self._floors.keys()}
            floors = self._floors | differing
            comparison = ask(floors)
        if reference.wide and comparison.wrong:
            # Rows are moved by less than float32 can hold, so they must not be rounded to it again.
            inputs, rows = reference.inputs.once_rounded(evidence.rows)
            evidence = replace(evidence, rows=_within(rows, self.columns))
            reference = replace(reference, inputs=inputs)
        in_float64 = self._in_float64 if reference.precision == "float32" else None
        forgive_rounding(comparison, answer, evidence, reference, in_float64, self.single)
        return comparison, _answered_nevertheless(answer, evidence.raising)

    @cached_property
    def _floors(self) -> dict[str, Array]:
        precision = "float32" if self.single else self.reference.precision
        return floors_of(self.evidence, precision)

    @cached_property
    def _looser(self) -> dict[str, Array]:
        """The floors once it is measured how far scikit-learn's own answers move."""
        inputs, rows = self.reference.inputs, self.evidence.rows
        if self.reference.wide:
            inputs, rows = inputs.once_rounded(rows)
        evidence = replace(self.evidence, rows=_within(rows, self.columns))
        return looser(self._floors, evidence, replace(self.reference, inputs=inputs))

    @cached_property
    def _in_float64(self) -> Reference:
        return self.reference.in_float64()


def _check_terms(
    model: Model, terms: Additive, reference: Reference, rows: Sequence[Cells]
) -> None:
    """Raise Unsupported where the model's terms of rows differ from the estimator's."""
    got = model.terms(validate_rows(list(rows), model.signature))
    task = replace(reference.task, methods={"prediction": terms.method}, margin=None)
    wanted = replace(reference, task=task).answers(rows)["prediction"]
    off = np.abs(got - wanted.reshape(got.shape)) / np.maximum(1.0, np.abs(got))
    if not np.max(off, initial=0.0) <= TOLERANCE:
        raise Unsupported(f"its terms are not those of {terms.method}", "Please report this model.")


def other_counts(k: K) -> list[int]:
    """Two numbers of nearest beside the estimator's own that it is compared at: the ends first."""
    some = dict.fromkeys((1, k.most, min(2, k.most), max(1, k.most - 1)))
    return [count for count in some if count != k.default][:2]


def _within(rows: Sequence[Cells], columns: Sequence[Column]) -> list[Cells]:
    """Rows of float32's numbers, those that lie beyond a bound by one such number brought back.

    1e16 is no number of float32: the nearest one lies beyond a bound of 1e16.
    """
    bounds = [
        (position, -math.inf if c.minimum is None else c.minimum, c.maximum)
        for position, c in enumerate(columns)
        if c.minimum is not None or c.maximum is not None
    ]
    kept = [list(row) for row in rows]
    for row in kept:
        for position, low, high in bounds:
            cell = row[position]
            if type(cell) is float and not low <= cell <= (math.inf if high is None else high):
                row[position] = float(np.nextafter(np.float32(cell), np.float32(0)))
    return kept


def _answered_nevertheless(answer: Answering, rows: Sequence[Cells]) -> int:
    """How many of the rows, for which scikit-learn raises, are answered."""
    left = list(rows)
    while left:
        try:
            answer(left)
        except InvalidRows as error:  # those whose cells are wrong; the others have not been run
            refused = {problem.row for problem in error.every}
            left = [row for number, row in enumerate(left) if number not in refused]
        else:
            break
    return len(left)


def first_differing_step(state: SearchState, attempt: Attempt) -> tuple[str, str]:
    """The first step of a pipeline whose columns differ, on the rows that do; and a hint."""
    if attempt.comparison.refused:
        return "", TOGETHER_HINT
    estimator = state.reference.estimator
    steps = estimator.steps if isinstance(estimator, Pipeline) else []
    inputs, wrong = state.reference.inputs, attempt.comparison.wrong[:STEPPED]
    rows = [state.evidence.rows[row] for row in wrong]
    rows = [rows[row] for row in inputs.by_dtypes(rows)[0]]
    of_dtype = ARROW_HINT if _depends_on_text_dtype(state.reference, rows) else ""
    for number, (name, step) in enumerate(steps[:-1], start=1):
        if not hasattr(step, "transform"):
            continue
        reference = state.reference.of_first(number)
        made = reference.outcome(inputs.data(rows))
        if isinstance(made, Exception):  # it raises for these rows together
            return "", ""
        evidence = Evidence(rows, made, len(rows))
        tried = replace(state, reference=reference, evidence=evidence)
        part_attempt = tried.attempt(attempt.recipe)
        if not isinstance(part_attempt, Attempt) or not part_attempt.comparison.passed:
            inside, hint = "", _tied_hint(step)
            if isinstance(part_attempt, Attempt):
                inside, hint = _inside(step, part_attempt.comparison, evidence)
            where = f"; the first step to differ is '{name}' ({type(step).__name__}){inside}"
            return where, of_dtype or hint
    name, step = steps[-1] if steps else ("", estimator)
    inside, hint = _inside(step, attempt.comparison, state.evidence)
    if len(steps) > 1:
        inside = f"; the step that differs is '{name}' ({type(step).__name__}){inside}"
    among_others = step is not estimator and rounds_before_a_step(estimator)
    return inside, of_dtype or hint or (ROUNDING_HINT if among_others else "")


def _depends_on_text_dtype(reference: Reference, rows: Sequence[Cells]) -> bool:
    """Whether the answers to some rows are others where their text is given as Python objects."""
    if not (reference.inputs.strict and any(c.of_arrow for c in reference.inputs.columns)):
        return False
    plain = replace(reference, inputs=replace(reference.inputs, strict=False))
    with suppress(Exception):  # it may not answer them so
        given, other = reference.answers(rows), plain.answers(rows)
        return any((given[name] != other[name]).any() for name in given)
    return False


def _inside(step: Any, comparison: Comparison, evidence: Evidence) -> tuple[str, str]:
    """The transformer of a ColumnTransformer that differs most, in words; and a hint.

    Of other steps only a hint.
    """
    spans, off = getattr(step, "output_indices_", {}), comparison.outputs["prediction"]
    rows = [row for row in off.wrong if row in off.got]
    if not spans or not rows:
        return "", _tied_hint(step)
    got = np.array([off.got[row] for row in rows]).reshape(len(rows), -1)
    expected = evidence.expected["prediction"][rows].reshape(len(rows), -1)
    if expected.dtype.kind == "f":
        apart = differences(got, expected, comparison.floors.get("prediction", 0.0))[1]
    else:
        apart = got.astype(object) != expected.astype(object)
    worst = int(np.argmax(apart.max(axis=0)))
    name = next(name for name, span in spans.items() if worst in range(span.start, span.stop))
    fitted = step.named_transformers_[name]
    known = getattr(step, "feature_names_in_", range(step.n_features_in_))
    columns = [repr(known[index]) for index in step._transformer_to_input_indices[name]]
    shown = ", ".join([*columns[:SHOWN_COLUMNS], *(["…"] if columns[SHOWN_COLUMNS:] else [])])
    return f", in its '{name}' ({type(fitted).__name__}) of {shown}", _tied_hint(fitted)


def _tied_hint(step: Any) -> str:
    """What to do where a search for neighbours may have left a choice."""
    steps = [each for _, each in step.steps] if isinstance(step, Pipeline) else [step]
    searching = [each for each in steps if hasattr(each, "n_neighbors")]
    if not searching:
        return ""
    points = [getattr(each, "_fit_X", None) for each in searching]
    whole = any(isinstance(each, np.ndarray) and each.dtype.kind in "iu" for each in points)
    return WHOLE_HINT if whole else TIED_HINT

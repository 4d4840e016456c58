"""The parity certificate of a build, and its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.evidence.drawn_rows import ENOUGH_ROWS
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.attempts import Attempt, SearchState, other_counts
from onnxlet.convert.parity.comparison import TOLERANCE, Comparison, between
from onnxlet.convert.parity.refusals import FailedRecipe
from onnxlet.convert.reference.column_groups import representative_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.function.arrays import Array
from onnxlet.function.models.example import highest

# That answer in environments of their own, by their keys in a certificate.
LIBRARIES = {"scikit_learn": "scikit-learn", "autogluon": "AutoGluon"}


def certificate(
    attempt: Attempt,
    state: SearchState,
    failed: Sequence[FailedRecipe],
    limits: Mapping[str, Any],
    narrow: Reference | None,
) -> dict[str, Any]:
    """The parity certificate of a manifest, of what was measured by a recipe that passed.

    The state is that which it was found with. Limits are bounds, by column, beyond which
    scikit-learn answers and the function does not. Narrow is scikit-learn in float32, where its
    answers in float64 were compared with.
    """
    comparison, searched, last = attempt.comparison, state.evidence, state.judging
    reference = state.reference
    parity = {
        **measured(comparison, reference, searched, last, attempt.unrefused, limits),
        "recipe": str(attempt.recipe),
        "recipes_that_failed": [{"recipe": one.recipe, "reason": one.reason} for one in failed],
    }
    probed = representative_columns(reference.inputs, reference.estimator)
    if len(probed) < len(state.columns):  # a wide model's: of each kind, some stand for all
        parity["probed_columns"] = len(probed)
    if (k := attempt.converted.k) is not None:
        parity["k"] = [k.default, *other_counts(k)]
    if reference.task.one_by_one:
        parity["asked"] = "row by row"
    if narrow is not None:
        parity["float32"] = _off_in_float32(narrow, [searched, last])
    return parity


def measured(
    comparison: Comparison,
    reference: Reference,
    searched: Evidence,
    last: Evidence,
    unrefused: int,
    limits: Mapping[str, Any],
) -> dict[str, Any]:
    """What a comparison has measured, whoever made what is compared.

    `searched` and `last` are the evidence by which a conversion is chosen, and one more draw that
    judges the choice; they are compared in this order.
    """
    outputs = {
        name: {"largest_absolute": d.absolute, "largest_relative": d.relative}
        for name, d in comparison.outputs.items()
    }
    there = reference.answered_by
    return {
        "reference": reference.precision,
        **({} if there is None else {there.library: there.version}),
        "held_out_rows": searched.held_out,
        "hard_rows": searched.edge_cases,
        "drawn_rows": searched.drawn,
        "judging_rows": last.drawn,
        "differing_rows": len(comparison.wrong),
        "tied_rows": comparison.ties,
        "undecided_rows": len(comparison.forgiven),
        "undecided_held_out_rows": sum(row < searched.held_out for row in comparison.forgiven),
        "unanswered_rows": len(searched.raising) + len(last.raising),
        "unrefused_rows": unrefused,
        "limited_columns": dict(limits),
        "tolerance": TOLERANCE,
        "near_zero": {
            name: float(np.max(floor)) * TOLERANCE
            for name, floor in comparison.floors.items()
            if name in outputs and name != "probabilities"
        },
        "outputs": outputs,
    }


def _off_in_float32(narrow: Reference, evidence: Sequence[Evidence]) -> dict[str, Any]:
    """How far scikit-learn's answers in float32 (`narrow`) are from the evidence's in float64.

    The largest differences are those on held-out and drawn rows, of answers that are numbers in
    both; all rows are counted that are further off than the tolerance, or not answered.
    """
    rows = [row for part in evidence for row in part.rows]
    found, got = narrow.answers_where_answered(rows)
    answered = np.array(found, dtype=bool)
    expected = {
        name: np.concatenate([part.expected[name] for part in evidence])[answered] for name in got
    }
    off = between(narrow.task, expected, got)
    differing = ~answered
    differing[np.flatnonzero(answered)[off.wrong]] = True
    usual = np.concatenate([~_is_edge_case(part) for part in evidence])
    shown = usual[answered]
    return {
        "differing_rows": int(differing.sum()),
        "differing_hard_rows": int(differing[~usual].sum()),
        "outputs": {
            name: {
                "largest_absolute": _largest(one.absolutes[shown]),
                "largest_relative": _largest(one.relatives[shown]),
            }
            for name, one in off.outputs.items()
        },
    }


def _is_edge_case(evidence: Evidence) -> Array:
    among = np.zeros(len(evidence.rows), dtype=bool)
    among[evidence.kinds["edge-case"]] = True
    return among


def _largest(differences: Array) -> float:
    return float(differences[np.isfinite(differences)].max(initial=0))


def few_judges(parity: Mapping[str, Any]) -> str:
    """A warning that few rows have judged a model, and what to do; empty where enough have."""
    count = parity["judging_rows"]
    if count >= ENOUGH_ROWS:
        return ""
    many = f"only {count} more drawn {'rows' if count > 1 else 'row'}: few others differ"
    said = many if count else "no other rows: none are left to draw that differ"
    return f"{said} from those it was chosen by; more held-out rows or X_train would prove more"


def certificate_lines(name: str, version: int, manifest: dict[str, Any]) -> Iterator[str]:
    """What a build prints, line by line."""
    parity = manifest["parity"]
    yield f"parity certificate of {name} version {version}"
    yield from parity_lines(parity, manifest)
    yield f"  typed as    {parity['recipe']}"
    for failed in parity["recipes_that_failed"]:
        yield f"    not as {failed['recipe']}: {failed['reason']}"
    yield from _monitoring_lines(manifest)
    metrics = manifest["metrics"] or {}
    for metric, pair in metrics.items():
        yield (
            f"  {metric.replace('_', ' ')}: {_number(pair['model'])} "
            f"(always the same answer: {_number(pair['baseline'])})"
        )
    if metrics and not any(_is_better(*each) for each in metrics.items()):
        yield "  no better than always the same answer: are these rows like those of the fit?"


def _is_better(metric: str, pair: Mapping[str, float | None]) -> bool:
    """Whether a model beats its baseline, or a score is undefined."""
    model, baseline = pair["model"], pair["baseline"]
    if model is None or baseline is None:
        return True
    return model < baseline if metric == "mean_absolute_error" else model > baseline


def parity_lines(parity: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[str]:
    """What was measured, line by line, of what has such a task and classes as a manifest says."""
    given = "replayed" if parity.get("replayed") else "held-out"
    yield (
        f"  rows        {parity['held_out_rows']} {given}, {parity['drawn_rows']} drawn, "
        f"{parity['hard_rows']} edge cases: {parity['differing_rows']} answers differ"
    )
    if "recipe" in parity:
        many = f"{parity['judging_rows']} more drawn ones, which no choice was made by"
        yield f"  judged by   {few_judges(parity) or many}"
    if "probed_columns" in parity:
        yield f"  columns     {parity['probed_columns']} probed; the others are treated alike"
    by_itself = ", each row by itself: more rows would end their steps together"
    fitted = [f"{LIBRARIES[k]} {parity[k]}, which fitted it," for k in LIBRARIES if k in parity]
    shown = f"{(fitted or ['scikit-learn'])[0]} in {parity['reference']}"
    yield f"  reference   {shown}{by_itself * ('asked' in parity)}"
    if "float32" in parity:
        yield from _float32_lines(parity["float32"], manifest)
    if "k" in parity:
        others = " and ".join(map(str, parity["k"][1:])) or "no others"
        yield f"  nearest     {parity['k'][0]} compared, and {others} as a request may ask for"
    if parity["tied_rows"]:
        right = "either label is right"
        if "k" in parity:
            right = "equally near ones may come in another order"
        elif manifest["task"] == "summary":
            right = "another sentence has the same score"
        yield f"  ties        {parity['tied_rows']} rows where {right}"
    if parity["undecided_rows"]:
        yield (
            f"  undecided   {parity['undecided_rows']} rows where rounding decides, "
            f"{parity['undecided_held_out_rows']} of them {given}"
        )
    if parity["unrefused_rows"]:
        yield f"  unrefused   {parity['unrefused_rows']} rows that scikit-learn raises for"
    for name, (low, high) in parity["limited_columns"].items():
        yield f"  limited     '{name}' to {low:g} … {high:g}: rounding takes over beyond"
    for output, off in _measured(parity["outputs"], manifest):
        yield f"  {output:<13} off by at most {off}"
    yield f"  tolerance   {parity['tolerance']:.0e}"
    for output, difference in parity.get("near_zero", {}).items():
        yield f"  near zero   {output} off by up to {difference:.1e} (absolute) is rounding"
    if (beside := parity.get("batches")) is not None:
        yield f"  batches     {batches_text(beside)}"


def _monitoring_lines(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What a server will measure drift by, and which intervals or sets it can answer."""
    if reference := manifest.get("reference"):
        few = "" if reference["source"] == "X_train" else "; X_train would make it sharper"
        yield f"  drift       against {reference['rows']:,} rows of {reference['source']}{few}"
    else:
        yield "  drift       is not measured: that takes at least 20 held-out rows"
    kind = {"regression": "intervals", "classification": "sets"}.get(manifest["task"])
    if kind and (table := manifest.get("conformal")):
        yield f"  {kind:<11} up to a coverage of {highest(table):.4g}"
    elif kind:
        yield f"  {kind:<11} none: they take y_test, as it answers, of at least 20 rows"


def batches_text(beside: str | Mapping[str, float]) -> str:
    """What a row's answer owes to the rows beside it, in words."""
    if isinstance(beside, str):
        return "each row has the same bits, whatever is beside it"
    off = ", ".join(f"{name} by up to {largest:.1e}" for name, largest in beside.items())
    return f"a row's last digits depend on how many rows come with it: {off}"


def _float32_lines(off: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[str]:
    usual = off["differing_rows"] - off["differing_hard_rows"]
    yield (
        f"              its answers in float32 differ from these on {usual} held-out and drawn "
        f"rows and {off['differing_hard_rows']} edge cases"
    )
    for output, largest in _measured(off["outputs"], manifest):
        yield f"              {output} by at most {largest} on held-out and drawn rows"


def _measured(outputs: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The largest difference of each output of numbers, by the measure that counts."""
    for output, off in outputs.items():
        sentences = manifest["task"] == "summary"
        exact = sentences or "classes" in manifest or "k" in manifest["graph"]
        if (output == "prediction" and exact) or (output == "positions" and sentences):
            continue  # labels, items and sentences are equal or not
        measure = "absolute" if output == "probabilities" else "relative"
        yield output, f"{off[f'largest_{measure}']:.1e} ({measure})"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:,.4g}"

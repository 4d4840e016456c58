"""The parity certificate of a build, and its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convert.evidence import Evidence, Failed
from convert.parity import TOLERANCE, Comparison


def certificate(
    comparison: Comparison,
    evidence: Evidence,
    recipe: str,
    failed: Sequence[Failed],
    limits: Mapping[str, Any],
    unrefused: int,
) -> dict[str, Any]:
    """The parity certificate of a manifest.

    Args:
        comparison: what was measured.
        evidence: on these rows.
        recipe: the way of typing that passed.
        failed: the ways that did not.
        limits: by column, bounds beyond which scikit-learn answers and the function does not.
        unrefused: rows that scikit-learn raises for, and that the function answers.
    """
    labels = comparison.outputs["prediction"]
    measured = {
        name: {"largest_absolute": d.absolute, "largest_relative": d.relative}
        for name, d in comparison.outputs.items()
    }
    return {
        "held_out_rows": evidence.held_out,
        "hard_rows": evidence.hard,
        "differing_rows": len(labels.wrong),
        "tied_rows": comparison.ties,
        "undecided_rows": comparison.undecided,
        "unanswered_rows": len(evidence.raising),
        "unrefused_rows": unrefused,
        "limited_columns": dict(limits),
        "tolerance": TOLERANCE,
        "outputs": measured,
        "recipe": recipe,
        "recipes_that_failed": [{"recipe": one.recipe, "reason": one.reason} for one in failed],
    }


def certificate_lines(name: str, version: int, manifest: dict[str, Any]) -> Iterator[str]:
    """What a build prints, line by line."""
    parity = manifest["parity"]
    yield f"parity certificate of {name} version {version}"
    yield (
        f"  rows        {parity['held_out_rows']} held-out and {parity['hard_rows']} hard ones: "
        f"{parity['differing_rows']} answers differ"
    )
    if parity["tied_rows"]:
        yield f"  ties        {parity['tied_rows']} rows where either label is right"
    if parity["undecided_rows"]:
        yield f"  undecided   {parity['undecided_rows']} rows where rounding decides"
    if parity["unrefused_rows"]:
        yield f"  unrefused   {parity['unrefused_rows']} rows that scikit-learn raises for"
    for name, (low, high) in parity["limited_columns"].items():
        yield f"  limited     '{name}' to {low:g} … {high:g}: rounding takes over beyond"
    for output, off in parity["outputs"].items():
        if output == "prediction" and "classes" in manifest:
            continue  # labels are equal or not
        measured = "absolute" if output == "probabilities" else "relative"
        yield f"  {output:<13} off by at most {off[f'largest_{measured}']:.1e} ({measured})"
    yield f"  tolerance   {parity['tolerance']:.0e}"
    yield f"  typed as    {parity['recipe']}"
    for failed in parity["recipes_that_failed"]:
        yield f"    not as {failed['recipe']}: {failed['reason']}"
    for metric, pair in (manifest["metrics"] or {}).items():
        yield (
            f"  {metric.replace('_', ' ')}: {_number(pair['model'])} "
            f"(always the same answer: {_number(pair['baseline'])})"
        )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:,.4g}"

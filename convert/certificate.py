"""The parity certificate and the scores of a build, as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def certificate_lines(name: str, version: int, manifest: dict[str, Any]) -> Iterator[str]:
    """What a build prints, line by line."""
    parity = manifest["parity"]
    yield f"parity certificate of {name} version {version}"
    yield (
        f"  rows        {parity['held_out_rows']} held-out and {parity['hard_rows']} hard ones: "
        f"{parity['differing_rows']} answers differ"
    )
    if parity["refused_rows_beyond_float32"]:
        yield f"  refused     numbers beyond {3.4e38:g}, the largest 32-bit float"
    if parity["tied_rows"]:
        yield f"  ties        {parity['tied_rows']} rows where either label is right"
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

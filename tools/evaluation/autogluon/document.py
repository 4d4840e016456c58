"""docs/reference/autogluon.md: what is served of predictors of AutoGluon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.evaluation.old_models.document import shown

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "autogluon.md"
ABOUT = """\
What is served of predictors of AutoGluon? `make autogluon` writes this page. It fits predictors by
AutoGluon {version} on small tables, builds each as `build FOLDER --data FILE` does, and compares
what is served with what the predictor answered in its own environment, on rows that no build has
seen. Reading such a folder is described in [Predictors of AutoGluon](../how-to/autogluon.md).

- models: the one that answers, behind those that it needs; `_BAG` is bagged, `_L2` stacked
- there, here: milliseconds that one row takes, by the predictor's own `predict_proba` with all its
  models in memory, and by the function, from a request's objects to the answer's
"""


def document(results: Sequence[dict[str, Any]], version: str) -> str:
    """The page, of one entry for each predictor."""
    return "\n".join(_lines(results, version)) + "\n"


def _lines(results: Sequence[dict[str, Any]], version: str) -> Iterator[str]:
    yield "# Predictors of AutoGluon: what is served\n"
    yield summary(results) + "\n"
    yield ABOUT.format(version=version)
    yield "| predictor | answers | fitted in s | models | result | there, ms | here, ms |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in sorted(results, key=lambda each: str(each["model"])):
        result = "served" if one["result"] == "served" else f"{one['result']}: {shown(one['why'])}"
        here = f"{one['milliseconds']:.2g}" if "milliseconds" in one else ""
        yield (
            f"| {one['model']} | {one['problem']} | {one['seconds']:.0f} | "
            f"{', '.join(one['members'])} | {result} | {one['there']:.3g} | {here} |"
        )


def summary(results: Sequence[dict[str, Any]]) -> str:
    """All results in a line."""
    counts = Counter(one["result"] for one in results)
    gains = sorted(one["there"] / one["milliseconds"] for one in results if "milliseconds" in one)
    faster = f"; a row is answered {gains[0]:.0f} to {gains[-1]:.0f} times as fast" if gains else ""
    return (
        f"{len(results)} predictors: {counts['served']} served, {counts['refused']} refused, "
        f"{counts['differs']} differ, {counts['traceback']} tracebacks{faster}."
    )

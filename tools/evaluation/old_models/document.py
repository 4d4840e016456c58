"""docs/reference/old-models.md: what is served of models that older scikit-learns fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sklearn

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "old-models.md"
SHOWN = 300  # characters of a reason
ABOUT = """\
What is served of models that an older scikit-learn fitted? `make old-models` writes this page. It
fits small models in environments of those versions, builds each as `build MODEL.joblib` does, and
compares what is served with what the model answered in its own environment, on 500 rows that no
build has seen. Reading a file so is described in [Models of an older
scikit-learn](../how-to/old-models.md).

- loads today: scikit-learn {version} reads the file at all
- served: every answer is that of the version that fitted it
- refused: a build says why
"""


def document(results: Sequence[dict[str, Any]]) -> str:
    """The page, of one entry for each model and version."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "# Models of older scikit-learns: what is served\n"
    yield summary(results) + "\n"
    yield ABOUT.format(version=sklearn.__version__)
    yield "| fitted by | models | load today | served | refused | differ |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for version in dict.fromkeys(one["version"] for one in results):
        some = [one for one in results if one["version"] == version]
        counts = Counter(one["result"] for one in some)
        loads = sum(one["loads"] for one in some)
        yield (
            f"| {version} | {len(some)} | {loads} | {counts['served']} | {counts['refused']} | "
            f"{counts['differs']} |"
        )
    yield "\n| model | served of | not served of | why |"
    yield "| --- | --- | --- | --- |"
    for model in sorted({one["model"] for one in results}):
        some = [one for one in results if one["model"] == model]
        served = [one["version"] for one in some if one["result"] == "served"]
        others = [one["version"] for one in some if one["result"] != "served"]
        why = next((one["why"] for one in some if one["result"] != "served"), "")
        yield f"| {model} | {', '.join(served)} | {', '.join(others)} | {shown(why)} |"


def shown(why: str) -> str:
    """A reason, as a cell of a table has it."""
    return " ".join(why.split()).replace("|", "\\|")[:SHOWN]


def summary(results: Sequence[dict[str, Any]]) -> str:
    """All results in a line."""
    counts = Counter(one["result"] for one in results)
    today = [one for one in results if one["loads"]]
    served = sum(one["result"] == "served" for one in today)
    share = f"{served / len(today):.1%}" if today else "none"
    return (
        f"{len(results)} models: {counts['served']} served, {counts['refused']} refused, "
        f"{counts['differs']} differ, {counts['traceback']} tracebacks; of the {len(today)} that "
        f"load today {share} are served."
    )

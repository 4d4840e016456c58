"""What the sentences share: the interval in brackets, titles inside a sentence, verdicts."""

from __future__ import annotations

from collections.abc import Callable

from onnxlet.convert.report import Findings
from onnxlet.convert.report.wording import name, number

AHEAD = "clearly better than"
BASELINES = {"constant": "a constant answer", "linear": "a linear model"}


def inside(title: str) -> str:
    """A title inside a sentence: abbreviations keep their capitals."""
    begins = title.split()[0] if title.split() else title
    return (
        title
        if begins[1:] != begins[1:].lower() or len(begins) < 3
        else title[0].lower() + title[1:]
    )


def with_interval(value: Findings, write: Callable[[float | None], str] = number) -> str:
    """The interval in brackets, behind a number; empty where there is none."""
    if value.get("low") is None or value.get("high") is None:
        return ""
    return f" (95\u202f% interval {write(value['low'])} to {write(value['high'])})"


def clear_of(value: Findings, limit: float = 0) -> bool:
    """Whether an interval leaves a limit out."""
    low, high = value.get("low"), value.get("high")
    return low is not None and high is not None and not low <= limit <= high


def lead(score: Findings, baseline: Findings) -> tuple[bool, float]:
    """Whether model and baseline differ beyond doubt, and by how much the model is better.

    The interval of their difference decides, where it was measured: both answered the same rows.
    Without it their own intervals have to be apart, which asks for more.
    """
    model, gain = score["model"], baseline.get("gain")
    if gain is not None and gain.get("value") is not None:
        return clear_of(gain), gain["value"]
    if model["value"] is None or baseline["value"] is None:
        return False, 0.0
    gap = (1 if score["greater_is_better"] else -1) * (model["value"] - baseline["value"])
    ends = [each.get(end) for each in (model, baseline) for end in ("low", "high")]
    if None in ends:
        return False, gap
    return bool(model["low"] > baseline["high"] or model["high"] < baseline["low"]), gap


def verdict(score: Findings, baseline: Findings) -> str:
    """The model's score beside a baseline's, in words: clear where the intervals are apart."""
    sure, gap = lead(score, baseline)
    if sure:
        return AHEAD if gap > 0 else "clearly worse than"
    return "not clearly better than" if gap > 0 else "no better than"


def metric_of(found: Findings, part: str) -> str:
    """The metric of a part, as it stands inside a sentence."""
    about = found[part]
    known = {each["metric"]: each["title"] for each in found.get("scores") or []}
    return inside(name(about.get("title") or known.get(about["metric"], about["metric"])))


def positive(found: Findings) -> str:
    """What a two-class model looks for, as it is named in sentences."""
    label = found.get("positive")
    return "positive" if label is None else f"\u201c{name(label, 60)}\u201d"


def neutral(difference: Findings) -> float:
    """Where groups are alike: a ratio of 1, a difference of 0."""
    return 1.0 if str(difference["measure"]).endswith("_ratio") else 0.0

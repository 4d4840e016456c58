"""What the curves of two-class models say."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.sections.common import inside, positive, with_interval
from onnxlet.convert.report.wording import name, number, plural, share


def roc(found: Findings) -> str:
    """What the area means."""
    if not found.get("roc"):
        return ""
    auc = found["roc"]["auc"]
    return (
        f"Of two rows, one {positive(found)} and one not, the model ranks the first higher in "
        f"{share(auc['value'])} of all pairs{with_interval(auc, share)}; guessing would in half."
    )


def precision_recall(found: Findings) -> str:
    """The average precision beside guessing's."""
    if not found.get("precision_recall"):
        return ""
    average = found["precision_recall"]["average_precision"]
    return (
        f"The area below the curve, the average precision, is {number(average['value'])}"
        f"{with_interval(average)}: further up and to the right is better."
    )


def calibration(found: Findings) -> str:
    """Whether probabilities can be taken at their word, and where not."""
    about = found.get("calibration")
    if not about:
        return ""
    off = [
        each
        for each in about["bins"]
        if each["rows"]
        and None not in (each["observed_low"], each["observed_high"])
        and not each["observed_low"] <= each["predicted"] <= each["observed_high"]
    ]
    begun = f"On average the probabilities are off by {share(about['error'])}"
    if not off:
        return f"{begun}; no bin is off by more than chance would explain."
    worst = max(off, key=lambda each: abs(each["predicted"] - each["observed"]))
    return (
        f"{begun}; furthest around {share(worst['predicted'])}, where {share(worst['observed'])} "
        f"of {plural(worst['rows'], 'row')} {came_true(found)}."
    )


def came_true(found: Findings) -> str:
    """What a calibrated probability promises: of two classes the positive one, else its own."""
    top = (found.get("calibration") or {}).get("of") == "top"
    return "were answered rightly" if top else "came true"


def threshold(found: Findings) -> str:
    """What the chosen threshold does, and what a lower one would."""
    about = found.get("threshold")
    if not about or not about.get("table") or about["chosen"] is None:
        return ""
    row = _nearest(about["table"], about["chosen"])
    precision = "none of them counted" if row["precision"] is None else (
        f"{share(row['precision'])} of them rightly"
    )  # fmt: skip
    why = f", chosen for its {inside(name(about['metric']))}" if about.get("metric") else ""
    return (
        f"At {number(about['chosen'])}{why}, "
        f"{share(row['selected'])} of the rows are selected, {precision}, and "
        f"{share(row['recall'])} of those that are {positive(found)} are found."
    )


def _nearest(table: list[Findings], chosen: float) -> Findings:
    return min(table, key=lambda row: abs(row["threshold"] - chosen))

"""What the model leans on, and how it was found."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.sections.common import clear_of, metric_of
from onnxlet.convert.report.wording import (
    FEW_IN_PART,
    count,
    few,
    listed,
    name,
    number,
    plural,
    seconds,
    share,
)


def importance(found: Findings) -> str:
    """What matters, and how many columns hardly do."""
    columns = (found.get("importance") or {}).get("columns") or []
    if not columns:
        return ""
    metric = metric_of(found, "importance")
    first = columns[0]
    known = [each for each in columns if each.get("low") is not None]
    weak = [each for each in known if not clear_of(each) or each["value"] <= 0]
    if known and len(weak) == len(columns):
        return "No column matters beyond chance when it is shuffled by itself."
    said = (
        f"Without {name(first['column'], 60)}, shuffled, the {metric} gets worse by "
        f"{number(first['value'])}"
    )
    if not known:
        return f"{said}."
    if not weak:
        return f"{said}; every column matters beyond chance."
    verb = "does" if len(weak) == 1 else "do"
    some = f"{plural(len(weak), 'column')} of {count(len(columns))}"
    return f"{said}; {some} {verb} not matter beyond chance."


def dependence(each: Findings) -> str:
    """How far the answer moves along one column."""
    points = [point for point in each["points"] if point["value"] is not None]
    if not points:
        return ""
    low = min(points, key=lambda point: point["value"])
    high = max(points, key=lambda point: point["value"])
    if low["value"] == high["value"]:
        return "The average answer does not move."
    thin = any(few(p.get("rows"), FEW_IN_PART) for p in (low, high))
    return (
        f"The average answer is lowest, {number(low['value'])}, at {_at(low)} and highest, "
        f"{number(high['value'])}, at {_at(high)}{'; few rows are there' if thin else ''}."
    )


def _at(point: Findings) -> str:
    at = point["at"]
    plain = isinstance(at, int | float) and not isinstance(at, bool)
    return number(at) if plain else name(at, 60)


def learning(found: Findings) -> str:
    """Whether more data would help."""
    about = found.get("learning")
    if not about or not about["points"]:
        return ""
    first, last = about["points"][0], about["points"][-1]
    said = (
        f"From {count(first['rows'])} to {plural(last['rows'], 'row')} the "
        f"{metric_of(found, 'learning')} went from {number(first['value'])} to "
        f"{number(last['value'])}"
    )
    helps = about.get("more_data_helps")
    end = {
        True: "and still improves: more data would probably help",
        False: "and has levelled off: more data of this kind would hardly help",
        None: "which is too little to tell whether more data would help",
    }[helps]
    return f"{said}, {end}."


def _augmentation(about: Findings) -> str:
    """What copies of rows were fitted on, and what they gained."""
    copies, pixels = plural(about["copies"], "copy", "copies"), plural(about["shift"], "pixel")
    said = (
        f" Augmentation: candidates so named were also fitted on {copies} of each training row, "
        f"with images shifted by up to {pixels} and with noise (a standard deviation of "
        f"{number(about['noise'])} of 255); rows to validate or test on had none."
    )
    if compared := about["compared"]:
        said += (
            f" On the same folds the {name(compared['name'])} candidate scored "
            f"{number(compared['with'])} with it and {number(compared['without'])} without."
        )
    served = {0.0: "without it", 1.0: "with it"}.get(round(about["weight"], 6))
    part = f"with it for {share(about['weight'])} of its weight"
    return f"{said} What is served was fitted {served or part}."


def search(found: Findings) -> str:
    """How much was tried, and what it gained."""
    about = found.get("search")
    if not about:
        return ""
    trials = about["trials"]
    states = {s: sum(t["state"] == s for t in trials) for s in ("stopped", "failed")}
    verb = "was" if len(trials) == 1 else "were"
    said = f"{plural(len(trials), 'candidate')} {verb} tried in {seconds(about['seconds'])}"
    words = {"stopped": "stopped early", "failed": "failed"}
    ends = [f"{count(n)} {words[state]}" for state, n in states.items() if n]
    more = f", {listed(ends)}" if ends else ""
    how = f"; how it ended: {name(about['how_ended'])}" if about.get("how_ended") else ""
    copies = _augmentation(about["augmentation"]) if about.get("augmentation") else ""
    return f"{said}{more}{how}.{copies}"

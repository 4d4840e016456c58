"""What to see in each figure, in one sentence that is computed from its numbers.

Each function takes the findings (report.json) and gives a sentence without markup; an empty text
where the figure is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from onnxlet.convert.report.wording import (
    FEW_IN_PART,
    count,
    few,
    interval,
    listed,
    name,
    number,
    plural,
    seconds,
    share,
    size,
)

Findings = Mapping[str, Any]
BASELINES = {"constant": "a constant answer", "linear": "a linear model"}
STANDINGS = {
    "ahead": "is ahead of {} by more than chance would explain",
    "chance": "is ahead of {} by so little that it may be chance",
    "level": "is not ahead of {}",
    "behind": "is behind {} by more than chance would explain",
}
NO_SCORES = "Nothing is known of how good its answers are: it was built without held-out answers."


def answer(found: Findings) -> str:
    """How good, against what, how sure: the sentence that the report begins with."""
    if not found.get("scores"):
        return NO_SCORES
    first = found["scores"][0]
    between = interval(first["model"])
    sure = f" (95\u202f% interval {between})" if between else ""
    begun = (
        f"On {plural(first['rows'], 'row')} that it had not seen, its {_inside(first['title'])} is "
        f"{number(first['model']['value'])}{sure}"
    )
    against = ""
    for each in first["baselines"]:
        word = verdict(first, each)
        turn = "but" if against and word != verdict(first, first["baselines"][0]) else "and"
        who = BASELINES.get(each["name"], name(each["name"]))
        against += f"{f', {turn} ' if against else ''}{word} {who} ({number(each['value'])})"
    more = f": {against}" if against else ""
    doubt = "; with so few rows another test might say otherwise" if few(first["rows"]) else ""
    return f"{begun}{more}{doubt}."


def _inside(title: str) -> str:
    """A title inside a sentence: abbreviations keep their capitals."""
    begins = title.split()[0] if title.split() else title
    return title if begins[1:] != begins[1:].lower() or len(begins) < 3 else title[0].lower() + title[1:]


def verdict(score: Findings, baseline: Findings) -> str:
    """The model's score beside a baseline's, in words: clear where the intervals are apart."""
    sure, gap = lead(score, baseline)
    if sure:
        return "clearly better than" if gap > 0 else "clearly worse than"
    return "not clearly better than" if gap > 0 else "no better than"


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


def clear_of(value: Findings, limit: float = 0) -> bool:
    """Whether an interval leaves a limit out."""
    low, high = value.get("low"), value.get("high")
    return low is not None and high is not None and not low <= limit <= high


def data(found: Findings) -> str:
    """The table in one sentence."""
    about = found.get("data")
    if not about:
        return ""
    columns = about.get("columns") or []
    used = sum(bool(each["used"]) for each in columns)
    of = f" of {plural(len(columns), 'column')}" if used != len(columns) else ""
    what = f", from which it learned with {count(used)}{of}" if of else ""
    rows = f"The table has {plural(about['rows'], 'row')}"
    with_all = f" and {plural(used, 'column')}" if columns and not of else ""
    return f"{rows}{with_all}{what}."


def target(found: Findings) -> str:
    """How even, or how wide, the target is."""
    spread = (found.get("data") or {}).get("target")
    if not spread or not sum(spread.get("counts") or []):
        return ""
    counts, total = spread["counts"], sum(spread["counts"])
    if "bins" in spread:
        most = counts.index(max(counts))
        low, high = spread["bins"][most], spread["bins"][most + 1]
        return (
            f"Most values, {share(counts[most] / total)}, lie between {number(low)} and "
            f"{number(high)}; all between {number(spread['bins'][0])} and {number(spread['bins'][-1])}."
        )
    pairs = list(zip(counts, spread["labels"], strict=True))
    if spread.get("other"):
        pairs = pairs[:-1]  # many rare ones
    pairs.sort(key=lambda pair: -pair[0])
    (most, label), (least, rare) = pairs[0], pairs[-1]
    if spread.get("other"):
        return f"The most frequent label, {name(label)}, has {share(most / total)} of the rows."
    if len(pairs) == 1:
        return f"Every row has the label {name(label)}."
    return (
        f"The most frequent label, {name(label)}, has {share(most / total)} of the rows, the rarest, "
        f"{name(rare)}, {share(least / total)}{' (few rows)' if few(least, FEW_IN_PART) else ''}."
    )


def scores(found: Findings) -> str:
    """Where intervals overlap."""
    if not found.get("scores"):
        return ""
    first = found["scores"][0]
    if not first["baselines"]:
        return "Nothing was measured beside it."
    words: dict[str, list[str]] = {}
    for each in first["baselines"]:
        sure, gap = lead(first, each)
        kind = ("ahead" if sure else "chance") if gap > 0 else ("behind" if sure else "level")
        words.setdefault(kind, []).append(BASELINES.get(each["name"], name(each["name"])))
    said = [text.format(listed(words[kind])) for kind, text in STANDINGS.items() if kind in words]
    return f"It {'; it '.join(said)}."


def confusion(found: Findings) -> str:
    """What is right, and what is most often taken for what."""
    table = found.get("confusion")
    if not table or not sum(map(sum, table["counts"])):
        return ""
    counts, labels = table["counts"], table["labels"]
    total = sum(map(sum, counts))
    # Where the rarest labels are lumped, an answer of one for another of them lies on the diagonal.
    end = len(labels) - (1 if table.get("other") else 0)
    right = sum(counts[k][k] for k in range(end))
    wrong = [
        (counts[a][b], a, b) for a in range(len(labels)) for b in range(len(labels)) if a != b
    ]
    said = f"{share(right / total)} of {plural(total, 'row')} are on the diagonal"
    said += ", without the lumped labels" if table.get("other") else ", where the answer is right"
    most, a, b = max(wrong, default=(0, 0, 0))
    if not most:
        return f"{said}; no two labels are taken for each other."
    return f"{said}; the most frequent mistake is {name(labels[b], 60)} for {name(labels[a], 60)}, {plural(most, 'time')}."


def residuals(found: Findings) -> str:
    """How far off half and most answers are."""
    within = (found.get("residuals") or {}).get("within") or []
    if not within:
        return ""
    parts = [f"{round(100 * each['share'])}\u202f% are off by at most {number(each['error'])}" for each in within]
    return f"Of the answers {listed(parts)}."


def by_prediction(found: Findings) -> str:
    """Where errors are widest, and whether they lean to one side."""
    bins = [b for b in (found.get("residuals") or {}).get("by_prediction") or [] if b["rows"]]
    if not bins:
        return ""
    widest = max(bins, key=lambda each: each["p95"] - each["p05"])
    thin = " (few rows)" if few(widest["rows"], FEW_IN_PART) else ""
    return (
        f"Errors spread most where the prediction is {number(widest['low'])} to "
        f"{number(widest['high'])}: nine in ten lie between {number(widest['p05'])} and "
        f"{number(widest['p95'])}{thin}."
    )


def roc(found: Findings) -> str:
    """What the area means."""
    if not found.get("roc"):
        return ""
    auc = found["roc"]["auc"]
    return (
        f"Of two rows, one {positive(found)} and one not, the model ranks the first higher in "
        f"{share(auc['value'])} of all pairs{_with(auc, share)}; guessing would in half."
    )


def precision_recall(found: Findings) -> str:
    """The average precision beside guessing's."""
    if not found.get("precision_recall"):
        return ""
    average = found["precision_recall"]["average_precision"]
    return (
        f"The area below the curve, the average precision, is {number(average['value'])}"
        f"{_with(average)}: further up and to the right is better."
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
    why = f", chosen for its {_inside(name(about['metric']))}" if about.get("metric") else ""
    return (
        f"At {number(about['chosen'])}{why}, "
        f"{share(row['selected'])} of the rows are selected, {precision}, and "
        f"{share(row['recall'])} of those that are {positive(found)} are found."
    )


def _nearest(table: list[Findings], chosen: float) -> Findings:
    return min(table, key=lambda row: abs(row["threshold"] - chosen))


def importance(found: Findings) -> str:
    """What matters, and how many columns hardly do."""
    columns = (found.get("importance") or {}).get("columns") or []
    if not columns:
        return ""
    metric = metric_of(found, "importance")
    first = columns[0]
    weak = [each for each in columns if not clear_of(each) or (each["value"] or 0) <= 0]
    if len(weak) == len(columns):
        return "No column matters beyond chance when it is shuffled by itself."
    said = (
        f"Without {name(first['column'], 60)}, shuffled, the {metric} gets worse by "
        f"{number(first['value'])}"
    )
    if not weak:
        return f"{said}; every column matters beyond chance."
    verb = "does" if len(weak) == 1 else "do"
    return f"{said}; {plural(len(weak), 'column')} of {count(len(columns))} {verb} not matter beyond chance."


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


def metric_of(found: Findings, part: str) -> str:
    """The metric of a part, as it stands inside a sentence."""
    about = found[part]
    known = {each["metric"]: each["title"] for each in found.get("scores") or []}
    return _inside(name(about.get("title") or known.get(about["metric"], about["metric"])))


def worst(found: Findings) -> str:
    """What the list of the worst rows is for."""
    rows = found.get("worst") or []
    if not rows:
        return ""
    return (
        f"The largest error is {number(rows[0]['error'])}, in row {count(rows[0]['row'])} of the "
        "test rows, counted from 0: look these up in your own table; often it is the table that is "
        "wrong."
    )


def search(found: Findings) -> str:
    """How much was tried, and what it gained."""
    about = found.get("search")
    if not about:
        return ""
    trials = about["trials"]
    states = {s: sum(t["state"] == s for t in trials) for s in ("stopped", "failed")}
    verb = "was" if len(trials) == 1 else "were"
    said = f"{plural(len(trials), 'candidate')} {verb} tried in {seconds(about['seconds'])}"
    ends = [f"{count(n)} {words}" for state, words in
            (("stopped", "stopped early"), ("failed", "failed")) if (n := states[state])]  # fmt: skip
    more = f", {listed(ends)}" if ends else ""
    how = f"; how it ended: {name(about['how_ended'])}" if about.get("how_ended") else ""
    return f"{said}{more}{how}."


def fairness(each: Findings) -> str:
    """The largest difference that is beyond chance."""
    known = [d for d in each["differences"] if d["value"] is not None]
    small = sum(bool(group["small"]) for group in each["groups"])
    figures = "its figures" if small == 1 else "their figures"
    verb = "has" if small == 1 else "have"
    thin = f" {plural(small, 'group')} {verb} few rows: {figures} say little." if small else ""
    if not known:
        return f"No difference between groups can be computed.{thin}"
    sure = [d for d in known if clear_of(d, neutral(d))]
    if not sure:
        return f"No difference between groups is beyond chance.{thin}"
    plain = [d for d in sure if not neutral(d)]
    largest = max(plain or sure, key=lambda d: abs(d["value"] - neutral(d)))
    between = " and ".join(f"\u201c{name(group, 40)}\u201d" for group in largest.get("between") or [])
    pair = f", between {between}" if between else ""
    more = f", {count(len(sure))} of {count(len(known))} measures differ beyond chance"
    return f"{name(largest['title'])}: {number(largest['value'])}{_with(largest)}{pair}{more}.{thin}"


def neutral(difference: Findings) -> float:
    """Where groups are alike: a ratio of 1, a difference of 0."""
    return 1.0 if str(difference["measure"]).endswith("_ratio") else 0.0


def mitigation(each: Findings) -> str:
    """What the mitigation brings and costs."""
    about = each.get("mitigation")
    if not about:
        return ""
    before = {d["measure"]: d["value"] for d in each["differences"]}
    parts = [
        f"{_inside(name(d['title']))} goes from {number(before[d['measure']])} to {number(d['value'])}"
        for d in about["differences"]
        if d["value"] is not None and before.get(d["measure"]) is not None
    ]
    old, new = about["scores"]["before"], about["scores"]["after"]
    cost = (
        f"the {_inside(name(about.get('title') or about['metric']))} goes from "
        f"{number(old['value'])} to {number(new['value'])}{_with(new)}"
    )
    brought = f" Then the {listed(parts[:2])}." if parts else ""
    return f"Fitted beside it: {name(about['how'])}.{brought} What it costs: {cost}."


def parity(found: Findings) -> str:
    """What was proven."""
    about = found.get("parity")
    if not about or about.get("rows") is None:
        return "Nothing proves that what is served answers as the estimator does."
    off = [value for value in (about.get("worst") or {}).values() if value is not None]
    largest = max(off, default=0)
    exact = "not at all" if not largest else f"by {number(largest, 2)} at most"
    return (
        f"On {plural(about['rows'], 'row')}, edge cases among them, the served model\u2019s answers "
        f"differ from scikit-learn\u2019s {exact}."
    )


def serving(found: Findings) -> str:
    """Size and speed beside the estimator's."""
    about = found.get("serving")
    if not about:
        return ""
    said = (
        f"The served model takes {size(about['bytes'])}, loads in "
        f"{seconds(_in(about['load_ms'], 1e-3))} and answers a row in "
        f"{seconds(_in(about['one_row_us'], 1e-6))}"
    )
    old, new = about.get("estimator_one_row_us"), about["one_row_us"]
    if not old or not new:
        return f"{said}."
    times = f"{number(old / new, 2)} times the time" if old >= new else f"{share(old / new)} of the time"
    return f"{said}; scikit-learn takes {times} for a row."


def _in(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit


def positive(found: Findings) -> str:
    """What a two-class model looks for, as it is named in sentences."""
    label = found.get("positive")
    return "positive" if label is None else f"\u201c{name(label, 60)}\u201d"


def _with(value: Findings, write: Callable[[float | None], str] = number) -> str:
    if value.get("low") is None or value.get("high") is None:
        return ""
    return f" (95\u202f% interval {write(value['low'])} to {write(value['high'])})"

"""The answer in one sentence, the scores, the data."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.sections.common import AHEAD, BASELINES, inside, lead, verdict
from onnxlet.convert.report.wording import (
    FEW_IN_PART,
    count,
    few,
    interval,
    listed,
    name,
    number,
    plural,
    share,
)

STANDINGS = {
    "ahead": "is ahead of {} by more than chance would explain",
    "chance": "is ahead of {} by so little that it may be chance",
    "unsure": "is ahead of {}, on too few rows or groups to say how surely",
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
        f"On {plural(first['rows'], 'row')} that it had not seen, its {inside(first['title'])} is "
        f"{number(first['model']['value'])}{sure}"
    )
    against = ""
    for each in first["baselines"]:
        word = verdict(first, each)
        turn = (
            "and" if (word == AHEAD) == (verdict(first, first["baselines"][0]) == AHEAD) else "but"
        )
        who = BASELINES.get(each["name"], name(each["name"]))
        against += f"{f', {turn} ' if against else ''}{word} {who} ({number(each['value'])})"
    more = f": {against}" if against else ""
    doubt = ""
    if few(first["rows"]):
        doubt = "; with so few rows another test might say otherwise"
    elif first["model"].get("low") is None:
        doubt = "; how sure that is can't be said of so few groups of rows"
    return f"{begun}{more}{doubt}."


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
        near = "unsure" if first["model"].get("low") is None else "chance"
        kind = ("ahead" if sure else near) if gap > 0 else ("behind" if sure else "level")
        words.setdefault(kind, []).append(BASELINES.get(each["name"], name(each["name"])))
    said = [text.format(listed(words[kind])) for kind, text in STANDINGS.items() if kind in words]
    return f"It {'; it '.join(said)}."


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
        low, high, *_ = map(number, spread["bins"][most : most + 2])
        ends = f"{number(spread['bins'][0])} and {number(spread['bins'][-1])}"
        return (
            f"{share(counts[most] / total)} of the values lie between {low} and {high}, more than "
            f"in any other bin; all between {ends}."
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
    thin = " (few rows)" if few(least, FEW_IN_PART) else ""
    return (
        f"The most frequent label, {name(label)}, has {share(most / total)} of the rows, the "
        f"rarest, {name(rare)}, {share(least / total)}{thin}."
    )

"""The model's scores beside those of a constant answer and a linear model; the first sentence."""

from __future__ import annotations

from onnxlet.convert.report.form.figures import Baseline, Score
from onnxlet.convert.report.form.findings import Findings
from onnxlet.convert.report.form.plot import LABEL, Plot, Row, draw_rows
from onnxlet.convert.report.form.wording import (
    few,
    fitting,
    headed,
    interval,
    listed,
    name,
    number,
    plural,
)
from onnxlet.convert.report.sections.plain import in_plain_words
from onnxlet.convert.report.sections.section import Section, clear_of, in_unit, inside, of_part

AHEAD = "clearly better than"
# By baseline: what it is called, and the colour and the marker that it is drawn in.
BASELINES = {
    "constant": ("a constant answer", "plain", "s"),
    "linear": ("a linear model", "other", "D"),
}
STANDINGS = {
    "ahead": "is ahead of {} by more than chance would explain",
    "chance": "is ahead of {} by so little that it may be chance",
    "unsure": "is ahead of {}, on too few rows or groups to say how surely",
    "level": "is not ahead of {}",
    "behind": "is behind {} by more than chance would explain",
}
IN_UNIT = ("rmse", "mae", "median_ae")  # metrics that are in the target's own unit
NO_SCORES = "Nothing is known of how good its answers are: it was built without held-out answers."


def called(baseline: Baseline, longest: int = 160) -> str:
    """A baseline inside a sentence."""
    known = BASELINES.get(baseline.name)
    return known[0] if known else name(baseline.name, longest)


def answers(found: Findings) -> list[str]:
    """What the report begins with: how good the model is in plain words, and by its metric."""
    return [said for said in (in_plain_words(found), answer(found)) if said]


def answer(found: Findings) -> str:
    """How good, against what, how sure."""
    if not found.scores:
        return NO_SCORES
    first = found.scores[0]
    between = interval(first.model)
    sure = f" (95\u202f% interval {between})" if between else ""
    unit = in_unit(found) if first.metric in IN_UNIT else ""
    begun = (
        f"On {plural(first.rows, 'row')} that it had not seen, its {inside(first.title)} is "
        f"{number(first.model.value)}{unit}{sure}"
    )
    against = ""
    for each in first.baselines:
        word = verdict(first, each)
        turn = "and" if (word == AHEAD) == (verdict(first, first.baselines[0]) == AHEAD) else "but"
        against += f"{f', {turn} ' if against else ''}{word} {called(each)} ({number(each.value)})"
    more = f": {against}" if against else ""
    doubt = ""
    if few(first.rows):
        doubt = "; with so few rows another test might say otherwise"
    elif first.model.low is None:
        doubt = "; how sure that is can't be said of so few groups of rows"
    return f"{begun}{more}{doubt}."


@of_part(lambda found: found.scores)
def scores(every: list[Score], found: Findings) -> str:
    """Where intervals overlap."""
    first = every[0]
    if not first.baselines:
        return "Nothing was measured beside it."
    words: dict[str, list[str]] = {}
    for each in first.baselines:
        sure, gap = lead(first, each)
        near = "unsure" if first.model.low is None else "chance"
        kind = ("ahead" if sure else near) if gap > 0 else ("behind" if sure else "level")
        words.setdefault(kind, []).append(called(each))
    said = [text.format(listed(words[kind])) for kind, text in STANDINGS.items() if kind in words]
    return f"It {'; it '.join(said)}."


def lead(score: Score, baseline: Baseline) -> tuple[bool, float]:
    """Whether model and baseline differ beyond doubt, and by how much the model is better.

    The interval of their difference decides, where it was measured: both answered the same rows.
    Without it their own intervals have to be apart, which asks for more.
    """
    model, gain = score.model, baseline.gain
    if gain is not None and gain.value is not None:
        return clear_of(gain), gain.value
    if model.value is None or baseline.value is None:
        return False, 0.0
    gap = (1 if score.greater_is_better else -1) * (model.value - baseline.value)
    if model.low is None or model.high is None or baseline.low is None or baseline.high is None:
        return False, gap
    return model.low > baseline.high or model.high < baseline.low, gap


def verdict(score: Score, baseline: Baseline) -> str:
    """The model's score beside a baseline's, in words: clear where the intervals are apart."""
    sure, gap = lead(score, baseline)
    if sure:
        return AHEAD if gap > 0 else "clearly worse than"
    return "not clearly better than" if gap > 0 else "no better than"


def names_of_baselines(found: Findings) -> list[str]:
    """The baselines' names in the order that they come."""
    return list(dict.fromkeys(e.name for score in found.scores or [] for e in score.baselines))


@of_part(lambda found: found.scores, None)
def scores_plot(every: list[Score], found: Findings) -> Plot | None:
    """The optimised metric with its intervals."""
    first = every[0]
    rows = [Row("this model", first.model, strong=True)]
    for each in first.baselines:
        other = (fitting(each.name, LABEL), "third", "^")
        label, paint, marker = BASELINES.get(each.name, other)
        rows.append(Row(label, each, paint, marker))
    better = "higher" if first.greater_is_better else "lower"
    axis = f"{headed(fitting(first.title, 34))}, {better} is better, with 95\u202f% intervals"
    return draw_rows("scores-plot", f"{first.title} beside the baselines", rows, axis)


# Its sentences stand above all sections of the card.
ANSWER = Section("answer", "In short", lambda found: True)
SECTION = Section("scores", "Scores", lambda found: found.scores)

"""The search of a training: its candidates, and how the best score grew."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from onnxlet.convert.report.form.findings import Augmentation, Findings, Search
from onnxlet.convert.report.form.plot import Plot, colour, plot, ticks, titles
from onnxlet.convert.report.form.wording import (
    count,
    headed,
    listed,
    name,
    number,
    plural,
    seconds,
    share,
)
from onnxlet.convert.report.sections.section import Section, of_part


@of_part(lambda found: found.search)
def search(about: Search, found: Findings) -> str:
    """How much was tried, and what it gained."""
    states = {s: sum(t.state == s for t in about.trials) for s in ("stopped", "failed")}
    verb = "was" if len(about.trials) == 1 else "were"
    said = f"{plural(len(about.trials), 'candidate')} {verb} tried in {seconds(about.seconds)}"
    words = {"stopped": "stopped early", "failed": "failed"}
    ends = [f"{count(n)} {words[state]}" for state, n in states.items() if n]
    more = f", {listed(ends)}" if ends else ""
    how = f"; how it ended: {name(about.how_ended)}" if about.how_ended else ""
    copies = _augmentation(about.augmentation) if about.augmentation else ""
    plainer = f" {headed(name(about.plainer, 600))}." if about.plainer else ""
    return f"{said}{more}{how}.{copies}{plainer}"


def _augmentation(about: Augmentation) -> str:
    """What copies of rows were fitted on, and what they gained."""
    copies, pixels = plural(about.copies, "copy", "copies"), plural(about.shift, "pixel")
    said = (
        f" Augmentation: candidates so named were also fitted on {copies} of each training row, "
        f"with images shifted by up to {pixels} and with noise (a standard deviation of "
        f"{number(about.noise)} of 255); rows to validate or test on had none."
    )
    if compared := about.compared:
        said += (
            f" On the same folds the {name(compared.name)} candidate scored "
            f"{number(compared.with_)} with it and {number(compared.without)} without."
        )
    served = {0.0: "without it", 1.0: "with it"}.get(round(about.weight, 6))
    part = f"with it for {share(about.weight)} of its weight"
    return f"{said} What is served was fitted {served or part}."


def ensemble(found: Findings) -> str:
    """What was chosen, with weights where there are several."""
    chosen = (found.search and found.search.ensemble) or []
    if len(chosen) == 1:
        return name(chosen[0].name, 80)
    parts = [f"{name(e.name, 80)} ({round(100 * e.weight)}\u202f%)" for e in chosen]
    return f"the mean of {listed(parts)}" if parts else ""


@of_part(lambda found: found.search, None)
def search_plot(about: Search, found: Findings) -> Plot | None:
    """Each candidate's score over the seconds, and the best so far."""
    ends = accumulate(trial.seconds for trial in about.trials)
    # When each ended, its state and its score.
    scored = [
        (at, trial.state, trial.score)
        for at, trial in zip(ends, about.trials, strict=True)
        if trial.score is not None
    ]
    if not scored:
        return None
    up = found.scores[0].greater_is_better if found.scores else None  # None where nobody says
    done = [(at, score) for at, state, score in scored if state == "done"]
    best = list(accumulate((score for _, score in done), max if up else min))

    def draw(axes: Any) -> None:
        for state, marker, paint in (("done", "o", "model"), ("stopped", "x", "plain")):
            chosen = [(at, score) for at, its, score in scored if its == state]
            if chosen:
                axes.plot(*zip(*chosen, strict=True), marker, color=colour(paint), markersize=6)
        if best and up is not None:
            steps = [*(x for x, _ in done), max(scored[-1][0], about.seconds or 0)]
            axes.plot(steps, [*best, best[-1]], drawstyle="steps-post", color=colour("other"))
        axes.set_xlim(0, None)
        _limit(axes, [score for *_, score in scored])
        ticks(axes)
        titles(axes, "seconds of work", about.metric)

    said = "; ".join(f"after {seconds(at)} {number(score)}" for at, _, score in scored[:40])
    legend = [("disc-model", "a candidate"), ("cross-plain", "stopped early")]
    if best and up is not None:
        legend.append(("line-other", "best so far"))
    margins = (28, 18, 42, 58)
    return plot("search-plot", "The search", f"{said}.", 280, draw, margins, tuple(legend))


def _limit(axes: Any, scores: list[float]) -> None:
    """Leave outliers off, where all that matters would be one line: the worst tenth."""
    ordered = sorted(scores)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    room = (high - low) * 0.5
    least, most = max(ordered[0], low - room), min(ordered[-1], high + room)
    pad = (most - least) * 0.08 or abs(most) * 0.05 or 1
    axes.set_ylim(least - pad, most + pad)


SECTION = Section("search", "The search", lambda found: found.search)

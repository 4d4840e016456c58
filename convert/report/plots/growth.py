"""How the score grew: with rows, and during the search."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from onnxlet.convert.report import Findings
from onnxlet.convert.report.drawing.plot import Plot, colour, plot, span, ticks, titles
from onnxlet.convert.report.wording import count, number, seconds

MARGINS = (28, 18, 42, 58)


def learning(found: Findings) -> Plot | None:
    """The score by the number of training rows."""
    points = [
        p for p in (found.get("learning") or {}).get("points") or [] if p["value"] is not None
    ]
    if not points:
        return None
    at = [point["rows"] for point in points]
    spans = [span(point) for point in points]
    metric = found["learning"].get("title") or found["learning"]["metric"]

    def draw(axes: Any) -> None:
        lows, highs = [low for _, low, _ in spans], [high for _, _, high in spans]
        axes.fill_between(at, lows, highs, color=colour("model"), alpha=0.2, linewidth=0)
        axes.plot(at, [s[0] for s in spans], "-o", color=colour("model"), markersize=6)
        axes.set_xlim(0, max(at) * 1.04)
        ticks(axes)
        titles(axes, "training rows", metric)

    description = "; ".join(f"{count(p['rows'])} rows: {number(p['value'])}" for p in points)
    legend = (("line-model", "score on rows kept apart"), ("band-model", "95\u202f% interval"))
    return plot("learning-plot", "Learning curve", f"{description}.", 280, draw, MARGINS, legend)


def search(found: Findings) -> Plot | None:
    """Each candidate's score over the seconds, and the best so far."""
    trials = (found.get("search") or {}).get("trials") or []
    scored = [each for each in trials if each["score"] is not None]
    if not scored:
        return None
    ends = dict(
        zip([t["number"] for t in trials], accumulate(t["seconds"] for t in trials), strict=True)
    )
    at = [ends[each["number"]] for each in scored]
    scores = found.get("scores") or []
    up = scores[0]["greater_is_better"] if scores else None  # None where nobody says
    done = [(x, t["score"]) for x, t in zip(at, scored, strict=True) if t["state"] == "done"]
    best = list(accumulate((score for _, score in done), max if up else min))

    def draw(axes: Any) -> None:
        for state, marker, paint in (("done", "o", "model"), ("stopped", "x", "plain")):
            chosen = [
                (x, t["score"]) for x, t in zip(at, scored, strict=True) if t["state"] == state
            ]
            if chosen:
                axes.plot(*zip(*chosen, strict=True), marker, color=colour(paint), markersize=6)
        if best and up is not None:
            steps = [*(x for x, _ in done), max(at[-1], found["search"]["seconds"] or 0)]
            axes.plot(steps, [*best, best[-1]], drawstyle="steps-post", color=colour("other"))
        axes.set_xlim(0, None)
        _limit(axes, [each["score"] for each in scored])
        ticks(axes)
        titles(axes, "seconds of work", found["search"]["metric"])

    description = "; ".join(
        f"after {seconds(x)} {number(t['score'])}"
        for x, t in list(zip(at, scored, strict=True))[:40]
    )
    legend = [("disc-model", "a candidate"), ("cross-plain", "stopped early")]
    if best and up is not None:
        legend.append(("line-other", "best so far"))
    return plot("search-plot", "The search", f"{description}.", 280, draw, MARGINS, tuple(legend))


def _limit(axes: Any, scores: list[float]) -> None:
    """Leave outliers off, where all that matters would be one line: the worst tenth."""
    ordered = sorted(scores)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    room = (high - low) * 0.5
    least, most = max(ordered[0], low - room), min(ordered[-1], high + room)
    pad = (most - least) * 0.08 or abs(most) * 0.05 or 1
    axes.set_ylim(least - pad, most + pad)

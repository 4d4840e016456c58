"""Whether what really happened is worse than the build promised, by more than chance.

What was promised is of a sample, too: the held-out rows. So each test is Fisher's, of a share of
the truths beside one of those, and assumes nothing of how errors are distributed. Of errors it is
the share above what a half, a fifth and a twentieth of the held-out ones were. Of intervals and
sets it is the share of truths outside: of a table of n scores, the k-th largest of which bounds
them, as many truths lie outside as Fisher's test has it for k - 1 of n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Any

from onnxlet.function.models.example import table_of
from onnxlet.function.monitoring.sentences import number, percent
from onnxlet.function.monitoring.two_samples import CHANCE, share_threshold

ACCURACY, ERRORS, COVERAGE = "accuracy", "share of large errors", "coverage"
ROUNDING = 1e-6  # of a sum of hits, so that it is no row more or less


def tests(manifest: Mapping[str, Any], figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tests of a window's figures, each with a `sentence` where it alarms.

    All together alarm by chance in at most CHANCE of such windows. What a manifest has no figures
    of is not tested.
    """
    estimate, conformal = manifest.get("estimate") or {}, table_of(manifest) or {}
    of_labels, errors = "accuracy" in estimate.get("held_out", {}), figures.get("large_errors", ())
    coverages = [each for each in figures["coverage"] if conformal and "others" not in each]
    chance = CHANCE / max(1, of_labels + len(errors) + len(coverages))
    found = [_accuracy(estimate, figures, chance)] if of_labels else []
    if errors:
        of_errors = list(_errors(estimate, figures, chance))
        found.append(max(of_errors, key=lambda test: test["value"] - test["threshold"]))
    return found + [_coverage(conformal["rows"], each, chance) for each in coverages]


def _accuracy(
    estimate: Mapping[str, Any], figures: Mapping[str, Any], chance: float
) -> dict[str, Any]:
    rows, held_out, was = figures["rows"], estimate["rows"], estimate["held_out"]["accuracy"]
    right, right_then = round(rows * figures["accuracy"]), round(held_out * was)
    said = f"{percent(right, rows)} of {rows:,} recent answers were right; "
    said += f"at build {percent(right_then, held_out)} of {held_out:,} were."
    wrong = (held_out - right_then, held_out), (rows - right, rows)
    return _test(ACCURACY, *wrong, chance, said)


def _errors(
    estimate: Mapping[str, Any], figures: Mapping[str, Any], chance: float
) -> Iterator[dict[str, Any]]:
    rows, held_out = figures["rows"], estimate["rows"]
    mean, was = figures["mean_absolute_error"], estimate["held_out"]["mean_absolute_error"]
    for then, each in zip(estimate["large_errors"]["rows"], figures["large_errors"], strict=True):
        said = f"The mean absolute error of {rows:,} recent truths is {number(mean, 3)}; at build "
        said += f"it was {number(was, 3)}. {percent(each['rows'], rows)} of the errors are above "
        said += f"{number(each['above'], 3)}; at build {percent(then, held_out)} were."
        worse = said if mean > was else ""
        yield _test(ERRORS, (then, held_out), (each["rows"], rows), chance, worse)


def _coverage(scores: int, figures: Mapping[str, Any], chance: float) -> dict[str, Any]:
    asked, rows = figures["asked"], figures["rows"]
    outside = floor(rows * (1 - figures["realised"]) + ROUNDING)
    allowed = max(0, scores - ceil((scores + 1) * Fraction(repr(asked))))
    said = f"{percent(rows - outside, rows)} of {rows:,} recent truths lie in their interval or "
    said += f"set; {number(100 * asked)} % was asked for."
    return _test(f"{COVERAGE} {asked:g}", (allowed, scores), (outside, rows), chance, said)


def _test(
    statistic: str, was: tuple[int, int], now: tuple[int, int], chance: float, said: str
) -> dict[str, Any]:
    """Of bad rows and all rows, at build and now; the statistic is of good ones but of errors."""
    _, most = share_threshold(*was, now[1], 2 * chance)  # one-sided
    alarmed = now[0] > most and bool(said)
    value, threshold, side = now[0] / now[1], most / now[1], "above"
    if statistic != ERRORS:
        value, threshold, side = 1 - value, 1 - threshold, "below"
    about = {"statistic": statistic, "value": value, "threshold": threshold, "side": side}
    return {**about, "alarmed": alarmed, **({"sentence": said} if alarmed else {})}

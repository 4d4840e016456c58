"""Fairness: differences between groups, and what a mitigation costs."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.sections.common import clear_of, inside, neutral, with_interval
from onnxlet.convert.report.wording import count, headed, name, number, plural


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
    between = " and ".join(
        f"\u201c{name(group, 40)}\u201d" for group in largest.get("between") or []
    )
    pair = f", between {between}" if between else ""
    more = f", {count(len(sure))} of {count(len(known))} measures differ beyond chance"
    value = f"{number(largest['value'])}{with_interval(largest)}"
    return f"{headed(name(largest['title']))}: {value}{pair}{more}.{thin}"


def mitigation(each: Findings) -> str:
    """What the mitigation brings and costs."""
    about = each.get("mitigation")
    if not about:
        return ""
    before = {d["measure"]: d["value"] for d in each["differences"]}
    parts = [
        f"{inside(name(d['title']))}, from {number(before[d['measure']])} to {number(d['value'])}"
        for d in about["differences"]
        if None not in (d["value"], before.get(d["measure"])) and not neutral(d)
    ]
    old, new = about["scores"]["before"], about["scores"]["after"]
    cost = (
        f"the {inside(name(about.get('title') or about['metric']))} goes from "
        f"{number(old['value'])} to {number(new['value'])}{with_interval(new)}"
    )
    brought = f" What it brings: {'; '.join(parts[:3])}." if parts else ""
    return f"Fitted beside it: {name(about['how'])}.{brought} What it costs: {cost}."

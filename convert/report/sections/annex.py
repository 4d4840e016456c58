"""The points of the AI Act's Annex IV, and the sections whose facts say something of them.

Annex IV of Regulation (EU) 2024/1689 lists what the technical documentation of a high-risk AI
system has to hold: http://data.europa.eu/eli/reg/2024/1689/oj. Titles are our own, in short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from onnxlet.convert.report.sections.section import Section


class Point(NamedTuple):
    """One of the points."""

    number: str
    title: str
    sections: tuple[str, ...] = ()  # by their ids; without one nothing measured fills it


POINTS = (
    Point("1 (a)", "Purpose, provider, version"),
    Point("1 (b)", "Hardware and software that it works with", ("call",)),
    Point("1 (c)", "Versions of software", ("made",)),
    Point("1 (d)", "Forms in which it is supplied"),
    Point("1 (e)", "Hardware that it is to run on", ("serving",)),
    Point("1 (f)", "Pictures of the product that it is part of"),
    Point("1 (g)", "User interface"),
    Point("1 (h)", "Instructions for use", ("call",)),
    Point("2 (a)", "Steps of development, and what others provided", ("search", "made", "parity")),
    Point("2 (b)", "Logic, choices, what is optimised, output", ("data", "scores", "leans")),
    Point("2 (c)", "Architecture, computing resources", ("search",)),
    Point("2 (d)", "Data: where from, selection, labels, cleaning", ("data", "made")),
    Point("2 (e)", "Human oversight, help to interpret answers", ("leans",)),
    Point("2 (f)", "Changes that are planned beforehand"),
    Point(
        "2 (g)",
        "Validation and tests: data, metrics, discrimination",
        ("data", "scores", "errors", "curves", "fairness", "parity"),
    ),
    Point("2 (h)", "Cybersecurity"),
    Point(
        "3",
        "Monitoring and control: accuracy, limits, groups, risks, input",
        ("scores", "errors", "fairness", "use"),
    ),
    Point("4", "Why these metrics"),
    Point("5", "Risk management"),
    Point("6", "Changes over the lifetime"),
    Point("7", "Standards applied"),
    Point("8", "EU declaration of conformity"),
    Point("9", "Evaluation once it is in use"),
)


SAID = (
    "Annex IV of the EU\u2019s AI Act, Regulation (EU) 2024/1689, lists what the technical "
    "documentation of a high-risk AI system holds. Here are facts for these of its points; none "
    "of them is filled as a whole."
)


def filled(here: Mapping[str, str]) -> Iterator[tuple[Point, list[tuple[str, str]]]]:
    """The points that sections which are here have facts for, with their ids and headings."""
    for point in POINTS:
        if known := [(each, here[each]) for each in point.sections if each in here]:
            yield point, known


def unfilled(here: Mapping[str, str]) -> str:
    """The numbers of the others."""
    there = {point.number for point, _ in filled(here)}
    return ", ".join(point.number for point in POINTS if point.number not in there)


SECTION = Section("annex", "For technical documentation", lambda found: True)

"""Which of two classes is the positive one: that which rates, such as recall, are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxlet.convert.problems import Problem, counted, listed

YES = frozenset(
    """
    yes y true t positive ja j wahr positiv oui vrai si sí vero sim tak ano evet да 是 はい 예
    """.split()  # noqa: SIM905 - a table of words
)
ONE, BESIDE = "1", ("0", "-1")  # of two numbers, also as text
SAID, WORD, RARER, LAST = (
    "as --positive says", "which says yes", "the rarer one", "the last in order"
)  # fmt: skip


def positive_of(labels: Sequence[Any], counts: Sequence[int]) -> tuple[Any, str]:
    """The positive one of two labels, in order, with how many rows each has; and why it is.

    It is the one that says yes: in words, true of booleans, 1 beside 0; else the rarer one, and of
    equally many rows the second.
    """
    says = [_says_yes(label, other) for label, other in (labels, [*labels][::-1])]
    if says[0] != says[1]:
        return labels[says.index(True)], WORD
    if counts[0] == counts[1]:
        return labels[1], LAST
    return labels[int(counts[1] < counts[0])], RARER


def _says_yes(label: Any, other: Any) -> bool:
    text = folded(label)
    return text in YES or (text == ONE and folded(other) in BESIDE)


def folded(label: Any) -> str:
    """A label without the difference of capitals and spaces."""
    return " ".join(str(label).split()).casefold()


def named(text: Any, labels: Sequence[Any]) -> Any:
    """The label that a user names, perhaps in other capitals; None where that is none, or two."""
    for same in (str, folded):
        found = [label for label in labels if same(label) == same(text)]
        if len(found) == 1:
            return found[0]
    return None


def wrong_positive(text: Any, labels: Sequence[Any], place: str) -> list[Problem]:
    """What is wrong with the label that a user calls positive, of the labels that there are.

    Messages name a place, such as "'churn'".
    """
    if len(labels) != 2:
        kind = counted(len(labels), "label") if labels else "numbers"
        return [
            Problem(
                f"--positive: expected a target of two labels, got {place} with {kind}",
                "Leave --positive out: rates are of one of two labels.",
            )
        ]
    if named(text, labels) is None:
        return [
            Problem(
                f"--positive: {place} has no label '{text}'", f"Its labels are {listed(labels)}."
            )
        ]
    return []
